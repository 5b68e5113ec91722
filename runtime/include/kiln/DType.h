#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string_view>

namespace kiln {

/// Element types of tensors.
enum class DType : uint8_t {
  boolean, // one byte, 0 or 1
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  bfloat16,
  float32,
  float64,
};

/// Bytes of one element.
constexpr std::size_t sizeBytes(DType dtype) {
  constexpr std::size_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

constexpr bool isFloat(DType dtype) { return dtype >= DType::float16; }
constexpr bool isUnsigned(DType dtype) { return dtype >= DType::uint8 && dtype <= DType::uint64; }
constexpr bool isSigned(DType dtype) { return dtype >= DType::int8 && dtype <= DType::int64; }
constexpr bool isInteger(DType dtype) { return isSigned(dtype) || isUnsigned(dtype); }

/// "float32": as printed by `Tensor`.
std::string_view name(DType dtype);
/// "f32", "bf16", "i64", "u8", "bool": as in error messages and in the IR.
std::string_view shortName(DType dtype);
/// Inverse of both `name` and `shortName`.
std::optional<DType> parseDType(std::string_view text);

/// The dtype of `a op b` (PyTorch's promotion table between tensors of equal standing).
DType promote(DType a, DType b);

std::ostream &operator<<(std::ostream &os, DType dtype);

/// IEEE binary16 and bfloat16 as C++ values, for `item`, `data`, `fromData`. Arithmetic is done
/// in float: both convert implicitly to and explicitly from it, rounding to nearest even.
struct Float16 {
  uint16_t bits = 0;
  Float16() = default;
  explicit Float16(float value);
  operator float() const;
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value);
  operator float() const;
};

/// The DType of a C++ type: `dtypeOf<float>() == DType::float32`.
template <class T> constexpr DType dtypeOf();
template <> constexpr DType dtypeOf<bool>() { return DType::boolean; }
template <> constexpr DType dtypeOf<int8_t>() { return DType::int8; }
template <> constexpr DType dtypeOf<int16_t>() { return DType::int16; }
template <> constexpr DType dtypeOf<int32_t>() { return DType::int32; }
template <> constexpr DType dtypeOf<int64_t>() { return DType::int64; }
template <> constexpr DType dtypeOf<long long>() { return DType::int64; }
template <> constexpr DType dtypeOf<uint8_t>() { return DType::uint8; }
template <> constexpr DType dtypeOf<uint16_t>() { return DType::uint16; }
template <> constexpr DType dtypeOf<uint32_t>() { return DType::uint32; }
template <> constexpr DType dtypeOf<uint64_t>() { return DType::uint64; }
template <> constexpr DType dtypeOf<unsigned long long>() { return DType::uint64; }
template <> constexpr DType dtypeOf<Float16>() { return DType::float16; }
template <> constexpr DType dtypeOf<BFloat16>() { return DType::bfloat16; }
template <> constexpr DType dtypeOf<float>() { return DType::float32; }
template <> constexpr DType dtypeOf<double>() { return DType::float64; }

} // namespace kiln
