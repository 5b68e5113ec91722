#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// An interpreter of PTX, for tests on machines without an accelerator: what the text says, as the
/// PTX ISA documents it, not how fast or how exactly an SM does it. What it does not know it
/// refuses, with the instruction's text.
namespace standin::ptx {

/// The text cannot be understood, or a thread did what no program may.
class PtxError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

enum class Type : uint8_t {
  none,
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  bf16,
  tf32,
  f32,
  f64,
  f16x2,
  bf16x2
};
/// Bits of a value.
int bitsOf(Type type);
bool isSigned(Type type);
bool isFloating(Type type);
Type typeNamed(std::string_view name); // Type::none for what is no type

enum class Space : uint8_t { generic, global, shared, local, param, constant };

struct Operand {
  enum class Kind : uint8_t {
    none,
    reg,     // index
    integer, // value
    real32,  // bits of a float
    real64,  // bits of a double
    symbol,  // address of a variable: space, value
    special, // index: Special
    label,   // value: place of an instruction
    vector,  // elements
    memory,  // [base + value]: base is a register, or none with a symbol's space and offset
  };
  Kind kind = Kind::none;
  Space space = Space::generic;
  bool isNegated = false; // !p
  int32_t index = -1;     // register; of memory: -1 for none
  int64_t value = 0;
  std::string name;                        // symbol, label
  const struct Variable *global = nullptr; // of a symbol of the module
  std::vector<Operand> elements;
};

struct Instruction {
  std::string opcode;             // "ld"
  std::vector<std::string> parts; // "global", "v2", "f32"
  std::vector<Type> types;        // those among the parts
  std::vector<Operand> operands;  // destination first
  int guard = -1;                 // register of @p
  bool guardIsNegated = false;
  int code = -1; // the interpreter's number for the opcode
  int line = 0;
  std::string text;

  bool has(std::string_view part) const;
  Type type(std::size_t i = 0) const { return i < types.size() ? types[i] : Type::none; }
};

struct Variable {
  std::string name;
  Space space = Space::global;
  std::size_t align = 1, sizeBytes = 0, offset = 0;
  bool isExtern = false;
  std::vector<std::byte> contents; // of a global with values
  uint64_t address = 0;            // of a global, once it is loaded
};

struct Function {
  std::string name;
  std::vector<Variable> parameters;
  std::size_t parameterBytes = 0;
  std::size_t numRegisters = 0;
  std::size_t sharedBytes = 0, localBytes = 0; // static; dynamic shared memory begins behind
  int maxThreads = 1024;                       // of .maxntid or .reqntid
  std::vector<Instruction> body;
};

struct Module {
  std::string target; // "sm_80"
  std::vector<std::unique_ptr<Variable>> globals;
  std::map<std::string, std::unique_ptr<Function>, std::less<>> functions;
};

/// Errors: PtxError with the line.
std::unique_ptr<Module> parse(std::string_view text);

/// The memory that kernels see beside their own.
class Memory {
public:
  virtual ~Memory() = default;
  /// Where these bytes of device memory are in the host's; null where a kernel may not go.
  virtual std::byte *find(uint64_t address, std::size_t sizeBytes) = 0;
};

struct Launch {
  std::array<unsigned, 3> grid = {1, 1, 1}, block = {1, 1, 1};
  std::size_t dynamicSharedBytes = 0;
  std::vector<std::byte> parameters; // as laid out by Function::parameters
  /// Threads between two barriers run one after the other, the last first: finds races that the
  /// first order hides.
  bool isReversed = false;
};

/// Runs all blocks. Errors: PtxError naming the kernel, the instruction, the block and the thread.
void run(const Module &module, const Function &function, const Launch &launch, Memory &memory);

} // namespace standin::ptx
