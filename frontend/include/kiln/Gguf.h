#pragma once

#include "kiln/GgufValue.h"
#include "kiln/Ops.h"
#include "kiln/Quantization.h"
#include "kiln/Tensor.h"

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// GGUF files: tensors, many of them packed (kiln/Quantization.h), and metadata.
namespace kiln::io {

/// What a file says of one of its tensors.
struct GgufTensorInfo {
  Shape shape;                                    // logical, outermost dim first
  std::string typeName;                           // ggml's: "F32", "Q4_K", "IQ2_XS"
  std::optional<DType> dtype{};                   // of a tensor that is not packed
  std::optional<QuantizationEncoding> encoding{}; // of one that is packed and can be decoded
  uint64_t offset = 0;                            // of its bytes in the file
  uint64_t sizeBytes = 0;

  /// False for ggml's other formats, which can be listed only.
  bool isReadable() const { return dtype || encoding; }
};

/// An opened GGUF file. Its tensors are views of the mapped file; they keep it mapped, and their
/// pages are read when touched. A packed tensor is the uint8 tensor of its bytes, [outer dims...,
/// bytes of a row]. Iterates over (name, tensor) in the order of the names.
class GgufFile {
public:
  using Entries = std::map<std::string, Tensor>;
  /// A name, and where it was asked for.
  struct Key {
    template <std::convertible_to<std::string> T>
    Key(const T &name, Where where = Where::current()) : name(name), where(where) {}
    std::string name;
    Where where;
  };

  std::vector<std::string> keys() const;
  std::size_t size() const { return entries.size(); }
  bool contains(const std::string &name) const { return entries.contains(name); }
  /// Errors: IoError for a tensor in a format that cannot be read.
  std::optional<Tensor> find(const std::string &name) const;
  /// Errors: as of find; KeyError that names the file.
  const Tensor &operator[](const Key &key) const;
  /// A tensor in a format that cannot be read comes as its bytes; to read these is the IoError.
  Entries::const_iterator begin() const { return entries.begin(); }
  Entries::const_iterator end() const { return entries.end(); }

  /// Errors: KeyError that names the file.
  const GgufTensorInfo &info(const Key &key) const;
  const std::map<std::string, GgufTensorInfo> &infos() const { return tensorInfos; }
  /// The contents of a packed, float16, bfloat16 or float32 tensor as float32, in its logical
  /// shape. Memory: the result's, and the file's pages while they are read. Errors: as of find and
  /// info; TypeError for another dtype.
  Tensor dequantize(const std::string &name, Where where = Where::current()) const;
  /// Rows [begin, end) of the tensor seen as [rows, elements of a row], as float32.
  /// Errors: as of dequantize; IndexError for rows that are not there.
  Tensor dequantizeRows(const std::string &name, int64_t begin, int64_t end,
                        Where where = Where::current()) const;

  /// The tensors whose names begin with `prefix`, without it; all of the metadata.
  GgufFile withPrefix(const std::string &prefix) const;

  const GgufMetadata &metadata() const { return notes; }
  /// Errors: KeyError that names the file.
  const GgufValue &metadata(const Key &key) const;
  const std::string &path() const { return filePath; }
  /// Of the format: 2 or 3.
  uint32_t version() const { return formatVersion; }

private:
  friend GgufFile openGguf(const std::string &path, Where where);
  Tensor decodeRows(const Key &key, int64_t begin, int64_t end, const Shape &shape) const;
  std::string filePath;
  uint32_t formatVersion = 0;
  Entries entries;
  std::map<std::string, GgufTensorInfo> tensorInfos;
  GgufMetadata notes;
};

/// Maps a GGUF file of version 2 or 3, little-endian, and checks everything in front of the data
/// in full before anything is believed: counts, lengths, types, sizes, offsets, overlaps.
/// Errors: IoError that names the file, the tensor or metadata entry, and the field.
GgufFile openGguf(const std::string &path, Where where = Where::current());

struct SaveGgufOptions {
  /// For all float tensors of rank 2 and more whose rows are whole blocks.
  std::optional<QuantizationEncoding> encoding{};
  /// By name, before `encoding`: of a float tensor, what it is encoded as; of a uint8 tensor, what
  /// its bytes are already (as `find` gave them). nullopt: as it is.
  std::map<std::string, std::optional<QuantizationEncoding>> encodings{};
  /// Called while data are written, with the tensor at hand and how many bytes of all tensors have
  /// been read so far, of how many. What it throws ends the work, and no file appears.
  std::function<void(const std::string &name, uint64_t doneBytes, uint64_t allBytes)> progress{};
};

/// Writes version 3, with the alignment that the metadata say under `general.alignment`, else 32,
/// and with `general.quantization_version` where a tensor is packed. Tensors are encoded in parts
/// as they are written. The file appears whole or not at all, as with saveSafetensors. Errors:
/// ValueError, which names the tensor, for a dtype that GGUF has not (booleans, unsigned integers),
/// rows that are no whole blocks, values that an encoding cannot hold (NaN, infinities, beyond its
/// range), names or a rank that no reader takes; IoError.
void saveGguf(const std::string &path, const std::map<std::string, Tensor> &tensors,
              const GgufMetadata &metadata = {}, const SaveGgufOptions &options = {},
              Where where = Where::current());

} // namespace kiln::io

namespace kiln::quantization {

/// Packs a tensor that is here: reads it now.
/// Shapes: values [..., n] of float16, bfloat16 or float32, n a multiple of the block's elements
/// -> uint8 [..., packedRowBytes(encoding, n)].
/// Errors: TypeError for another dtype; ValueError for other sizes and for values that the encoding
/// cannot hold.
Tensor quantize(const Tensor &values, QuantizationEncoding encoding,
                Where where = Where::current());

/// The way back, an operation as any other (Ops.h).
using kiln::dequantize;

} // namespace kiln::quantization
