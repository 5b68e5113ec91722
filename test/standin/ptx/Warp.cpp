#include "standin/ptx/Block.h"

#include <algorithm>
#include <cstring>

namespace standin::ptx {

void Block::together(std::vector<Thread *> &lanes, const Instruction &i) {
  if (i.opcode == "shfl")
    return shuffle(lanes, i);
  if (i.opcode == "vote" || i.opcode == "activemask")
    return vote(lanes, i);
  if (i.opcode == "elect")
    return elect(lanes, i);
  if (i.opcode == "redux")
    return reduce(lanes, i);
  if (i.opcode == "ldmatrix")
    return loadMatrix(lanes, i);
  if (i.opcode == "mma")
    return multiply(lanes, i);
  // bar.warp.sync: they are here.
}

/// shfl.sync d|p, a, b, c, mask: operands 0 to 5.
void Block::shuffle(std::vector<Thread *> &lanes, const Instruction &i) {
  std::vector<uint64_t> values(warpSize, 0), results(warpSize, 0);
  std::vector<bool> inRange(warpSize, false);
  for (int lane = 0; lane < warpSize; ++lane)
    if (Thread *thread = lanes[static_cast<std::size_t>(lane)])
      values[static_cast<std::size_t>(lane)] = value(*thread, i.operands[2], Type::b32);
  for (int lane = 0; lane < warpSize; ++lane) {
    Thread *thread = lanes[static_cast<std::size_t>(lane)];
    if (!thread)
      continue;
    int b = static_cast<int>(value(*thread, i.operands[3], Type::b32) & 31);
    auto c = value(*thread, i.operands[4], Type::b32);
    int clamp = static_cast<int>(c & 31), segment = static_cast<int>(c >> 8 & 31);
    int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
    int from;
    bool holds;
    if (i.has("up")) {
      from = lane - b;
      holds = from >= most;
    } else {
      from = i.has("down") ? lane + b : i.has("bfly") ? lane ^ b : least | (b & ~segment);
      holds = from <= most;
    }
    if (!holds)
      from = lane;
    if (!lanes[static_cast<std::size_t>(from)])
      fail(*thread, "reads lane " + std::to_string(from) + ", which is not there");
    results[static_cast<std::size_t>(lane)] = values[static_cast<std::size_t>(from)];
    inRange[static_cast<std::size_t>(lane)] = holds;
  }
  for (std::size_t lane = 0; lane < lanes.size(); ++lane)
    if (lanes[lane]) {
      set(*lanes[lane], i.operands[0], results[lane]);
      set(*lanes[lane], i.operands[1], inRange[lane]);
    }
}

void Block::vote(std::vector<Thread *> &lanes, const Instruction &i) {
  uint32_t here = 0, agree = 0;
  for (std::size_t lane = 0; lane < lanes.size(); ++lane)
    if (Thread *thread = lanes[lane]) {
      here |= uint32_t{1} << lane;
      if (i.opcode == "vote" && predicate(*thread, i.operands[1]))
        agree |= uint32_t{1} << lane;
    }
  uint64_t result = i.opcode == "activemask" ? here
                    : i.has("ballot")        ? agree
                    : i.has("all")           ? agree == here
                    : i.has("any")           ? agree != 0
                                             : agree == here || agree == 0;
  for (Thread *thread : lanes)
    if (thread)
      set(*thread, i.operands[0], result);
}

/// elect.sync d|p, mask: one of those that are here, its lane to all of them.
void Block::elect(std::vector<Thread *> &lanes, const Instruction &i) {
  auto isHere = [](Thread *thread) { return thread != nullptr; };
  auto leader = std::find_if(lanes.begin(), lanes.end(), isHere);
  for (Thread *thread : lanes)
    if (thread) {
      set(*thread, i.operands[0], static_cast<uint64_t>(leader - lanes.begin()));
      set(*thread, i.operands[1], thread == *leader);
    }
}

void Block::reduce(std::vector<Thread *> &lanes, const Instruction &i) {
  Type type = i.type();
  bool isFirst = true;
  int64_t result = 0;
  for (Thread *thread : lanes)
    if (thread) {
      int64_t one = integer(*thread, i.operands[1], type);
      if (isFirst)
        result = one;
      else if (i.has("add"))
        result += one;
      else if (i.has("min"))
        result = std::min(result, one);
      else if (i.has("max"))
        result = std::max(result, one);
      else if (i.has("and"))
        result &= one;
      else if (i.has("or"))
        result |= one;
      else
        result ^= one;
      isFirst = false;
    }
  for (Thread *thread : lanes)
    if (thread)
      set(*thread, i.operands[0], static_cast<uint64_t>(result) & maskOf(32));
}

static Thread &whole(std::vector<Thread *> &lanes) {
  for (Thread *thread : lanes)
    if (!thread)
      throw PtxError("a warp of which some threads are missing");
  return *lanes[0];
}

/// Lanes 8 j to 8 j + 7 give the addresses of matrix j's rows, of 16 bytes each. Lane l gets row
/// l / 4, columns l % 4 * 2 and the next; with .trans of the transposed matrix.
void Block::loadMatrix(std::vector<Thread *> &lanes, const Instruction &i) {
  Thread &first = whole(lanes);
  if (!i.has("m8n8") || !i.has("b16"))
    fail(first, "a form of ldmatrix that the interpreter does not know");
  std::size_t count = i.has("x4") ? 4 : i.has("x2") ? 2 : 1;
  uint16_t elements[4][8][8];
  for (std::size_t matrix = 0; matrix < count; ++matrix)
    for (std::size_t row = 0; row < 8; ++row) {
      Thread &thread = *lanes[matrix * 8 + row];
      const std::byte *from = locate(thread, i, spaceOf(i), addressOf(thread, i.operands[1]), 16);
      std::memcpy(elements[matrix][row], from, 16);
    }
  for (std::size_t lane = 0; lane < warpSize; ++lane)
    for (std::size_t matrix = 0; matrix < count; ++matrix) {
      std::size_t row = lane / 4, column = lane % 4 * 2;
      uint64_t low = i.has("trans") ? elements[matrix][column][row] : elements[matrix][row][column];
      uint64_t high =
          i.has("trans") ? elements[matrix][column + 1][row] : elements[matrix][row][column + 1];
      const Operand &to =
          i.operands[0].kind == Kind::vector ? i.operands[0].elements.at(matrix) : i.operands[0];
      set(*lanes[lane], to, high << 16 | low);
    }
}

namespace {

/// Where the elements of a fragment lie: of lane l, g = l / 4 and t = l % 4, as the PTX ISA's
/// figures for m16n8k* show them. `perRegister` elements of A and B lie in a register.
struct Shape {
  int k, perRegister;
  int registersOfA() const { return 16 * k / warpSize / perRegister; }
  int registersOfB() const { return 8 * k / warpSize / perRegister; }
  /// Registers of A go down first (rows g, g + 8), then right.
  int rowOfA(int lane, int reg) const { return lane / 4 + (reg % 2) * 8; }
  int columnOfA(int lane, int reg, int e) const {
    return lane % 4 * perRegister + reg / 2 * 4 * perRegister + e;
  }
  int rowOfB(int lane, int reg, int e) const {
    return lane % 4 * perRegister + reg * 4 * perRegister + e;
  }
  int columnOfB(int lane) const { return lane / 4; }
};

} // namespace

void Block::multiply(std::vector<Thread *> &lanes, const Instruction &i) {
  Thread &first = whole(lanes);
  int k = 0;
  for (const std::string &part : i.parts)
    if (part.starts_with("m16n8k"))
      k = std::stoi(part.substr(6));
  // .dtype.atype.btype.ctype
  Type result = i.type(0), a = i.type(1), b = i.type(2);
  bool isKnown = k > 0 && i.has("row") && i.has("col") && a == b && i.types.size() == 4 &&
                 i.type(3) == result && !i.has("sp");
  int bits = bitsOf(a);
  bool isInteger = !isFloating(a);
  isKnown &= isInteger
                 ? result == Type::s32 && bits == 8 && (k == 16 || k == 32)
                 : result == Type::f32 && (a == Type::tf32 ? k == 4 || k == 8 : k == 8 || k == 16);
  if (!isKnown)
    fail(first, "a form of mma that the interpreter does not know");
  Shape shape{k, 32 / bits};
  std::vector<double> left(static_cast<std::size_t>(16 * k)),
      right(static_cast<std::size_t>(8 * k));
  auto element = [&](uint64_t packed, int e, Type type) {
    uint64_t one = packed >> (e * bits) & maskOf(bits);
    return isInteger ? static_cast<double>(static_cast<int64_t>(widened(one, type)))
                     : toDouble(one, type);
  };
  for (int lane = 0; lane < warpSize; ++lane) {
    Thread &thread = *lanes[static_cast<std::size_t>(lane)];
    auto part = [&](const Operand &operand, int reg) {
      const Operand &one = operand.kind == Kind::vector
                               ? operand.elements.at(static_cast<std::size_t>(reg))
                               : operand;
      return value(thread, one, Type::b32);
    };
    for (int reg = 0; reg < shape.registersOfA(); ++reg)
      for (int e = 0; e < shape.perRegister; ++e)
        left[static_cast<std::size_t>(shape.rowOfA(lane, reg) * k +
                                      shape.columnOfA(lane, reg, e))] =
            element(part(i.operands[1], reg), e, a);
    for (int reg = 0; reg < shape.registersOfB(); ++reg)
      for (int e = 0; e < shape.perRegister; ++e)
        right[static_cast<std::size_t>(shape.columnOfB(lane) * k + shape.rowOfB(lane, reg, e))] =
            element(part(i.operands[2], reg), e, b);
  }
  for (int lane = 0; lane < warpSize; ++lane) {
    Thread &thread = *lanes[static_cast<std::size_t>(lane)];
    for (int reg = 0; reg < 4; ++reg) {
      auto place = static_cast<std::size_t>(reg);
      int row = lane / 4 + reg / 2 * 8, column = lane % 4 * 2 + reg % 2;
      uint64_t before = value(thread, i.operands[3].elements.at(place), Type::b32);
      double sum =
          isInteger ? static_cast<double>(signExtended(before, 32)) : toDouble(before, Type::f32);
      for (int n = 0; n < k; ++n)
        sum += left[static_cast<std::size_t>(row * k + n)] *
               right[static_cast<std::size_t>(column * k + n)];
      uint64_t made =
          isInteger ? static_cast<uint64_t>(static_cast<int64_t>(sum)) : fromDouble(sum, Type::f32);
      set(thread, i.operands[0].elements.at(place), made & maskOf(32));
    }
  }
}

} // namespace standin::ptx
