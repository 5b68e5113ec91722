#include "frontend/Pieces.h"

#include "frontend/Evaluate.h"
#include "frontend/Trace.h"
#include "kiln/Error.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>

namespace kiln::detail {

void sortByCreation(PendingGraph &graph) {
  std::vector<std::size_t> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return graph.nodes[a]->sequence < graph.nodes[b]->sequence;
  });
  std::size_t numLeaves = graph.leaves.size();
  std::vector<ir::ValueId> renumbered(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    renumbered[order[i]] = static_cast<ir::ValueId>(numLeaves + i);
  auto renumber = [&](ir::ValueId &id) {
    if (id >= numLeaves)
      id = renumbered[id - numLeaves];
  };
  PendingGraph sorted;
  for (std::size_t from : order) {
    sorted.nodes.push_back(std::move(graph.nodes[from]));
    sorted.operands.push_back(std::move(graph.operands[from]));
    sorted.isHeld.push_back(graph.isHeld[from]);
    for (ir::ValueId &id : sorted.operands.back())
      renumber(id);
  }
  for (ir::ValueId &id : graph.outputs)
    renumber(id);
  graph.nodes = std::move(sorted.nodes);
  graph.operands = std::move(sorted.operands);
  graph.isHeld = std::move(sorted.isHeld);
}

/// Whether two nodes come from one place of the program.
static bool sameSite(const Node &a, const Node &b) {
  return a.op == b.op && a.where.line() == b.where.line() && a.where.column() == b.where.column() &&
         std::string_view(a.where.file_name()) == b.where.file_name();
}

std::size_t pieceSize(const PendingGraph &graph, std::size_t begin) {
  std::size_t rest = graph.nodes.size() - begin;
  if (rest <= maxNodes)
    return rest;
  // So many nodes in a row must look like the first ones for a round to begin there.
  constexpr std::size_t window = 24;
  for (std::size_t cut = maxNodes; cut > maxNodes / 4; --cut) {
    std::size_t alike = 0, most = std::min(window, rest - cut);
    while (alike < most && sameSite(*graph.nodes[begin + alike], *graph.nodes[begin + cut + alike]))
      ++alike;
    if (alike == most)
      return cut;
  }
  return maxNodes;
}

void realizeConstant(const std::shared_ptr<Node> &constant) {
  const auto &data = *constant->attributes.get<std::shared_ptr<const ir::DenseData>>("value");
  commit(constant, runtime::Buffer::copyOf(data.bytes, constant->type().device));
}

void constantsToLeaves(PendingGraph &piece) {
  using Data = std::shared_ptr<const ir::DenseData>;
  auto isConstant = [&](std::size_t i) { return piece.nodes[i]->op == "constant"; };
  auto dataOf = [&](std::size_t i) -> const ir::DenseData & {
    return *piece.nodes[i]->attributes.get<Data>("value");
  };
  using Site = std::tuple<std::string_view, unsigned, unsigned, DType, std::size_t>;
  auto siteOf = [&](std::size_t i) -> Site {
    const std::source_location &where = piece.nodes[i]->where;
    return {where.file_name(), where.line(), where.column(), dataOf(i).type.dtype,
            dataOf(i).bytes.size()};
  };
  struct Constants {
    std::size_t first;
    bool isOne = true;
  };
  std::map<Site, Constants> sites;
  for (std::size_t i = 0; i < piece.nodes.size(); ++i)
    if (isConstant(i)) {
      auto [at, isNew] = sites.try_emplace(siteOf(i), Constants{i});
      if (!isNew && dataOf(at->second.first).bytes != dataOf(i).bytes)
        at->second.isOne = false;
    }
  if (sites.empty())
    return;

  std::size_t oldLeaves = piece.leaves.size();
  std::map<std::size_t, std::size_t> leafOf; // node to leaf
  for (std::size_t i = 0; i < piece.nodes.size(); ++i) {
    if (!isConstant(i))
      continue;
    const Constants &constants = sites.at(siteOf(i));
    if (constants.isOne && constants.first != i) {
      std::size_t leaf = leafOf.at(constants.first);
      commit(piece.nodes[i], piece.leaves[leaf]->value.buffer);
      leafOf[i] = leaf;
      continue;
    }
    realizeConstant(piece.nodes[i]);
    leafOf[i] = piece.leaves.size();
    piece.leaves.push_back(piece.nodes[i]);
  }
  PendingGraph rest;
  std::vector<ir::ValueId> renumbered(piece.nodes.size());
  for (std::size_t i = 0; i < piece.nodes.size(); ++i) {
    if (auto leaf = leafOf.find(i); leaf != leafOf.end()) {
      renumbered[i] = static_cast<ir::ValueId>(leaf->second);
      continue;
    }
    renumbered[i] = static_cast<ir::ValueId>(piece.leaves.size() + rest.nodes.size());
    rest.nodes.push_back(std::move(piece.nodes[i]));
    rest.isHeld.push_back(piece.isHeld[i]);
    rest.operands.push_back(std::move(piece.operands[i]));
    for (ir::ValueId &id : rest.operands.back())
      if (id >= oldLeaves)
        id = renumbered[id - oldLeaves];
  }
  for (ir::ValueId &id : piece.outputs)
    if (id >= oldLeaves)
      id = renumbered[id - oldLeaves];
  piece.nodes = std::move(rest.nodes);
  piece.isHeld = std::move(rest.isHeld);
  piece.operands = std::move(rest.operands);
}

/// Says anew how deep the nodes from `begin` on are, after those before them ran.
static void updateDepths(const PendingGraph &pending, std::size_t begin) {
  for (std::size_t i = begin; i < pending.nodes.size(); ++i) {
    uint32_t below = 0;
    for (ir::ValueId id : pending.operands[i])
      if (id >= pending.leaves.size() + begin)
        below = std::max(below, pending.nodes[id - pending.leaves.size()]->depth.load(
                                    std::memory_order_relaxed));
    pending.nodes[i]->depth.store(below + 1, std::memory_order_relaxed);
  }
}

void boundPending(const std::shared_ptr<Node> &node) {
  static std::atomic<uint64_t> created{0};
  node->sequence = created.fetch_add(1, std::memory_order_relaxed);
  uint32_t depth = 0;
  for (const std::shared_ptr<Node> &operand : node->operands)
    if (operand->state.load(std::memory_order_acquire) == Node::State::pending)
      depth = std::max(depth, operand->depth.load(std::memory_order_relaxed));
  node->depth.store(depth + 1, std::memory_order_relaxed);
  if (depth < maxNodes || TraceScope::isActive())
    return;
  const std::shared_ptr<Node> roots[] = {node};
  try {
    PendingGraph pending = collectPending(roots);
    bool isKnown = std::none_of(pending.leaves.begin(), pending.leaves.end(), [](const auto &leaf) {
      return leaf->state.load(std::memory_order_acquire) == Node::State::symbolic;
    });
    bool isStatic = std::all_of(pending.nodes.begin(), pending.nodes.end(), [](const auto &n) {
      return !n->graph && n->type().shape.isStatic();
    });
    if (!isKnown || !isStatic) // the read will say so
      return node->depth.store(0, std::memory_order_relaxed);
    makeLazyLeaves(pending);
    updateDepths(pending, runPieces(pending, maxNodes, node->op, node->where));
  } catch (const Error &) {
    // The mistake is one of the read, which meets it again; until then the chain may grow.
    node->depth.store(0, std::memory_order_relaxed);
  }
}

} // namespace kiln::detail
