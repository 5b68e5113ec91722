#include "standin/ptx/Block.h"

#include <cstring>
#include <set>

namespace standin::ptx {

int codeOf(const Instruction &i) {
  static const std::map<std::string_view, int> codes = [] {
    std::map<std::string_view, int> all;
    for (std::string_view name :
         {"add", "sub", "mul",  "mad",   "mul24", "mad24", "fma", "div", "rem", "abs",  "neg",
          "min", "max", "sqrt", "rsqrt", "rcp",   "ex2",   "lg2", "sin", "cos", "tanh", "copysign"})
      all[name] = codeArithmetic;
    for (std::string_view name :
         {"and", "or", "xor", "not", "cnot", "shl", "shr", "shf", "bfe", "bfi", "prmt", "popc",
          "clz", "brev", "bfind", "lop3", "selp", "slct", "bmsk"})
      all[name] = codeBits;
    for (std::string_view name : {"setp", "set", "testp"})
      all[name] = codeCompare;
    for (std::string_view name : {"membar", "prefetch", "prefetchu", "nanosleep", "griddepcontrol"})
      all[name] = codeNothing;
    for (std::string_view name :
         {"shfl", "vote", "redux", "ldmatrix", "mma", "activemask", "elect"})
      all[name] = codeTogether;
    all["fence"] = codeFence;
    all["mbarrier"] = codeArrivals;
    all["wgmma"] = all["setmaxnreg"] = codeWarpgroup;
    all["mov"] = codeMove;
    all["ld"] = all["ldu"] = codeLoad;
    all["st"] = codeStore;
    all["atom"] = codeAtomic;
    all["red"] = codeReduceMemory;
    all["cvt"] = codeConvert;
    all["cvta"] = codeAddress;
    all["bra"] = codeBranch;
    all["ret"] = all["exit"] = codeReturn;
    all["trap"] = codeTrap;
    all["bar"] = all["barrier"] = codeBarrier;
    return all;
  }();
  if (i.opcode == "cp")
    return i.has("async") ? codeCopyAsync : -1;
  if (i.opcode == "bar" || i.opcode == "barrier")
    return i.has("warp") ? codeTogether : i.has("sync") && !i.has("red") ? codeBarrier : -1;
  auto found = codes.find(i.opcode);
  return found == codes.end() ? -1 : found->second;
}

uint64_t Block::special(const Thread &thread, int32_t which) const {
  auto lane = static_cast<unsigned>(thread.number % warpSize);
  uint32_t bit = uint32_t{1} << lane;
  switch (which) {
  case 0:
  case 1:
  case 2:
    return thread.id[static_cast<std::size_t>(which)];
  case 3:
  case 4:
  case 5:
    return launch.block[static_cast<std::size_t>(which - 3)];
  case 6:
  case 7:
  case 8:
    return id[static_cast<std::size_t>(which - 6)];
  case 9:
  case 10:
  case 11:
    return launch.grid[static_cast<std::size_t>(which - 9)];
  case 12:
    return lane;
  case 13:
    return static_cast<uint64_t>(thread.number / warpSize);
  case 14:
    return bit - 1;
  case 15:
    return bit | (bit - 1);
  case 16:
    return bit;
  case 17:
    return ~(bit - 1);
  case 18:
    return ~(bit | (bit - 1));
  case 22:
    return 0;
  case 23:
    return 1;
  default:
    fail(thread, "clocks are not there: nothing may depend on them");
  }
}

uint64_t Block::value(const Thread &thread, const Operand &operand, Type type) const {
  switch (operand.kind) {
  case Kind::reg: {
    uint64_t held = thread.registers[static_cast<std::size_t>(operand.index)];
    if (operand.isNegated)
      held = ~held;
    return held & maskOf(type == Type::none ? 64 : bitsOf(type));
  }
  case Kind::integer:
    return static_cast<uint64_t>(operand.value) & maskOf(type == Type::none ? 64 : bitsOf(type));
  case Kind::real32:
    return type == Type::f64 ? std::bit_cast<uint64_t>(static_cast<double>(
                                   std::bit_cast<float>(static_cast<uint32_t>(operand.value))))
                             : static_cast<uint64_t>(operand.value);
  case Kind::real64: {
    auto bits = static_cast<uint64_t>(operand.value);
    return isFloating(type) && type != Type::f64 ? fromDouble(std::bit_cast<double>(bits), type)
                                                 : bits;
  }
  case Kind::special:
    return special(thread, operand.index);
  case Kind::symbol:
    return (operand.global ? operand.global->address : 0) + static_cast<uint64_t>(operand.value);
  case Kind::vector: { // packed: the first element in the lowest bits
    uint64_t packed = 0;
    int each = bitsOf(type) / static_cast<int>(operand.elements.size());
    for (std::size_t e = operand.elements.size(); e-- > 0;)
      packed = (each >= 64 ? 0 : packed << each) |
               (value(thread, operand.elements[e], Type::none) & maskOf(each));
    return packed;
  }
  default:
    fail(thread, "an operand that is no value");
  }
}

bool Block::predicate(const Thread &thread, const Operand &operand) const {
  return value(thread, operand, Type::pred) & 1;
}

void Block::set(Thread &thread, const Operand &operand, uint64_t bits) const {
  if (operand.kind == Kind::none)
    return;
  if (operand.kind != Kind::reg)
    fail(thread, "the destination is no register");
  thread.registers[static_cast<std::size_t>(operand.index)] = bits;
}

uint64_t Block::addressOf(const Thread &thread, const Operand &operand) const {
  if (operand.kind != Kind::memory)
    fail(thread, "an operand that is no address");
  uint64_t base = operand.index >= 0 ? thread.registers[static_cast<std::size_t>(operand.index)]
                  : operand.global   ? operand.global->address
                                     : 0;
  return base + static_cast<uint64_t>(operand.value);
}

Space Block::spaceOf(const Instruction &i) {
  for (const std::string &part : i.parts) {
    if (part == "global")
      return Space::global;
    if (part == "shared")
      return Space::shared;
    if (part == "local")
      return Space::local;
    if (part == "param")
      return Space::param;
    if (part == "const")
      return Space::constant;
  }
  return Space::generic;
}

std::byte *Block::locate(Thread &thread, const Instruction &, Space space, uint64_t address,
                         std::size_t sizeBytes) {
  auto in = [&](auto &bytes, const char *what) {
    if (space == Space::shared || space == Space::local)
      address &= 0xFFFFFFFF; // registers of 32 bits hold it
    if (address > bytes.size() || sizeBytes > bytes.size() - address)
      fail(thread, std::to_string(sizeBytes) + " bytes at " + std::to_string(address) + " of " +
                       what + " memory of " + std::to_string(bytes.size()) + " bytes");
    if (address % sizeBytes != 0)
      fail(thread, "an address of " + std::string(what) + " memory that is not aligned: " +
                       std::to_string(address) + " for " + std::to_string(sizeBytes) + " bytes");
    return const_cast<std::byte *>(bytes.data()) + address;
  };
  if (space == Space::generic && address >= localWindow) {
    space = Space::local;
    address -= localWindow;
  } else if (space == Space::generic && address >= sharedWindow) {
    space = Space::shared;
    address -= sharedWindow;
  }
  if (space == Space::shared)
    return in(shared, "shared");
  if (space == Space::local)
    return in(thread.local, "local");
  if (space == Space::param)
    return in(launch.parameters, "parameter");
  if (address % sizeBytes != 0)
    fail(thread, "an address that is not aligned: " + std::to_string(address) + " for " +
                     std::to_string(sizeBytes) + " bytes");
  std::byte *found = memory.find(address, sizeBytes);
  if (!found)
    fail(thread,
         std::to_string(sizeBytes) + " bytes at " + std::to_string(address) + " of no allocation");
  return found;
}

void Block::move(Thread &thread, const Instruction &i) {
  Type type = i.type();
  const Operand &to = i.operands[0];
  uint64_t moved = value(thread, i.operands[1], type);
  if (to.kind != Kind::vector)
    return set(thread, to, moved);
  int each = bitsOf(type) / static_cast<int>(to.elements.size());
  for (std::size_t e = 0; e < to.elements.size(); ++e)
    set(thread, to.elements[e], moved >> (each * static_cast<int>(e)) & maskOf(each));
}

static std::size_t vectorSize(const Instruction &i) {
  return i.has("v2") ? 2 : i.has("v4") ? 4 : i.has("v8") ? 8 : 1;
}

void Block::load(Thread &thread, const Instruction &i) {
  Type type = i.type();
  std::size_t each = static_cast<std::size_t>(bitsOf(type)) / 8, count = vectorSize(i);
  const std::byte *from =
      locate(thread, i, spaceOf(i), addressOf(thread, i.operands[1]), each * count);
  if (isShared(from))
    checkArrived(thread, sharedOffset(from), each * count);
  for (std::size_t e = 0; e < count; ++e) {
    uint64_t bits = 0;
    std::memcpy(&bits, from + e * each, each);
    set(thread, count > 1 ? i.operands[0].elements.at(e) : i.operands[0], widened(bits, type));
  }
}

void Block::store(Thread &thread, const Instruction &i) {
  Type type = i.type();
  std::size_t each = static_cast<std::size_t>(bitsOf(type)) / 8, count = vectorSize(i);
  std::byte *to = locate(thread, i, spaceOf(i), addressOf(thread, i.operands[0]), each * count);
  if (isShared(to))
    noteGenericWrite(thread, sharedOffset(to), each * count);
  for (std::size_t e = 0; e < count; ++e) {
    uint64_t bits = value(thread, count > 1 ? i.operands[1].elements.at(e) : i.operands[1], type);
    std::memcpy(to + e * each, &bits, each);
  }
}

void Block::atomic(Thread &thread, const Instruction &i, bool returnsOld) {
  Type type = i.type();
  auto each = static_cast<std::size_t>(bitsOf(type)) / 8;
  std::size_t first = returnsOld ? 1 : 0;
  std::byte *place = locate(thread, i, spaceOf(i), addressOf(thread, i.operands[first]), each);
  uint64_t old = 0;
  std::memcpy(&old, place, each);
  uint64_t operand = value(thread, i.operands[first + 1], type);
  auto isLess = [&](uint64_t a, uint64_t b) {
    return isSigned(type)
               ? static_cast<int64_t>(widened(a, type)) < static_cast<int64_t>(widened(b, type))
               : widened(a, type) < widened(b, type);
  };
  uint64_t made;
  if (i.has("cas"))
    made = old == operand ? value(thread, i.operands[first + 2], type) : old;
  else if (i.has("exch"))
    made = operand;
  else if (i.has("add"))
    made = isFloating(type) ? fromDouble(toDouble(old, type) + toDouble(operand, type), type)
                            : old + operand;
  else if (i.has("min"))
    made = isLess(operand, old) ? operand : old;
  else if (i.has("max"))
    made = isLess(old, operand) ? operand : old;
  else if (i.has("and"))
    made = old & operand;
  else if (i.has("or"))
    made = old | operand;
  else if (i.has("xor"))
    made = old ^ operand;
  else if (i.has("inc"))
    made = old >= operand ? 0 : old + 1;
  else if (i.has("dec"))
    made = old == 0 || old > operand ? operand : old - 1;
  else
    fail(thread, "an unknown atomic operation");
  if (isShared(place))
    noteGenericWrite(thread, sharedOffset(place), each);
  std::memcpy(place, &made, each);
  if (returnsOld)
    set(thread, i.operands[0], widened(old, type));
}

bool Block::execute(Thread &thread, const Instruction &i) {
  switch (i.code) {
  case codeMove:
    move(thread, i);
    return true;
  case codeLoad:
    load(thread, i);
    return true;
  case codeStore:
    store(thread, i);
    return true;
  case codeAtomic:
    atomic(thread, i, true);
    return true;
  case codeReduceMemory:
    atomic(thread, i, false);
    return true;
  case codeArithmetic:
    arithmetic(thread, i);
    return true;
  case codeConvert:
    convert(thread, i);
    return true;
  case codeCompare:
    compare(thread, i);
    return true;
  case codeBits:
    bits(thread, i);
    return true;
  case codeAddress: {
    Space space = spaceOf(i);
    uint64_t window = space == Space::shared  ? sharedWindow
                      : space == Space::local ? localWindow
                                              : 0;
    uint64_t address = value(thread, i.operands[1], Type::u64);
    set(thread, i.operands[0], i.has("to") ? address - window : address + window);
    return true;
  }
  case codeBranch:
    if (i.operands[0].kind != Kind::label)
      fail(thread, "a branch to no label");
    thread.pc = static_cast<std::size_t>(i.operands[0].value);
    if (function.body[thread.pc].code == codeBranch &&
        &function.body[thread.pc] == &i) // `L: bra L`
      fail(thread, "an endless loop");
    return true;
  case codeReturn:
    thread.state = Thread::State::done;
    return true;
  case codeNothing:
    return true;
  case codeTrap:
    fail(thread, "a trap");
  case codeCopyAsync:
    copyAsync(thread, i);
    return true;
  case codeArrivals:
    return arrivals(thread, i);
  case codeFence:
    fence(thread, i);
    return true;
  case codeBarrier:
  case codeTogether:
  case codeWarpgroup:
    return false;
  default:
    fail(thread, "an instruction that the interpreter does not know");
  }
}

} // namespace standin::ptx
