/// What the four warps of a warpgroup do together: wgmma on matrices in shared memory, and moving
/// registers between warpgroups (sm_90a).
#include "standin/ptx/Block.h"

#include <algorithm>
#include <cstring>

namespace standin::ptx {
namespace {

constexpr int rowsOfA = 64;
/// A float32 that nobody may read: the registers of sums in flight.
constexpr uint64_t inFlight = 0x7FC0DEAD;

/// A matrix in shared memory as wgmma finds it, K innermost: by the fields of its descriptor as the
/// PTX ISA has them ("Matrix Descriptor Format").
struct SharedMatrix {
  explicit SharedMatrix(uint64_t descriptor)
      : start((descriptor & 0x3FFF) << 4), leading((descriptor >> 16 & 0x3FFF) << 4),
        stride((descriptor >> 32 & 0x3FFF) << 4), baseOffset(descriptor >> 49 & 7),
        mode(descriptor >> 62) {}

  /// Bytes of a row in a swizzled layout: 128, 64 or 32; 16 without.
  uint64_t rowBytes() const { return mode == 0 ? 16 : uint64_t{256} >> mode; }
  /// Where byte `byte` of row `row` lies. Rows lie in groups of eight, `stride` apart. Unswizzled,
  /// the next 16 bytes of a row are `leading` away. Swizzled, the row's 16-byte chunks trade
  /// places: bits 4 to 6 of the address (4 and 5, 4) by those three places up.
  uint64_t place(uint64_t row, uint64_t byte) const {
    uint64_t at = start + row / 8 * stride + row % 8 * rowBytes();
    if (mode == 0)
      return at + byte / 16 * leading + byte % 16;
    at += byte;
    return at ^ ((at >> 3) & (rowBytes() - 16));
  }

  uint64_t start, leading, stride, baseOffset, mode;
};

/// m64nNkK of a wgmma.
struct ProductShape {
  explicit ProductShape(const Instruction &i) {
    for (const std::string &part : i.parts)
      if (part.starts_with("m64n")) {
        std::size_t used = 0;
        n = std::stoi(part.substr(4), &used);
        k = std::stoi(part.substr(5 + used));
      }
    type = i.type(1);
  }
  bool isKnown(const Instruction &i) const {
    bool fits = type == Type::tf32 ? k == 8 : (type == Type::f16 || type == Type::bf16) && k == 16;
    return fits && n >= 8 && n <= 256 && n % 8 == 0 && i.types.size() == 3 &&
           i.type(0) == Type::f32 && i.type(2) == type;
  }
  int n = 0, k = 0;
  Type type = Type::none;
};

/// Row and column of register `reg` of thread `thread` of the warpgroup.
int rowOfSum(int thread, int reg) { return thread / 32 * 16 + thread % 32 / 4 + reg / 2 % 2 * 8; }
int columnOfSum(int thread, int reg) { return reg / 4 * 8 + thread % 4 * 2 + reg % 2; }

} // namespace

/// False: they wait for registers.
bool Block::warpgroupTogether(std::vector<Thread *> &lanes, const Instruction &i) {
  Thread &first = *lanes[0];
  if (module.target != "sm_90a")
    fail(first, "an instruction of sm_90a in a module for " + module.target);
  Warpgroup &group = warpgroups[static_cast<std::size_t>(first.number / warpgroupSize)];
  if (i.opcode == "setmaxnreg")
    return setRegisters(lanes, i, group);
  if (i.has("mma_async"))
    beginProduct(lanes, i, group);
  else if (i.has("fence"))
    group.isFenced = true;
  else if (i.has("commit_group"))
    group.groups.emplace_back();
  else if (i.has("wait_group"))
    finishProducts(lanes, group, value(first, i.operands[0], Type::u32));
  else
    fail(first, "a form of wgmma that the interpreter does not know");
  return true;
}

/// wgmma.mma_async {d}, a, b, scale-d, scale-a, scale-b (, trans-a, trans-b): a and b descriptors.
void Block::beginProduct(std::vector<Thread *> &lanes, const Instruction &i, Warpgroup &group) {
  Thread &first = *lanes[0];
  const ProductShape shape(i);
  bool isKnown = shape.isKnown(i) && i.operands.size() >= 6 && i.operands[1].kind != Kind::vector &&
                 i.operands[0].elements.size() == static_cast<std::size_t>(shape.n / 2);
  for (std::size_t n = 6; n < i.operands.size(); ++n)
    isKnown &= integer(first, i.operands[n], Type::s32) == 0;
  if (!isKnown)
    fail(first, "a form of wgmma that the interpreter does not know");
  if (!group.isFenced)
    fail(first, "no wgmma.fence since the sums could be touched");

  Warpgroup::Product product;
  product.instruction = &i;
  product.a = value(first, i.operands[1], Type::b64);
  product.b = value(first, i.operands[2], Type::b64);
  product.adds = predicate(first, i.operands[3]);
  for (Thread *lane : lanes)
    if (value(*lane, i.operands[1], Type::b64) != product.a ||
        value(*lane, i.operands[2], Type::b64) != product.b ||
        predicate(*lane, i.operands[3]) != product.adds)
      fail(*lane, "operands that differ between the threads of a warpgroup");
  const int rowBytes = shape.k * bitsOf(shape.type) / 8;
  for (auto [descriptor, rows] : {std::pair(product.a, rowsOfA), std::pair(product.b, shape.n)}) {
    const SharedMatrix matrix(descriptor);
    if (matrix.baseOffset != 0)
      fail(first, "a descriptor whose pattern does not begin at its address");
    Warpgroup::Range range{~uint64_t{0}, 0};
    for (int row = 0; row < rows; ++row)
      for (int byte = 0; byte < rowBytes; byte += 16) {
        uint64_t at = matrix.place(static_cast<uint64_t>(row), static_cast<uint64_t>(byte));
        if (at + 16 > shared.size())
          fail(first, "a matrix behind the end of shared memory");
        checkArrived(first, at, 16);
        checkFenced(first, at, 16);
        range = {std::min(range.begin, at), std::max(range.end, at + 16)};
      }
    product.reads.push_back(range);
  }

  for (const Operand &element : i.operands[0].elements)
    product.registers.push_back(element.index);
  auto &sums = group.sums[product.registers.front()];
  if (sums.registers.empty()) {
    sums.registers = product.registers;
    sums.values.resize(static_cast<std::size_t>(rowsOfA * shape.n));
    for (int n = 0; n < warpgroupSize; ++n)
      for (std::size_t reg = 0; reg < sums.registers.size(); ++reg) {
        Thread &thread = *lanes[static_cast<std::size_t>(n)];
        auto r = static_cast<int>(reg);
        uint64_t &held = thread.registers[static_cast<std::size_t>(sums.registers[reg])];
        auto at = static_cast<std::size_t>(rowOfSum(n, r) * shape.n + columnOfSum(n, r));
        if (product.adds)
          sums.values[at] = toDouble(held, Type::f32);
        held = inFlight;
      }
  }
  if (sums.registers != product.registers)
    fail(first, "sums in flight in other registers");
  for (const auto &[key, others] : group.sums)
    if (key != product.registers.front())
      for (int32_t reg : others.registers)
        if (std::count(product.registers.begin(), product.registers.end(), reg))
          fail(first, "sums in flight in other registers");
  group.groups.back().push_back(std::move(product));
}

void Block::finishProducts(std::vector<Thread *> &lanes, Warpgroup &group, std::size_t keptGroups) {
  while (group.groups.size() > keptGroups + 1) { // the last one is open
    for (const Warpgroup::Product &product : group.groups.front())
      multiplyNow(group, product);
    group.groups.pop_front();
  }
  group.isFenced = false;
  for (auto sums = group.sums.begin(); sums != group.sums.end();) {
    bool isInFlight = false;
    for (const auto &products : group.groups)
      for (const Warpgroup::Product &product : products)
        isInFlight |= product.registers.front() == sums->first;
    if (isInFlight) {
      ++sums;
      continue;
    }
    const auto columns = static_cast<int>(sums->second.registers.size() * 2);
    for (int n = 0; n < warpgroupSize; ++n)
      for (std::size_t reg = 0; reg < sums->second.registers.size(); ++reg) {
        auto r = static_cast<int>(reg);
        uint64_t &held = lanes[static_cast<std::size_t>(n)]
                             ->registers[static_cast<std::size_t>(sums->second.registers[reg])];
        if (held != inFlight)
          fail(*lanes[static_cast<std::size_t>(n)], "a sum in flight was written");
        held = fromDouble(
            sums->second
                .values[static_cast<std::size_t>(rowOfSum(n, r) * columns + columnOfSum(n, r))],
            Type::f32);
      }
    sums = group.sums.erase(sums);
  }
}

void Block::multiplyNow(Warpgroup &group, const Warpgroup::Product &product) {
  const ProductShape shape(*product.instruction);
  const auto bytes = static_cast<std::size_t>(bitsOf(shape.type) / 8);
  auto k = static_cast<std::size_t>(shape.k), columns = static_cast<std::size_t>(shape.n);
  auto read = [&](uint64_t descriptor, std::size_t rows, int64_t scale) {
    const SharedMatrix matrix(descriptor);
    std::vector<double> result(rows * k);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t e = 0; e < k; ++e) {
        uint64_t bits = 0;
        std::memcpy(&bits, shared.data() + matrix.place(row, e * bytes), bytes);
        result[row * k + e] = static_cast<double>(scale) * toDouble(bits, shape.type);
      }
    return result;
  };
  const std::vector<Operand> &operands = product.instruction->operands;
  std::vector<double> a = read(product.a, rowsOfA, operands[4].value),
                      b = read(product.b, columns, operands[5].value);
  std::vector<double> &sums = group.sums.at(product.registers.front()).values;
  for (std::size_t row = 0; row < rowsOfA; ++row)
    for (std::size_t column = 0; column < columns; ++column) {
      double &total = sums[row * columns + column];
      double sum = product.adds ? total : 0;
      for (std::size_t e = 0; e < k; ++e)
        sum += a[row * k + e] * b[column * k + e];
      total = toDouble(fromDouble(sum, Type::f32), Type::f32);
    }
}

/// setmaxnreg.{inc,dec}: what is taken must have been given by others.
bool Block::setRegisters(std::vector<Thread *> &lanes, const Instruction &i, Warpgroup &group) {
  const auto count = static_cast<int>(integer(*lanes[0], i.operands[0], Type::s32));
  const bool isMore = i.has("inc");
  if (count < 24 || count > 256 || count % 8)
    fail(*lanes[0], std::to_string(count) + " registers: 24 to 256 in steps of 8");
  if (isMore ? count < group.registers : count > group.registers)
    fail(*lanes[0],
         std::to_string(count) + " registers, and there are " + std::to_string(group.registers));
  int free = registersOfThreads * static_cast<int>(warpgroups.size());
  for (const Warpgroup &each : warpgroups)
    free -= &each == &group ? 0 : each.registers;
  if (isMore && count > free)
    return false;
  group.registers = count;
  return true;
}

} // namespace standin::ptx
