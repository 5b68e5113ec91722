#include "test/unit/random/Shrink.h"

#include "ir/ShapeRules.h"
#include "test/unit/random/Element.h"

#include <algorithm>
#include <set>

namespace kiln::test {

using ir::Graph;
using ir::ValueId;

std::optional<Graph> inferAgain(Graph graph) {
  for (ir::Node &node : graph.nodes) {
    std::vector<TensorType> operands;
    for (ValueId operand : node.operands)
      operands.push_back(graph.type(operand));
    ir::Inferred inferred = ir::inferType(node.op, operands, node.attributes);
    if (!inferred)
      return std::nullopt;
    node.type = inferred.type;
  }
  return graph;
}

namespace {

/// Without the nodes and inputs that no output needs.
Program withoutDead(const Program &program) {
  const Graph &graph = program.graph;
  std::vector<bool> isUsed(graph.inputs.size() + graph.nodes.size());
  for (ValueId output : graph.outputs)
    isUsed[output] = true;
  for (std::size_t i = graph.nodes.size(); i-- > 0;)
    if (isUsed[graph.inputs.size() + i])
      for (ValueId operand : graph.nodes[i].operands)
        isUsed[operand] = true;

  Program result;
  result.graph.name = graph.name;
  result.cases.resize(program.cases.size());
  for (std::size_t c = 0; c < program.cases.size(); ++c)
    result.cases[c].bindings = program.cases[c].bindings;
  std::vector<ValueId> moved(isUsed.size());
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (!isUsed[i])
      continue;
    moved[i] = static_cast<ValueId>(result.graph.inputs.size());
    result.graph.inputs.push_back(graph.inputs[i]);
    for (std::size_t c = 0; c < program.cases.size(); ++c)
      result.cases[c].inputs.push_back(program.cases[c].inputs[i]);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!isUsed[graph.inputs.size() + i])
      continue;
    ir::Node node = graph.nodes[i];
    for (ValueId &operand : node.operands)
      operand = moved[operand];
    moved[graph.inputs.size() + i] = result.graph.addNode(std::move(node));
  }
  for (ValueId output : graph.outputs)
    result.graph.outputs.push_back(moved[output]);
  return result;
}

/// With numbers for names.
Program withNumbers(const Program &program) {
  Program result = program;
  const DimBindings &sizes = program.cases[0].bindings;
  auto numbers = [&](const Shape &shape) {
    return Shape(std::span<const int64_t>(shape.evaluate(sizes)));
  };
  for (ir::Input &input : result.graph.inputs)
    input.type.shape = numbers(input.type.shape);
  for (ir::Node &node : result.graph.nodes) {
    for (const auto &[name, value] : ir::Attributes(node.attributes))
      if (const auto *shape = std::get_if<Shape>(&value))
        node.attributes.set(name, numbers(*shape));
    node.type.shape = numbers(node.type.shape);
  }
  return result;
}

/// The leading part of contents, in a smaller shape of the same rank.
ir::DenseData leadingPart(const ir::DenseData &tensor, const std::vector<int64_t> &sizes) {
  ir::DenseData part;
  part.type = TensorType(tensor.type.dtype, Shape(std::span<const int64_t>(sizes)), CPU());
  std::size_t size = sizeBytes(tensor.type.dtype);
  std::vector<int64_t> from = tensor.type.shape.sizes(), at(sizes.size(), 0);
  auto count = static_cast<std::size_t>(part.type.shape.numElements().value());
  for (std::size_t i = 0; i < count; ++i) {
    int64_t offset = 0;
    for (std::size_t axis = 0; axis < at.size(); ++axis)
      offset = offset * from[axis] + at[axis];
    const std::byte *element = tensor.bytes.data() + static_cast<std::size_t>(offset) * size;
    part.bytes.insert(part.bytes.end(), element, element + size);
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < sizes[axis])
        break;
      at[axis] = 0;
    }
  }
  return part;
}

/// With `to` in the place of every size `from` (a number, or the value of a name): contents become
/// their leading parts. None where the operations do not allow that.
std::optional<Program> withSize(const Program &program, const Dim &from, int64_t to) {
  Program result = program;
  if (!from.isStatic())
    result.cases[0].bindings[from.str()] = to;
  auto change = [&](const Shape &shape) {
    std::vector<Dim> dims(shape.begin(), shape.end());
    if (from.isStatic())
      std::replace(dims.begin(), dims.end(), from, Dim(to));
    return Shape(dims);
  };
  for (std::size_t i = 0; i < result.graph.inputs.size(); ++i) {
    ir::Input &input = result.graph.inputs[i];
    input.type.shape = change(input.type.shape);
    ir::DenseData &contents = result.cases[0].inputs[i];
    std::vector<int64_t> sizes = input.type.shape.evaluate(result.cases[0].bindings);
    for (std::size_t axis = 0; axis < sizes.size(); ++axis)
      if (sizes[axis] > contents.type.shape[static_cast<int64_t>(axis)].value())
        return std::nullopt;
    contents = leadingPart(contents, sizes);
  }
  for (ir::Node &node : result.graph.nodes)
    for (const auto &[name, value] : ir::Attributes(node.attributes)) {
      if (const auto *shape = std::get_if<Shape>(&value)) {
        node.attributes.set(name, change(*shape));
      } else if (const auto *data = std::get_if<std::shared_ptr<const ir::DenseData>>(&value)) {
        Shape sizes = change((*data)->type.shape);
        node.attributes.set(
            name, std::make_shared<const ir::DenseData>(leadingPart(**data, sizes.sizes())));
      }
    }
  auto graph = inferAgain(result.graph);
  if (!graph)
    return std::nullopt;
  result.graph = std::move(*graph);
  return result;
}

class Shrinker {
public:
  Shrinker(Program program, const Check &check) : best(std::move(program)), check(check) {}

  Program run() {
    keepOneCase();
    keepOneOutput();
    accept(withNumbers(best));
    for (bool isBetter = true; isBetter;) {
      isBetter = cutBehind();
      isBetter |= replaceOperandsByInputs();
      isBetter |= replaceByOperands();
      isBetter |= shrinkSizes();
    }
    simplifyContents();
    return best;
  }

private:
  bool fails(const Program &program) const {
    try {
      return check(program).has_value();
    } catch (const std::exception &) { // the interpreter refuses
      return false;
    }
  }
  bool accept(const Program &candidate) {
    if (!fails(candidate))
      return false;
    best = candidate;
    return true;
  }

  void keepOneCase() {
    for (std::size_t i = 0; i < best.cases.size() && best.cases.size() > 1; ++i) {
      Program candidate = best;
      candidate.cases = {best.cases[i]};
      if (accept(candidate))
        return;
    }
  }

  void keepOneOutput() {
    for (ValueId output : std::vector<ValueId>(best.graph.outputs)) {
      Program candidate = best;
      candidate.graph.outputs = {output};
      if (accept(withoutDead(candidate)))
        return;
    }
  }

  /// The first node that fails as the only output.
  bool cutBehind() {
    for (ValueId node : allNodes(best.graph)) {
      if (best.graph.outputs == std::vector<ValueId>{node})
        return false;
      Program candidate = best;
      candidate.graph.outputs = {node};
      if (accept(withoutDead(candidate)))
        return true;
    }
    return false;
  }

  /// Values that are computed become inputs with the interpreter's contents: all operands of the
  /// last node at once, else one node after the other, from the last on.
  bool replaceOperandsByInputs() {
    if (best.cases.size() != 1 || best.graph.nodes.empty())
      return false;
    std::set<ValueId> all;
    for (ValueId operand : best.graph.nodes.back().operands)
      if (operand >= best.graph.inputs.size())
        all.insert(operand);
    if (!all.empty() && acceptInputsFor(all))
      return true;
    bool isBetter = false;
    for (std::size_t i = best.graph.nodes.size(); i-- > 0;) {
      auto id = static_cast<ValueId>(best.graph.inputs.size() + i);
      if (i < best.graph.nodes.size() && best.graph.outputs != std::vector<ValueId>{id})
        isBetter |= acceptInputsFor({id});
    }
    return isBetter;
  }

  bool acceptInputsFor(const std::set<ValueId> &values) {
    Program candidate = best;
    Expected contents;
    try {
      contents = interpret(withOutputs(best.graph, {values.begin(), values.end()}), best.cases[0]);
    } catch (const std::exception &) {
      return false;
    }
    // New inputs come behind the others: all ids of nodes move.
    auto first = static_cast<ValueId>(best.graph.inputs.size());
    auto added = static_cast<ValueId>(values.size());
    std::vector<ValueId> moved(first + best.graph.nodes.size());
    for (ValueId id = 0; id < moved.size(); ++id)
      moved[id] = id < first ? id : id + added;
    std::size_t next = 0;
    for (ValueId value : values) {
      moved[value] = static_cast<ValueId>(candidate.graph.inputs.size());
      TensorType type = best.graph.type(value);
      for (const Dim &dim : type.shape)
        if (dim.isAlgebraic())
          return false;
      candidate.graph.inputs.push_back({ir::Input::Role::argument, "value", type});
      candidate.cases[0].inputs.push_back(contents.outputs[next++]);
    }
    for (ir::Node &node : candidate.graph.nodes)
      for (ValueId &operand : node.operands)
        operand = moved[operand];
    for (ValueId &output : candidate.graph.outputs)
      output = moved[output];
    return accept(withoutDead(candidate));
  }

  bool replaceByOperands() {
    bool isBetter = false;
    for (std::size_t i = best.graph.nodes.size(); i-- > 0;) {
      if (i >= best.graph.nodes.size())
        continue;
      auto id = static_cast<ValueId>(best.graph.inputs.size() + i);
      for (ValueId operand : std::vector<ValueId>(best.graph.nodes[i].operands)) {
        if (best.graph.type(operand) != best.graph.type(id))
          continue;
        Program candidate = best;
        for (ir::Node &node : candidate.graph.nodes)
          std::replace(node.operands.begin(), node.operands.end(), id, operand);
        std::replace(candidate.graph.outputs.begin(), candidate.graph.outputs.end(), id, operand);
        if (candidate.graph.outputs[0] < candidate.graph.inputs.size())
          continue;
        if (accept(withoutDead(candidate))) {
          isBetter = true;
          break;
        }
      }
    }
    return isBetter;
  }

  bool shrinkSizes() {
    if (best.cases.size() != 1)
      return false;
    bool isBetter = false;
    std::set<Dim> dims;
    for (const ir::Input &input : best.graph.inputs)
      for (const Dim &dim : input.type.shape)
        dims.insert(dim);
    for (const Dim &dim : dims) {
      int64_t size = dim.evaluate(best.cases[0].bindings);
      std::set<int64_t> smaller{0, 1, 2, 3, 4, size / 2, size - 1};
      for (int64_t to : smaller) {
        if (to < 0 || to >= size)
          continue;
        auto candidate = withSize(best, dim, to);
        if (candidate && accept(*candidate)) {
          isBetter = true;
          break;
        }
      }
    }
    return isBetter;
  }

  /// Zeros or ones where they do; else as many single zeros as do, in small tensors.
  void simplifyContents() {
    if (best.cases.size() != 1)
      return;
    for (std::size_t i = 0; i < best.graph.inputs.size(); ++i) {
      auto attempt = [&](std::size_t begin, std::size_t end, double value) {
        Program candidate = best;
        for (std::size_t j = begin; j < end; ++j)
          storeElement(candidate.cases[0].inputs[i], j, value);
        return accept(candidate);
      };
      std::size_t count = numElements(best.cases[0].inputs[i]);
      if (attempt(0, count, 0) || attempt(0, count, 1))
        continue;
      constexpr std::size_t mostElements = 32;
      for (std::size_t j = 0; j < count && count <= mostElements; ++j)
        attempt(j, j + 1, 0);
    }
  }

  Program best;
  const Check &check;
};

} // namespace

Program shrink(Program program, const Check &check) {
  return Shrinker(std::move(program), check).run();
}

} // namespace kiln::test
