#include "frontend/FoldTables.h"

#include "ir/ShapeRules.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

namespace kiln::detail {

namespace {

using ir::ValueId;

bool isStatic(const Shape &shape) {
  return std::all_of(shape.begin(), shape.end(), [](const Dim &dim) { return dim.isStatic(); });
}

bool isElementwise(std::string_view op) {
  static const std::set<std::string_view> names = {
#define KILN_UNARY(op, kind) #op,
#define KILN_BINARY(op, kind) #op,
#include "ir/Elementwise.def"
      "select", "cast"};
  return names.contains(op);
}

bool isAlongAnAxis(std::string_view op) {
  static const std::set<std::string_view> names = {"softmax", "sum",  "mean",  "max",
                                                   "min",     "prod", "cumsum"};
  return names.contains(op);
}

/// What of the whole graph may be computed once, and what is put in its place.
class LoadGraph {
public:
  explicit LoadGraph(const ir::Graph &whole) : whole(whole) {}

  /// A value that depends on weights alone.
  ValueId take(ValueId value) {
    if (auto known = taken.find(value); known != taken.end())
      return known->second;
    ValueId result;
    if (value < whole.inputs.size()) {
      result = static_cast<ValueId>(inputs.size());
      inputs.push_back(value);
    } else {
      ir::Node node = whole.nodes[value - whole.inputs.size()];
      for (ValueId &operand : node.operands)
        operand = take(operand);
      result = add(std::move(node));
    }
    taken.emplace(value, result);
    return result;
  }

  /// Equal nodes once: two lookups in one table share what it becomes.
  ValueId add(ir::Node node) {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].op == node.op && nodes[i].operands == node.operands &&
          nodes[i].attributes == node.attributes)
        return firstNode + static_cast<ValueId>(i);
    nodes.push_back(std::move(node));
    return firstNode + static_cast<ValueId>(nodes.size() - 1);
  }

  const TensorType &type(ValueId value) const {
    return value < firstNode ? whole.inputs[inputs[value]].type : nodes[value - firstNode].type;
  }

  /// What these outputs need of it; says which inputs of the whole graph that takes.
  ir::Graph finish(const std::vector<ValueId> &outputs, std::vector<std::size_t> &loadInputs) {
    std::set<ValueId> needed(outputs.begin(), outputs.end());
    for (std::size_t i = nodes.size(); i-- > 0;)
      if (needed.contains(firstNode + static_cast<ValueId>(i)))
        needed.insert(nodes[i].operands.begin(), nodes[i].operands.end());
    ir::Graph graph;
    graph.name = whole.name + "_tables";
    std::unordered_map<ValueId, ValueId> places;
    for (ValueId value : needed) { // inputs first, then nodes in order
      if (value < firstNode) {
        places.emplace(value, static_cast<ValueId>(graph.inputs.size()));
        graph.inputs.push_back(whole.inputs[inputs[value]]);
        loadInputs.push_back(inputs[value]);
        continue;
      }
      ir::Node &node = nodes[value - firstNode];
      for (ValueId &operand : node.operands)
        operand = places.at(operand);
      places.emplace(value, graph.addNode(std::move(node)));
    }
    for (ValueId output : outputs)
      graph.outputs.push_back(places.at(output));
    return graph;
  }

private:
  static constexpr ValueId firstNode = ValueId{1} << 31;
  const ir::Graph &whole;
  std::vector<ValueId> inputs;
  std::vector<ir::Node> nodes;
  std::unordered_map<ValueId, ValueId> taken;
};

class Folding {
public:
  explicit Folding(const ir::Graph &graph) : graph(graph), load(graph) {
    users.resize(graph.inputs.size() + graph.nodes.size());
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      for (ValueId operand : graph.nodes[i].operands)
        users[operand].push_back(i);
    outputs.insert(graph.outputs.begin(), graph.outputs.end());
    for (const ir::Input &input : graph.inputs)
      isConstant.push_back(input.role == ir::Input::Role::weight);
    for (const ir::Node &node : graph.nodes)
      isConstant.push_back(isStatic(node.type.shape) &&
                           (node.operands.empty()
                                ? node.op == "constant" || node.op == "iota"
                                : std::all_of(node.operands.begin(), node.operands.end(),
                                              [&](ValueId id) { return isConstant[id]; })));
  }

  FoldedTables run() {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      if (graph.nodes[i].op == "gather")
        fold(i);
    FoldedTables result;
    if (folds.empty())
      return result;
    std::vector<ValueId> tables;
    for (auto &[last, fold] : folds) {
      auto place = std::find(tables.begin(), tables.end(), fold.table);
      fold.output = static_cast<std::size_t>(place - tables.begin());
      if (place == tables.end())
        tables.push_back(fold.table);
    }
    result.load = load.finish(tables, result.loadInputs);
    buildMain(result);
    return result;
  }

private:
  /// The rows of a folded table in the place of what a node computed.
  struct Fold {
    std::size_t gather;     // node of the graph
    ValueId table;          // in the load graph
    std::size_t output = 0; // of the load graph
  };

  ValueId idOf(std::size_t node) const { return static_cast<ValueId>(graph.inputs.size() + node); }

  void fold(std::size_t gather) {
    const ir::Node &node = graph.nodes[gather];
    ValueId source = node.operands[0], indices = node.operands[1];
    if (!isConstant[source] || isConstant[indices] || node.attributes.get<int64_t>("axis") != 0 ||
        node.attributes.find("total"))
      return;
    const int64_t indexRank = graph.type(indices).shape.rank();
    ValueId table = load.take(source);
    std::optional<Fold> found;
    std::size_t last = gather;
    for (std::size_t at = gather; users[idOf(at)].size() == 1 && !outputs.contains(idOf(at));) {
      ValueId rows = idOf(at);
      at = users[rows][0];
      std::optional<ValueId> next = onTable(at, rows, table, indexRank);
      if (!next)
        break;
      table = *next;
      // Without a product there is nothing to win: bytes instead of some arithmetic.
      if (graph.nodes[at].op == "matmul" || found) {
        found = Fold{gather, table};
        last = at;
      }
    }
    if (found)
      folds.emplace_back(last, *found);
  }

  /// The node, which reads `rows`, on the whole table instead; nothing if it does not treat each
  /// row alone or needs what no weight gives.
  std::optional<ValueId> onTable(std::size_t index, ValueId rows, ValueId table,
                                 int64_t indexRank) {
    ir::Node node = graph.nodes[index];
    const int64_t rowRank = graph.type(rows).shape.rank() - indexRank;
    if (std::count(node.operands.begin(), node.operands.end(), rows) != 1)
      return std::nullopt;
    for (ValueId operand : node.operands)
      if (operand != rows && !isConstant[operand])
        return std::nullopt;
    bool isFirst = node.operands[0] == rows;
    if (isElementwise(node.op)) {
      for (ValueId operand : node.operands)
        if (operand != rows && graph.type(operand).shape.rank() > rowRank)
          return std::nullopt;
    } else if (node.op == "matmul") {
      if (!isFirst || rowRank != 1 || graph.type(node.operands[1]).shape.rank() != 2)
        return std::nullopt;
    } else if (isAlongAnAxis(node.op)) {
      int64_t axis = node.attributes.get<int64_t>("axis");
      if (axis < indexRank)
        return std::nullopt;
      node.attributes.set("axis", axis - indexRank + 1);
    } else if (node.op == "dequantize" || node.op == "layer_norm") {
      if (!isFirst || rowRank < 1)
        return std::nullopt;
    } else {
      return std::nullopt;
    }
    std::vector<TensorType> types;
    for (ValueId &operand : node.operands) {
      operand = operand == rows ? table : load.take(operand);
      types.push_back(load.type(operand));
    }
    ir::Inferred inferred = ir::inferType(node.op, types, node.attributes);
    if (!inferred || !inferred.assumptions.empty() ||
        !isRowsOf(node.type, indexRank, inferred.type))
      return std::nullopt;
    node.type = std::move(inferred.type);
    return load.add(std::move(node));
  }

  /// Whether `rows` is [indices..., row] and `table` is [V, row], of one dtype.
  static bool isRowsOf(const TensorType &rows, int64_t indexRank, const TensorType &table) {
    return rows.dtype == table.dtype && isStatic(table.shape) &&
           rows.shape.rank() - indexRank == table.shape.rank() - 1 &&
           std::equal(table.shape.begin() + 1, table.shape.end(), rows.shape.begin() + indexRank);
  }

  /// The graph without what no output needs any more, with gathers of folded tables.
  void buildMain(FoldedTables &result) {
    const std::size_t numInputs = graph.inputs.size();
    std::unordered_map<std::size_t, const Fold *> foldAt;
    for (const auto &[last, fold] : folds)
      foldAt.emplace(last, &fold);
    auto operandsOf = [&](std::size_t node) {
      auto fold = foldAt.find(node);
      return fold == foldAt.end()
                 ? graph.nodes[node].operands
                 : std::vector<ValueId>{graph.nodes[fold->second->gather].operands[1]};
    };
    std::vector<bool> isNeeded(numInputs + graph.nodes.size(), false);
    for (ValueId output : graph.outputs)
      isNeeded[output] = true;
    for (std::size_t i = graph.nodes.size(); i-- > 0;)
      if (isNeeded[idOf(i)])
        for (ValueId operand : operandsOf(i))
          isNeeded[operand] = true;

    ir::Graph &main = result.main;
    main.name = graph.name;
    main.constraints = graph.constraints;
    std::vector<ValueId> places(numInputs + graph.nodes.size(), 0);
    for (std::size_t i = 0; i < numInputs; ++i) {
      if (graph.inputs[i].role == ir::Input::Role::weight && !isNeeded[i])
        continue;
      places[i] = static_cast<ValueId>(main.inputs.size());
      result.mainInputs.push_back(i);
      main.inputs.push_back(graph.inputs[i]);
    }
    const auto firstTable = static_cast<ValueId>(main.inputs.size());
    for (std::size_t i = 0; i < result.load.outputs.size(); ++i)
      main.inputs.push_back({ir::Input::Role::weight, "folded table " + std::to_string(i),
                             result.load.type(result.load.outputs[i])});
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (!isNeeded[idOf(i)])
        continue;
      ir::Node node = graph.nodes[i];
      std::vector<ValueId> operands;
      if (auto found = foldAt.find(i); found != foldAt.end()) {
        const Fold &fold = *found->second;
        TensorType type = std::move(node.type);
        node = graph.nodes[fold.gather];
        node.type = std::move(type);
        operands.push_back(static_cast<ValueId>(firstTable + fold.output));
      }
      for (ValueId operand : operandsOf(i))
        operands.push_back(places[operand]);
      node.operands = std::move(operands);
      places[idOf(i)] = main.addNode(std::move(node));
    }
    for (ValueId output : graph.outputs)
      main.outputs.push_back(places[output]);
  }

  const ir::Graph &graph;
  LoadGraph load;
  std::vector<std::vector<std::size_t>> users; // of each value: nodes
  std::set<ValueId> outputs;
  std::vector<bool> isConstant;                    // of each value
  std::vector<std::pair<std::size_t, Fold>> folds; // by the node whose result they are
};

} // namespace

FoldedTables foldTables(const ir::Graph &graph) { return Folding(graph).run(); }

} // namespace kiln::detail
