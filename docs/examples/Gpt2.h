// A language model in the style of GPT-2: learned positions, LayerNorm before each part, causal
// attention, a GELU in between, and the token table once more as the last layer.
#pragma once

#include <kiln/kiln.h>

namespace gpt2 {

using namespace kiln;

struct Config {
  int64_t vocabulary = 500, positions = 64, dim = 64, heads = 4, layers = 2;
};

struct Mlp : nn::Module<Mlp> {
  nn::Linear up, down;
  KILN_FIELDS(up, down)
  explicit Mlp(int64_t dim) : up(dim, 4 * dim), down(4 * dim, dim) {}
  Tensor operator()(const Tensor &x) const { return down(gelu(up(x), "tanh")); }
};

struct Block : nn::Module<Block> {
  nn::LayerNorm norm1;
  nn::MultiHeadAttention attention;
  nn::LayerNorm norm2;
  Mlp mlp;
  KILN_FIELDS(norm1, attention, norm2, mlp)
  explicit Block(const Config &config)
      : norm1(config.dim), attention(config.dim, config.heads, {.causal = true}), norm2(config.dim),
        mlp(config.dim) {}
  Tensor operator()(const Tensor &x) const {
    Tensor h = x + attention(norm1(x));
    return h + mlp(norm2(h));
  }
};

struct Gpt2 : nn::Module<Gpt2> {
  nn::Embedding tokens, positions;
  std::vector<Block> blocks;
  nn::LayerNorm norm;
  KILN_FIELDS(tokens, positions, blocks, norm)
  explicit Gpt2(const Config &config)
      : tokens(config.vocabulary, {.dim = config.dim}),
        positions(config.positions, {.dim = config.dim}), norm(config.dim) {
    for (int64_t i = 0; i < config.layers; ++i)
      blocks.emplace_back(config);
  }

  /// ids [batch, seq] -> logits [batch, seq, vocabulary]
  Tensor operator()(const Tensor &ids) const {
    Tensor h = tokens(ids) + positions(Tensor::arange(0, ids.shape()[1]));
    for (const Block &block : blocks)
      h = block(h);
    return matmul(norm(h), tokens.weight.T());
  }
};

} // namespace gpt2
