#pragma once

#include "kiln/Shard.h"
#include "kiln/nn/embedding/Embedding.h"

#include <vector>

namespace kiln::nn::embedding {

struct VocabParallelEmbeddingOptions {
  Dim vocabSize{};               // rows of the table
  Dim hiddenDim{};               // elements of a row
  std::optional<DType> dtype{};  // of the result, and of a table that is not packed
  std::vector<Device> devices{}; // 1 to 8, each once
  std::string name{};            // for messages and printing
  /// How the table is packed: its rows stay so on each device and are decoded as they are looked
  /// up.
  std::optional<QuantizationEncoding> quantizationEncoding{};
};

/// Rows of a table that is split over devices: ceil(vocabSize / devices) rows on each, see
/// kiln::shard. Each device looks up what it holds, all at the same time; what they found is summed
/// across devices. The parameter `weight` is the whole table; what takes its place is split when it
/// is loaded or first used.
/// Shapes: weight [vocabSize, hiddenDim]; indices [...] of integers -> [..., hiddenDim] on each
/// device. Initial values: normal(0, 1), made when first read, those of an EmbeddingV2. With a
/// quantization encoding the weight is uint8 [vocabSize, packedRowBytes(encoding, hiddenDim)], as
/// that of an EmbeddingV2.
struct VocabParallelEmbedding : Module<VocabParallelEmbedding> {
  mutable PinnedDeviceTensor weight; // split by the first call that finds it whole
  std::vector<Device> devices;
  std::string name;
  std::optional<QuantizationEncoding> quantizationEncoding; // fixed: the weight is made for it
  DType dtype;                                              // of the result, where it is packed
  KILN_FIELDS(weight)

  /// Errors: ValueError for no devices, more than 8 or one that is named twice; TypeError for a
  /// symbolic or negative dim, and for a packed table whose rows are to be no floats; ValueError
  /// for a hiddenDim that is no multiple of the elements of a block.
  explicit VocabParallelEmbedding(const VocabParallelEmbeddingOptions &options,
                                  Where where = Where::current());

  Dim vocabSize() const { return weight.shape()[0]; }
  Dim hiddenDim() const;
  /// The rows, once on each device. Indices on another device are copied.
  /// Errors: ValueError for indices that are no integers; IndexError, whichever of the results is
  /// read, for one outside [0, vocabSize); DeviceError if a device is not there and nothing is
  /// being recorded.
  std::vector<Tensor> operator()(const Tensor &indices, Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  Tensor splitWeight(Where where) const;
};

} // namespace kiln::nn::embedding
