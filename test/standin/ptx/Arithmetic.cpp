#include "standin/ptx/Block.h"

#include <algorithm>
#include <limits>

namespace standin::ptx {
namespace {

Rounding roundingOf(const Instruction &i, Rounding usual = Rounding::nearest) {
  for (const std::string &part : i.parts) {
    if (part == "rn" || part == "rni")
      return Rounding::nearest;
    if (part == "rz" || part == "rzi")
      return Rounding::zero;
    if (part == "rm" || part == "rmi")
      return Rounding::down;
    if (part == "rp" || part == "rpi")
      return Rounding::up;
    if (part == "rna")
      return Rounding::nearestAway;
  }
  return usual;
}

double flushed(double value, bool flushes) {
  return flushes && std::fabs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0, value)
                                                                         : value;
}

/// min and max of PTX: the number where one is NaN, -0 below +0.
double minimum(double a, double b, bool keepsNaN) {
  if (std::isnan(a) || std::isnan(b))
    return keepsNaN || (std::isnan(a) && std::isnan(b)) ? std::nan("") : std::isnan(a) ? b : a;
  if (a == b)
    return std::signbit(a) ? a : b;
  return std::min(a, b);
}

double roundToInteger(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::nearest:
    return std::nearbyint(value);
  case Rounding::zero:
    return std::trunc(value);
  case Rounding::down:
    return std::floor(value);
  case Rounding::up:
    return std::ceil(value);
  default:
    return std::round(value);
  }
}

uint64_t highProduct(uint64_t a, uint64_t b, Type type) {
  int width = bitsOf(type);
  if (isSigned(type)) {
    auto product = static_cast<__int128>(static_cast<int64_t>(widened(a, type))) *
                   static_cast<int64_t>(widened(b, type));
    return static_cast<uint64_t>(product >> width);
  }
  auto product = static_cast<unsigned __int128>(widened(a, type)) * widened(b, type);
  return static_cast<uint64_t>(product >> width);
}

float single(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }

} // namespace

/// One operation on values of `type`, which is no pair.
uint64_t Block::onePart(const Instruction &i, Type type, uint64_t a, uint64_t b, uint64_t c) const {
  const std::string &op = i.opcode;
  if (isFloating(type)) {
    bool ftz = i.has("ftz"), keepsNaN = i.has("NaN");
    double x = flushed(toDouble(a, type), ftz && type == Type::f32);
    double y = flushed(toDouble(b, type), ftz && type == Type::f32);
    double z = flushed(toDouble(c, type), ftz && type == Type::f32);
    uint64_t sign = uint64_t{1} << (bitsOf(type) - 1);
    if (op == "neg" && !ftz)
      return a ^ sign;
    if (op == "abs" && !ftz)
      return a & (sign - 1);
    if (op == "copysign") // the sign of the first
      return (b & (sign - 1)) | (a & sign);
    double result;
    Rounding rounding = roundingOf(i);
    bool isSingle = type == Type::f32 && rounding == Rounding::nearest;
    if (op == "add")
      result = x + y;
    else if (op == "sub")
      result = x - y;
    else if (op == "mul")
      result = x * y;
    else if (op == "fma" || op == "mad")
      result = isSingle
                   ? std::fma(static_cast<float>(x), static_cast<float>(y), static_cast<float>(z))
                   : std::fma(x, y, z);
    else if (op == "div")
      result = isSingle ? static_cast<float>(x) / static_cast<float>(y) : x / y;
    else if (op == "min")
      result = minimum(x, y, keepsNaN);
    else if (op == "max")
      result = -minimum(-x, -y, keepsNaN);
    else if (op == "neg")
      result = -x;
    else if (op == "abs")
      result = std::fabs(x);
    else if (op == "sqrt")
      result = isSingle ? std::sqrt(static_cast<float>(x)) : std::sqrt(x);
    else if (op == "rsqrt")
      result = 1 / std::sqrt(x);
    else if (op == "rcp")
      result = isSingle ? 1 / static_cast<float>(x) : 1 / x;
    else if (op == "ex2")
      result = std::exp2(x);
    else if (op == "lg2")
      result = std::log2(x);
    else if (op == "sin")
      result = std::sin(x);
    else if (op == "cos")
      result = std::cos(x);
    else if (op == "tanh")
      result = std::tanh(x);
    else
      throw PtxError("no such operation on " + i.text);
    if (i.has("sat"))
      result = std::isnan(result) ? 0 : std::clamp(result, 0.0, 1.0);
    if (i.has("relu"))
      result = std::isnan(result) ? result : std::max(result, 0.0);
    if (ftz && type == Type::f32)
      result = flushed(fromDouble(result, type) ? toDouble(fromDouble(result, type, rounding), type)
                                                : result,
                       true);
    return fromDouble(result, type, rounding);
  }
  auto x = static_cast<int64_t>(widened(a, type)), y = static_cast<int64_t>(widened(b, type));
  uint64_t ux = widened(a, type), uy = widened(b, type);
  bool isSignedType = isSigned(type);
  int width = bitsOf(type);
  if (op == "add") {
    if (i.has("sat")) {
      int64_t most = static_cast<int64_t>(maskOf(width - 1));
      return static_cast<uint64_t>(std::clamp(x + y, -most - 1, most));
    }
    return ux + uy;
  }
  if (op == "sub")
    return ux - uy;
  if (op == "mul" || op == "mad") {
    uint64_t product = i.has("hi") ? highProduct(a, b, type) : ux * uy;
    return op == "mad" ? product + c : product;
  }
  if (op == "mul24" || op == "mad24") {
    Type narrow = isSignedType ? Type::s32 : Type::u32;
    auto low = [&](uint64_t bits) {
      return isSignedType ? static_cast<uint64_t>(signExtended(bits, 24)) : bits & maskOf(24);
    };
    uint64_t product = widened(low(a) * low(b), narrow);
    return op == "mad24" ? product + c : product;
  }
  if (op == "div" || op == "rem") {
    if (uy == 0) // unspecified by the ISA: what hardware gives
      return op == "div" ? maskOf(width) : ux;
    if (!isSignedType)
      return op == "div" ? ux / uy : ux % uy;
    if (y == -1)
      return op == "div" ? 0 - ux : 0;
    return static_cast<uint64_t>(op == "div" ? x / y : x % y);
  }
  if (op == "abs")
    return x < 0 ? 0 - ux : ux;
  if (op == "neg")
    return 0 - ux;
  if (op == "min")
    return isSignedType ? static_cast<uint64_t>(std::min(x, y)) : std::min(ux, uy);
  if (op == "max")
    return isSignedType ? static_cast<uint64_t>(std::max(x, y)) : std::max(ux, uy);
  throw PtxError("no such operation on " + i.text);
}

void Block::arithmetic(Thread &thread, const Instruction &i) {
  Type type = i.type();
  std::size_t sources = i.operands.size() - 1;
  if (i.has("cc") || i.opcode == "addc")
    fail(thread, "carries are not supported");
  auto source = [&](std::size_t n, Type as) {
    return n < sources ? value(thread, i.operands[n + 1], as) : 0;
  };
  uint64_t a = source(0, type), b = source(1, type), c = source(2, type);
  try {
    if (type == Type::f16x2 || type == Type::bf16x2) {
      Type half = type == Type::f16x2 ? Type::f16 : Type::bf16;
      uint64_t low = onePart(i, half, a & 0xFFFF, b & 0xFFFF, c & 0xFFFF);
      uint64_t high = onePart(i, half, a >> 16 & 0xFFFF, b >> 16 & 0xFFFF, c >> 16 & 0xFFFF);
      return set(thread, i.operands[0], (high & 0xFFFF) << 16 | (low & 0xFFFF));
    }
    if (i.has("wide")) {
      uint64_t product = widened(a, type) * widened(b, type);
      int width = 2 * bitsOf(type);
      if (i.opcode == "mad")
        product += source(2, width == 64 ? Type::b64 : Type::b32);
      return set(thread, i.operands[0], product & maskOf(width));
    }
    set(thread, i.operands[0], onePart(i, type, a, b, c) & maskOf(bitsOf(type)));
  } catch (const PtxError &error) {
    fail(thread, error.what());
  }
}

void Block::convert(Thread &thread, const Instruction &i) {
  if (i.has("pack"))
    fail(thread, "cvt.pack is not supported");
  Type to = i.type(0), from = i.type(1);
  Rounding rounding = roundingOf(i, Rounding::zero);
  auto clampFloat = [&](double real) {
    if (i.has("relu") && !std::isnan(real))
      real = std::max(real, 0.0);
    if (i.has("sat"))
      real = std::isnan(real) ? 0 : std::clamp(real, 0.0, 1.0);
    return real;
  };
  if (to == Type::f16x2 || to == Type::bf16x2) { // the first source is the upper half
    Type half = to == Type::f16x2 ? Type::f16 : Type::bf16;
    double high = clampFloat(toDouble(value(thread, i.operands[1], from), from));
    double low = clampFloat(toDouble(value(thread, i.operands[2], from), from));
    return set(thread, i.operands[0],
               fromDouble(high, half, rounding) << 16 | fromDouble(low, half, rounding));
  }
  uint64_t bits = value(thread, i.operands[1], from);
  int width = bitsOf(to);
  if (isFloating(from) && isFloating(to)) {
    double real = flushed(toDouble(bits, from), i.has("ftz") && from == Type::f32);
    bool toInteger = i.has("rni") || i.has("rzi") || i.has("rmi") || i.has("rpi");
    if (toInteger)
      real = roundToInteger(real, rounding);
    bool isExact = toInteger || width > bitsOf(from);
    Rounding last = isExact ? Rounding::nearest : rounding;
    if (from == Type::f64 && to == Type::f32 && last == Rounding::nearest)
      return set(thread, i.operands[0],
                 std::bit_cast<uint32_t>(static_cast<float>(clampFloat(real))));
    return set(thread, i.operands[0], fromDouble(clampFloat(real), to, last));
  }
  if (isFloating(from)) {
    double real = flushed(toDouble(bits, from), i.has("ftz") && from == Type::f32);
    if (std::isnan(real)) {
      bool isWide = from == Type::f64 || width == 64;
      return set(thread, i.operands[0], isWide ? uint64_t{1} << (width - 1) : 0);
    }
    real = roundToInteger(real, rounding);
    double low = isSigned(to) ? -std::ldexp(1.0, width - 1) : 0;
    double end = std::ldexp(1.0, isSigned(to) ? width - 1 : width);
    uint64_t result = real < low     ? (isSigned(to) ? uint64_t{1} << (width - 1) : 0)
                      : real >= end  ? maskOf(isSigned(to) ? width - 1 : width)
                      : isSigned(to) ? static_cast<uint64_t>(static_cast<int64_t>(real))
                                     : static_cast<uint64_t>(real);
    return set(thread, i.operands[0], widened(result, to));
  }
  if (isFloating(to)) {
    auto exact = isSigned(from)
                     ? static_cast<long double>(static_cast<int64_t>(widened(bits, from)))
                     : static_cast<long double>(widened(bits, from));
    if (to == Type::f32 && rounding == Rounding::nearest)
      return set(thread, i.operands[0], std::bit_cast<uint32_t>(static_cast<float>(exact)));
    return set(thread, i.operands[0],
               fromDouble(clampFloat(static_cast<double>(exact)), to, rounding));
  }
  uint64_t wide = widened(bits, from);
  if (i.has("sat")) {
    auto real = isSigned(from) ? static_cast<__int128>(static_cast<int64_t>(wide))
                               : static_cast<__int128>(wide);
    __int128 low = isSigned(to) ? -(static_cast<__int128>(1) << (width - 1)) : 0;
    __int128 high = (static_cast<__int128>(1) << (isSigned(to) ? width - 1 : width)) - 1;
    wide = static_cast<uint64_t>(std::clamp(real, low, high));
  }
  set(thread, i.operands[0], widened(wide, to));
}

void Block::compare(Thread &thread, const Instruction &i) {
  if (i.opcode == "testp") {
    double real = toDouble(value(thread, i.operands[1], i.type()), i.type());
    bool holds = i.has("finite")       ? std::isfinite(real)
                 : i.has("infinite")   ? std::isinf(real)
                 : i.has("number")     ? !std::isnan(real)
                 : i.has("notanumber") ? std::isnan(real)
                 : i.has("normal")     ? std::isnormal(real)
                                       : std::fpclassify(real) == FP_SUBNORMAL;
    return set(thread, i.operands[0], holds);
  }
  bool isSet = i.opcode == "set";
  std::size_t first = isSet ? 1 : 2;
  Type type = i.types.back();
  uint64_t a = value(thread, i.operands[first], type);
  uint64_t b = value(thread, i.operands[first + 1], type);
  const std::string &name = i.parts[0];
  bool holds;
  if (isFloating(type)) {
    bool ftz = i.has("ftz") && type == Type::f32;
    double x = flushed(toDouble(a, type), ftz), y = flushed(toDouble(b, type), ftz);
    bool unordered = std::isnan(x) || std::isnan(y);
    bool orUnordered = name.size() == 3 && name != "num" && name != "nan";
    std::string plain = orUnordered ? name.substr(0, 2) : name;
    if (name == "num")
      holds = !unordered;
    else if (name == "nan")
      holds = unordered;
    else if (unordered)
      holds = orUnordered;
    else if (plain == "eq")
      holds = x == y;
    else if (plain == "ne")
      holds = x != y;
    else if (plain == "lt")
      holds = x < y;
    else if (plain == "le")
      holds = x <= y;
    else if (plain == "gt")
      holds = x > y;
    else if (plain == "ge")
      holds = x >= y;
    else
      fail(thread, "an unknown comparison");
  } else {
    auto x = static_cast<int64_t>(widened(a, type)), y = static_cast<int64_t>(widened(b, type));
    uint64_t ux = widened(a, type), uy = widened(b, type);
    bool isSignedType = isSigned(type);
    if (name == "eq")
      holds = ux == uy;
    else if (name == "ne")
      holds = ux != uy;
    else if (name == "lt" || name == "lo")
      holds = isSignedType ? x < y : ux < uy;
    else if (name == "le" || name == "ls")
      holds = isSignedType ? x <= y : ux <= uy;
    else if (name == "gt" || name == "hi")
      holds = isSignedType ? x > y : ux > uy;
    else if (name == "ge" || name == "hs")
      holds = isSignedType ? x >= y : ux >= uy;
    else
      fail(thread, "an unknown comparison");
  }
  bool other = !holds;
  if (i.operands.size() > first + 2) {
    bool with = predicate(thread, i.operands[first + 2]);
    auto combine = [&](bool one) {
      return i.has("and") ? one && with : i.has("or") ? one || with : one != with;
    };
    other = combine(!holds);
    holds = combine(holds);
  }
  if (isSet) {
    uint64_t yes = isFloating(i.type(0)) ? fromDouble(1, i.type(0)) : maskOf(bitsOf(i.type(0)));
    return set(thread, i.operands[0], holds ? yes : 0);
  }
  set(thread, i.operands[0], holds);
  set(thread, i.operands[1], other);
}

void Block::bits(Thread &thread, const Instruction &i) {
  const std::string &op = i.opcode;
  Type type = i.type();
  int width = bitsOf(type);
  auto source = [&](std::size_t n) { return value(thread, i.operands.at(n + 1), type); };
  auto number = [&](std::size_t n) { return value(thread, i.operands.at(n + 1), Type::u32); };
  uint64_t result;
  if (op == "and")
    result = source(0) & source(1);
  else if (op == "or")
    result = source(0) | source(1);
  else if (op == "xor")
    result = source(0) ^ source(1);
  else if (op == "not")
    result = ~source(0);
  else if (op == "cnot")
    result = source(0) == 0;
  else if (op == "shl") {
    uint64_t by = number(1);
    result = by >= static_cast<uint64_t>(width) ? 0 : source(0) << by;
  } else if (op == "shr") {
    auto by = static_cast<int>(std::min<uint64_t>(number(1), 63));
    if (isSigned(type))
      result = static_cast<uint64_t>(signExtended(source(0), width) >> std::min(by, width - 1));
    else
      result = number(1) >= static_cast<uint64_t>(width) ? 0 : source(0) >> by;
  } else if (op == "shf") { // a: low, b: high
    uint64_t both = source(1) << 32 | source(0), by = number(2);
    by = i.has("wrap") ? by & 31 : std::min<uint64_t>(by, 32);
    result = i.has("l") ? both << by >> 32 : both >> by;
  } else if (op == "bfe") {
    uint64_t begin = number(1) & 255, count = number(2) & 255;
    auto last = static_cast<uint64_t>(width);
    uint64_t field = begin >= last ? 0 : source(0) >> begin;
    count = std::min(count, last);
    if (count == 0)
      result = 0;
    else if (isSigned(type)) {
      uint64_t signPlace = std::min(begin + count - 1, last - 1);
      uint64_t sign = source(0) >> signPlace & 1;
      uint64_t taken = std::min(count, begin >= last ? 0 : last - begin);
      result =
          (field & maskOf(static_cast<int>(taken))) | (sign ? ~maskOf(static_cast<int>(taken)) : 0);
    } else
      result = field & maskOf(static_cast<int>(count));
  } else if (op == "bfi") {
    uint64_t begin = number(2) & 255, count = number(3) & 255;
    uint64_t mask =
        begin >= 64 ? 0 : maskOf(static_cast<int>(std::min<uint64_t>(count, 64))) << begin;
    result = (source(1) & ~mask) | ((begin >= 64 ? 0 : source(0) << begin) & mask);
  } else if (op == "prmt") {
    if (i.parts.size() > 1)
      fail(thread, "modes of prmt are not supported");
    uint64_t both =
        value(thread, i.operands[2], Type::b32) << 32 | value(thread, i.operands[1], Type::b32);
    uint64_t control = value(thread, i.operands[3], Type::b32);
    result = 0;
    for (int byte = 0; byte < 4; ++byte) {
      uint64_t selector = control >> (4 * byte) & 15;
      uint64_t chosen = both >> (8 * (selector & 7)) & 255;
      if (selector & 8)
        chosen = chosen & 128 ? 255 : 0;
      result |= chosen << (8 * byte);
    }
  } else if (op == "popc")
    result = static_cast<uint64_t>(std::popcount(source(0)));
  else if (op == "clz")
    result = static_cast<uint64_t>(std::countl_zero(source(0)) - (64 - width));
  else if (op == "brev") {
    result = 0;
    for (int bit = 0; bit < width; ++bit)
      result |= (source(0) >> bit & 1) << (width - 1 - bit);
  } else if (op == "bfind") {
    uint64_t of = source(0);
    if (isSigned(type) && signExtended(of, width) < 0)
      of = ~of & maskOf(width);
    int highest = of ? 63 - std::countl_zero(of) : -1;
    if (i.has("shiftamt") && highest >= 0)
      highest = width - 1 - highest;
    return set(thread, i.operands[0], static_cast<uint32_t>(highest));
  } else if (op == "lop3") {
    uint64_t table = value(thread, i.operands[4], Type::b32);
    result = 0;
    for (int bit = 0; bit < 32; ++bit) {
      uint64_t place =
          (source(0) >> bit & 1) << 2 | (source(1) >> bit & 1) << 1 | (source(2) >> bit & 1);
      result |= (table >> place & 1) << bit;
    }
  } else if (op == "selp")
    result = predicate(thread, i.operands[3]) ? source(0) : source(1);
  else if (op == "slct") {
    Type by = i.type(1);
    bool isFirst = by == Type::f32 ? single(value(thread, i.operands[3], by)) >= 0
                                   : integer(thread, i.operands[3], Type::s32) >= 0;
    result = isFirst ? source(0) : source(1);
  } else
    fail(thread, "an instruction that the interpreter does not know");
  set(thread, i.operands[0], result & maskOf(width));
}

} // namespace standin::ptx
