#include "frontend/Evaluate.h"

#include "frontend/GraphMemo.h"
#include "frontend/Locations.h"
#include "frontend/Pieces.h"
#include "frontend/Sharding.h"
#include "frontend/Transfer.h"
#include "frontend/Varying.h"
#include "runtime/Executable.h"
#include "runtime/cuda/Gpu.h"

#include <algorithm>
#include <condition_variable>
#include <fmt/format.h>
#include <iterator>
#include <unordered_set>

namespace kiln::detail {

namespace {

void refuseSymbolic(const PendingGraph &pending, std::string_view operation,
                    const std::source_location &where) {
  for (const std::shared_ptr<Node> &leaf : pending.leaves)
    if (leaf->state.load(std::memory_order_acquire) == Node::State::symbolic)
      throw TypeError(fmt::format("[{}] the contents depend on an argument of a model that is "
                                  "being traced, {}: they are not known{}",
                                  operation, leaf->type().str(), atLocation(where)));
  for (const std::shared_ptr<Node> &node : pending.nodes)
    if (node->graph)
      throw TypeError(fmt::format("[{}] Can't realize from a graph context: {} is part of graph "
                                  "\"{}\"{}",
                                  operation, node->type().str(), *node->graph, atLocation(where)));
}

void requireCountable(const Node &node, std::string_view operation,
                      const std::source_location &where) {
  try {
    (void)node.type().sizeBytes();
  } catch (const ValueError &) {
    throw ValueError(fmt::format("[{}] the contents of {} take more bytes than int64 counts{}",
                                 operation, node.type().str(), atLocation(where)));
  }
}

/// What somebody still holds will be wanted again, and what is built on it next should not begin
/// by computing it again.
void addHeldOutputs(PendingGraph &pending) {
  for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
    auto id = static_cast<ir::ValueId>(pending.leaves.size() + i);
    if (pending.isHeld[i] && pending.nodes[i]->op != "constant" &&
        std::find(pending.outputs.begin(), pending.outputs.end(), id) == pending.outputs.end())
      pending.outputs.push_back(id);
  }
}

} // namespace

void commit(const std::shared_ptr<Node> &node, std::shared_ptr<const runtime::Buffer> buffer) {
  std::vector<std::shared_ptr<Node>> orphans; // destroyed without the lock
  std::lock_guard lock(nodeMutex());
  if (node->isRealized())
    return; // another thread was faster
  node->value.buffer = std::move(buffer);
  orphans.swap(node->operands);
  node->state.store(Node::State::realized, std::memory_order_release);
}

namespace {

/// What a program that runs on several devices makes of the leaves, on each of them.
std::vector<std::vector<runtime::TensorValue>>
runRanks(std::shared_ptr<const runtime::Executable> executable, const Devices &devices,
         const std::vector<std::shared_ptr<Node>> &leaves) {
  std::vector<runtime::RankedWeight> weights;
  std::vector<const runtime::TensorValue *> arguments;
  for (std::size_t i = 0; i < leaves.size(); ++i)
    if (executable->artifact().inputs[i].isWeight)
      weights.push_back(rankedWeight(*leaves[i]));
    else
      arguments.push_back(&leaves[i]->value);
  return runtime::RankedModel::bind(std::move(executable), devices, weights)->run(arguments);
}

/// A replica whose contents are wanted, and what it is a copy of.
struct WantedReplica {
  std::shared_ptr<Node> node, source;
};

/// Takes the replicas out of the graph. Those that are outputs, and the others of their calls that
/// somebody still holds, get the contents of what they are copies of.
std::vector<WantedReplica> takeReplicas(PendingGraph &pending) {
  std::vector<ir::ValueId> outputs = pending.outputs;
  std::unordered_set<const Node *> wanted, known;
  for (ir::ValueId id : outputs)
    wanted.insert(&pending.value(id));
  std::vector<Replica> replicas = dropReplicas(pending);
  for (const Replica &replica : replicas)
    known.insert(replica.node.get());
  std::vector<WantedReplica> result;
  for (const Replica &replica : replicas) {
    std::size_t numLeaves = pending.leaves.size();
    bool isLeaf = replica.source < numLeaves;
    const std::shared_ptr<Node> &source =
        isLeaf ? pending.leaves[replica.source] : pending.nodes[replica.source - numLeaves];
    if (isLeaf)
      makeLazyLeaf(*source);
    bool isWanted = wanted.contains(replica.node.get());
    for (const std::weak_ptr<Node> &place : replica.node->replicas->nodes)
      if (std::shared_ptr<Node> other = place.lock();
          other && (other == replica.node ? isWanted : known.insert(other.get()).second)) {
        result.push_back({std::move(other), source});
        isWanted = true;
      }
    if (isWanted)
      pending.outputs.push_back(replica.source);
  }
  return result;
}

} // namespace

static void runGraph(PendingGraph &pending, std::string_view operation,
                     const std::source_location &where) {
  std::vector<WantedReplica> replicas = takeReplicas(pending);
  std::sort(pending.outputs.begin(), pending.outputs.end());
  pending.outputs.erase(std::unique(pending.outputs.begin(), pending.outputs.end()),
                        pending.outputs.end());
  Originals originals = liftVarying(pending);
  std::erase_if(pending.outputs, [&](ir::ValueId id) { return id < pending.leaves.size(); });
  std::shared_ptr<const Devices> devices = devicesOf(pending);
  std::vector<std::vector<runtime::TensorValue>> results(1); // of each rank
  try {
    if (!pending.outputs.empty()) {
      runtime::CompileRequest request;
      request.ranks = devices ? static_cast<int64_t>(devices->size()) : 1;
      runtime::cuda::requestFor(devices ? devices->front() : pending.nodes.front()->type().device,
                                request);
      auto executable = compilePending(pending, request).executable;
      if (devices) {
        results = runRanks(std::move(executable), *devices, pending.leaves);
      } else {
        std::vector<const runtime::TensorValue *> inputs;
        for (const std::shared_ptr<Node> &leaf : pending.leaves)
          inputs.push_back(&leaf->value);
        results[0] = executable->run(inputs);
      }
    }
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) {
      return completed(withLocations(message, locationsOf(pending)), operation, where);
    });
  }
  std::unordered_map<const Node *, std::size_t> outputOf;
  for (std::size_t i = 0; i < pending.outputs.size(); ++i) {
    const std::shared_ptr<Node> &node = pending.nodes[pending.outputs[i] - pending.leaves.size()];
    auto original = originals.find(node.get());
    const std::shared_ptr<Node> &target = original == originals.end() ? node : original->second;
    outputOf.emplace(target.get(), i);
  }
  auto resultOf = [&](std::size_t output, Device device) {
    return devices ? resultOn(device, *devices, results, output).buffer : results[0][output].buffer;
  };
  for (const WantedReplica &replica : replicas) {
    Device device = replica.node->type().device;
    auto output = outputOf.find(replica.source.get());
    auto buffer =
        output == outputOf.end() ? replica.source->value.buffer : resultOf(output->second, device);
    commit(replica.node,
           buffer->device() == device ? buffer : copyTo(*buffer, device, operation, where));
  }
  for (std::size_t i = 0; i < pending.outputs.size(); ++i) {
    const std::shared_ptr<Node> &node = pending.nodes[pending.outputs[i] - pending.leaves.size()];
    auto original = originals.find(node.get());
    const std::shared_ptr<Node> &target = original == originals.end() ? node : original->second;
    commit(target, resultOf(i, target->type().device));
  }
}

std::size_t runPieces(PendingGraph &pending, std::size_t keep, std::string_view operation,
                      const std::source_location &where) {
  sortByCreation(pending);
  std::vector<std::size_t> lastUse = lastUses(pending);
  std::size_t begin = 0;
  while (pending.nodes.size() - begin > keep) {
    std::size_t end = begin + pieceSize(pending, begin);
    PendingGraph piece = partOf(pending, begin, end, lastUse);
    addHeldOutputs(piece);
    constantsToLeaves(piece);
    runGraph(piece, operation, where);
    // What no later piece reads needs no memory any more.
    for (std::size_t i = 0; i < end; ++i)
      if (lastUse[i] < end)
        pending.nodes[i].reset();
    begin = end;
  }
  return begin;
}

/// As evaluateNow, for nodes that are computed on the same devices.
static void evaluateTogether(std::span<const std::shared_ptr<Node>> nodes,
                             std::string_view operation, const std::source_location &where) {
  PendingGraph pending = collectPending(nodes);
  refuseSymbolic(pending, operation, where);
  makeLazyLeaves(pending);
  if (pending.nodes.empty())
    return;
  for (const std::shared_ptr<Node> &node : pending.nodes)
    if (!node->type().shape.isStatic())
      throw TypeError(fmt::format("[{}] the size of {} is symbolic{}", operation,
                                  node->type().str(), atLocation(where)));
  for (ir::ValueId id : pending.outputs)
    requireCountable(pending.value(id), operation, where);
  if (pending.nodes.size() == 1 && pending.nodes[0]->op == "constant") {
    return realizeConstant(pending.nodes[0]);
  }
  if (pending.nodes.size() <= maxNodes) {
    addHeldOutputs(pending);
    return runGraph(pending, operation, where);
  }
  runPieces(pending, 0, operation, where);
}

/// As evaluate, whether another thread does the same or not.
static void evaluateNow(std::span<const std::shared_ptr<Node>> nodes, std::string_view operation,
                        const std::source_location &where) {
  std::vector<std::shared_ptr<Node>> left;
  for (const std::shared_ptr<Node> &node : nodes)
    if (node->sharding)
      makeLazyLeaf(*node);
    else
      left.push_back(node);
  auto isWithFirst = [&](const std::shared_ptr<Node> &node) {
    const auto &first = left.front()->devices;
    return first && node->devices ? *first == *node->devices : first == node->devices;
  };
  while (!left.empty()) {
    std::vector<std::shared_ptr<Node>> group;
    std::copy_if(left.begin(), left.end(), std::back_inserter(group), isWithFirst);
    std::vector<std::shared_ptr<Node>> rest;
    std::remove_copy_if(left.begin(), left.end(), std::back_inserter(rest), isWithFirst);
    evaluateTogether(group, operation, where);
    left = std::move(rest);
  }
}

namespace {

/// The nodes that threads compute right now, so that others wait for them rather than do the same.
struct Running {
  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_set<const void *> nodes;

  static Running &instance() {
    static Running running;
    return running;
  }
  /// The replicas of one value are computed together.
  static const void *keyOf(const Node &node) {
    return node.replicas ? static_cast<const void *>(node.replicas.get()) : &node;
  }
};

/// The nodes that this thread computes. Within a computation nothing is claimed and nobody waited
/// for: two threads could wait for each other.
class Claim {
public:
  Claim() { isNested() = true; }
  ~Claim() {
    isNested() = false;
    Running &running = Running::instance();
    std::lock_guard lock(running.mutex);
    for (const std::shared_ptr<Node> &node : mine)
      running.nodes.erase(Running::keyOf(*node));
    running.changed.notify_all();
  }
  Claim(const Claim &) = delete;
  Claim &operator=(const Claim &) = delete;

  std::vector<std::shared_ptr<Node>> mine;

  static bool &isNested() {
    thread_local bool nested = false;
    return nested;
  }
};

} // namespace

void evaluate(std::span<const std::shared_ptr<Node>> nodes, std::string_view operation,
              const std::source_location &where) {
  if (Claim::isNested())
    return evaluateNow(nodes, operation, where);
  Running &running = Running::instance();
  std::vector<std::shared_ptr<Node>> left(nodes.begin(), nodes.end());
  while (!left.empty()) {
    std::vector<std::shared_ptr<Node>> others;
    {
      Claim claim;
      {
        std::lock_guard lock(running.mutex);
        for (std::shared_ptr<Node> &node : left)
          if (!node->isRealized())
            (running.nodes.insert(Running::keyOf(*node)).second ? claim.mine : others)
                .push_back(node);
      }
      if (!claim.mine.empty())
        evaluateNow(claim.mine, operation, where);
    }
    std::unique_lock lock(running.mutex);
    for (const std::shared_ptr<Node> &node : others)
      running.changed.wait(lock, [&] { return !running.nodes.contains(Running::keyOf(*node)); });
    left = std::move(others); // what failed in the other thread is tried, and fails, here too
  }
}

} // namespace kiln::detail
