// max/tests/integration/nn/module_v3/test_module_gpt2.py

#include "ModuleTesting.h"

#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::conformance;
using testing::AllOf;
using testing::HasSubstr;

namespace {

constexpr int64_t dim = 64, layers = 2, heads = 2, vocabulary = 50257, context = 1024;

/// 0 where a position attends, -inf where it would look ahead.
Tensor causalMask(const Dim &length, const Dim &more, DType dtype) {
  Tensor mask = Tensor::full({}, -std::numeric_limits<double>::infinity(), dtype);
  return bandPart(mask.broadcastTo({length, length + more}), {}, 0, true);
}

/// Written out: attention by products, a mask and a softmax.
struct Attention : nn::Module<Attention> {
  nn::Linear c_attn{dim, 3 * dim}, c_proj{dim, dim};
  KILN_FIELDS(c_attn, c_proj)
  Tensor operator()(const Tensor &x) const {
    const Dim batch = x.shape()[0], length = x.shape()[1];
    auto head = [&](const Tensor &t) {
      return t.reshape({batch, length, heads, dim / heads}).transpose(1, 2);
    };
    std::vector<Tensor> parts = c_attn(x).split(dim, -1);
    Tensor query = head(parts[0]), key = head(parts[1]), value = head(parts[2]);
    Tensor scores = matmul(query, key.transpose(-1, -2)) / std::sqrt(double(dim / heads));
    Tensor weights = softmax(scores + causalMask(length, 0, x.dtype()));
    return c_proj(matmul(weights, value).transpose(1, 2).reshape({batch, length, dim}));
  }
};

struct Mlp : nn::Module<Mlp> {
  nn::Linear c_fc{dim, 4 * dim}, c_proj{4 * dim, dim};
  KILN_FIELDS(c_fc, c_proj)
  Tensor operator()(const Tensor &x) const { return c_proj(gelu(c_fc(x), "tanh")); }
};

struct Block : nn::Module<Block> {
  nn::LayerNorm ln_1{dim};
  Attention attn;
  nn::LayerNorm ln_2{dim};
  Mlp mlp;
  KILN_FIELDS(ln_1, attn, ln_2, mlp)
  Tensor operator()(const Tensor &x) const {
    Tensor h = x + attn(ln_1(x));
    return h + mlp(ln_2(h));
  }
};

struct Gpt2 : nn::Module<Gpt2> {
  nn::Embedding wte{vocabulary, {.dim = dim}}, wpe{context, {.dim = dim}};
  std::vector<Block> h = std::vector<Block>(layers);
  nn::LayerNorm ln_f{dim};
  nn::Linear lm_head{dim, vocabulary, false};
  KILN_FIELDS(wte, wpe, h, ln_f, lm_head)
  Tensor operator()(const Tensor &ids) const {
    Tensor x = wte(ids) + wpe(Tensor::arange(0, ids.shape()[1], 1));
    for (const Block &block : h)
      x = block(x);
    return lm_head(ln_f(x));
  }
};

TEST(MaxGpt2, test_repr) {
  Gpt2 model;
  EXPECT_THAT(
      text(model),
      AllOf(HasSubstr("Gpt2(\n    wte=Embedding(vocab_size=Dim(50257), dim=Dim(64)),\n"),
            HasSubstr("\n    h=[\n        Block(\n            ln_1=LayerNorm(dim=Dim(64)),\n")));
  EXPECT_FALSE(model.wte.weight.isRealized() || model.h[0].attn.c_attn.weight.isRealized());
}

TEST(MaxGpt2, test_eager) {
  Gpt2 model;
  Tensor ids = Tensor::zeros({1, 1}, DType::int64);
  EXPECT_EQ(model(ids).realize().shape(), (Shape{1, 1, vocabulary}));
  EXPECT_EQ(model.wte(ids).realize().shape(), (Shape{1, 1, dim}));
}

TEST(MaxGpt2, test_compiled) {
  Gpt2 model;
  auto compiled = model.compile(TensorType(DType::int64, {"batch", "seqlen"}));
  Tensor logits = compiled(Tensor::zeros({1, 1}, DType::int64));
  EXPECT_TRUE(logits.isRealized());
  EXPECT_EQ(logits.shape(), (Shape{1, 1, vocabulary}));
  Tensor ids = (Tensor::arange(0, 10) * 4999).reshape({2, 5});
  EXPECT_EQ(compiled(ids).toVector<float>(), model(ids).toVector<float>());
  // What comes later has no influence.
  Tensor first = compiled(ids.slice({Slice(), Slice(0, 3)}));
  EXPECT_TRUE(allClose(compiled(ids).slice({Slice(), Slice(0, 3)}), first, 1e-5, 1e-6));
}

} // namespace
