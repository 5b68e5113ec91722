#include "kiln/DType.h"
#include "kiln/Error.h"

#include <array>
#include <bit>
#include <string>

namespace kiln {

static constexpr std::array<std::string_view, 13> names = {
    "boolean", "int8",   "int16",   "int32",    "int64",   "uint8",  "uint16",
    "uint32",  "uint64", "float16", "bfloat16", "float32", "float64"};
static constexpr std::array<std::string_view, 13> shortNames = {
    "bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64"};

std::string_view name(DType dtype) { return names[static_cast<std::size_t>(dtype)]; }
std::string_view shortName(DType dtype) { return shortNames[static_cast<std::size_t>(dtype)]; }

std::optional<DType> parseDType(std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (text == names[i] || text == shortNames[i])
      return static_cast<DType>(i);
  return std::nullopt;
}

/// The signed integer of `size` bytes.
static DType signedOfSize(std::size_t size) {
  return size == 1   ? DType::int8
         : size == 2 ? DType::int16
         : size == 4 ? DType::int32
                     : DType::int64;
}

DType promote(DType a, DType b) {
  if (a == b)
    return a;
  if (a > b)
    std::swap(a, b); // booleans < signed < unsigned < floats
  if (isFloat(b)) {
    bool halves = a == DType::float16 && b == DType::bfloat16; // neither holds the other
    return halves ? DType::float32 : b;
  }
  if (a == DType::boolean || isUnsigned(a) || isSigned(b))
    return b; // in each group the wider comes later
  // Signed with unsigned: the signed type that holds both.
  if (sizeBytes(a) > sizeBytes(b))
    return a;
  if (b == DType::uint64)
    throw TypeError("[promote] no integer dtype holds both " + std::string(shortName(a)) +
                    " and u64: cast one");
  return signedOfSize(2 * sizeBytes(b));
}

std::ostream &operator<<(std::ostream &os, DType dtype) { return os << name(dtype); }

Float16::Float16(float value) {
  uint32_t f = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((f >> 16) & 0x8000);
  f &= 0x7fffffff;
  if (f > 0x7f800000) { // NaN: quiet, with what fits of its payload
    bits = static_cast<uint16_t>(sign | 0x7e00 | ((f >> 13) & 0x1ff));
  } else if (f >= 0x477ff000) { // 65520, the midpoint above the largest finite value, and beyond
    bits = sign | 0x7c00;
  } else if (f >= 0x38800000) { // 2^-14: normal. Rebias the exponent, round to nearest even
    f += 0xc8000fff + ((f >> 13) & 1);
    bits = static_cast<uint16_t>(sign | (f >> 13));
  } else { // subnormal: adding 0.5 leaves units of 2^-24 in the lowest bits, rounded by the FPU
    float shifted = std::bit_cast<float>(f) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
  }
}

Float16::operator float() const {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0x1f) // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) { // zero, subnormal: units of 2^-24
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

BFloat16::BFloat16(float value) {
  uint32_t f = std::bit_cast<uint32_t>(value);
  if ((f & 0x7fffffff) > 0x7f800000) // NaN: quiet, so that rounding does not make it infinite
    bits = static_cast<uint16_t>((f >> 16) | 0x40);
  else
    bits = static_cast<uint16_t>((f + 0x7fff + ((f >> 16) & 1)) >> 16);
}

BFloat16::operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

} // namespace kiln
