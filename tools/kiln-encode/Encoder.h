//===- Encoder.h - Texts to embeddings ----------------------------------------===//
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include <kiln/Compile.h>

#include "EmbeddingWriter.h"
#include "Options.h"
#include "tools/common/minilm/BertConfig.h"
#include "tools/common/text/Tokenizer.h"

namespace kiln::tools {

/// What happened so far; times in seconds.
struct EncoderStats {
  size_t lines = 0, batches = 0;
  size_t tokens = 0, paddedTokens = 0; ///< Without and with what fills up the shorter lines.
  double loadSeconds = 0;              ///< Of the weights, and waiting for the tokenizer.
  double traceSeconds = 0, compileSeconds = 0, prepareSeconds = 0; ///< Of compiling the model.
  size_t kernels = 0;
  std::string cache;       ///< Where the code came from: "none", "memory", "disk".
  double readySeconds = 0; ///< From the start of the process until the first text could be encoded.
  double tokeniseSeconds = 0, runSeconds = 0;
};

/// A tokenizer and a model, compiled once for all sizes.
class Encoder {
public:
  /// Loads the model of options.model.
  /// Errors: IoError, ValueError, KeyError as from the files' readers; ValueError if the tokenizer
  /// makes ids or lengths that the model has no room for.
  explicit Encoder(const Options &options);
  ~Encoder();

  /// The length of an embedding.
  size_t width() const { return columns; }

  /// Fills in the ids and the embedding of each line. Lines of like length go through the model
  /// together, so that little is computed for padding; the order of `lines` stays. `afterBatch` is
  /// called with the number of lines just encoded.
  void encode(std::span<Encoded> lines, const std::function<void(size_t)> &afterBatch);

  const EncoderStats &stats() const { return counts; }
  /// How the model was compiled; nothing where it is evaluated eagerly.
  CompileStats compileStats() const;

private:
  void encodeBatch(std::span<Encoded *const> batch);

  void loadModel(const Options &options, const BertConfig &config);

  struct Model;
  EncoderStats counts;
  std::unique_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Model> model;
  size_t batchLines;
  size_t columns;
};

} // namespace kiln::tools
