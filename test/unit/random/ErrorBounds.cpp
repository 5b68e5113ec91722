#include "test/unit/random/ErrorBounds.h"

#include "ir/ShapeRules.h"
#include "test/unit/random/BoundRules.h"
#include "test/unit/random/Element.h"

#include <cfloat>
#include <limits>
#include <map>
#include <stdexcept>

namespace kiln::test {

static constexpr double infinity = std::numeric_limits<double>::infinity();

double unitOfArithmetic(DType dtype) { return dtype == DType::float64 ? 0x1p-52 : 0x1p-23; }
double mostOfArithmetic(DType dtype) { return dtype == DType::float64 ? DBL_MAX : FLT_MAX; }
double leastOfArithmetic(DType dtype) {
  return dtype == DType::float64 ? DBL_TRUE_MIN : FLT_TRUE_MIN;
}

/// The step from 1 to the next number, the largest and the smallest number of a dtype.
struct Format {
  double unit, most, least;
};
static Format formatOf(DType dtype) {
  switch (dtype) {
  case DType::float16:
    return {0x1p-10, 65504, 0x1p-24};
  case DType::bfloat16:
    return {0x1p-7, 0x1.fep127, 0x1p-133};
  default:
    return {unitOfArithmetic(dtype), mostOfArithmetic(dtype), leastOfArithmetic(dtype)};
  }
}

double unitOf(DType dtype) { return formatOf(dtype).unit; }

BoundRules::BoundRules(const ir::Graph &original)
    : graph(original), bounds(original.inputs.size()) {}

BoundRules::Id BoundRules::op(std::string name, std::vector<Id> operands,
                              ir::Attributes attributes) {
  std::vector<TensorType> types;
  for (Id operand : operands)
    types.push_back(graph.type(operand));
  ir::Inferred inferred = ir::inferType(name, types, attributes);
  if (!inferred)
    throw std::logic_error("a bound: " + name + ": " + inferred.message);
  return graph.addNode(
      {std::move(name), std::move(operands), std::move(attributes), inferred.type, ""});
}

BoundRules::Id BoundRules::number(double value) {
  auto [found, isNew] = numbers.try_emplace(value);
  if (isNew) {
    auto data = std::make_shared<ir::DenseData>();
    data->type = TensorType(DType::float64, Shape{}, CPU());
    data->bytes.resize(sizeof(double));
    storeElement(*data, 0, value);
    found->second = op("constant", {}, {{"value", std::shared_ptr<const ir::DenseData>(data)}});
  }
  return found->second;
}

BoundRules::Id BoundRules::real(Id value) {
  if (graph.type(value).dtype == DType::float64)
    return value;
  auto [found, isNew] = reals.try_emplace(value);
  if (isNew)
    found->second = op("cast", {value}, {{"dtype", DType::float64}});
  return found->second;
}

BoundRules::Id BoundRules::isFinite(Id x) { return op("lt", {abs(x), number(infinity)}); }
BoundRules::Id BoundRules::finitePart(Id x) { return pick(isFinite(x), abs(x), number(0)); }
BoundRules::Id BoundRules::orInfinite(Id x) {
  return pick(op("ge", {x, number(0)}), x, number(infinity));
}
BoundRules::Id BoundRules::times(Id bound, Id value) {
  return pick(op("eq", {bound, number(0)}), number(0), orInfinite(mul(bound, abs(value))));
}
BoundRules::Id BoundRules::size(const Dim &dim) {
  return real(op("size", {}, {{"dim", Shape{dim}}}));
}
BoundRules::Id BoundRules::maxAlong(Id x, int64_t axis) { // 0 for none
  Dim count = graph.type(x).shape[axis];
  if (count.isStatic() && count.value() > 0)
    return op("max", {x}, {{"axis", axis}});
  std::vector<Dim> dims(graph.type(x).shape.begin(), graph.type(x).shape.end());
  dims[static_cast<std::size_t>(axis)] = 1;
  Id zero = spread(number(0), Shape(dims));
  return op("max", {op("concat", {x, zero}, {{"axis", axis}})}, {{"axis", axis}});
}
BoundRules::Id BoundRules::spread(Id x, const Shape &shape) {
  return graph.type(x).shape == shape ? x : op("broadcast_to", {x}, {{"shape", shape}});
}

bool BoundRules::isExact(const ir::Node &node) const {
  for (Id operand : node.operands)
    if (bound(operand))
      return false;
  return true;
}

BoundRules::Bound BoundRules::plus(BoundRules &rules, const Bound &x, const Bound &y) {
  return x && y ? rules.add(*x, *y) : x ? x : y;
}

BoundRules::Bound BoundRules::unknownWhere(const ir::Node &, const Bound &bound) {
  if (!bound)
    return std::nullopt;
  return pick(op("eq", {*bound, number(0)}), number(0), number(infinity));
}

BoundRules::Bound BoundRules::rounded(const ir::Node &node, Id exact, const Bound &carried,
                                      const Bound &added) {
  if (!carried && !added)
    return std::nullopt;
  Format format = formatOf(node.type.dtype);
  Id before = *plus(carried, added), magnitude = abs(exact);
  Id after =
      add(add(before, mul(add(magnitude, before), number(format.unit))), number(2 * format.least));
  // Near the largest number a small difference makes an infinity of it; well beyond, it is one.
  Id mayOverflow = op("gt", {add(magnitude, after), number(format.most)});
  Id doesOverflow = op("gt", {sub(magnitude, after), number(format.most * (1 + format.unit))});
  after = pick(mayOverflow, pick(doesOverflow, number(0), number(infinity)), after);
  // Infinities and NaN are what they are, if they do not come from what is uncertain.
  Id isUncertain = op("eq", {before, number(infinity)});
  if (carried)
    isUncertain = op("or", {isUncertain, op("ne", {*carried, number(0)})});
  after = pick(isFinite(exact), after, pick(isUncertain, number(infinity), number(0)));
  if (!added) // an exact operation on exact operands
    after = pick(op("eq", {*carried, number(0)}), number(0), after);
  return orInfinite(after);
}

BoundRules::Id BoundRules::accumulated(const ir::Node &node, Id n, Id total) {
  DType dtype = node.type.dtype;
  Id error = mul(mul(add(n, number(2)), number(unitOfArithmetic(dtype))), total);
  error = add(error, mul(add(n, number(1)), number(leastOfArithmetic(dtype)))); // underflow
  // Sums in another order may overflow on the way.
  return pick(op("lt", {total, number(mostOfArithmetic(dtype) / 2)}), error, number(infinity));
}

void BoundRules::visit(std::size_t index) {
  const ir::Node node = graph.nodes[index];
  Rule rule = findRule(node.op);
  if (!rule)
    throw std::logic_error("test/unit/random/ErrorBounds.cpp has no rule for " + node.op);
  Bound result = (this->*rule)(node);
  if (result)
    result = spread(*result, node.type.shape);
  bounds.push_back(result);
}

BoundRules::Rule BoundRules::findRule(const std::string &op) {
  using R = BoundRules;
  static const std::map<std::string, Rule> rules{
      {"neg", &R::keeps},
      {"abs", &R::keeps},
      {"relu", &R::keeps},
      {"not", &R::integers},
      {"and", &R::integers},
      {"or", &R::integers},
      {"xor", &R::integers},
      {"is_nan", &R::classifies},
      {"is_inf", &R::classifies},
      {"floor", &R::step},
      {"ceil", &R::step},
      {"round", &R::step},
      {"trunc", &R::step},
      {"exp", &R::function},
      {"log", &R::function},
      {"log1p", &R::function},
      {"sqrt", &R::function},
      {"rsqrt", &R::function},
      {"sin", &R::function},
      {"cos", &R::function},
      {"tanh", &R::function},
      {"erf", &R::function},
      {"gelu", &R::function},
      {"gelu_tanh", &R::function},
      {"gelu_quick", &R::function},
      {"silu", &R::function},
      {"sigmoid", &R::function},
      {"add", &R::sums},
      {"sub", &R::sums},
      {"mul", &R::multiplies},
      {"div", &R::divides},
      {"floor_div", &R::floorDivide},
      {"mod", &R::modulo},
      {"pow", &R::power},
      {"maximum", &R::extremum},
      {"minimum", &R::extremum},
      {"eq", &R::compares},
      {"ne", &R::compares},
      {"lt", &R::compares},
      {"le", &R::compares},
      {"gt", &R::compares},
      {"ge", &R::compares},
      {"select", &R::select},
      {"cast", &R::cast},
      {"constant", &R::exact},
      {"iota", &R::exact},
      {"size", &R::exact},
      {"broadcast_to", &R::moves},
      {"reshape", &R::moves},
      {"permute", &R::moves},
      {"slice", &R::moves},
      {"concat", &R::concat},
      {"gather", &R::gather},
      {"gather_elements", &R::gather},
      {"scatter", &R::scatter},
      {"scatter_elements", &R::scatter},
      {"dequantize", &R::exact}, // of bytes that are drawn
      {"windows", &R::moves},
      {"rebind", &R::moves},
      {"cumsum", &R::sumsOfRow},
      {"argsort", &R::placesInRow},
      {"sum", &R::sumOfRow},
      {"mean", &R::meanOfRow},
      {"prod", &R::productOfRow},
      {"max", &R::extremumOfRow},
      {"min", &R::extremumOfRow},
      {"argmax", &R::placeInRow},
      {"argmin", &R::placeInRow},
      {"softmax", &R::softmax},
      {"layer_norm", &R::layerNorm},
      {"matmul", &R::matmul},
      {"attention", &R::attention},
  };
  auto found = rules.find(op);
  return found == rules.end() ? nullptr : found->second;
}

BoundedGraph withErrorBounds(const ir::Graph &graph) {
  BoundRules rules(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    rules.visit(i);
  BoundedGraph result;
  for (ir::ValueId output : graph.outputs) {
    result.bounds.emplace_back();
    if (auto bound = rules.bounds[output]) {
      result.bounds.back() = rules.graph.outputs.size();
      rules.graph.outputs.push_back(*bound);
    }
  }
  result.graph = std::move(rules.graph);
  return result;
}

} // namespace kiln::test
