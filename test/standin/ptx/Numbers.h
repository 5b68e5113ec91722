#pragma once

#include "standin/ptx/Ptx.h"

#include <bit>
#include <cmath>
#include <cstdint>

/// Values of registers: the low bits of 64.
namespace standin::ptx {

inline uint64_t maskOf(int bits) { return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1; }

inline int64_t signExtended(uint64_t value, int bits) {
  if (bits >= 64)
    return static_cast<int64_t>(value);
  uint64_t sign = uint64_t{1} << (bits - 1);
  value &= maskOf(bits);
  return static_cast<int64_t>((value ^ sign) - sign);
}

/// The value of an integer type, widened.
inline uint64_t widened(uint64_t bits, Type type) {
  return isSigned(type) ? static_cast<uint64_t>(signExtended(bits, bitsOf(type)))
                        : bits & maskOf(bitsOf(type));
}

/// binary16 and bfloat16 by their bits.
double halfToDouble(uint16_t bits);
double bfloatToDouble(uint16_t bits);

enum class Rounding { nearest, zero, down, up, nearestAway };
/// Rounds once, from the exact value.
uint64_t fromDouble(double value, Type type, Rounding rounding = Rounding::nearest);

/// Any floating type as a double: exact.
inline double toDouble(uint64_t bits, Type type) {
  switch (type) {
  case Type::f16:
    return halfToDouble(static_cast<uint16_t>(bits));
  case Type::bf16:
    return bfloatToDouble(static_cast<uint16_t>(bits));
  case Type::f64:
    return std::bit_cast<double>(bits);
  case Type::tf32: // the low bits count for nothing
    return std::bit_cast<float>(static_cast<uint32_t>(bits) & 0xFFFFE000u);
  default:
    return std::bit_cast<float>(static_cast<uint32_t>(bits));
  }
}

} // namespace standin::ptx
