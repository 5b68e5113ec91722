// Bounds of operations along axes, and of products.
#include "test/unit/random/BoundRules.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kiln::test {

using Bound = BoundRules::Bound;
static constexpr double infinity = std::numeric_limits<double>::infinity();

Bound BoundRules::sumOfRow(const ir::Node &node) {
  Id x = node.operands[0];
  auto axis = node.attributes.get<int64_t>("axis");
  Bound carried;
  if (bound(x))
    carried = sumAlong(*bound(x), axis);
  if (!isFloat(node.type.dtype))
    return unknownWhere(node, carried);
  Id n = size(graph.type(x).shape[axis]);
  Id added = accumulated(node, n, sumAlong(finitePart(real(x)), axis));
  return rounded(node, sumAlong(real(x), axis), carried, added);
}

Bound BoundRules::sumsOfRow(const ir::Node &node) {
  Id x = node.operands[0];
  auto sums = [&](Id values) { return op("cumsum", {values}, node.attributes); };
  Bound carried;
  if (bound(x))
    carried = sums(*bound(x));
  if (!isFloat(node.type.dtype))
    return unknownWhere(node, carried);
  Id n = size(graph.type(x).shape[node.attributes.get<int64_t>("axis")]);
  return rounded(node, sums(real(x)), carried, accumulated(node, n, sums(finitePart(real(x)))));
}

Bound BoundRules::placesInRow(const ir::Node &node) {
  Id x = node.operands[0];
  if (!bound(x))
    return std::nullopt;
  return unknownWhere(node, sumAlong(*bound(x), node.attributes.get<int64_t>("axis")));
}

Bound BoundRules::meanOfRow(const ir::Node &node) {
  Id x = node.operands[0];
  auto axis = node.attributes.get<int64_t>("axis");
  Id n = size(graph.type(x).shape[axis]);
  Bound carried;
  if (bound(x))
    carried = div(sumAlong(*bound(x), axis), n);
  Id added = accumulated(node, n, sumAlong(finitePart(real(x)), axis));
  added = add(div(added, n), number(leastOfArithmetic(node.type.dtype)));
  return rounded(node, op("mean", {real(x)}, node.attributes), carried, added);
}

Bound BoundRules::productOfRow(const ir::Node &node) {
  Id x = node.operands[0];
  auto axis = node.attributes.get<int64_t>("axis");
  if (!isFloat(node.type.dtype))
    return bound(x) ? unknownWhere(node, sumAlong(*bound(x), axis)) : std::nullopt;
  auto product = [&](Id values) { return op("prod", {values}, node.attributes); };
  DType dtype = node.type.dtype;
  Id n = size(graph.type(x).shape[axis]), exact = product(real(x)), value = finitePart(real(x));
  Bound carried;
  if (bound(x)) {
    Id grown = sub(product(add(value, *bound(x))), product(value));
    Id isZero = op("eq", {sumAlong(*bound(x), axis), number(0)});
    carried = pick(isZero, number(0), orInfinite(grown));
  }
  // In another order of the factors a part may overflow, or lose its digits when it underflows.
  Id high = product(larger(value, number(1))), low = product(op("minimum", {value, number(1)}));
  Id added = mul(mul(n, number(unitOfArithmetic(dtype))), finitePart(exact));
  added = add(added, mul(mul(n, number(leastOfArithmetic(dtype))), high));
  Id isSafe = op("and", {op("lt", {high, number(mostOfArithmetic(dtype) / 2)}),
                         op("or", {isFinite(exact), op("gt", {low, number(0x1p-100)})})});
  return rounded(node, exact, carried, pick(isSafe, orInfinite(added), number(infinity)));
}

Bound BoundRules::extremumOfRow(const ir::Node &node) {
  Id x = node.operands[0];
  auto axis = node.attributes.get<int64_t>("axis");
  if (!isFloat(node.type.dtype))
    return bound(x) ? unknownWhere(node, maxAlong(*bound(x), axis)) : std::nullopt;
  Id result = op(node.op, {real(x)}, node.attributes);
  Id error = pick(op("eq", {result, number(0)}), // which zero: see `extremum`
                  number(node.type.dtype == DType::float16 ? 0x1p-24 : 0x1p-149), number(0));
  return bound(x) ? larger(error, maxAlong(*bound(x), axis)) : error;
}

Bound BoundRules::placeInRow(const ir::Node &node) {
  Id x = node.operands[0];
  auto axis = node.attributes.get<int64_t>("axis");
  if (!bound(x))
    return std::nullopt;
  Id total = sumAlong(*bound(x), axis);
  if (!isFloat(graph.type(x).dtype))
    return unknownWhere(node, total);
  Id value = node.op == "argmax" ? real(x) : op("neg", {real(x)});
  // Who may be the largest: more than one, and it is not known who is.
  Id leastOfBest = op("max", {sub(value, *bound(x))}, {{"axis", axis}});
  Id mayBe = real(op("ge", {add(value, *bound(x)), leastOfBest}));
  Id isClear =
      op("or", {op("eq", {sumAlong(mayBe, axis), number(1)}), op("eq", {total, number(0)})});
  return pick(isClear, number(0), number(infinity));
}

/// exp(x - max) / sum: errors of x are relative ones of the result. The subtraction is rounded,
/// too, and exp takes at most numbers of 104 (float32; 745 in float64) before it gives zero.
Bound BoundRules::softmax(const ir::Node &node) {
  Id x = node.operands[0];
  auto axis = node.attributes.get<int64_t>("axis");
  bool isDouble = node.type.dtype == DType::float64;
  Id exact = op("softmax", {real(x)}, node.attributes);
  Bound carried;
  if (bound(x)) {
    Id most = maxAlong(*bound(x), axis);
    Id factor = sub(op("exp", {mul(most, number(2))}), number(1));
    carried = pick(op("eq", {most, number(0)}), number(0), orInfinite(mul(factor, exact)));
    // Numbers far below the largest may be more than nothing.
    carried = add(*carried, pick(op("eq", {most, number(0)}), number(0), number(0x1p-100)));
  }
  Id n = size(graph.type(x).shape[axis]);
  Id units = mul(add(n, number(isDouble ? 800 : 128)), number(unitOfArithmetic(node.type.dtype)));
  // Powers below the smallest normal number are flushed to zero.
  Id added = add(mul(units, exact), number(isDouble ? 0x1p-1000 : 0x1p-124));
  // If this becomes part of an attention: its scores are never rounded to the dtype, so that they
  // need not be infinite where the product is, and a row of -inf alone, which is NaN here, gives
  // zeros there (docs/architecture.md, "Numbers").
  bool isOfProducts = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                  [](const ir::Node &other) { return other.op == "matmul"; });
  if (isOfProducts) {
    Id others = sumAlong(real(op("not", {isFinite(real(x))})), axis);
    added = pick(op("eq", {others, number(0)}), added, number(infinity));
  }
  return rounded(node, exact, carried, added);
}

Bound BoundRules::layerNorm(const ir::Node &node) {
  Id x = node.operands[0], value = real(x);
  const Shape shape = graph.type(x).shape;
  int64_t axis = shape.rank() - 1;
  DType dtype = node.type.dtype;
  Id unit = number(unitOfArithmetic(dtype)), n = size(shape[axis]);
  Id most = maxAlong(finitePart(value), axis);
  Id mean = op("mean", {value}, {{"axis", axis}}), centred = sub(value, mean);
  Id variance = op("mean", {mul(centred, centred)}, {{"axis", axis}});
  Id deviation = op("sqrt", {add(variance, number(node.attributes.get<double>("epsilon")))});

  // Of x - mean; of the deviation, whose square errs by 2 * distance * error and by its sum's own.
  Id error = mul(add(n, number(2)), add(mul(unit, most), number(leastOfArithmetic(dtype))));
  Bound carriedOfX;
  if (bound(x)) {
    carriedOfX = maxAlong(*bound(x), axis);
    error = add(error, mul(number(2), *carriedOfX));
  }
  Id distance = maxAlong(abs(centred), axis);
  Id ofVariance = add(mul(add(mul(number(2), distance), error), error),
                      mul(mul(add(n, number(8)), unit), mul(distance, distance)));
  Id ofDeviation = div(ofVariance, deviation);
  Id total = div(add(error, mul(distance, div(ofDeviation, deviation))), deviation);
  total = add(mul(total, number(2)), mul(number(8), mul(unit, abs(div(centred, deviation)))));
  // Errors as large as the deviation itself, and squares that overflow.
  Id isKnown =
      op("and", {op("lt", {mul(number(8), ofDeviation), deviation}),
                 op("lt", {mul(n, mul(most, most)), number(mostOfArithmetic(dtype) / 8)})});
  Id exact = div(centred, deviation);
  total = pick(isFinite(exact), orInfinite(total), number(0)); // a row with a NaN is NaN
  Id added = pick(isKnown, total, number(infinity));
  Bound carried;
  if (carriedOfX) // is part of `added`; what is not finite depends on it
    carried = pick(op("eq", {*carriedOfX, number(0)}), number(0), number(leastOfArithmetic(dtype)));
  if (node.operands.size() == 3) {
    Id weight = node.operands[1], bias = node.operands[2];
    if (bound(weight))
      carried = plus(carried, times(*bound(weight), add(abs(exact), added)));
    carried = plus(carried, bound(bias));
    added = times(added, real(weight));
    exact = mul(exact, real(weight));
    // What overflows before the bias is added.
    Id isSmall = op("lt", {finitePart(exact), number(mostOfArithmetic(dtype) / 2)});
    added = pick(isSmall, added, number(infinity));
    added = add(added, mul(number(4), mul(unit, add(finitePart(exact), finitePart(real(bias))))));
    exact = add(exact, real(bias));
  }
  return rounded(node, exact, carried, add(added, number(16 * leastOfArithmetic(dtype))));
}

Bound BoundRules::matmul(const ir::Node &node) {
  Id x = node.operands[0], y = node.operands[1];
  Bound carried;
  auto carry = [&](const Bound &error, bool isLeft, Id other) {
    if (!error)
      return;
    // 0 * infinity is no error: rows or columns without one are left out by their finite parts.
    Id part = isLeft ? productOf(*error, finitePart(other)) : productOf(finitePart(other), *error);
    carried = plus(carried, orInfinite(part));
  };
  if (!isFloat(node.type.dtype)) {
    for (bool isLeft : {true, false})
      if (Bound error = bound(isLeft ? x : y)) {
        Id other = isLeft ? y : x;
        Id ones = spread(number(1), Shape(graph.type(other).shape));
        Id certain = *unknownWhere(node, error);
        certain = pick(op("eq", {certain, number(0)}), number(0), number(1));
        carried = plus(carried, isLeft ? productOf(certain, ones) : productOf(ones, certain));
      }
    return unknownWhere(node, carried);
  }
  carry(bound(x), true, real(y));
  carry(bound(y), false, real(x));
  if (bound(x) && bound(y))
    carry(bound(x), true, *bound(y));
  Id n = size(graph.type(x).shape[-1]);
  Id added = accumulated(node, n, productOf(finitePart(real(x)), finitePart(real(y))));
  if (node.type.dtype == DType::bfloat16) { // instructions for it take subnormal numbers for zeros
    auto ones = [&](Id like) { return spread(number(1), Shape(graph.type(like).shape)); };
    Id flushed =
        add(productOf(finitePart(real(x)), ones(y)), productOf(ones(x), finitePart(real(y))));
    added = add(added, mul(number(0x1p-126), add(flushed, n)));
    // And an infinity times what counts as zero is NaN.
    auto indicator = [&](Id condition) { return pick(condition, number(1), number(0)); };
    auto areInfinite = [&](Id value) {
      return indicator(op("eq", {abs(real(value)), number(infinity)}));
    };
    auto areSubnormal = [&](Id value) {
      Id magnitude = abs(real(value));
      return indicator(
          op("and", {op("gt", {magnitude, number(0)}), op("lt", {magnitude, number(0x1p-126)})}));
    };
    carried = plus(carried, unknownWhere(node, add(productOf(areInfinite(x), areSubnormal(y)),
                                                   productOf(areSubnormal(x), areInfinite(y)))));
  }
  Id exact = productOf(real(x), real(y));
  // With a bias behind it a product of 16-bit floats is rounded once (docs/spec.md#linear): what
  // overflows by itself may be finite there.
  if (DType dtype = node.type.dtype; dtype == DType::float16 || dtype == DType::bfloat16) {
    Id isTooLarge = op("gt", {abs(exact), number(dtype == DType::float16 ? 65504 : 0x1.fep127)});
    added = pick(op("and", {isTooLarge, isFinite(exact)}), number(infinity), added);
  }
  return rounded(node, exact, carried, added);
}

/// As a softmax of scores, whose errors are those of a product, and a product: a weighted mean of
/// rows of v, which errs by at most the largest of a column times the relative error of the
/// weights.
Bound BoundRules::attention(const ir::Node &node) {
  Id q = node.operands[0], k = node.operands[1], v = node.operands[2];
  DType dtype = node.type.dtype;
  int64_t rank = node.type.rank();
  Id unit = number(unitOfArithmetic(dtype));
  double scale = std::abs(node.attributes.get<double>("scale"));
  const Shape qShape = graph.type(q).shape, kShape = graph.type(k).shape;

  // Of a query's scores: the largest error, from the largest magnitudes of q's row and of all of k.
  Id ofQ = maxAlong(finitePart(real(q)), rank - 1); // [..., H, Sq, 1]
  auto overKeys = [&](Id x) {
    return maxAlong(maxAlong(maxAlong(x, rank - 1), rank - 2), rank - 3);
  };
  Id ofK = overKeys(finitePart(real(k))); // [..., 1, 1, 1]
  Id depth = size(qShape[-1]);
  Id error = mul(mul(depth, mul(add(depth, number(4)), unit)), mul(ofQ, ofK));
  auto carry = [&](Id x) { error = add(error, mul(depth, x)); };
  Bound carriedOfQ = bound(q), carriedOfK = bound(k);
  if (carriedOfQ)
    carry(times(maxAlong(*carriedOfQ, rank - 1), ofK));
  if (carriedOfK)
    carry(times(overKeys(*carriedOfK), ofQ));
  if (carriedOfQ && carriedOfK)
    carry(times(overKeys(*carriedOfK), maxAlong(*carriedOfQ, rank - 1)));
  error = mul(error, number(scale));
  Bound anyCarried;
  auto remember = [&](const Bound &bound) {
    if (bound)
      anyCarried = plus(anyCarried, overKeys(*bound));
  };
  remember(carriedOfQ);
  remember(carriedOfK);
  remember(bound(v));
  if (node.operands.size() > 3) {
    Id mask = node.operands[3];
    const Shape maskShape = graph.type(mask).shape;
    if (isFloat(graph.type(mask).dtype)) { // added: rounded again, and its own errors
      Id most = mul(unit, finitePart(real(mask)));
      if (bound(mask))
        most = add(most, *bound(mask));
      for (int64_t axis = 0; axis < maskShape.rank(); ++axis)
        most = maxAlong(most, axis);
      error = add(error, op("reshape", {most}, {{"shape", Shape{}}}));
    }
    if (bound(mask)) {
      Id most = *bound(mask);
      for (int64_t axis = 0; axis < maskShape.rank(); ++axis)
        most = maxAlong(most, axis);
      anyCarried = plus(anyCarried, op("reshape", {most}, {{"shape", Shape{}}}));
    }
  }
  Id keys = size(kShape[-2]);
  Id units = mul(add(keys, number(dtype == DType::float64 ? 800 : 128)), unit);
  Id relative = add(sub(op("exp", {mul(error, number(2))}), number(1)), mul(units, number(2)));
  if (dtype == DType::bfloat16) // so are the weights where instructions multiply bfloat16
    relative = add(relative, number(0x1p-9));
  // As of softmax: weights that are flushed to zero.
  relative = add(relative, number(dtype == DType::float64 ? 0x1p-1000 : 0x1p-120));
  Id ofV = overKeys(finitePart(real(v))); // [..., 1, 1, 1]
  Id added = mul(orInfinite(relative), mul(number(2), ofV));
  if (bound(v))
    added = add(added, overKeys(*bound(v)));
  // Scores that overflow in float32.
  Id highest = mul(mul(depth, mul(ofQ, ofK)), number(std::max(1.0, scale)));
  Id isSafe = op("lt", {larger(highest, mul(keys, ofV)), number(mostOfArithmetic(dtype) / 8)});
  added = pick(isSafe, orInfinite(added), number(infinity));
  added = spread(added, node.type.shape);
  std::vector<Id> doubles;
  for (Id operand : node.operands)
    doubles.push_back(graph.type(operand).dtype == DType::boolean ? operand : real(operand));
  Bound carried;
  if (anyCarried)
    carried = spread(
        pick(op("eq", {*anyCarried, number(0)}), number(0),
             pick(isFinite(*anyCarried), number(leastOfArithmetic(dtype)), number(infinity))),
        node.type.shape);
  return rounded(node, op("attention", doubles, node.attributes), carried, added);
}

} // namespace kiln::test
