// MAX's tests of layers: max/tests/integration/nn/module_v3 (embedding, linear, sequential, norm,
// rope), max/tests/integration/nn/norm/test_layer_norm.py,
// max/tests/tests/graph/ops/test_layer_norm.py and max/tests/tests/nn/module_v3. PyTorch's numbers
// are of test/data/layers.py.

#include "ModuleTesting.h"

#include <cmath>
#include <cstdlib>

using namespace kiln;
using namespace kiln::conformance;
using testing::AllOf;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pointwise;

namespace {

/// As `pattern` of test/data/layers.py: multiples of 1/64 in [-2, 2).
Tensor pattern(const Shape &shape, uint64_t seed, DType dtype = DType::float32) {
  std::vector<float> values;
  for (uint64_t i = 0; i < static_cast<uint64_t>(shape.numElements().value()); ++i) {
    uint64_t mixed = (i + seed) * 2654435761u % 4294967296u;
    values.push_back(static_cast<float>(mixed / 65536 % 256) / 64 - 2);
  }
  return Tensor::fromData(values, shape).cast(dtype);
}

Tensor reference(const std::string &name) {
  const char *folder = std::getenv("KILN_TEST_DATA");
  static const io::SafetensorsFile file =
      io::openSafetensors(std::string(folder ? folder : "test/data") + "/layers.safetensors");
  return file[name];
}

std::vector<float> floats(const Tensor &x) { return x.cast(DType::float32).toVector<float>(); }

/// |x - y| / |y| as vectors.
double relativeDistance(const std::vector<float> &x, const std::vector<float> &y) {
  EXPECT_EQ(x.size(), y.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference += std::pow(double(x[i]) - y[i], 2);
    norm += std::pow(double(y[i]), 2);
  }
  return std::sqrt(difference / norm);
}

// test_embedding.py

TEST(MaxEmbedding, test_repr) {
  EXPECT_EQ(text(nn::Embedding(2, {.dim = 2})), "Embedding(vocab_size=Dim(2), dim=Dim(2))");
  EXPECT_EQ(text(nn::Embedding(2, {.dims = {2, 3}})),
            "Embedding(vocab_size=Dim(2), dims=[Dim(2), Dim(3)])");
}

TEST(MaxEmbedding, test_dims) {
  nn::Embedding plain(2, {.dim = 3}), wide(2, {.dims = {3, 4}});
  EXPECT_EQ(plain.vocabSize(), 2);
  EXPECT_EQ(plain.dim(), 3);
  EXPECT_EQ(plain.dims(), Shape{3});
  EXPECT_EQ(wide.dims(), (Shape{3, 4}));
  EXPECT_THAT(messageOf<TypeError>([&] { wide.dim(); }), HasSubstr("(at LayersTest.cpp:"));
  EXPECT_THAT(names(plain.parameters()), ElementsAre("weight"));
}

TEST(MaxEmbedding, test_exactly_one_of_dim_and_dims) {
  EXPECT_THAT(messageOf<TypeError>([] { nn::Embedding(2, {}); }), HasSubstr("exactly one"));
  EXPECT_THAT(messageOf<TypeError>([] { nn::Embedding(2, {.dim = 1, .dims = {1}}); }),
              HasSubstr("(at LayersTest.cpp:"));
}

TEST(MaxEmbedding, test_call) {
  nn::Embedding plain(2, {.dim = 3}), wide(2, {.dims = {3, 4}});
  auto ones = [](const Shape &shape) { return Tensor::ones(shape, DType::uint64); };
  EXPECT_EQ(plain(ones({10})).shape(), (Shape{10, 3}));
  EXPECT_EQ(plain(ones({5, 10})).shape(), (Shape{5, 10, 3}));
  EXPECT_EQ(wide(ones({10})).shape(), (Shape{10, 3, 4}));
  EXPECT_EQ(wide(ones({5, 10})).shape(), (Shape{5, 10, 3, 4}));
  EXPECT_EQ(wide(ones({1})).toVector<float>(), wide.weight[1].toVector<float>());
}

// test_linear.py

TEST(MaxLinear, test_repr) {
  EXPECT_EQ(text(nn::Linear(2, 2)), "Linear(in_dim=Dim(2), out_dim=Dim(2))");
  EXPECT_EQ(text(nn::Linear(3, 1, false)), "Linear(in_dim=Dim(3), out_dim=Dim(1), bias=false)");
}

TEST(MaxLinear, test_dims_parameters_call) {
  nn::Linear linear(2, 3);
  EXPECT_EQ(linear.inDim(), 2);
  EXPECT_EQ(linear.outDim(), 3);
  EXPECT_THAT(names(linear.parameters()), ElementsAre("weight", "bias"));
  EXPECT_EQ(linear(Tensor::ones({2})).shape(), Shape{3});
}

// test_quant_linear.py, as far as nothing is quantised

TEST(MaxQuantLinear, test_no_quant_config) {
  EXPECT_THAT(names(nn::Linear(512, 256).parameters()), ElementsAre("weight", "bias"));
  nn::Linear plain(512, 256, false);
  EXPECT_FALSE(plain.bias.has_value());
  EXPECT_THAT(names(plain.parameters()), ElementsAre("weight"));
  EXPECT_EQ(plain(Tensor::ones({4, 512})).shape(), (Shape{4, 256}));
}

// test_sequential.py

struct Adds : nn::Module<Adds> {
  int a;
  KILN_FIELDS(a)
  Tensor operator()(const Tensor &x) const { return x + a; }
};

nn::Sequential nested() {
  return nn::Sequential(nn::Sequential(Adds{.a = 1}, Adds{.a = 2}),
                        nn::Sequential(Adds{.a = 3}, Adds{.a = 4}));
}

TEST(MaxSequential, test_repr) {
  struct TestModule : nn::Module<TestModule> {
    int a;
    KILN_FIELDS(a)
    Tensor operator()(const Tensor &x) const { return x + a; }
  };
  auto of = [](int a) { return TestModule{.a = a}; };
  EXPECT_EQ(text(nn::Sequential(nn::Sequential(of(1), of(2)), nn::Sequential(of(3), of(4)))),
            "Sequential(\n"
            "    Sequential(TestModule(a=1), TestModule(a=2)),\n"
            "    Sequential(TestModule(a=3), TestModule(a=4))\n"
            ")");
  EXPECT_EQ(text(nested()), "Sequential(Sequential(Adds(a=1), Adds(a=2)), "
                            "Sequential(Adds(a=3), Adds(a=4)))"); // 74 columns
}

TEST(MaxSequential, test_children) {
  nn::Sequential model = nested();
  EXPECT_THAT(names(model.children()), ElementsAre("0", "1"));
}

TEST(MaxSequential, test_descendants) {
  EXPECT_THAT(names(nested().descendants()), ElementsAre("0", "0.0", "0.1", "1", "1.0", "1.1"));
}

TEST(MaxSequential, test_call) {
  EXPECT_EQ(nested()(Tensor::constant(0)).item<int>(), 10);
  EXPECT_EQ(nn::Sequential()(Tensor::constant(7)).item<int>(), 7);
}

TEST(MaxSequential, test_module_list) {
  nn::ModuleList list(nn::Linear(2, 3), Adds{.a = 1});
  EXPECT_THAT(names(list.parameters()), ElementsAre("0.weight", "0.bias"));
  EXPECT_EQ(text(list), "ModuleList(Linear(in_dim=Dim(2), out_dim=Dim(3)), Adds(a=1))");
  static_assert(!std::is_invocable_v<nn::ModuleList, Tensor>);
  EXPECT_EQ(list.size(), 2u);
  EXPECT_EQ(list[1](Tensor::constant(1)).item<int>(), 2);
  EXPECT_THAT(messageOf<IndexError>([&] { list[2]; }), HasSubstr("index 2 is out of range"));
}

// norm/test_rms_norm.py

template <class Norm> void expectRmsNorm(const std::string &name) {
  Norm norm(2);
  EXPECT_EQ(text(norm), name + "(dim=Dim(2))");
  EXPECT_EQ(text(Norm(2, 1e-5)), name + "(dim=Dim(2), eps=1e-05)");
  EXPECT_EQ(norm.dim(), 2);
  EXPECT_THAT(names(norm.parameters()), ElementsAre("weight"));
  EXPECT_EQ(norm(Tensor::ones({2})).shape(), Shape{2});
  EXPECT_EQ(norm(Tensor::ones({10, 2})).shape(), (Shape{10, 2}));
  for (const Shape &shape : {Shape{1}, Shape{10, 1}, Shape{}})
    EXPECT_THAT(messageOf<ValueError>([&] { norm(Tensor::ones(shape)); }),
                AllOf(HasSubstr("[" + name + "]"), HasSubstr("does not match dimension"),
                      HasSubstr("(at LayersTest.cpp:")));
  EXPECT_THAT(messageOf<ValueError>([] { Norm(2, 0.0); }), HasSubstr("epsilon must be positive"));
}

TEST(MaxRMSNorm, test_rms_norm) { expectRmsNorm<nn::RMSNorm>("RMSNorm"); }
TEST(MaxRMSNorm, test_gemma_rms_norm) { expectRmsNorm<nn::GemmaRMSNorm>("GemmaRMSNorm"); }

/// float32 as Hugging Face to a few units in the last place; bfloat16 to one, of 2^-8.
TEST(MaxRMSNorm, values_of_Llama_and_Gemma) {
  for (DType dtype : {DType::float32, DType::bfloat16}) {
    nn::RMSNorm llama(48, 1e-6, dtype);
    nn::GemmaRMSNorm gemma(48, 1e-6, dtype);
    llama.weight = gemma.weight = pattern({48}, 1, dtype);
    Tensor x = pattern({5, 48}, 0, dtype);
    double tolerance = dtype == DType::float32 ? 1e-6 : 4e-3;
    auto check = [&](const Tensor &result, const std::string &expected) {
      EXPECT_EQ(result.dtype(), dtype);
      EXPECT_THAT(relativeDistance(floats(result), floats(reference(expected))),
                  testing::Le(tolerance))
          << expected;
    };
    check(llama(x), "llama_" + std::string(name(dtype)));
    check(gemma(x), "gemma_" + std::string(name(dtype)));
    auto compiled = gemma.compile(TensorType(dtype, {"batch", 48}));
    EXPECT_EQ(floats(compiled(x)), floats(gemma(x)));
  }
  // Beside one: that 1 + weight is rounded once, and after it was multiplied, tells them apart.
  nn::GemmaRMSNorm gemma(2);
  gemma.weight = Tensor::constant({0.0f, 1.0f});
  EXPECT_THAT(gemma(Tensor::constant({3.0f, 4.0f})).toVector<float>(),
              Pointwise(FloatNear(1e-6f), {3 / std::sqrt(12.5f), 8 / std::sqrt(12.5f)}));
}

// norm/test_group_norm.py

TEST(MaxGroupNorm, test_repr) {
  EXPECT_THAT(text(nn::GroupNorm(4, 8)),
              AllOf(HasSubstr("num_groups=4"), HasSubstr("num_channels=8")));
}

TEST(MaxGroupNorm, test_indivisible_channels) {
  EXPECT_THAT(messageOf<ValueError>([] { nn::GroupNorm(5, 11); }),
              AllOf(HasSubstr("divisible"), HasSubstr("(at LayersTest.cpp:")));
}

TEST(MaxGroupNorm, test_parameters) {
  EXPECT_THAT(names(nn::GroupNorm(4, 8).parameters()), ElementsAre("weight", "bias"));
  EXPECT_THAT(nn::GroupNorm(4, 8, {.affine = false}).parameters(), IsEmpty());
}

TEST(MaxGroupNorm, test_wrong_inputs) {
  nn::GroupNorm norm(4, 8);
  for (const Shape &shape : {Shape{8}, Shape{1, 7, 2}, Shape{}})
    EXPECT_THAT(messageOf<ValueError>([&] { norm(Tensor::ones(shape)); }),
                HasSubstr("[GroupNorm] x must be [N, 8, ...]"));
  EXPECT_THROW(nn::GroupNorm(4, 8, {.eps = 0}), ValueError);
}

/// Channels last, seen as channels first: the first three straddle the width of a vector.
TEST(MaxGroupNorm, test_permuted_input_matches_torch) {
  const int64_t cases[][5] = {{1, 128, 7, 9, 32},
                              {1, 64, 3, 5, 16},
                              {2, 128, 7, 7, 32},
                              {1, 128, 8, 8, 32},
                              {1, 128, 4, 16, 32}};
  for (auto [n, c, h, w, groups] : cases) {
    nn::GroupNorm norm(groups, c, {}, DType::bfloat16);
    norm.weight = pattern({c}, 1, DType::bfloat16);
    norm.bias = pattern({c}, 2, DType::bfloat16);
    Tensor x = pattern({n, h, w, c}, 0, DType::bfloat16);
    auto permuted = [&](const Tensor &t) { return norm(t.permute({0, 3, 1, 2})); };
    std::vector<float> expected =
        floats(reference("group_norm_" + std::to_string(n) + "_" + std::to_string(c) + "_" +
                         std::to_string(h) + "_" + std::to_string(w)));
    std::vector<float> result = floats(permuted(x));
    ASSERT_EQ(result.size(), expected.size());
    for (std::size_t i = 0; i < result.size(); ++i) // MAX's tolerances
      ASSERT_NEAR(result[i], expected[i], 0.02 + 0.02 * std::abs(expected[i])) << c << " at " << i;
    struct Permuted : nn::Module<Permuted> {
      nn::GroupNorm norm;
      KILN_FIELDS(norm)
      Tensor operator()(const Tensor &t) const { return norm(t.permute({0, 3, 1, 2})); }
    };
    auto compiled = Permuted{.norm = norm}.compile(TensorType(DType::bfloat16, {"n", "h", "w", c}));
    EXPECT_EQ(floats(compiled(x)), result);
  }
}

// test_layer_norm.py, of the layer

TEST(MaxLayerNorm, test_layer_norm_matches_torch) {
  auto check = [](const std::string &name, const Shape &shape, const Shape &symbolic) {
    int64_t dim = shape[-1].value();
    nn::LayerNorm norm(dim, 1e-6);
    norm.weight = pattern({dim}, 1);
    norm.bias = pattern({dim}, 2);
    auto compiled = norm.compile(TensorType(DType::float32, symbolic));
    Tensor x = pattern(shape, 0);
    EXPECT_LE(relativeDistance(floats(compiled(x)), floats(reference(name))), 1e-6) << name;
    EXPECT_EQ(floats(norm(x)), floats(compiled(x)));
  };
  check("layer_norm_2d", {7, 33}, {"batch", 33});
  check("layer_norm_4d", {2, 3, 5, 24}, {"x", "y", "z", 24});
}

/// AIPIPE-153: a variance of whole rows, weights that are zero.
TEST(MaxLayerNorm, test_layer_norm_aipipe_153) {
  nn::LayerNorm norm(2, 1e-6);
  norm.weight = Tensor::constant({0.0f, 1.0f});
  norm.bias = Tensor::constant({0.0f, 0.0f});
  std::vector<float> result = norm(Tensor::constant({1.0f, 0.0f})).toVector<float>();
  EXPECT_EQ(result[0], 0);
  EXPECT_NEAR(result[1], -0.999998, 1e-7);
}

TEST(MaxLayerNorm, test_flags_and_repr) {
  EXPECT_EQ(text(nn::LayerNorm(3)), "LayerNorm(dim=Dim(3))");
  EXPECT_EQ(text(nn::LayerNorm(3, {.eps = 1e-6, .keepDtype = false, .useBias = false})),
            "LayerNorm(dim=Dim(3), eps=1e-06, keep_dtype=false, use_bias=false)");
  EXPECT_THAT(names(nn::LayerNorm(3).parameters()), ElementsAre("weight", "bias"));
  EXPECT_THAT(names(nn::LayerNorm(3, {.useBias = false}).parameters()), ElementsAre("weight"));
  EXPECT_THAT(nn::LayerNorm(3, {.elementwiseAffine = false}).parameters(), IsEmpty());
  // keepDtype = false computes in float32 and gives the dtype of x.
  Tensor x = pattern({4, 48}, 0, DType::bfloat16);
  nn::LayerNorm wide(48, {.keepDtype = false}, DType::bfloat16);
  EXPECT_EQ(wide(x).dtype(), DType::bfloat16);
  Tensor inFloat = nn::LayerNorm(48)(x.cast(DType::float32)).cast(DType::bfloat16);
  EXPECT_EQ(floats(wide(x)), floats(inFloat));
}

// tests/graph/ops/test_layer_norm.py

TEST(MaxLayerNormOp, test_layer_norm__valid) {
  for (DType dtype : {DType::float32, DType::float64, DType::bfloat16})
    for (const Shape &shape :
         {Shape{1}, Shape{3, 4}, Shape{2, 0, 5}, Shape{2, 3, 4, 5}, Shape{0}}) {
      Tensor x = Tensor::ones(shape, dtype), one = Tensor::ones({shape[-1]}, dtype);
      EXPECT_EQ(layerNorm(x, one, one, 1e-5).type(), x.type());
    }
}

TEST(MaxLayerNormOp, test_layer_norm__error__gamma_shape_mismatch) {
  Tensor x = Tensor::ones({2, 4});
  EXPECT_THAT(
      messageOf<ValueError>([&] { layerNorm(x, Tensor::ones({3}), Tensor::ones({4}), 1e-5); }),
      HasSubstr("does not match dimension of reduction"));
}

TEST(MaxLayerNormOp, test_layer_norm__error__beta_shape_mismatch) {
  Tensor x = Tensor::ones({2, 4});
  EXPECT_THAT(
      messageOf<ValueError>([&] { layerNorm(x, Tensor::ones({4}), Tensor::ones({5}), 1e-5); }),
      HasSubstr("does not match dimension of reduction"));
}

TEST(MaxLayerNormOp, test_layer_norm__error__epsilon) {
  Tensor x = Tensor::ones({2, 4}), one = Tensor::ones({4});
  for (double epsilon : {0.0, -1e-5, double(NAN)}) {
    EXPECT_THAT(messageOf<ValueError>([&] { layerNorm(x, one, one, epsilon); }),
                HasSubstr("epsilon must be positive"));
    EXPECT_THAT(messageOf<ValueError>([&] { nn::LayerNorm(4, epsilon); }),
                HasSubstr("epsilon must be positive"));
  }
}

TEST(MaxLayerNormOp, test_layer_norm__last_dim_zero) {
  Tensor none = Tensor::ones({0});
  EXPECT_EQ(layerNorm(Tensor::ones({3, 0}), none, none, 1e-5).toVector<float>().size(), 0u);
}

// rope/test_rope.py

TEST(MaxRope, test_repr) {
  EXPECT_EQ(text(nn::RotaryEmbedding(Tensor::zeros({2, 3, 2}))),
            "RotaryEmbedding(dim=6, max_sequence_length=2)");
}

TEST(MaxRope, test_dim_and_max_sequence_length) {
  nn::RotaryEmbedding rope(Tensor::zeros({2, 3, 2}));
  EXPECT_EQ(rope.dim(), 6);
  EXPECT_EQ(rope.maxSequenceLength(), 2);
  EXPECT_THAT(names(rope.parameters()), ElementsAre("weight"));
  EXPECT_EQ(rope.parameters()[0].second.handle(), rope.weight.handle());
}

TEST(MaxRope, test_call) {
  nn::RotaryEmbedding rope(Tensor::zeros({2, 3, 2}));
  EXPECT_EQ(rope(Tensor::ones({1, 2, 1, 6}), 0).shape(), (Shape{1, 2, 1, 6}));
}

TEST(MaxRope, test_transposed_rotary_embedding) {
  nn::TransposedRotaryEmbedding rope(Tensor::zeros({2, 3, 2}));
  EXPECT_EQ(rope(Tensor::ones({1, 2, 1, 6}), 0).shape(), (Shape{1, 2, 1, 6}));
}

TEST(MaxRope, test_inverse_exponential_frequencies) {
  Tensor theta = nn::RotaryEmbedding::theta(20, 10000);
  EXPECT_EQ(theta.shape(), Shape{10});
  for (int i = 0; i < 10; ++i)
    EXPECT_NEAR(theta[i].item<float>(), std::pow(10000.0, -i / 10.0), 1e-7);
}

TEST(MaxRope, test_positional_embedding) {
  Tensor table = nn::RotaryEmbedding::positionalEmbedding(20, 10000, 5);
  EXPECT_EQ(table.shape(), (Shape{5, 10, 2}));
  EXPECT_NEAR(table.slice({3, 1, 1}).item<float>(), std::sin(3 * std::pow(10000.0, -0.1)), 1e-6);
}

TEST(MaxRope, test_symbolic_seqlen) {
  nn::RotaryEmbedding rope(Tensor::zeros({2, 3, 2}));
  nn::TransposedRotaryEmbedding transposed(Tensor::zeros({2, 3, 2}));
  TensorType type(DType::float32, {"batch", "seqlen", "n_kv_heads", rope.dim()});
  auto compiled = rope.compile(type);
  auto other = transposed.compile(type);
  EXPECT_EQ(compiled(Tensor::zeros({1, 1, 1, 6})).shape(), (Shape{1, 1, 1, 6}));
  EXPECT_EQ(compiled(Tensor::zeros({3, 2, 5, 6})).shape(), (Shape{3, 2, 5, 6}));
  EXPECT_EQ(other(Tensor::zeros({3, 2, 5, 6})).shape(), (Shape{3, 2, 5, 6}));
  // MAX reads beyond the table (its TODO); here that is an error that says how long it is.
  auto says = AllOf(HasSubstr("beyond the table of 2 positions"),
                    HasSubstr("seqlen is 3 (argument 0, dim 1)"), HasSubstr("(at LayersTest.cpp:"));
  EXPECT_THAT(messageOf<ValueError>([&] { compiled(Tensor::zeros({1, 3, 1, 6})); }), says);
  EXPECT_THAT(messageOf<ValueError>([&] { other(Tensor::zeros({1, 3, 1, 6})); }), says);
  EXPECT_THAT(
      messageOf<ValueError>([&] { rope(Tensor::zeros({1, 3, 1, 6})); }),
      HasSubstr("positions 0 to 3 are beyond the table of 2 positions (at LayersTest.cpp:"));
  EXPECT_THAT(messageOf<ValueError>([&] { compiled(Tensor::zeros({1, 2, 1, 5})); }),
              HasSubstr("argument 0: dim 3: expected 6, got 5"));
  EXPECT_THROW(rope(Tensor::zeros({1, 2, 1, 5})), TypeError);
}

TEST(MaxRope, yarn) {
  const struct {
    int64_t dim;
    double base;
    nn::YarnScaling scaling;
  } cases[] = {
      {64, 150000, {.factor = 32, .originalMaxPositions = 4096, .truncate = false}},
      {64, 150000, {.factor = 32, .originalMaxPositions = 4096}},
      {16, 10000, {.factor = 4, .originalMaxPositions = 64}},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    auto [dim, base, scaling] = cases[i];
    Tensor theta = nn::YarnRotaryEmbedding::theta(dim, base, scaling);
    EXPECT_LE(relativeDistance(floats(theta), floats(reference("yarn_theta_" + std::to_string(i)))),
              1e-6);
    nn::YarnRotaryEmbedding rope(dim, 8, scaling, base);
    EXPECT_EQ(rope.weight.shape(), (Shape{8, dim / 2, 2}));
    EXPECT_THAT(
        floats(rope.weight), // PyTorch's theta is in float32, and is multiplied by positions
        Pointwise(FloatNear(4e-6f), floats(reference("yarn_table_" + std::to_string(i)))));
    // It turns pairs as any other table does.
    Tensor x = pattern({1, 8, 2, dim}, 0);
    EXPECT_EQ(rope(x).toVector<float>(), nn::RotaryEmbedding(rope.weight)(x).toVector<float>());
  }
  nn::YarnRotaryEmbedding rope(16, 8, {.factor = 4, .originalMaxPositions = 64});
  EXPECT_EQ(text(rope), "YarnRotaryEmbedding(dim=16, max_sequence_length=8)");
  auto compiled = rope.compile(TensorType(DType::float32, {"b", "seq", 2, 16}));
  Tensor x = pattern({2, 5, 2, 16}, 3);
  EXPECT_EQ(compiled(x).toVector<float>(), rope(x).toVector<float>());
  EXPECT_THROW(compiled(pattern({1, 9, 2, 16}, 0)), ValueError);
  // Without a stretch it is the plain embedding.
  EXPECT_EQ(nn::YarnRotaryEmbedding(16, 8, {}).weight.toVector<float>(),
            nn::RotaryEmbedding(16, 8).weight.toVector<float>());
  EXPECT_THROW(nn::YarnRotaryEmbedding(15, 8, {}), ValueError);
  EXPECT_THROW(nn::YarnRotaryEmbedding(16, 8, {.factor = 0}), ValueError);
  EXPECT_THROW(nn::YarnRotaryEmbedding(16, 8, {.betaFast = 1, .betaSlow = 2}), ValueError);
}

// tests/nn/module_v3/common_layers/test_activation.py

TEST(MaxActivation, test_activation_functions) {
  Tensor x = Tensor::constant({-1.5f, -0.5f, 0.0f, 0.5f, 2.0f});
  const std::pair<const char *, Tensor> cases[] = {
      {"silu", silu(x)},
      {"swish", silu(x)},
      {"gelu", gelu(x)},
      {"relu", relu(x)},
      {"tanh", tanh(x)},
      {"sigmoid", sigmoid(x)},
      {"gelu_tanh", gelu(x, "tanh")},
      {"gelu_quick", gelu(x, "quick")},
      {"quick_gelu", gelu(x, "quick")},
  };
  for (auto &[name, expected] : cases)
    EXPECT_EQ(nn::activation(name)(x).toVector<float>(), expected.toVector<float>()) << name;
}

TEST(MaxActivation, test_unknown_activation) {
  EXPECT_THAT(messageOf<ValueError>([] { nn::activation("swoosh"); }),
              AllOf(HasSubstr("Unrecognized activation function name"), HasSubstr("\"swoosh\""),
                    HasSubstr("(at LayersTest.cpp:")));
}

} // namespace
