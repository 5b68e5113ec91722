#include "frontend/Symbolise.h"

#include "frontend/Locations.h"
#include "frontend/Sharding.h"
#include "frontend/SymboliseRules.h"
#include "ir/ShapeRules.h"

#include <algorithm>
#include <fmt/format.h>

namespace kiln::detail {

namespace {

/// Whether operand `index` of a node is one that stays from call to call: the right operand of a
/// product with a matrix, a table, the parameters of a norm.
bool isWeightOperand(const PendingGraph &pending, const Node &node, std::size_t index,
                     ir::ValueId operand) {
  if (node.op == "matmul")
    return index == 1 && pending.value(operand).type().rank() == 2;
  if (node.op == "gather") // along another axis it picks from what is computed
    return index == 0 && node.attributes.get<int64_t>("axis") == 0 && node.hints.empty();
  return node.op == "layer_norm" && index > 0;
}

/// The leaves that are used as weights, through permutations, conversions, decoding and as matrices
/// made of filters, and in no other way.
std::vector<bool> findWeights(const PendingGraph &pending) {
  std::size_t numLeaves = pending.leaves.size();
  std::vector<bool> asWeight(numLeaves + pending.nodes.size()), otherwise(asWeight.size());
  for (ir::ValueId output : pending.outputs)
    otherwise[output] = true;
  for (std::size_t i = pending.nodes.size(); i-- > 0;) {
    const Node &node = *pending.nodes[i];
    bool isFilter = node.op == "reshape" && node.type().rank() == 2 &&
                    pending.value(pending.operands[i][0]).type().rank() > 2;
    bool isPassedOn =
        node.op == "permute" || node.op == "cast" || node.op == "dequantize" || isFilter;
    for (std::size_t k = 0; k < pending.operands[i].size(); ++k) {
      ir::ValueId operand = pending.operands[i][k];
      bool isWeight = isWeightOperand(pending, node, k, operand);
      asWeight[operand] = asWeight[operand] || (isPassedOn ? asWeight[numLeaves + i] : isWeight);
      otherwise[operand] =
          otherwise[operand] || (isPassedOn ? otherwise[numLeaves + i] : !isWeight);
    }
  }
  std::vector<bool> result(numLeaves);
  for (std::size_t i = 0; i < numLeaves; ++i)
    result[i] = (asWeight[i] && !otherwise[i]) || pending.leaves[i]->sharding;
  return result;
}

ir::Graph skeleton(const PendingGraph &pending, const std::vector<bool> &isWeight) {
  ir::Graph graph;
  std::size_t arguments = 0, weights = 0;
  for (std::size_t i = 0; i < pending.leaves.size(); ++i) {
    auto role = isWeight[i] ? ir::Input::Role::weight : ir::Input::Role::argument;
    std::string name =
        isWeight[i] ? fmt::format("weight {}", weights++) : fmt::format("argument {}", arguments++);
    graph.inputs.push_back({role, std::move(name), pending.leaves[i]->type()});
  }
  for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
    const Node &node = *pending.nodes[i];
    graph.nodes.push_back(
        {std::string(node.op), pending.operands[i], node.attributes, node.type(), nodeLocation(i)});
  }
  graph.outputs = pending.outputs;
  splitInputs(graph, pending);
  return graph;
}

/// Infers all types anew from those of the inputs. False if the rules refuse, or if a type at the
/// actual sizes is not the recorded one.
bool inferAll(ir::Graph &graph, const PendingGraph &pending, const DimBindings &bindings) {
  std::vector<TensorType> types;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    ir::Node &node = graph.nodes[i];
    types.clear();
    for (ir::ValueId operand : node.operands)
      types.push_back(graph.type(operand));
    ir::Inferred inferred = ir::inferType(node.op, types, node.attributes);
    const TensorType &recorded = pending.nodes[i]->type();
    if (!inferred || inferred.type.dtype != recorded.dtype ||
        inferred.type.device != node.type.device ||
        inferred.type.shape.evaluate(bindings) != recorded.shape.sizes())
      return false;
    for (Constraint &constraint : inferred.assumptions) {
      int64_t value = constraint.dim.evaluate(bindings);
      if (constraint.kind == Constraint::Kind::between
              ? value < constraint.low || value > constraint.high
              : value % constraint.low != 0)
        return false;
      if (std::find(graph.constraints.begin(), graph.constraints.end(), constraint) ==
          graph.constraints.end())
        graph.constraints.push_back(std::move(constraint));
    }
    node.type = std::move(inferred.type);
  }
  return true;
}

class Symboliser {
public:
  explicit Symboliser(const PendingGraph &pending) : pending(pending) {}

  bool run(ir::Graph &graph) {
    std::vector<bool> isWeight = findWeights(pending);
    for (std::size_t i = 0; i < pending.leaves.size(); ++i) {
      values.emplace_back();
      for (int64_t size : pending.leaves[i]->type().shape.sizes())
        values.back().push_back(isWeight[i] ? Dim(size) : solver.fresh(size));
    }
    std::vector<SymbolicNode> nodes;
    for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
      std::vector<Dims> operands;
      for (ir::ValueId id : pending.operands[i]) {
        operands.push_back(values[id]);
        for (Dim &dim : operands.back())
          dim = solver.resolve(dim);
      }
      const Node &node = *pending.nodes[i];
      nodes.push_back(symboliseNode(solver, node, operands, node.type().shape.sizes()));
      values.push_back(nodes.back().result);
    }
    solver.finish();

    graph = skeleton(pending, isWeight);
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      const TensorType &type = pending.leaves[i]->type();
      graph.inputs[i].type =
          TensorType(type.dtype, nameInput(values[i]), graph.inputs[i].type.device);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (auto &[name, dims] : nodes[i].attributes)
        graph.nodes[i].attributes.set(name, Shape(rename(dims)));
    return inferAll(graph, pending, bindings);
  }

private:
  /// Names count in the order of the inputs, so that equal programs have equal names.
  Shape nameInput(const Dims &dims) {
    for (const Dim &dim : dims)
      if (Dim known = solver.resolve(dim); known.isName() && !renamed.contains(known.str())) {
        std::string name = fmt::format("s{}", renamed.size());
        bindings.emplace(name, solver.value(known));
        renamed.emplace(known.str(), Dim(std::string_view(name)));
      }
    return Shape(rename(dims));
  }

  Dims rename(const Dims &dims) const {
    Dims result;
    for (const Dim &dim : dims)
      result.push_back(solver.resolve(dim).substitute(renamed));
    return result;
  }

  const PendingGraph &pending;
  DimSolver solver;
  std::vector<Dims> values;
  std::map<std::string, Dim, std::less<>> renamed;
  DimBindings bindings;
};

} // namespace

ir::Graph staticGraph(const PendingGraph &pending) {
  return skeleton(pending, findWeights(pending));
}

ir::Graph symbolicGraph(const PendingGraph &pending) {
  ir::Graph graph;
  try {
    if (Symboliser(pending).run(graph))
      return graph;
  } catch (const ValueError &) { // a size that overflows as an expression
  } catch (const KeyError &) {   // a name that no input has
  }
  return staticGraph(pending);
}

} // namespace kiln::detail
