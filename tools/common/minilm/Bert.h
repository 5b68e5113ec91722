//===- Bert.h - A sentence encoder as Modules ---------------------------------===//
//
// BERT with mean pooling, as all-MiniLM-L6-v2 uses it. The fields are named as the tensors in the
// model's file, so that `model.loadStateDict` needs no table of names:
// encoder.layer.0.attention.self.query.weight is the field of a field of a field.
//
// The weights of the linear layers may be bfloat16: then products are of bfloat16 values, while the
// sums that run through all layers, and their normalisation, stay float32. With float32 weights no
// cast in here does anything.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cmath>
#include <vector>

#include <kiln/kiln.h>

#include "tools/common/minilm/BertConfig.h"

namespace kiln::tools {

/// Token, position and segment embeddings, summed and normalised.
/// Shapes: ids [batch, seq] of an integer dtype -> [batch, seq, hidden].
struct BertEmbeddings : nn::Module<BertEmbeddings> {
  nn::Embedding word_embeddings, position_embeddings, token_type_embeddings;
  nn::LayerNorm LayerNorm;
  KILN_FIELDS(word_embeddings, position_embeddings, token_type_embeddings, LayerNorm)

  explicit BertEmbeddings(const BertConfig &c)
      : word_embeddings(c.vocabulary, {.dim = c.hidden}),
        position_embeddings(c.positions, {.dim = c.hidden}),
        token_type_embeddings(c.segments, {.dim = c.hidden}), LayerNorm(c.hidden, c.epsilon) {}

  Tensor operator()(const Tensor &ids) const {
    const Tensor positions = Tensor::arange(0, ids.shape()[1], 1, DType::int64, ids.device());
    // All of the text is the first of the two segments that the model knows.
    return LayerNorm(word_embeddings(ids) + position_embeddings(positions) +
                     token_type_embeddings.weight[0]);
  }
};

/// Every token looks at every token that the mask lets through.
/// Shapes: x [batch, seq, hidden], mask [batch, 1, 1, seq] boolean -> [batch, seq, hidden].
struct BertSelfAttention : nn::Module<BertSelfAttention> {
  nn::Linear query, key, value;
  int64_t heads;
  KILN_FIELDS(query, key, value, heads)

  explicit BertSelfAttention(const BertConfig &c)
      : query(c.hidden, c.hidden), key(c.hidden, c.hidden), value(c.hidden, c.hidden),
        heads(c.heads) {}

  Tensor operator()(const Tensor &x, const Tensor &mask) const {
    const Dim batch = x.shape()[0], seq = x.shape()[1], hidden = x.shape()[2];
    auto split =
        [&](const Tensor &y) { // [batch, seq, hidden] -> [batch, heads, seq, hidden / heads]
          return y.reshape({batch, seq, heads, hidden / heads}).permute({0, 2, 1, 3});
        };
    const double scale = 1 / std::sqrt(static_cast<double>(hidden.value() / heads));
    const Tensor in = x.cast(query.weight.dtype());
    return attention(split(query(in)), split(key(in)), split(value(in)), mask, scale)
        .permute({0, 2, 1, 3})
        .reshape({batch, seq, hidden});
  }
};

/// A projection whose result is added to what came before, and normalised.
struct BertOutput : nn::Module<BertOutput> {
  nn::Linear dense;
  nn::LayerNorm LayerNorm;
  KILN_FIELDS(dense, LayerNorm)

  BertOutput(int64_t in, const BertConfig &c)
      : dense(in, c.hidden), LayerNorm(c.hidden, c.epsilon) {}

  Tensor operator()(const Tensor &x, const Tensor &residual) const {
    return LayerNorm(dense(x).cast(residual.dtype()) + residual);
  }
};

struct BertAttention : nn::Module<BertAttention> {
  BertSelfAttention self;
  BertOutput output;
  KILN_FIELDS(self, output)

  explicit BertAttention(const BertConfig &c) : self(c), output(c.hidden, c) {}

  Tensor operator()(const Tensor &x, const Tensor &mask) const { return output(self(x, mask), x); }
};

struct BertIntermediate : nn::Module<BertIntermediate> {
  nn::Linear dense;
  KILN_FIELDS(dense)

  explicit BertIntermediate(const BertConfig &c) : dense(c.hidden, c.intermediate) {}

  Tensor operator()(const Tensor &x) const { return gelu(dense(x.cast(dense.weight.dtype()))); }
};

struct BertLayer : nn::Module<BertLayer> {
  BertAttention attention;
  BertIntermediate intermediate;
  BertOutput output;
  KILN_FIELDS(attention, intermediate, output)

  explicit BertLayer(const BertConfig &c)
      : attention(c), intermediate(c), output(c.intermediate, c) {}

  Tensor operator()(const Tensor &x, const Tensor &mask) const {
    const Tensor attended = attention(x, mask);
    return output(intermediate(attended), attended);
  }
};

struct BertLayers : nn::Module<BertLayers> {
  std::vector<BertLayer> layer;
  KILN_FIELDS(layer)

  explicit BertLayers(const BertConfig &c) {
    for (int64_t i = 0; i < c.layers; ++i)
      layer.emplace_back(c);
  }

  Tensor operator()(Tensor x, const Tensor &mask) const {
    for (const BertLayer &next : layer)
      x = next(x, mask);
    return x;
  }
};

/// Sentences to unit vectors: the mean over a sentence's tokens, scaled to length 1.
/// Shapes: ids, mask [batch, seq] int64, mask 1 for a token and 0 for padding
///         -> [batch, hidden] float32.
/// Errors: IndexError if an id is outside the vocabulary or a position outside the model's.
/// Source: Reimers and Gurevych, "Sentence-BERT", 2019; Devlin et al., "BERT", 2018.
struct SentenceEncoder : nn::Module<SentenceEncoder> {
  BertEmbeddings embeddings;
  BertLayers encoder;
  KILN_FIELDS(embeddings, encoder)

  explicit SentenceEncoder(const BertConfig &c) : embeddings(c), encoder(c) {}

  Tensor operator()(const Tensor &ids, const Tensor &mask) const {
    const Tensor attends = (mask > 0).unsqueeze(1).unsqueeze(1);
    const Tensor tokens = encoder(embeddings(ids), attends);
    const Tensor weights = mask.cast(tokens.dtype()).unsqueeze(-1);
    const Tensor mean = (sum(tokens * weights, 1) / sum(weights, 1)).squeeze(1);
    // The smallest length is the one of torch.nn.functional.normalize.
    return mean / maximum(sqrt(sum(mean * mean, -1)), 1e-12);
  }
};

} // namespace kiln::tools
