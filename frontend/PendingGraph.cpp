#include "frontend/PendingGraph.h"

#include "frontend/Sharding.h"

namespace kiln::detail {

PendingGraph collectPending(std::span<const std::shared_ptr<Node>> roots,
                            std::span<const std::shared_ptr<Node>> firstLeaves) {
  // Leaves and nodes are numbered apart first: how many leaves there are is known at the end.
  struct Place {
    bool isLeaf;
    std::size_t index;
  };
  PendingGraph graph;
  std::unordered_map<const Node *, Place> places;
  std::vector<std::vector<const Node *>> operandNodes;
  std::vector<long> usesInside;
  auto addLeaf = [&](const std::shared_ptr<Node> &node) {
    if (places.try_emplace(node.get(), Place{true, graph.leaves.size()}).second)
      graph.leaves.push_back(node);
  };

  std::lock_guard lock(nodeMutex());
  for (const std::shared_ptr<Node> &leaf : firstLeaves)
    addLeaf(leaf);
  struct Visit {
    const std::shared_ptr<Node> *node;
    std::size_t nextOperand;
  };
  std::vector<Visit> stack;
  auto enter = [&](const std::shared_ptr<Node> &node) {
    if (places.contains(node.get()))
      return;
    if (node->state.load(std::memory_order_relaxed) == Node::State::pending)
      stack.push_back({&node, 0});
    else
      addLeaf(node);
  };
  for (const std::shared_ptr<Node> &root : roots) {
    enter(root);
    while (!stack.empty()) {
      const std::shared_ptr<Node> &node = *stack.back().node;
      if (stack.back().nextOperand < node->operands.size()) {
        enter(node->operands[stack.back().nextOperand++]);
        continue;
      }
      stack.pop_back();
      if (!places.try_emplace(node.get(), Place{false, graph.nodes.size()}).second)
        continue; // met again while it waited on the stack
      graph.nodes.push_back(node);
      usesInside.push_back(1); // the copy in graph.nodes
      operandNodes.emplace_back();
      for (const std::shared_ptr<Node> &operand : node->operands) {
        operandNodes.back().push_back(operand.get());
        if (Place place = places.at(operand.get()); !place.isLeaf)
          ++usesInside[place.index];
      }
    }
  }

  auto idOf = [&](const Node *node) {
    Place place = places.at(node);
    return static_cast<ir::ValueId>(place.isLeaf ? place.index : graph.leaves.size() + place.index);
  };
  for (const auto &nodes : operandNodes) {
    graph.operands.emplace_back();
    for (const Node *node : nodes)
      graph.operands.back().push_back(idOf(node));
  }
  for (const std::shared_ptr<Node> &root : roots)
    graph.outputs.push_back(idOf(root.get()));
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    graph.isHeld.push_back(graph.nodes[i].use_count() > usesInside[i]);
  return graph;
}

std::vector<std::size_t> lastUses(const PendingGraph &graph) {
  std::size_t numLeaves = graph.leaves.size();
  std::vector<std::size_t> result(graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (ir::ValueId id : graph.operands[i])
      if (id >= numLeaves)
        result[id - numLeaves] = i;
  for (ir::ValueId id : graph.outputs)
    if (id >= numLeaves)
      result[id - numLeaves] = graph.nodes.size();
  return result;
}

PendingGraph partOf(const PendingGraph &graph, std::size_t begin, std::size_t end,
                    const std::vector<std::size_t> &lastUse) {
  std::size_t numLeaves = graph.leaves.size();
  auto isInside = [&](ir::ValueId id) { return id >= numLeaves + begin; };
  PendingGraph part;
  std::unordered_map<ir::ValueId, ir::ValueId> places; // of leaves
  for (std::size_t i = begin; i < end; ++i) {
    part.nodes.push_back(graph.nodes[i]);
    part.operands.push_back(graph.operands[i]);
    part.isHeld.push_back(graph.isHeld[i]);
    for (ir::ValueId id : graph.operands[i])
      if (!isInside(id) &&
          places.try_emplace(id, static_cast<ir::ValueId>(part.leaves.size())).second)
        part.leaves.push_back(id < numLeaves ? graph.leaves[id] : graph.nodes[id - numLeaves]);
  }
  auto moved = [&](ir::ValueId id) {
    return isInside(id) ? static_cast<ir::ValueId>(id - numLeaves - begin + part.leaves.size())
                        : places.at(id);
  };
  for (auto &operands : part.operands)
    for (ir::ValueId &id : operands)
      id = moved(id);
  for (std::size_t i = begin; i < end; ++i)
    if (lastUse[i] >= end)
      part.outputs.push_back(static_cast<ir::ValueId>(i - begin + part.leaves.size()));
  return part;
}

void makeLazyLeaf(Node &leaf) {
  if (leaf.state.load(std::memory_order_acquire) != Node::State::lazy)
    return;
  std::function<std::shared_ptr<const runtime::Buffer>()> make;
  {
    std::lock_guard lock(nodeMutex());
    make = leaf.make;
  }
  if (!make) // another thread was faster
    return;
  auto buffer = make();
  std::lock_guard lock(nodeMutex());
  if (leaf.state.load(std::memory_order_relaxed) == Node::State::lazy) {
    leaf.value.buffer = std::move(buffer);
    leaf.state.store(Node::State::realized, std::memory_order_release);
    leaf.make = nullptr;
  }
}

void makeLazyLeaves(const PendingGraph &graph) {
  for (const std::shared_ptr<Node> &leaf : graph.leaves)
    if (leaf->sharding)
      leaf->sharding->parts();
    else
      makeLazyLeaf(*leaf);
}

} // namespace kiln::detail
