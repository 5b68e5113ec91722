#include "kiln/kiln.h"

#include <cmath>
#include <gmock/gmock.h>
#include <sstream>

using namespace kiln;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;
using testing::ThrowsMessage;

namespace {

template <class M> std::string text(const M &module) {
  std::ostringstream os;
  os << module;
  return os.str();
}

std::vector<std::string> names(const auto &module) {
  std::vector<std::string> result;
  for (auto &[name, tensor] : module.parameters())
    result.push_back(name);
  return result;
}

// test_rms_norm.py
TEST(Layers, RMSNorm) {
  nn::RMSNorm norm(2);
  EXPECT_EQ(text(norm), "RMSNorm(dim=Dim(2))");
  EXPECT_EQ(norm.dim(), Dim(2));
  EXPECT_THAT(names(norm), ElementsAre("weight"));
  EXPECT_EQ(norm(Tensor::ones({2})).shape(), (Shape{2}));
  EXPECT_EQ(norm(Tensor::ones({10, 2})).shape(), (Shape{10, 2}));
  EXPECT_THROW(norm(Tensor::ones({1})), ValueError);
  EXPECT_THROW(norm(Tensor::ones({10, 1})), ValueError);
  EXPECT_THAT(norm(Tensor::constant({3.0f, 4.0f})).toVector<float>(),
              Pointwise(FloatNear(1e-6f), {3 / std::sqrt(12.5f), 4 / std::sqrt(12.5f)}));
}

// test_group_norm.py
TEST(Layers, GroupNorm) {
  nn::GroupNorm norm(4, 8);
  EXPECT_EQ(text(norm), "GroupNorm(num_groups=4, num_channels=8)");
  EXPECT_THAT(names(norm), ElementsAre("weight", "bias"));
  EXPECT_TRUE(nn::GroupNorm(4, 8, {.affine = false}).parameters().empty());
  EXPECT_THAT([] { nn::GroupNorm(5, 11); }, ThrowsMessage<ValueError>(HasSubstr("divisible")));
  EXPECT_THROW(norm(Tensor::ones({8})), ValueError);
  EXPECT_THROW(norm(Tensor::ones({1, 7, 2})), ValueError);
}

TEST(Layers, GroupNormValues) {
  nn::GroupNorm norm(2, 4, {.eps = 1e-5});
  norm.weight = Tensor::constant({1.0f, 2.0f, 3.0f, 4.0f});
  norm.bias = Tensor::constant({0.5f, 0.0f, 0.0f, -1.0f});
  Tensor x = random::normal({2, 4, 3, 5}, 1, 2);
  std::vector<float> in = x.toVector<float>(), out = norm(x).toVector<float>();
  const float weight[] = {1, 2, 3, 4}, bias[] = {0.5f, 0, 0, -1};
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t g = 0; g < 2; ++g) {
      const float *group = in.data() + (n * 4 + g * 2) * 15;
      double mean = 0, variance = 0;
      for (int i = 0; i < 30; ++i)
        mean += group[i] / 30.0;
      for (int i = 0; i < 30; ++i)
        variance += (group[i] - mean) * (group[i] - mean) / 30;
      for (std::size_t i = 0; i < 30; ++i) {
        std::size_t channel = g * 2 + i / 15;
        double expected =
            (group[i] - mean) / std::sqrt(variance + 1e-5) * weight[channel] + bias[channel];
        EXPECT_NEAR(out[(n * 4 + g * 2) * 15 + i], expected, 2e-5);
      }
    }
  auto compiled = norm.compile(TensorType(DType::float32, {"n", 4, "h", "w"}));
  EXPECT_EQ(compiled(x).toVector<float>(), out);
}

// test_rope.py
TEST(Layers, RotaryEmbedding) {
  nn::RotaryEmbedding rope(Tensor::zeros({2, 3, 2}));
  EXPECT_EQ(text(rope), "RotaryEmbedding(dim=6, max_sequence_length=2)");
  EXPECT_EQ(rope(Tensor::ones({1, 2, 1, 6})).shape(), (Shape{1, 2, 1, 6}));
  nn::TransposedRotaryEmbedding transposed(Tensor::zeros({2, 3, 2}));
  EXPECT_EQ(transposed(Tensor::ones({1, 2, 1, 6})).shape(), (Shape{1, 2, 1, 6}));
  EXPECT_EQ(nn::RotaryEmbedding::theta(20).shape(), (Shape{10}));
  EXPECT_EQ(nn::RotaryEmbedding::positionalEmbedding(20, 1e4, 5).shape(), (Shape{5, 10, 2}));
  EXPECT_THROW(rope(Tensor::ones({1, 2, 1, 5})), TypeError);
  EXPECT_THROW(nn::RotaryEmbedding(5, 10), ValueError);
  EXPECT_THROW(nn::RotaryEmbedding(Tensor::zeros({2, 3})), ValueError);
}

TEST(Layers, RotaryEmbeddingValues) {
  const int64_t seq = 3, heads = 2, dim = 6, half = 3;
  Tensor x = random::normal({1, seq, heads, dim});
  std::vector<float> in = x.toVector<float>();
  std::vector<float> plain = nn::RotaryEmbedding(dim, 8)(x, 1).toVector<float>();
  std::vector<float> transposed = nn::TransposedRotaryEmbedding(dim, 8)(x, 1).toVector<float>();
  for (int64_t s = 0; s < seq; ++s)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < half; ++i) {
        double angle =
            static_cast<double>(s + 1) * std::pow(1e4, -2.0 * static_cast<double>(i) / dim);
        auto check = [&](const std::vector<float> &out, int64_t first, int64_t second) {
          auto row = static_cast<std::size_t>((s * heads + h) * dim);
          auto a = row + static_cast<std::size_t>(first),
               b = row + static_cast<std::size_t>(second);
          EXPECT_NEAR(out[a], in[a] * std::cos(angle) - in[b] * std::sin(angle), 1e-5);
          EXPECT_NEAR(out[b], in[a] * std::sin(angle) + in[b] * std::cos(angle), 1e-5);
        };
        check(plain, 2 * i, 2 * i + 1);
        check(transposed, i, i + half);
      }
}

TEST(Layers, RotaryEmbeddingOfNamedSizes) {
  nn::RotaryEmbedding rope(6, 4);
  nn::TransposedRotaryEmbedding transposed(6, 4);
  TensorType type(DType::float32, {"batch", "seqlen", "n_kv_heads", 6});
  auto compiled = rope.compile(type);
  auto compiledTransposed = transposed.compile(type);
  for (const Shape &shape : {Shape{1, 1, 1, 6}, Shape{3, 2, 5, 6}, Shape{2, 4, 1, 6}}) {
    Tensor x = random::normal(shape);
    EXPECT_EQ(compiled(x).toVector<float>(), rope(x).toVector<float>());
    EXPECT_EQ(compiledTransposed(x).toVector<float>(), transposed(x).toVector<float>());
  }
  // A sequence longer than the table is an error, eager and compiled.
  Tensor tooLong = Tensor::ones({1, 5, 1, 6});
  EXPECT_THROW(rope(tooLong), ValueError);
  EXPECT_THROW(rope(Tensor::ones({1, 2, 1, 6}), 3), ValueError);
  EXPECT_THROW(compiled(tooLong), ValueError);
  EXPECT_THROW(compiledTransposed(tooLong), ValueError);
}

TEST(Layers, CausalAttention) {
  nn::MultiHeadAttention attention(8, 4, {.kvHeads = 2, .causal = true});
  EXPECT_EQ(text(attention),
            "MultiHeadAttention(dim=Dim(8), num_heads=4, num_kv_heads=2, causal=true)");
  Tensor x = random::normal({2, 5, 8});
  Tensor whole = attention(x);
  // What comes later has no influence.
  Tensor first = attention(x.slice({Slice(), Slice(0, 3)}));
  EXPECT_TRUE(allClose(whole.slice({Slice(), Slice(0, 3)}), first, 1e-5, 1e-6));
  EXPECT_FALSE(
      allClose(whole.slice({Slice(), Slice(0, 3)}),
               nn::MultiHeadAttention(8, 4, {.kvHeads = 2})(x).slice({Slice(), Slice(0, 3)})));
  // The same mask given by hand, as booleans and as numbers.
  nn::MultiHeadAttention free(8, 4, {.kvHeads = 2});
  free.loadStateDict(attention.stateDict());
  Tensor mask = bandPart(Tensor::ones({5, 5}, DType::boolean), {}, 0);
  EXPECT_EQ(free(x, mask).toVector<float>(), whole.toVector<float>());
  Tensor added = maskedFill(Tensor::zeros({5, 5}), ~mask, -INFINITY);
  EXPECT_EQ(free(x, added).toVector<float>(), whole.toVector<float>());
  // One more mask on top.
  Tensor padding = Tensor::constant({true, true, true, false, false});
  EXPECT_EQ(attention(x, padding).toVector<float>(), free(x, mask & padding).toVector<float>());
  EXPECT_EQ(attention(x, maskedFill(Tensor::zeros({5}), ~padding, -INFINITY)).toVector<float>(),
            free(x, mask & padding).toVector<float>());
  EXPECT_THROW(attention.attend(x, random::normal({2, 6, 8})), ValueError);
}

// test_dropout: the identity when nothing is trained
TEST(Layers, Dropout) {
  nn::Dropout dropout(0.1);
  EXPECT_EQ(text(dropout), "Dropout(p=0.1)");
  EXPECT_TRUE(dropout.parameters().empty());
  EXPECT_THAT(dropout(Tensor::constant({1.0f, 2.0f})).toVector<float>(), ElementsAre(1, 2));
}

} // namespace
