// A language model in the style of Llama: rotary positions, RMSNorm, grouped heads of keys and
// values, a gated SiLU, no biases.
#pragma once

#include <kiln/kiln.h>

namespace llama {

using namespace kiln;

struct Config {
  int64_t vocabulary = 500, positions = 48, dim = 64, heads = 8, kvHeads = 2, hidden = 160,
          layers = 2;
  int64_t headDim() const { return dim / heads; }
};

struct Attention : nn::Module<Attention> {
  nn::Linear query, key, value, output;
  std::shared_ptr<nn::TransposedRotaryEmbedding> rotary; // one table for all layers
  KILN_FIELDS(query, key, value, output, rotary)
  int64_t headDim;

  Attention(const Config &config, std::shared_ptr<nn::TransposedRotaryEmbedding> rotary)
      : query(config.dim, config.dim, false),
        key(config.dim, config.kvHeads * config.headDim(), false),
        value(config.dim, config.kvHeads * config.headDim(), false),
        output(config.dim, config.dim, false), rotary(std::move(rotary)),
        headDim(config.headDim()) {}

  Tensor operator()(const Tensor &x) const {
    Dim batch = x.shape()[0], seq = x.shape()[1];
    auto heads = [&](const Tensor &t) { return t.reshape({batch, seq, -1, headDim}); };
    Tensor q = (*rotary)(heads(query(x))).transpose(1, 2);
    Tensor k = (*rotary)(heads(key(x))).transpose(1, 2);
    Tensor v = heads(value(x)).transpose(1, 2);
    Tensor mixed = kiln::attention(q, k, v, nn::causalMask(seq, x.device()));
    return output(mixed.transpose(1, 2).flatten(2, 3));
  }
};

struct Mlp : nn::Module<Mlp> {
  nn::Linear gate, up, down;
  KILN_FIELDS(gate, up, down)
  explicit Mlp(const Config &config)
      : gate(config.dim, config.hidden, false), up(config.dim, config.hidden, false),
        down(config.hidden, config.dim, false) {}
  Tensor operator()(const Tensor &x) const { return down(silu(gate(x)) * up(x)); }
};

struct Block : nn::Module<Block> {
  nn::RMSNorm norm1;
  Attention attention;
  nn::RMSNorm norm2;
  Mlp mlp;
  KILN_FIELDS(norm1, attention, norm2, mlp)
  Block(const Config &config, const std::shared_ptr<nn::TransposedRotaryEmbedding> &rotary)
      : norm1(config.dim), attention(config, rotary), norm2(config.dim), mlp(config) {}
  Tensor operator()(const Tensor &x) const {
    Tensor h = x + attention(norm1(x));
    return h + mlp(norm2(h));
  }
};

struct Llama : nn::Module<Llama> {
  nn::Embedding tokens;
  std::vector<Block> blocks;
  nn::RMSNorm norm;
  nn::Linear output;
  KILN_FIELDS(tokens, blocks, norm, output)
  explicit Llama(const Config &config)
      : tokens(config.vocabulary, {.dim = config.dim}), norm(config.dim),
        output(config.dim, config.vocabulary, false) {
    auto rotary =
        std::make_shared<nn::TransposedRotaryEmbedding>(config.headDim(), config.positions);
    for (int64_t i = 0; i < config.layers; ++i)
      blocks.emplace_back(config, rotary);
  }

  /// ids [batch, seq] -> logits [batch, seq, vocabulary]
  Tensor operator()(const Tensor &ids) const {
    Tensor h = tokens(ids);
    for (const Block &block : blocks)
      h = block(h);
    return output(norm(h));
  }
};

} // namespace llama
