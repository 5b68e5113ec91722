#include "standin/ptx/Block.h"

#include <algorithm>

namespace standin::ptx {

/// Bytes that nobody has written are NaN in every floating type and -1 in integers.
static constexpr std::byte poison{0xFF};
/// A kernel that executes more instructions than this in one block hangs.
static constexpr int64_t maxSteps = int64_t{2} << 30;

Block::Block(const Module &module, const Function &function, const Launch &launch, Memory &memory,
             std::array<unsigned, 3> id)
    : module(module), function(function), launch(launch), memory(memory), id(id),
      threads(std::size_t{launch.block[0]} * launch.block[1] * launch.block[2]),
      shared(function.sharedBytes + launch.dynamicSharedBytes, poison),
      warpgroups((threads.size() + warpgroupSize - 1) / warpgroupSize) {
  if (module.target == "sm_90a")
    genericWriter.resize(shared.size() / 16 + 1);
  // What the assembler gives each thread of a block that has a multiprocessor to itself.
  registersOfThreads = static_cast<int>(
      std::min<std::size_t>(248, 65536 / (warpgroups.size() * warpgroupSize) / 8 * 8));
  for (Warpgroup &group : warpgroups)
    group.registers = registersOfThreads;
  for (std::size_t n = 0; n < threads.size(); ++n) {
    auto number = static_cast<unsigned>(n);
    threads[n].number = static_cast<int>(n);
    threads[n].id = {number % launch.block[0], number / launch.block[0] % launch.block[1],
                     number / launch.block[0] / launch.block[1]};
    threads[n].registers.assign(function.numRegisters, 0xDEADBEEFDEADBEEFu);
    threads[n].local.assign(function.localBytes, poison);
  }
}

void Block::fail(const Thread &thread, const std::string &reason) const {
  std::string where = "at its end";
  if (thread.pc < function.body.size())
    where = "line " + std::to_string(function.body[thread.pc].line) + ": " +
            function.body[thread.pc].text;
  throw PtxError("kernel " + function.name + ", block (" + std::to_string(id[0]) + ", " +
                 std::to_string(id[1]) + ", " + std::to_string(id[2]) + "), thread " +
                 std::to_string(thread.number) + ", " + where + ": " + reason);
}

void Block::runThread(Thread &thread) {
  for (int64_t step = 0; thread.state == Thread::State::runs; ++step) {
    if (step > maxSteps)
      fail(thread, "does not end");
    if (thread.pc >= function.body.size()) {
      thread.state = Thread::State::done;
      return;
    }
    const Instruction &instruction = function.body[thread.pc];
    if (instruction.guard >= 0) {
      bool holds = thread.registers[static_cast<std::size_t>(instruction.guard)] & 1;
      if (holds == instruction.guardIsNegated) {
        ++thread.pc;
        continue;
      }
    }
    std::size_t before = thread.pc;
    if (!execute(thread, instruction))
      thread.state = Thread::State::waits;
    else if (thread.pc == before && thread.state == Thread::State::runs)
      ++thread.pc;
  }
}

void Block::run() {
  while (true) {
    for (std::size_t n = 0; n < threads.size(); ++n)
      runThread(threads[launch.isReversed ? threads.size() - 1 - n : n]);
    if (std::all_of(threads.begin(), threads.end(),
                    [](const Thread &thread) { return thread.state == Thread::State::done; }))
      return checkNothingPends();
    if (!resolveWaits())
      for (const Thread &thread : threads)
        if (thread.state == Thread::State::waits)
          fail(thread, "waits for threads that do not come");
  }
}

bool Block::resolveWaits() {
  bool any = false;
  for (std::size_t first = 0; first < threads.size(); first += warpSize)
    any |= resolveWarp(first, std::min(first + warpSize, threads.size()));
  for (std::size_t first = 0; first < threads.size(); first += warpgroupSize)
    any |= resolveWarpgroup(first, first + warpgroupSize);
  return any || resolveArrivals() || resolveBarriers() || finishAwaited();
}

void Block::checkNothingPends() const {
  for (const PendingCopy &copy : pendingCopies)
    if (copy.isBulk)
      fail(threads[0], "a bulk copy that nobody waited for");
  for (std::size_t n = 0; n < warpgroups.size(); ++n)
    if (!warpgroups[n].sums.empty())
      fail(threads[n * warpgroupSize], "a wgmma that nobody waited for");
}

/// The same for a warpgroup: all of its threads must be there.
bool Block::resolveWarpgroup(std::size_t first, std::size_t last) {
  const Thread &leader = threads[first];
  if (last > threads.size() || leader.state != Thread::State::waits ||
      function.body[leader.pc].code != codeWarpgroup)
    return false;
  std::vector<Thread *> lanes;
  for (std::size_t n = first; n < last; ++n) {
    if (threads[n].state != Thread::State::waits || threads[n].pc != leader.pc)
      return false;
    lanes.push_back(&threads[n]);
  }
  if (!warpgroupTogether(lanes, function.body[leader.pc]))
    return false;
  for (Thread *lane : lanes) {
    ++lane->pc;
    lane->state = Thread::State::runs;
  }
  return true;
}

/// Lets the threads of a warp go on that wait for one another at one instruction.
bool Block::resolveWarp(std::size_t first, std::size_t last) {
  bool any = false;
  for (std::size_t n = first; n < last; ++n) {
    Thread &thread = threads[n];
    if (thread.state != Thread::State::waits || function.body[thread.pc].code != codeTogether)
      continue;
    // All that have not ended must be here: masks that name fewer are those of tails, whose other
    // threads have ended.
    std::vector<Thread *> lanes(warpSize, nullptr);
    bool isComplete = true;
    for (std::size_t other = first; other < last; ++other) {
      if (threads[other].state == Thread::State::done)
        continue;
      if (threads[other].state == Thread::State::waits && threads[other].pc == thread.pc)
        lanes[other - first] = &threads[other];
      else
        isComplete = false;
    }
    const Instruction &instruction = function.body[thread.pc];
    bool isMasked = instruction.opcode == "shfl" || instruction.opcode == "vote" ||
                    instruction.opcode == "redux" || instruction.opcode == "elect";
    if (!isComplete && isMasked) { // the mask says who comes
      auto mask = static_cast<uint32_t>(value(thread, instruction.operands.back(), Type::b32));
      isComplete = true;
      for (int lane = 0; lane < warpSize; ++lane)
        if (mask >> lane & 1 && !lanes[static_cast<std::size_t>(lane)])
          isComplete = false;
    }
    if (!isComplete)
      continue;
    together(lanes, instruction);
    for (Thread *lane : lanes)
      if (lane) {
        ++lane->pc;
        lane->state = Thread::State::runs;
      }
    any = true;
  }
  return any;
}

bool Block::resolveBarriers() {
  // By the barrier's number: how many wait, and for how many.
  std::map<uint64_t, std::vector<Thread *>> waiting;
  std::map<uint64_t, std::size_t> wanted;
  std::size_t alive = 0;
  for (Thread &thread : threads)
    alive += thread.state != Thread::State::done;
  for (Thread &thread : threads) {
    if (thread.state != Thread::State::waits || function.body[thread.pc].code != codeBarrier)
      continue;
    const Instruction &i = function.body[thread.pc];
    uint64_t number = i.operands.empty() ? 0 : value(thread, i.operands[0], Type::u32);
    waiting[number].push_back(&thread);
    wanted[number] = i.operands.size() > 1 ? value(thread, i.operands[1], Type::u32) : alive;
  }
  bool any = false;
  for (auto &[number, list] : waiting)
    if (list.size() >= std::min(wanted[number], alive)) {
      for (Thread *thread : list) {
        ++thread->pc;
        thread->state = Thread::State::runs;
      }
      any = true;
    }
  return any;
}

void run(const Module &module, const Function &function, const Launch &launch, Memory &memory) {
  std::size_t threads = std::size_t{launch.block[0]} * launch.block[1] * launch.block[2];
  if (threads == 0 || threads > static_cast<std::size_t>(function.maxThreads))
    throw PtxError("kernel " + function.name + ": blocks of " + std::to_string(threads) +
                   " threads, at most " + std::to_string(function.maxThreads) + " were declared");
  if (launch.parameters.size() != function.parameterBytes)
    throw PtxError("kernel " + function.name + ": " + std::to_string(launch.parameters.size()) +
                   " bytes of parameters, " + std::to_string(function.parameterBytes) +
                   " were declared");
  for (unsigned z = 0; z < launch.grid[2]; ++z)
    for (unsigned y = 0; y < launch.grid[1]; ++y)
      for (unsigned x = 0; x < launch.grid[0]; ++x)
        Block(module, function, launch, memory, {x, y, z}).run();
}

} // namespace standin::ptx
