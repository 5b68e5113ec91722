#pragma once

#include "kiln/Module.h"
#include "kiln/Quantization.h"

#include <memory>
#include <optional>
#include <string>

/// Tables that are looked up by index, as graphs and models of MAX have them.
namespace kiln::nn::embedding {

using kiln::QuantizationEncoding;

/// Rows of a table that is there already, on its device.
/// Shapes: weights [vocab, dims...]; indices [...] of integers -> [..., dims...].
struct Embedding : Module<Embedding> {
  Tensor weights;
  KILN_FIELDS(weights)

  /// Errors: ValueError for a scalar.
  explicit Embedding(Tensor weights, Where where = Where::current());

  /// Errors: ValueError for indices that are no integers or on another device; IndexError, when
  /// read, for one outside [0, vocab).
  Tensor operator()(const Tensor &indices, Where where = Where::current()) const;
  void describe(Description &to) const;
};

struct EmbeddingV2Options {
  Dim vocabSize{};                // rows of the table
  Dim hiddenDim{};                // elements of a row
  std::optional<DType> dtype{};   // of the result, and of a table that is not packed
  std::optional<Device> device{}; // where rows are looked up
  std::string name{};             // for messages and printing
  /// How the table is packed: its rows stay so and are decoded as they are looked up.
  std::optional<QuantizationEncoding> quantizationEncoding{};
};

/// Rows of a table of its own. The table is held on the CPU; it moves to `device` when the module
/// is first called or compiled, or when a graph that it was recorded in is. So a device that is not
/// there can be named, and graphs with it can be recorded: to call or to compile is the
/// DeviceError. Shapes: weight [vocabSize, hiddenDim]; indices [...] of integers -> [...,
/// hiddenDim]. Initial values: normal(0, 1), made when first read.
///
/// With a quantization encoding the weight is uint8 [vocabSize, packedRowBytes(encoding,
/// hiddenDim)], as GGUF files have it: loadStateDict(io::openGguf(path)) takes it as it lies in the
/// file, whose pages are read when rows of theirs are. A table of floats is not assignable;
/// quantization::quantize packs one. Rows are decoded to float32 and cast to `dtype`. Initial
/// values: the same numbers, packed.
struct EmbeddingV2 : Module<EmbeddingV2> {
  mutable Tensor weight; // moved by the first call; calls from many threads agree on it
  Device device;
  std::string name;
  std::optional<QuantizationEncoding> quantizationEncoding; // fixed: the weight is made for it
  DType dtype;                                              // of the result, where it is packed
  KILN_FIELDS(weight)

  /// Errors: TypeError for a symbolic or negative dim, and for a packed table whose rows are to be
  /// no floats; ValueError for a hiddenDim that is no multiple of the elements of a block.
  explicit EmbeddingV2(const EmbeddingV2Options &options, Where where = Where::current());

  Dim vocabSize() const { return weight.shape()[0]; }
  Dim hiddenDim() const;
  /// Indices of known contents are copied to the device where they are on another.
  /// Errors: as of Embedding; DeviceError if the device is not there and nothing is being recorded.
  Tensor operator()(const Tensor &indices, Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  Tensor placedWeight(Where where) const;

  mutable Tensor source, moved; // `moved` is `source` on the device, copied when first wanted
};

} // namespace kiln::nn::embedding
