#pragma once

#include "standin/ptx/Numbers.h"
#include "standin/ptx/Ptx.h"

#include <deque>

namespace standin::ptx {

inline constexpr int warpSize = 32, warpgroupSize = 128;
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
  /// Pieces of shared memory that it wrote since its last fence.proxy.async, and mbarriers.
  std::vector<std::size_t> unfencedPieces;
  std::vector<uint64_t> unfencedBarriers;
};

/// An mbarrier object, by its address in shared memory.
struct ArrivalBarrier {
  int64_t expected = 0, pending = 0; // arrivals of a phase; those that are missing in this one
  int64_t bytes = 0;                 // that are missing
  bool phase = false;
  bool isFenced = false; // the async proxy may know it
};
/// A copy that counts its bytes on an mbarrier, or arrives there (cp.async.mbarrier.arrive).
struct PendingCopy {
  std::vector<Thread::Copy> copies;
  uint64_t barrier = 0;
  bool isBulk = false;
};

/// What wgmma of a warpgroup's threads have begun and nobody has waited for.
struct Warpgroup {
  struct Range {
    uint64_t begin = 0, end = 0; // of shared memory
  };
  struct Product {
    const Instruction *instruction = nullptr;
    uint64_t a = 0, b = 0; // descriptors
    bool adds = false;
    std::vector<int32_t> registers; // of the sums
    std::vector<Range> reads;
  };
  /// Sums in flight, whose registers may not be touched meanwhile.
  struct Sums {
    std::vector<int32_t> registers;
    std::vector<double> values; // [64][n]
  };
  std::map<int32_t, Sums> sums;               // by their first register
  std::deque<std::vector<Product>> groups{1}; // the last is open
  bool isFenced = false;                      // by wgmma.fence, since its last wait
  int registers = 0;                          // of a thread, by setmaxnreg
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
  bool resolveWarpgroup(std::size_t first, std::size_t last);
  bool resolveBarriers();
  bool resolveArrivals();
  bool finishAwaited();
  void checkNothingPends() const;
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
  bool isShared(const std::byte *place) const {
    return place >= shared.data() && place < shared.data() + shared.size();
  }
  uint64_t sharedOffset(const std::byte *place) const {
    return static_cast<uint64_t>(place - shared.data());
  }
  static Space spaceOf(const Instruction &instruction);

  void move(Thread &thread, const Instruction &i);
  void load(Thread &thread, const Instruction &i);
  void store(Thread &thread, const Instruction &i);
  void atomic(Thread &thread, const Instruction &i, bool returnsOld);

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
  void elect(std::vector<Thread *> &lanes, const Instruction &i);
  void reduce(std::vector<Thread *> &lanes, const Instruction &i);
  void loadMatrix(std::vector<Thread *> &lanes, const Instruction &i);
  void multiply(std::vector<Thread *> &lanes, const Instruction &i);

  // Copies.cpp: asynchronous copies, mbarriers on which they arrive, and fences between the
  // proxies.
  void copyAsync(Thread &thread, const Instruction &i);
  void finishCopies(Thread &thread, std::size_t keptGroups, const Instruction &i);
  bool arrivals(Thread &thread, const Instruction &i);
  ArrivalBarrier &barrierAt(Thread &thread, uint64_t address);
  void arrive(Thread &thread, uint64_t address, int64_t count);
  void endPhase(ArrivalBarrier &barrier);
  bool isComplete(Thread &thread, const Instruction &i);
  void copyBulk(Thread &thread, const Instruction &i);
  void arriveWithCopies(Thread &thread, const Instruction &i);
  void copyNow(Thread &thread, const Instruction &i, Thread::Copy &copy);
  bool finishOne(uint64_t barrier, Thread &thread);
  void fence(Thread &thread, const Instruction &i);
  void noteGenericWrite(Thread &thread, uint64_t offset, std::size_t sizeBytes);
  void checkFenced(Thread &thread, uint64_t offset, std::size_t sizeBytes);
  void checkArrived(Thread &thread, uint64_t offset, std::size_t sizeBytes);
  void checkMultiplied(Thread &thread, uint64_t offset, std::size_t sizeBytes);

  // Warpgroup.cpp: wgmma and setmaxnreg.
  bool warpgroupTogether(std::vector<Thread *> &lanes, const Instruction &i);
  void beginProduct(std::vector<Thread *> &lanes, const Instruction &i, Warpgroup &group);
  void finishProducts(std::vector<Thread *> &lanes, Warpgroup &group, std::size_t keptGroups);
  void multiplyNow(Warpgroup &group, const Warpgroup::Product &product);
  bool setRegisters(std::vector<Thread *> &lanes, const Instruction &i, Warpgroup &group);

  const Module &module;
  const Function &function;
  const Launch &launch;
  Memory &memory;
  std::array<unsigned, 3> id;
  std::vector<Thread> threads;
  std::vector<std::byte> shared;
  /// Of each 16 bytes of shared memory: the thread (+ 1) that wrote them as ordinary memory and
  /// has not fenced that off from the async proxy since.
  std::vector<uint16_t> genericWriter;
  std::map<uint64_t, ArrivalBarrier> arrivalBarriers;
  std::deque<PendingCopy> pendingCopies;
  std::vector<Warpgroup> warpgroups;
  int registersOfThreads = 0; // when the block begins
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
  codeAddress,
  codeArrivals,
  codeFence,
  codeWarpgroup
};
int codeOf(const Instruction &instruction);

} // namespace standin::ptx
