/// Asynchronous copies, barriers in shared memory on which they and threads arrive, and the fences
/// between the two ways to memory: ordinary accesses, cp.async with them, are of the generic proxy;
/// bulk copies and wgmma of the async proxy.
#include "standin/ptx/Block.h"

#include <algorithm>
#include <cstring>

namespace standin::ptx {

static constexpr std::size_t pieceBytes = 16; // what genericWriter counts in

static uint64_t sharedPlace(uint64_t address) { return address & 0xFFFFFFFF; }

ArrivalBarrier &Block::barrierAt(Thread &thread, uint64_t address) {
  auto found = arrivalBarriers.find(sharedPlace(address));
  if (found == arrivalBarriers.end())
    fail(thread, "no mbarrier was initialised at " + std::to_string(sharedPlace(address)));
  return found->second;
}

void Block::endPhase(ArrivalBarrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0)
    return;
  barrier.phase = !barrier.phase;
  barrier.pending = barrier.expected;
}

void Block::arrive(Thread &thread, uint64_t address, int64_t count) {
  ArrivalBarrier &barrier = barrierAt(thread, address);
  if (count < 1 || count > barrier.pending)
    fail(thread, std::to_string(count) + " arrivals on an mbarrier that waits for " +
                     std::to_string(barrier.pending));
  barrier.pending -= count;
  endPhase(barrier);
}

/// Of a wait: whether the phase that it names has ended.
bool Block::isComplete(Thread &thread, const Instruction &i) {
  ArrivalBarrier &barrier = barrierAt(thread, addressOf(thread, i.operands[1]));
  return barrier.phase != (value(thread, i.operands[2], Type::b64) & 1);
}

/// mbarrier.*; false: the thread waits. A test waits as well: what it would do meanwhile is left
/// out.
bool Block::arrivals(Thread &thread, const Instruction &i) {
  if (i.has("test_wait") || i.has("try_wait")) {
    if (!isComplete(thread, i))
      return false;
    set(thread, i.operands[0], 1);
    return true;
  }
  std::size_t at = !i.operands.empty() && i.operands[0].kind == Kind::memory ? 0 : 1;
  uint64_t address = addressOf(thread, i.operands.at(at));
  auto number = [&](int64_t otherwise) {
    return i.operands.size() > at + 1 ? integer(thread, i.operands[at + 1], Type::s32) : otherwise;
  };
  if (i.has("init")) {
    locate(thread, i, Space::shared, address, 8);
    int64_t count = number(0);
    if (count < 1)
      fail(thread, "an mbarrier for " + std::to_string(count) + " arrivals");
    arrivalBarriers[sharedPlace(address)] = {count, count};
    thread.unfencedBarriers.push_back(sharedPlace(address));
    return true;
  }
  if (i.has("inval")) {
    barrierAt(thread, address);
    arrivalBarriers.erase(sharedPlace(address));
    return true;
  }
  ArrivalBarrier &barrier = barrierAt(thread, address);
  const bool expects = i.has("expect_tx"), arrives = i.has("arrive");
  if ((!expects && !arrives) || i.has("noComplete"))
    fail(thread, "a form of mbarrier that the interpreter does not know");
  if (at == 1)
    set(thread, i.operands[0], barrier.phase);
  if (expects)
    barrier.bytes += number(0);
  if (arrives)
    arrive(thread, address, expects ? 1 : number(1));
  else
    endPhase(barrier);
  return true;
}

/// Nothing is copied before it is waited for: who reads too early finds what was there before.
void Block::copyAsync(Thread &thread, const Instruction &i) {
  if (i.has("bulk")) {
    copyBulk(thread, i);
  } else if (i.has("mbarrier")) {
    arriveWithCopies(thread, i);
  } else if (i.has("commit_group")) {
    thread.groups.emplace_back();
  } else if (i.has("wait_group")) {
    finishCopies(thread, value(thread, i.operands[0], Type::u32), i);
  } else if (i.has("wait_all")) {
    thread.groups.emplace_back();
    finishCopies(thread, 0, i);
  } else {
    Thread::Copy copy;
    copy.to = addressOf(thread, i.operands[0]);
    copy.from = addressOf(thread, i.operands[1]);
    std::size_t bytes = value(thread, i.operands[2], Type::u32);
    copy.readBytes = bytes;
    if (i.operands.size() > 3)
      copy.readBytes = value(thread, i.operands[3], Type::u32);
    if (copy.readBytes > bytes || (bytes != 4 && bytes != 8 && bytes != 16) ||
        (i.has("cg") && bytes != 16))
      fail(thread, "a copy of " + std::to_string(copy.readBytes) + " of " + std::to_string(bytes) +
                       " bytes");
    copy.bytes.resize(bytes);
    if (copy.to % bytes != 0 || copy.from % bytes != 0)
      fail(thread, "a copy that is not aligned");
    checkMultiplied(thread, copy.to & 0xFFFFFFFF, bytes);
    thread.groups.back().push_back(std::move(copy));
  }
}

void Block::finishCopies(Thread &thread, std::size_t keptGroups, const Instruction &i) {
  while (thread.groups.size() > keptGroups + 1) { // the last one is open
    for (Thread::Copy &copy : thread.groups.front()) {
      copyNow(thread, i, copy);
      noteGenericWrite(thread, copy.to & 0xFFFFFFFF, copy.bytes.size());
    }
    thread.groups.pop_front();
  }
}

/// cp.async.bulk.shared.global.mbarrier::complete_tx::bytes [to], [from], size, [mbarrier].
void Block::copyBulk(Thread &thread, const Instruction &i) {
  if (!i.has("complete_tx") || i.operands.size() != 4 || i.has("tensor"))
    fail(thread, "a bulk copy that the interpreter does not know");
  PendingCopy pending;
  Thread::Copy copy;
  copy.to = sharedPlace(addressOf(thread, i.operands[0]));
  copy.from = addressOf(thread, i.operands[1]);
  copy.readBytes = value(thread, i.operands[2], Type::u32);
  pending.barrier = sharedPlace(addressOf(thread, i.operands[3]));
  pending.isBulk = true;
  if (copy.readBytes == 0 || copy.readBytes % 16 || copy.to % 16 || copy.from % 16)
    fail(thread, "a bulk copy whose size or addresses are not aligned to 16 bytes");
  if (copy.to > shared.size() || copy.readBytes > shared.size() - copy.to)
    fail(thread, std::to_string(copy.readBytes) + " bytes at " + std::to_string(copy.to) +
                     " of shared memory of " + std::to_string(shared.size()) + " bytes");
  if (!barrierAt(thread, pending.barrier).isFenced)
    fail(thread, "an mbarrier that no fence has shown to the async proxy");
  checkArrived(thread, copy.to, copy.readBytes);
  checkMultiplied(thread, copy.to, copy.readBytes);
  copy.bytes.resize(copy.readBytes);
  pending.copies.push_back(std::move(copy));
  pendingCopies.push_back(std::move(pending));
  if (launch.isReversed) // as early as can be; else as late
    finishOne(addressOf(thread, i.operands[3]), thread);
}

/// cp.async.mbarrier.arrive: when the copies of this thread that were begun before are done.
void Block::arriveWithCopies(Thread &thread, const Instruction &i) {
  PendingCopy pending;
  pending.barrier = sharedPlace(addressOf(thread, i.operands[0]));
  ArrivalBarrier &barrier = barrierAt(thread, pending.barrier);
  if (!i.has("noinc"))
    ++barrier.pending;
  for (auto &group : thread.groups)
    std::move(group.begin(), group.end(), std::back_inserter(pending.copies));
  thread.groups.assign(1, {});
  pendingCopies.push_back(std::move(pending));
}

/// Reads and writes what a copy copies.
void Block::copyNow(Thread &thread, const Instruction &i, Thread::Copy &copy) {
  // The bytes behind those that are read are zeros.
  const std::size_t step = copy.readBytes % 16 == 0              ? 16
                           : copy.readBytes == copy.bytes.size() ? copy.readBytes
                                                                 : 1;
  for (std::size_t b = 0; b < copy.readBytes; b += step)
    std::memcpy(&copy.bytes[b], locate(thread, i, Space::global, copy.from + b, step), step);
  if (sharedPlace(copy.to) + copy.bytes.size() > shared.size())
    fail(thread, "a copy behind the end of shared memory");
  std::memcpy(shared.data() + sharedPlace(copy.to), copy.bytes.data(), copy.bytes.size());
}

/// Finishes the oldest copy that arrives on a barrier; false if there is none.
bool Block::finishOne(uint64_t barrier, Thread &thread) {
  auto found =
      std::find_if(pendingCopies.begin(), pendingCopies.end(),
                   [&](const PendingCopy &copy) { return copy.barrier == sharedPlace(barrier); });
  if (found == pendingCopies.end())
    return false;
  PendingCopy pending = std::move(*found);
  pendingCopies.erase(found);
  const Instruction &i = function.body[thread.pc];
  for (Thread::Copy &copy : pending.copies) {
    copyNow(thread, i, copy);
    if (!pending.isBulk)
      noteGenericWrite(thread, sharedPlace(copy.to), copy.bytes.size());
  }
  if (!pending.isBulk) {
    arrive(thread, barrier, 1);
    return true;
  }
  ArrivalBarrier &on = barrierAt(thread, barrier);
  on.bytes -= static_cast<int64_t>(pending.copies[0].readBytes);
  endPhase(on);
  return true;
}

/// Threads whose phase has ended go on.
bool Block::resolveArrivals() {
  bool any = false;
  auto waits = [&](const Thread &thread) {
    return thread.state == Thread::State::waits && function.body[thread.pc].code == codeArrivals;
  };
  for (Thread &thread : threads)
    if (waits(thread) && isComplete(thread, function.body[thread.pc])) {
      thread.state = Thread::State::runs;
      any = true;
    }
  return any;
}

/// Finishes a copy that a thread waits for.
bool Block::finishAwaited() {
  for (Thread &thread : threads) {
    if (thread.state != Thread::State::waits || function.body[thread.pc].code != codeArrivals)
      continue;
    const Instruction &i = function.body[thread.pc];
    if (finishOne(addressOf(thread, i.operands[1]), thread))
      return true;
  }
  return false;
}

void Block::fence(Thread &thread, const Instruction &i) {
  const bool isProxy = i.has("proxy") && i.has("async");
  if (isProxy || i.has("mbarrier_init")) {
    for (uint64_t barrier : thread.unfencedBarriers)
      if (auto found = arrivalBarriers.find(barrier); found != arrivalBarriers.end())
        found->second.isFenced = true;
    thread.unfencedBarriers.clear();
  }
  if (!isProxy)
    return;
  for (std::size_t piece : thread.unfencedPieces)
    if (genericWriter[piece] == thread.number + 1)
      genericWriter[piece] = 0;
  thread.unfencedPieces.clear();
}

void Block::noteGenericWrite(Thread &thread, uint64_t offset, std::size_t sizeBytes) {
  checkArrived(thread, offset, sizeBytes);
  checkMultiplied(thread, offset, sizeBytes);
  if (genericWriter.empty()) // no kernel with wgmma
    return;
  for (std::size_t piece = offset / pieceBytes; piece * pieceBytes < offset + sizeBytes; ++piece)
    if (genericWriter[piece] != thread.number + 1) {
      genericWriter[piece] = static_cast<uint16_t>(thread.number + 1);
      thread.unfencedPieces.push_back(piece);
    }
}

void Block::checkFenced(Thread &thread, uint64_t offset, std::size_t sizeBytes) {
  for (std::size_t piece = offset / pieceBytes; piece * pieceBytes < offset + sizeBytes; ++piece)
    if (genericWriter[piece])
      fail(thread, "the async proxy reads byte " + std::to_string(offset) +
                       " of shared memory, which thread " +
                       std::to_string(genericWriter[piece] - 1) +
                       " wrote without a fence.proxy.async");
}

void Block::checkArrived(Thread &thread, uint64_t offset, std::size_t sizeBytes) {
  for (const PendingCopy &pending : pendingCopies)
    if (pending.isBulk && offset < pending.copies[0].to + pending.copies[0].readBytes &&
        pending.copies[0].to < offset + sizeBytes)
      fail(thread, "byte " + std::to_string(offset) +
                       " of shared memory, which a bulk copy writes that nobody waited for");
}

void Block::checkMultiplied(Thread &thread, uint64_t offset, std::size_t sizeBytes) {
  for (const Warpgroup &group : warpgroups)
    for (const auto &products : group.groups)
      for (const Warpgroup::Product &product : products)
        for (const Warpgroup::Range &range : product.reads)
          if (offset < range.end && range.begin < offset + sizeBytes)
            fail(thread, "writes byte " + std::to_string(offset) +
                             " of shared memory, which a wgmma reads that was not waited for");
}

} // namespace standin::ptx
