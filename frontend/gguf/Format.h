#pragma once

#include "kiln/DType.h"
#include "kiln/Quantization.h"

#include <optional>
#include <string>
#include <string_view>

/// What stands in a GGUF file, in this order, little endian, without gaps:
///   "GGUF", version (u32), number of tensors (u64), number of metadata entries (u64)
///   each metadata entry: key (string), type (u32), value
///     string: length (u64), bytes; array: element type (u32), length (u64), elements
///   each tensor: name (string), number of dims (u32), dims (u64 each, innermost first),
///     type (u32), offset in the data (u64)
///   zeros up to a multiple of the alignment, then the data; each tensor begins at such a multiple
/// Source: ggml's docs/gguf.md; versions 2 and 3 differ only in that 3 may be big-endian.
namespace kiln::io::gguf {

inline constexpr std::string_view magic = "GGUF";
inline constexpr uint32_t oldestVersion = 2, newestVersion = 3;
inline constexpr std::string_view alignmentKey = "general.alignment"; // a u32, a power of two
inline constexpr uint32_t defaultAlignment = 32;
/// ggml has 4 (GGML_MAX_DIMS) and plans more; other writers do not check.
inline constexpr uint32_t maxRank = 8;
/// Arrays in arrays; nobody is known to write more than two. Bounds the recursion of readers.
inline constexpr int maxArrayDepth = 8;

/// An element or block type of ggml (enum ggml_type).
struct TensorType {
  uint32_t number;
  std::string_view name;
  int64_t blockElements, blockBytes;
  // At most one of these; neither: a format that cannot be read here.
  std::optional<DType> dtype{};
  std::optional<QuantizationEncoding> encoding{};
};

/// Null for a number that ggml has not.
const TensorType *tensorType(uint32_t number);
/// Null for a dtype that ggml has not: booleans and unsigned integers.
const TensorType *tensorType(DType dtype);
const TensorType &tensorType(QuantizationEncoding encoding);

/// In quotes, with control characters escaped and broken UTF-8 replaced; of more than `maxBytes`
/// only the beginning.
std::string quoted(std::string_view text, std::size_t maxBytes = 200);

} // namespace kiln::io::gguf
