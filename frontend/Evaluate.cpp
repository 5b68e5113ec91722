#include "frontend/Evaluate.h"

#include "frontend/CompileGraph.h"
#include "frontend/Locations.h"
#include "frontend/Pieces.h"
#include "frontend/Symbolise.h"
#include "frontend/Varying.h"
#include "runtime/Executable.h"

#include <algorithm>
#include <condition_variable>
#include <fmt/format.h>
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

static void runGraph(PendingGraph &pending, std::string_view operation,
                     const std::source_location &where) {
  std::sort(pending.outputs.begin(), pending.outputs.end());
  pending.outputs.erase(std::unique(pending.outputs.begin(), pending.outputs.end()),
                        pending.outputs.end());
  Originals originals = liftVarying(pending);
  std::erase_if(pending.outputs, [&](ir::ValueId id) { return id < pending.leaves.size(); });
  if (pending.outputs.empty())
    return;
  std::vector<const runtime::TensorValue *> inputs;
  for (const std::shared_ptr<Node> &leaf : pending.leaves)
    inputs.push_back(&leaf->value);
  std::vector<runtime::TensorValue> results;
  try {
    results = compileThroughCache(symbolicGraph(pending), {}).executable->run(inputs);
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) {
      return completed(withLocations(message, locationsOf(pending)), operation, where);
    });
  }
  for (std::size_t i = 0; i < pending.outputs.size(); ++i) {
    const std::shared_ptr<Node> &node = pending.nodes[pending.outputs[i] - pending.leaves.size()];
    auto original = originals.find(node.get());
    commit(original == originals.end() ? node : original->second, std::move(results[i].buffer));
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

/// As evaluate, whether another thread does the same or not.
static void evaluateNow(std::span<const std::shared_ptr<Node>> nodes, std::string_view operation,
                        const std::source_location &where) {
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

namespace {

/// The nodes that threads compute right now, so that others wait for them rather than do the same.
struct Running {
  std::mutex mutex;
  std::condition_variable changed;
  std::unordered_set<const Node *> nodes;

  static Running &instance() {
    static Running running;
    return running;
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
      running.nodes.erase(node.get());
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
            (running.nodes.insert(node.get()).second ? claim.mine : others).push_back(node);
      }
      if (!claim.mine.empty())
        evaluateNow(claim.mine, operation, where);
    }
    std::unique_lock lock(running.mutex);
    for (const std::shared_ptr<Node> &node : others)
      running.changed.wait(lock, [&] { return !running.nodes.contains(node.get()); });
    left = std::move(others); // what failed in the other thread is tried, and fails, here too
  }
}

} // namespace kiln::detail
