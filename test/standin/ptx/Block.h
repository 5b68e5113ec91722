#pragma once

#include "standin/ptx/Numbers.h"
#include "standin/ptx/Ptx.h"

#include <deque>

namespace standin::ptx {

inline constexpr int warpSize = 32;
/// Generic addresses of shared and local memory: far from all that a device gives out.
inline constexpr uint64_t sharedWindow = uint64_t{1} << 60, localWindow = uint64_t{2} << 60;

struct Thread {
  std::vector<uint64_t> registers;
  std::vector<std::byte> local;
  std::array<unsigned, 3> id = {};
  int number = 0; // in the block
  std::size_t pc = 0;
  enum class State { runs, waits, done } state = State::runs; // waits: at the instruction at pc
  /// Asynchronous copies that have not been waited for, by group; the last group is open.
  struct Copy {
    uint64_t to = 0;
    std::vector<std::byte> bytes; // read when they are waited for
    uint64_t from = 0;
    std::size_t readBytes = 0;
  };
  std::deque<std::vector<Copy>> groups{1};
};

/// One block of a launch while it runs.
class Block {
public:
  Block(const Module &module, const Function &function, const Launch &launch, Memory &memory,
        std::array<unsigned, 3> id);
  void run();

private:
  using Kind = Operand::Kind;

  // Run.cpp: threads and what they wait for.
  void runThread(Thread &thread);
  bool resolveWaits();
  bool resolveWarp(std::size_t first, std::size_t last);
  bool resolveBarriers();
  [[noreturn]] void fail(const Thread &thread, const std::string &reason) const;

  // Execute.cpp: one instruction of one thread. False: the thread waits at it.
  bool execute(Thread &thread, const Instruction &instruction);
  uint64_t value(const Thread &thread, const Operand &operand, Type type) const;
  int64_t integer(const Thread &thread, const Operand &operand, Type type) const {
    return static_cast<int64_t>(widened(value(thread, operand, type), type));
  }
  bool predicate(const Thread &thread, const Operand &operand) const;
  void set(Thread &thread, const Operand &operand, uint64_t value) const;
  uint64_t special(const Thread &thread, int32_t which) const;
  uint64_t addressOf(const Thread &thread, const Operand &operand) const;
  std::byte *locate(Thread &thread, const Instruction &instruction, Space space, uint64_t address,
                    std::size_t sizeBytes);
  static Space spaceOf(const Instruction &instruction);

  void move(Thread &thread, const Instruction &i);
  void load(Thread &thread, const Instruction &i);
  void store(Thread &thread, const Instruction &i);
  void atomic(Thread &thread, const Instruction &i, bool returnsOld);
  void copyAsync(Thread &thread, const Instruction &i);
  void finishCopies(Thread &thread, std::size_t keptGroups, const Instruction &i);

  // Arithmetic.cpp
  void arithmetic(Thread &thread, const Instruction &i);
  void convert(Thread &thread, const Instruction &i);
  void compare(Thread &thread, const Instruction &i);
  void bits(Thread &thread, const Instruction &i);
  uint64_t onePart(const Instruction &i, Type type, uint64_t a, uint64_t b, uint64_t c) const;

  // Warp.cpp: what the threads of a warp do together.
  void together(std::vector<Thread *> &lanes, const Instruction &i);
  void shuffle(std::vector<Thread *> &lanes, const Instruction &i);
  void vote(std::vector<Thread *> &lanes, const Instruction &i);
  void reduce(std::vector<Thread *> &lanes, const Instruction &i);
  void loadMatrix(std::vector<Thread *> &lanes, const Instruction &i);
  void multiply(std::vector<Thread *> &lanes, const Instruction &i);

  const Module &module;
  const Function &function;
  const Launch &launch;
  Memory &memory;
  std::array<unsigned, 3> id;
  std::vector<Thread> threads;
  std::vector<std::byte> shared;
};

/// What the opcodes are grouped by; -1 for those that are unknown.
enum Code {
  codeMove,
  codeLoad,
  codeStore,
  codeAtomic,
  codeReduceMemory,
  codeArithmetic,
  codeConvert,
  codeCompare,
  codeBits,
  codeBranch,
  codeReturn,
  codeNothing,
  codeTrap,
  codeBarrier,
  codeTogether,
  codeCopyAsync,
  codeAddress
};
int codeOf(const Instruction &instruction);

} // namespace standin::ptx
