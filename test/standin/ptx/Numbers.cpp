#include "standin/ptx/Numbers.h"

namespace standin::ptx {

double halfToDouble(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double value = exponent == 31  ? (mantissa ? std::nan("") : INFINITY)
                 : exponent == 0 ? std::ldexp(mantissa, -24)
                                 : std::ldexp(1024 + mantissa, exponent - 25);
  return bits >> 15 ? -value : value;
}

double bfloatToDouble(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

namespace {

/// A binary format: bits of the exponent and of the stored fraction.
struct Format {
  int exponentBits, fractionBits;
};

/// The bits of `value` in the format, rounded once.
uint64_t encode(double value, Format format, Rounding rounding) {
  uint64_t sign =
      std::signbit(value) ? uint64_t{1} << (format.exponentBits + format.fractionBits) : 0;
  uint64_t infinity = maskOf(format.exponentBits) << format.fractionBits;
  if (std::isnan(value)) // the canonical NaN of PTX
    return maskOf(format.exponentBits + format.fractionBits);
  double magnitude = std::fabs(value);
  if (std::isinf(value))
    return sign | infinity;
  if (magnitude == 0)
    return sign;
  int bias = (1 << (format.exponentBits - 1)) - 1;
  int exponent = std::max(std::ilogb(magnitude), 1 - bias);
  double scaled = std::ldexp(magnitude, format.fractionBits - exponent); // units of the last place
  double whole = std::floor(scaled), rest = scaled - whole;
  bool isUp = false;
  switch (rounding) {
  case Rounding::nearest:
    isUp = rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) == 1);
    break;
  case Rounding::nearestAway:
    isUp = rest >= 0.5;
    break;
  case Rounding::zero:
    break;
  case Rounding::down:
    isUp = rest > 0 && sign;
    break;
  case Rounding::up:
    isUp = rest > 0 && !sign;
    break;
  }
  auto units = static_cast<uint64_t>(whole) + (isUp ? 1 : 0);
  // A carry into the exponent gives the right bits by itself; so do subnormals.
  uint64_t bits = (static_cast<uint64_t>(exponent + bias - 1) << format.fractionBits) + units;
  if (bits >= infinity) {
    bool staysFinite = rounding == Rounding::zero || (rounding == Rounding::down && !sign) ||
                       (rounding == Rounding::up && sign);
    bits = staysFinite ? infinity - 1 : infinity;
  }
  return sign | bits;
}

} // namespace

uint64_t fromDouble(double value, Type type, Rounding rounding) {
  switch (type) {
  case Type::f16:
    return encode(value, {5, 10}, rounding);
  case Type::bf16:
    return encode(value, {8, 7}, rounding);
  case Type::f64:
    return std::bit_cast<uint64_t>(value);
  case Type::tf32:
    return std::isnan(value) ? 0x7FFFFFFF : encode(value, {8, 10}, rounding) << 13;
  default:
    if (rounding == Rounding::nearest && !std::isnan(value))
      return std::bit_cast<uint32_t>(static_cast<float>(value));
    return encode(value, {8, 23}, rounding);
  }
}

} // namespace standin::ptx
