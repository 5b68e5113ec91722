#include "ir/ShapeRules.h"

#include "ir/ShapeRulesFamilies.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <unordered_map>

namespace kiln::ir {

using namespace rules;

namespace {

struct Entry {
  OpArity arity;
  Rule rule;
};

const std::unordered_map<std::string_view, Entry> &table() {
  static const std::unordered_map<std::string_view, Entry> entries = {
#define KILN_UNARY(op, kind)                                                                       \
  {#op, {{1, 1}, [](const Use &use) { return unary(use, DTypes::kind); }}},
#define KILN_BINARY(op, kind)                                                                      \
  {#op, {{2, 2}, [](const Use &use) { return binary(use, DTypes::kind); }}},
#include "ir/Elementwise.def"
      {"select", {{3, 3}, select}},
      {"cast", {{1, 1}, cast}},
      {"constant", {{0, 0}, constant}},
      {"iota", {{0, 0}, iota}},
      {"size", {{0, 0}, rules::size}},
      {"broadcast_to", {{1, 1}, broadcastTo}},
      {"reshape", {{1, 1}, reshape}},
      {"permute", {{1, 1}, permute}},
      {"slice", {{1, 1}, slice}},
      {"windows", {{1, 1}, windows}},
      {"rebind", {{1, 1}, rebind}},
      {"concat", {{1, -1}, concat}},
      {"gather", {{2, 2}, gather}},
      {"scatter", {{3, 3}, scatter}},
      {"gather_elements", {{2, 2}, gatherElements}},
      {"scatter_elements", {{3, 3}, scatterElements}},
      {"all_reduce", {{1, 1}, allReduce}},
      {"all_gather", {{1, 1}, allGather}},
      {"local_slice", {{1, 1}, localSlice}},
      {"dequantize", {{1, 1}, dequantize}},
      {"matmul", {{2, 2}, matmul}},
      {"linear", {{2, -1}, linear}},
      {"attention", {{3, 4}, attention}},
      {"sum", {{1, 1}, sum}},
      {"prod", {{1, 1}, sum}},
      {"mean", {{1, 1}, mean}},
      {"max", {{1, 1}, extremum}},
      {"min", {{1, 1}, extremum}},
      {"argmax", {{1, 1}, argExtremum}},
      {"argmin", {{1, 1}, argExtremum}},
      {"softmax", {{1, 1}, softmax}},
      {"cumsum", {{1, 1}, cumsum}},
      {"argsort", {{1, 1}, argsort}},
      {"layer_norm", {{1, 3}, layerNorm}},
  };
  return entries;
}

/// C0 of every operation.
void checkOperands(const OpArity &arity, std::span<const TensorType> operands) {
  auto count = static_cast<int>(operands.size());
  if (count < arity.min || (arity.max >= 0 && count > arity.max)) {
    std::string expected = arity.max < 0            ? fmt::format("at least {}", arity.min)
                           : arity.min == arity.max ? fmt::format("{}", arity.min)
                                                    : fmt::format("{} to {}", arity.min, arity.max);
    fail(ErrorKind::type, "C0", "expected {} operands, got {}", expected, count);
  }
  for (const TensorType &operand : operands)
    if (operand.device != operands[0].device)
      fail(ErrorKind::value, "C0", "operands must be on the same device: {} on {}, {} on {}",
           operands[0].str(), operands[0].device.str(), operand.str(), operand.device.str());
}

Inferred failure(ErrorKind kind, std::string message, std::string label) {
  Inferred inferred;
  inferred.error = kind;
  inferred.message = std::move(message);
  inferred.label = std::move(label);
  return inferred;
}

/// The algebra of dims speaks for itself as "[Dim] …"; here it speaks for the operation.
std::string withoutBrackets(std::string_view message) {
  std::size_t end = message.starts_with('[') ? message.find("] ") : std::string_view::npos;
  return std::string(end == std::string_view::npos ? message : message.substr(end + 2));
}

} // namespace

std::vector<Inferred> inferTypes(std::string_view op, std::span<const TensorType> operands,
                                 const Attributes &attributes) {
  auto found = table().find(op);
  if (found == table().end())
    throw std::logic_error("unknown operation " + std::string(op));
  std::vector<Constraint> assumptions;
  std::vector<std::string> notes;
  std::vector<Inferred> results;
  try {
    checkOperands(found->second.arity, operands);
    for (TensorType &type : found->second.rule({operands, attributes, assumptions, notes}))
      results.emplace_back().type = std::move(type);
    notes.resize(assumptions.size());
    results[0].assumptions = std::move(assumptions);
    results[0].notes = std::move(notes);
    return results;
  } catch (const Violation &violation) {
    return {failure(violation.kind, violation.message, violation.label)};
  } catch (const TypeError &error) { // dims that grow beyond int64, negative dims
    return {failure(ErrorKind::type, withoutBrackets(error.what()), "C0")};
  } catch (const Error &error) {
    return {failure(ErrorKind::value, withoutBrackets(error.what()), "C0")};
  } catch (const std::bad_variant_access &) {
    throw std::logic_error("an attribute of " + std::string(op) + " is of another type");
  }
}

Inferred inferType(std::string_view op, std::span<const TensorType> operands,
                   const Attributes &attributes) {
  return std::move(inferTypes(op, operands, attributes).front());
}

const OpArity *findOp(std::string_view op) {
  auto found = table().find(op);
  return found == table().end() ? nullptr : &found->second.arity;
}

std::vector<std::string_view> allOps() {
  std::vector<std::string_view> names;
  for (const auto &[name, entry] : table())
    names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

Inferred broadcastShapes(std::span<const Shape> shapes) {
  int64_t rank = 0;
  for (const Shape &shape : shapes)
    rank = std::max(rank, shape.rank());
  std::vector<Dim> dims(static_cast<std::size_t>(rank), 1);
  for (const Shape &shape : shapes) {
    for (int64_t axis = -shape.rank(); axis < 0; ++axis) {
      Dim &dim = dims[static_cast<std::size_t>(rank + axis)];
      if (dim == 1)
        dim = shape[axis];
      else if (shape[axis] != 1 && shape[axis] != dim)
        return failure(ErrorKind::value,
                       fmt::format("shapes do not broadcast at axis {}: {} and {}", axis, dim.str(),
                                   shape[axis].str()),
                       "");
    }
  }
  Inferred inferred;
  inferred.type.shape = Shape(std::move(dims));
  return inferred;
}

std::vector<Constraint> allConstraints(const Graph &graph) {
  std::vector<Constraint> constraints;
  auto add = [&](const Constraint &constraint) {
    if (std::find(constraints.begin(), constraints.end(), constraint) == constraints.end())
      constraints.push_back(constraint);
  };
  std::for_each(graph.constraints.begin(), graph.constraints.end(), add);
  std::vector<TensorType> operands;
  for (const Node &node : graph.nodes) {
    operands.clear();
    for (ValueId operand : node.operands)
      operands.push_back(graph.type(operand));
    for (const Constraint &constraint : inferType(node.op, operands, node.attributes).assumptions)
      add(constraint);
  }
  return constraints;
}

bool isNonNegative(const Dim &dim) {
  using Kind = Dim::Step::Kind;
  if (dim.isStatic())
    return dim.value() >= 0;
  std::vector<bool> stack; // sizes are at least 0, and what grows out of them without a minus
  for (const Dim::Step &step : dim.program()) {
    if (step.kind == Kind::number || step.kind == Kind::name) {
      stack.push_back(step.kind == Kind::name || step.number >= 0);
      continue;
    }
    bool right = stack.back();
    stack.pop_back();
    stack.back() = stack.back() && right;
  }
  return stack.back();
}

namespace rules {

std::string show(std::string_view name, const TensorType &type) {
  return fmt::format("{} {}", name, type.str());
}

std::string show(std::string_view x, const TensorType &xType, std::string_view y,
                 const TensorType &yType) {
  return show(x, xType) + ", " + show(y, yType);
}

int64_t axisOf(const Use &use, const TensorType &x, std::string_view name, const char *label) {
  auto axis = use.attributes.get<int64_t>("axis");
  if (axis < 0 || axis >= x.rank())
    fail(ErrorKind::index, label, "axis {} is out of range for {}", axis, show(name, x));
  return axis;
}

void requireFloat(const TensorType &x, std::string_view name, const char *label) {
  if (!isFloat(x.dtype))
    fail(ErrorKind::type, label, "expected a float dtype: {}", show(name, x));
}

void requireNumber(const TensorType &x, std::string_view name, const char *label) {
  if (x.dtype == DType::boolean)
    fail(ErrorKind::type, label, "expected numbers, not booleans: {}", show(name, x));
}

void requireSameDType(const TensorType &x, std::string_view xName, const TensorType &y,
                      std::string_view yName, const char *label) {
  if (x.dtype != y.dtype)
    fail(ErrorKind::type, label, "dtypes differ: {}", show(xName, x, yName, y));
}

bool assumeNonNegative(const Use &use, const Dim &dim) {
  if (isNonNegative(dim))
    return true;
  if (dim.isStatic())
    return false;
  use.assumptions.push_back(dim.between(0, std::numeric_limits<int64_t>::max()));
  return true;
}

void requireNonNegative(const Use &use, const Shape &shape, const char *label) {
  std::size_t known = use.assumptions.size();
  for (const Dim &dim : shape)
    if (!assumeNonNegative(use, dim))
      fail(ErrorKind::type, label, "dimensions must be non-negative: {}", shape.str());
  explain(use, known, [&] { return "dimensions must be non-negative: " + shape.str(); });
}

std::optional<AxisPair> findUnbroadcastable(const Shape &from, const Shape &to) {
  int64_t added = to.rank() - from.rank();
  for (int64_t axis = 0; axis < from.rank(); ++axis)
    if (from[axis] != 1 && from[axis] != to[axis + added])
      return AxisPair{axis, axis + added};
  return std::nullopt;
}

} // namespace rules
} // namespace kiln::ir
