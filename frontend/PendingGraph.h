#pragma once

#include "frontend/Node.h"

#include <cstddef>
#include <span>
#include <unordered_map>
#include <vector>

namespace kiln::detail {

/// The pending work below some nodes, as it was at one moment. Values are numbered as in an
/// ir::Graph: the leaves, then the nodes.
struct PendingGraph {
  std::vector<std::shared_ptr<Node>> leaves; // realized, lazy or symbolic; in order of first use
  std::vector<std::shared_ptr<Node>> nodes;  // operands come before their users
  std::vector<std::vector<ir::ValueId>> operands; // of each node
  std::vector<ir::ValueId> outputs;
  /// Whether somebody outside the graph holds this node.
  std::vector<bool> isHeld;

  const Node &value(ir::ValueId id) const {
    return id < leaves.size() ? *leaves[id] : *nodes[id - leaves.size()];
  }
};

/// Collects what is pending below `roots`. `firstLeaves` are leaves in any case and come first:
/// the arguments of a traced function. Without recursion.
PendingGraph collectPending(std::span<const std::shared_ptr<Node>> roots,
                            std::span<const std::shared_ptr<Node>> firstLeaves = {});

/// For each node the last one that uses it; one behind all nodes for an output of the graph.
std::vector<std::size_t> lastUses(const PendingGraph &graph);

/// The nodes of [begin, end) alone. Nodes before them are leaves, and what nodes behind them use
/// (by `lastUse`) are outputs.
PendingGraph partOf(const PendingGraph &graph, std::size_t begin, std::size_t end,
                    const std::vector<std::size_t> &lastUse);

/// Fills lazy leaves, of those that are split the parts. Errors: DeviceError if there is no memory.
void makeLazyLeaves(const PendingGraph &graph);
/// Fills one, whole.
void makeLazyLeaf(Node &leaf);

} // namespace kiln::detail
