#include "frontend/Varying.h"

#include "frontend/Pieces.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <string>

namespace kiln::detail {

namespace {

/// So many sets of numbers of one place stay constants.
constexpr std::size_t maxSets = 2;
/// So many places are remembered; then all are forgotten, which costs some compiles.
constexpr std::size_t maxPlaces = 4096;

/// The numbers of a graph in the order of its nodes: the bytes of a constant, or the bounds of a
/// slice, an entry for each axis.
using Numbers = std::vector<std::string>;

struct Place {
  std::vector<Numbers> sets;
  std::vector<bool> varies; // empty: nothing has
};

std::mutex placesMutex;

std::unordered_map<std::size_t, Place> &places() {
  static std::unordered_map<std::size_t, Place> map;
  return map;
}

std::string bytesOf(std::initializer_list<int64_t> values) {
  return std::string(reinterpret_cast<const char *>(values.begin()),
                     values.size() * sizeof(int64_t));
}

Numbers numbersOf(const PendingGraph &pending) {
  Numbers numbers;
  for (std::size_t n = 0; n < pending.nodes.size(); ++n) {
    const std::shared_ptr<Node> &node = pending.nodes[n];
    if (node->op == "constant") {
      const auto &data = *node->attributes.get<std::shared_ptr<const ir::DenseData>>("value");
      numbers.emplace_back(reinterpret_cast<const char *>(data.bytes.data()), data.bytes.size());
    } else if (node->op == "slice") {
      const auto &starts = node->attributes.get<Shape>("starts");
      const auto &stops = node->attributes.get<Shape>("stops");
      const auto &steps = node->attributes.get<std::vector<int64_t>>("steps");
      for (int64_t i = 0; i < starts.rank(); ++i) {
        // Bounds that count from the end do so whatever the size is.
        auto axis = static_cast<std::size_t>(i);
        uint8_t hint = axis < node->hints.size() ? node->hints[axis] : 0;
        bool isStopKept = hint & stopFromEnd, isStartKept = hint & startFromEnd;
        int64_t size = pending.value(pending.operands[n][0]).type().shape[i].value();
        numbers.push_back(
            bytesOf({starts[i].value() - (isStartKept ? size : 0),
                     stops[i].value() - (isStopKept ? size : 0), steps[axis], int64_t{hint}}));
      }
    }
  }
  return numbers;
}

/// Of what a place of the program records: operations, where they stand, dtypes and ranks; no
/// sizes and no numbers. Two graphs with one hash that differ share their statistics, no more.
std::size_t placeOf(const PendingGraph &pending) {
  std::size_t hash = pending.nodes.size();
  auto add = [&](std::size_t value) { // as boost::hash_combine
    hash ^= value + 0x9e3779b97f4a7c15 + (hash << 6) + (hash >> 2);
  };
  auto addType = [&](const Node &node) {
    add(static_cast<std::size_t>(node.type().dtype));
    add(static_cast<std::size_t>(node.type().rank()));
  };
  for (const std::shared_ptr<Node> &leaf : pending.leaves)
    addType(*leaf);
  for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
    const Node &node = *pending.nodes[i];
    add(std::hash<std::string_view>()(node.op));
    add(std::hash<std::string_view>()(node.where.file_name()));
    add(node.where.line());
    add(node.where.column());
    addType(node);
    for (ir::ValueId operand : pending.operands[i])
      add(operand);
  }
  return hash;
}

/// Which of `numbers` are to be inputs; empty: none.
std::vector<bool> varyingOf(const PendingGraph &pending, const Numbers &numbers) {
  std::size_t key = placeOf(pending);
  std::lock_guard lock(placesMutex);
  if (places().size() >= maxPlaces && !places().contains(key))
    places().clear();
  Place &place = places()[key];
  if (std::find(place.sets.begin(), place.sets.end(), numbers) != place.sets.end())
    return {};
  if (place.sets.size() < maxSets || place.sets.front().size() != numbers.size()) {
    if (place.sets.size() < maxSets)
      place.sets.push_back(numbers);
    return {};
  }
  place.varies.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i)
    for (const Numbers &set : place.sets)
      if (set[i] != numbers[i])
        place.varies[i] = true;
  return place.varies;
}

/// The positions start, start + step, … before stop, as a leaf.
std::shared_ptr<Node> positions(int64_t start, int64_t stop, int64_t step, Device device) {
  int64_t count = (stop - start + step - 1) / step;
  auto buffer =
      runtime::Buffer::allocate(static_cast<std::size_t>(count) * sizeof(int64_t), device);
  for (int64_t i = 0; i < count; ++i)
    buffer->mutableAs<int64_t>()[i] = start + i * step;
  return realizedTensor(TensorType(DType::int64, Shape{count}, device), std::move(buffer)).handle();
}

/// Builds a graph anew, node by node; leaves may be added all the while.
class Rewriter {
public:
  explicit Rewriter(PendingGraph &pending) : pending(pending) {}

  /// Values of the new graph: leaves as they are, nodes with this bit.
  static constexpr ir::ValueId nodeBit = ir::ValueId{1} << 31;

  ir::ValueId addLeaf(std::shared_ptr<Node> leaf) {
    pending.leaves.push_back(std::move(leaf));
    return static_cast<ir::ValueId>(pending.leaves.size() - 1);
  }
  ir::ValueId addNode(std::shared_ptr<Node> node, std::vector<ir::ValueId> operands, bool isHeld) {
    nodes.push_back(std::move(node));
    operandsOf.push_back(std::move(operands));
    held.push_back(isHeld);
    return nodeBit | static_cast<ir::ValueId>(nodes.size() - 1);
  }
  void setHeld(ir::ValueId node, bool isHeld) { held[node & ~nodeBit] = isHeld; }
  void finish(const std::vector<ir::ValueId> &renumbered, std::size_t oldLeaves) {
    auto place = [&](ir::ValueId id) {
      return id & nodeBit ? static_cast<ir::ValueId>(pending.leaves.size() + (id & ~nodeBit)) : id;
    };
    for (auto &operands : operandsOf)
      for (ir::ValueId &id : operands)
        id = place(id);
    for (ir::ValueId &id : pending.outputs)
      id = place(id < oldLeaves ? id : renumbered[id - oldLeaves]);
    pending.nodes = std::move(nodes);
    pending.operands = std::move(operandsOf);
    pending.isHeld = std::move(held);
  }

private:
  PendingGraph &pending;
  std::vector<std::shared_ptr<Node>> nodes;
  std::vector<std::vector<ir::ValueId>> operandsOf;
  std::vector<bool> held;
};

std::shared_ptr<Node> derived(const Node &from, std::string_view op, ir::Attributes attributes,
                              TensorType type, std::vector<uint8_t> hints) {
  auto node = std::make_shared<Node>();
  node->op = op;
  node->attributes = std::move(attributes);
  node->value.type = std::move(type);
  node->where = from.where;
  node->hints = std::move(hints);
  return node;
}

/// A slice whose axes of `varies` are looked up by position. Returns the last value.
ir::ValueId liftSlice(Rewriter &graph, const std::shared_ptr<Node> &slice, ir::ValueId x,
                      const TensorType &type, const std::vector<bool> &varies, bool isHeld,
                      Originals &originals) {
  std::vector<Dim> starts = slice->attributes.get<Shape>("starts").vec();
  std::vector<Dim> stops = slice->attributes.get<Shape>("stops").vec();
  std::vector<int64_t> steps = slice->attributes.get<std::vector<int64_t>>("steps");
  std::vector<uint8_t> hints = slice->hints;
  hints.resize(steps.size());
  std::vector<Dim> dims = type.shape.vec();
  std::shared_ptr<Node> last;
  auto put = [&](std::shared_ptr<Node> node, std::vector<ir::ValueId> operands) {
    last = node;
    x = graph.addNode(std::move(node), std::move(operands), false);
  };
  bool hasRest = false;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (!varies[axis]) {
      hasRest = hasRest || hints[axis] != stopFromEnd || starts[axis] != Dim(0) || steps[axis] != 1;
      continue;
    }
    auto indices = positions(starts[axis].value(), stops[axis].value(), steps[axis], type.device);
    starts[axis] = 0;
    dims[axis] = indices->type().shape[0];
    stops[axis] = dims[axis];
    steps[axis] = 1;
    hints[axis] = stopFromEnd;
    ir::ValueId leaf = graph.addLeaf(std::move(indices));
    put(derived(*slice, "gather", {{"axis", static_cast<int64_t>(axis)}},
                TensorType(type.dtype, Shape(dims), type.device), {notAWeight}),
        {x, leaf});
  }
  if (hasRest)
    put(derived(*slice, "slice",
                {{"starts", Shape(std::move(starts))},
                 {"stops", Shape(std::move(stops))},
                 {"steps", std::move(steps)}},
                slice->type(), std::move(hints)),
        {x});
  originals.emplace(last.get(), slice);
  graph.setHeld(x, isHeld);
  return x;
}

} // namespace

Originals liftVarying(PendingGraph &pending) {
  Originals originals;
  Numbers numbers = numbersOf(pending);
  if (numbers.empty())
    return originals;
  std::vector<bool> varies = varyingOf(pending, numbers);
  if (std::find(varies.begin(), varies.end(), true) == varies.end())
    return originals;

  Rewriter graph(pending);
  std::size_t oldLeaves = pending.leaves.size(), number = 0;
  std::vector<ir::ValueId> renumbered;
  auto typeOf = [&](ir::ValueId id) { // leaves are added on the way
    return (id < oldLeaves ? pending.leaves[id] : pending.nodes[id - oldLeaves])->type();
  };
  for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
    const std::shared_ptr<Node> &node = pending.nodes[i];
    std::vector<ir::ValueId> operands = pending.operands[i];
    for (ir::ValueId &id : operands)
      id = id < oldLeaves ? id : renumbered[id - oldLeaves];
    if (node->op == "constant" && varies[number++]) {
      realizeConstant(node);
      renumbered.push_back(graph.addLeaf(node));
      continue;
    }
    if (node->op == "slice") {
      const TensorType type = typeOf(pending.operands[i][0]);
      auto begin = varies.begin() + static_cast<std::ptrdiff_t>(number);
      std::vector<bool> axes(begin, begin + type.rank());
      number += axes.size();
      if (std::find(axes.begin(), axes.end(), true) != axes.end()) {
        renumbered.push_back(
            liftSlice(graph, node, operands[0], type, axes, pending.isHeld[i], originals));
        continue;
      }
    }
    renumbered.push_back(graph.addNode(node, std::move(operands), pending.isHeld[i]));
  }
  graph.finish(renumbered, oldLeaves);
  return originals;
}

} // namespace kiln::detail
