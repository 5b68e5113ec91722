// Bounds of elementwise operations and of those that move elements.
#include "test/unit/random/BoundRules.h"

#include <limits>
#include <map>

namespace kiln::test {

using Bound = BoundRules::Bound;
static constexpr double infinity = std::numeric_limits<double>::infinity();

Bound BoundRules::exact(const ir::Node &) { return std::nullopt; }

Bound BoundRules::moves(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  return op(node.op, {*bound(node.operands[0])}, node.attributes);
}

Bound BoundRules::concat(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  std::vector<Id> parts;
  for (Id operand : node.operands)
    parts.push_back(bound(operand) ? *bound(operand)
                                   : spread(number(0), Shape(graph.type(operand).shape)));
  return op("concat", parts, node.attributes);
}

/// Indices are drawn exact.
Bound BoundRules::gather(const ir::Node &node) {
  Id table = node.operands[0], indices = node.operands[1];
  if (!bound(table))
    return std::nullopt;
  return op(node.op, {*bound(table), indices}, node.attributes);
}

/// Updates are combined in the order of the indices, so that exact operands give exact results.
Bound BoundRules::scatter(const ir::Node &node) {
  Id x = node.operands[0], indices = node.operands[1], updates = node.operands[2];
  if (!bound(x) && !bound(updates))
    return std::nullopt;
  auto spreadInto = [&](Id into, Id from, const char *reduction) {
    ir::Attributes attributes = node.attributes;
    attributes.set("reduction", std::string(reduction));
    return op(node.op, {into, indices, from}, attributes);
  };
  auto orZero = [&](Id value) {
    return bound(value) ? *bound(value) : spread(number(0), Shape(graph.type(value).shape));
  };
  const auto reduction = node.attributes.get<std::string>("reduction");
  if (reduction == "none" ||
      (isFloat(node.type.dtype) && (reduction == "max" || reduction == "min")))
    return spreadInto(orZero(x), orZero(updates), reduction == "none" ? "none" : "max");
  Id all = spreadInto(orZero(x), orZero(updates), "add");
  if (!isFloat(node.type.dtype) || reduction != "add")
    return unknownWhere(node, all);
  Id exact = spreadInto(real(x), real(updates), "add");
  Id total = spreadInto(finitePart(real(x)), finitePart(real(updates)), "add");
  // Each update is rounded to the dtype: at most as many as there are.
  Id n = size(
      graph.type(updates).shape[node.op == "scatter" ? 0 : node.attributes.get<int64_t>("axis")]);
  Id roundings = mul(mul(n, number(unitOf(node.type.dtype))), add(total, all));
  Id isExact = op("eq", {all, number(0)});
  return pick(isExact, number(0),
              *rounded(node, exact, add(all, orInfinite(roundings)), std::nullopt));
}

Bound BoundRules::select(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  auto orZero = [&](Id value) { return bound(value) ? *bound(value) : number(0); };
  Id chosen = pick(node.operands[0], orZero(node.operands[1]), orZero(node.operands[2]));
  if (!bound(node.operands[0]))
    return chosen;
  return pick(op("eq", {*bound(node.operands[0]), number(0)}), chosen, number(infinity));
}

Bound BoundRules::cast(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  Id x = node.operands[0], error = *bound(x);
  if (!isFloat(graph.type(x).dtype)) // 0 or infinite
    return error;
  Id value = real(x);
  if (isFloat(node.type.dtype))
    return rounded(node, value, error, std::nullopt);
  Id low = sub(value, error), high = add(value, error);
  Id isSame = node.type.dtype == DType::boolean
                  ? op("gt", {abs(value), error})
                  : op("eq", {op("trunc", {low}), op("trunc", {high})});
  isSame = op("or", {isSame, op("eq", {error, number(0)})});
  return pick(isSame, number(0), number(infinity));
}

Bound BoundRules::keeps(const ir::Node &node) {
  return isFloat(node.type.dtype) ? bound(node.operands[0]) : integers(node);
}

/// What bits an operand has decides everything.
Bound BoundRules::integers(const ir::Node &node) {
  Bound total;
  for (Id operand : node.operands)
    total = plus(total, bound(operand));
  return unknownWhere(node, total);
}

Bound BoundRules::classifies(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  // Of an infinite bound nothing is known; a finite one does not change the kind of a number.
  return pick(isFinite(*bound(node.operands[0])), number(0), number(infinity));
}

Bound BoundRules::sums(const ir::Node &node) {
  if (!isFloat(node.type.dtype))
    return integers(node);
  if (isExact(node))
    return std::nullopt;
  Id exact = op(node.op, {real(node.operands[0]), real(node.operands[1])});
  return rounded(node, exact, plus(bound(node.operands[0]), bound(node.operands[1])), std::nullopt);
}

Bound BoundRules::multiplies(const ir::Node &node) {
  if (!isFloat(node.type.dtype))
    return integers(node);
  if (isExact(node))
    return std::nullopt;
  Id x = node.operands[0], y = node.operands[1];
  Bound carried;
  if (bound(x))
    carried = times(*bound(x), real(y));
  if (bound(y))
    carried = plus(carried, times(*bound(y), real(x)));
  if (bound(x) && bound(y))
    carried = plus(carried, times(*bound(x), *bound(y)));
  return rounded(node, mul(real(x), real(y)), carried, std::nullopt);
}

Bound BoundRules::divides(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  Id x = node.operands[0], y = node.operands[1];
  Id quotient = div(real(x), real(y)), divisor = abs(real(y));
  Bound carried = bound(x);
  if (bound(y)) {
    carried = plus(carried, times(*bound(y), quotient));
    divisor = sub(divisor, *bound(y));
  }
  Id isZero = op("eq", {*plus(bound(x), bound(y)), number(0)});
  Id error = pick(op("gt", {divisor, number(0)}), div(*carried, divisor), number(infinity));
  carried = pick(isZero, number(0), orInfinite(error));
  return rounded(node, quotient, carried, std::nullopt);
}

Bound BoundRules::floorDivide(const ir::Node &node) {
  if (!isFloat(node.type.dtype))
    return integers(node);
  Bound quotient = divides(node); // of a quotient rounded to the dtype, which is more
  if (!quotient)
    return std::nullopt;
  Id exact = div(real(node.operands[0]), real(node.operands[1]));
  Id steps = sub(op("floor", {add(exact, *quotient)}), op("floor", {sub(exact, *quotient)}));
  Id carried = pick(op("eq", {*quotient, number(0)}), number(0), orInfinite(steps));
  return rounded(node, op("floor", {exact}), carried, std::nullopt);
}

Bound BoundRules::modulo(const ir::Node &node) {
  if (!isFloat(node.type.dtype))
    return integers(node);
  Id exact = op("mod", {real(node.operands[0]), real(node.operands[1])});
  Bound carried = unknownWhere(node, plus(bound(node.operands[0]), bound(node.operands[1])));
  return rounded(node, exact, carried,
                 mul(finitePart(exact), number(unitOfArithmetic(node.type.dtype))));
}

/// Which of two zeros is the larger is not specified.
static double unitOfZero(DType dtype) { return dtype == DType::float16 ? 0x1p-24 : 0x1p-149; }

Bound BoundRules::extremum(const ir::Node &node) {
  if (!isFloat(node.type.dtype))
    return integers(node);
  Id x = node.operands[0], y = node.operands[1];
  Id result = op(node.op, {real(x), real(y)});
  Id error = pick(op("eq", {result, number(0)}), number(unitOfZero(node.type.dtype)), number(0));
  for (Id operand : {x, y})
    if (bound(operand))
      error = larger(error, *bound(operand));
  return error;
}

Bound BoundRules::compares(const ir::Node &node) {
  Id x = node.operands[0], y = node.operands[1];
  Bound error = plus(bound(x), bound(y));
  if (!error)
    return std::nullopt;
  if (!isFloat(graph.type(x).dtype))
    return unknownWhere(node, error);
  Id isClear = op("gt", {abs(sub(real(x), real(y))), *error});
  isClear = op("or", {isClear, op("eq", {*error, number(0)})});
  return pick(isClear, number(0), number(infinity));
}

Bound BoundRules::step(const ir::Node &node) {
  if (isExact(node))
    return std::nullopt;
  Id x = real(node.operands[0]), error = *bound(node.operands[0]);
  Id steps = sub(op(node.op, {add(x, error)}), op(node.op, {sub(x, error)}));
  // A number whose sign is not known may become either zero.
  Id isZero = op("eq", {op(node.op, {x}), number(0)});
  Id sign = pick(isZero, number(unitOfZero(node.type.dtype)), number(0));
  return pick(op("eq", {error, number(0)}), number(0), larger(sign, orInfinite(steps)));
}

namespace {
/// What a function's code is off by, as VectorMathTest and DoubleMathTest measure: relative to the
/// result, and absolute; and how the error of its operand grows: by a factor, or, where that has no
/// bound (factor 0), as the function at both ends of the error says, which is monotone.
struct Accuracy {
  double units = 4;
  double absolute = 0;
  double factor = 0;
};
} // namespace

static Accuracy accuracyOf(const std::string &op, DType dtype) {
  static const std::map<std::string, Accuracy> table{
      {"exp", {}},
      {"log", {}},
      {"log1p", {}},
      {"rsqrt", {}},
      {"sqrt", {.units = 0}},
      {"sin", {.factor = 1}},
      {"cos", {.factor = 1}},
      {"tanh", {.factor = 1}},
      {"erf", {.factor = 1.13}},
      {"sigmoid", {.factor = 0.25}},
      // x times something that falls as fast as e^-x²: far below 0 relative errors grow.
      {"silu", {.factor = 1.1}},
      {"gelu", {.units = 24, .absolute = 0x1p-41, .factor = 1.13}},
      {"gelu_tanh", {.units = 120, .factor = 1.13}},
      {"gelu_quick", {.units = 48, .factor = 1.1}},
  };
  Accuracy accuracy = table.at(op);
  if (dtype == DType::float64) // DoubleMath's functions, and formulas of them
    accuracy.units *= 4;
  return accuracy;
}

Bound BoundRules::function(const ir::Node &node) {
  Accuracy accuracy = accuracyOf(node.op, node.type.dtype);
  Id x = node.operands[0], value = op(node.op, {real(x)});
  Bound carried;
  if (bound(x)) {
    Id error = *bound(x), grown;
    if (accuracy.factor > 0) {
      grown = mul(error, number(accuracy.factor));
    } else {
      auto distance = [&](const char *sign) {
        return orInfinite(abs(sub(op(node.op, {op(sign, {real(x), error})}), value)));
      };
      grown = larger(distance("add"), distance("sub"));
    }
    carried = pick(op("eq", {error, number(0)}), number(0), orInfinite(grown));
  }
  if (accuracy.units == 0)
    return rounded(node, value, carried, std::nullopt);
  double unit = unitOfArithmetic(node.type.dtype);
  Id added = mul(finitePart(value), number(accuracy.units * unit));
  // Subnormal results may be flushed to zero on the way (sigmoid of numbers far below 0).
  double least = unit == 0x1p-52 ? 0x1p-1020 : 0x1p-124;
  double absolute = unit == 0x1p-52 ? accuracy.absolute * 0x1p-29 : accuracy.absolute;
  return rounded(node, value, carried, add(added, number(absolute + least)));
}

/// Monotone in each operand where the base is positive: extreme at the corners.
Bound BoundRules::power(const ir::Node &node) {
  if (!isFloat(node.type.dtype))
    return integers(node);
  Id x = real(node.operands[0]), y = real(node.operands[1]), value = op("pow", {x, y});
  Bound carried;
  if (!isExact(node)) {
    auto orZero = [&](const Bound &bound) { return bound ? *bound : number(0); };
    Id ex = orZero(bound(node.operands[0])), ey = orZero(bound(node.operands[1]));
    Id most = number(0);
    for (const char *first : {"add", "sub"})
      for (const char *second : {"add", "sub"})
        most = larger(most, orInfinite(abs(
                                sub(op("pow", {op(first, {x, ex}), op(second, {y, ey})}), value))));
    most = pick(op("gt", {sub(x, ex), number(0)}), most, number(infinity));
    carried = pick(op("eq", {add(ex, ey), number(0)}), number(0), orInfinite(most));
  }
  Id added = add(mul(finitePart(value), number(4 * unitOfArithmetic(node.type.dtype))),
                 number(leastOfArithmetic(node.type.dtype)));
  return rounded(node, value, carried, added);
}

} // namespace kiln::test
