#pragma once

#include "test/unit/random/ErrorBounds.h"

#include <functional>
#include <unordered_map>

namespace kiln::test {

/// Writes the bounds of a graph as further nodes of it, in float64, so that the interpreter
/// computes them along with the values.
class BoundRules {
public:
  using Id = ir::ValueId;
  /// The bound of a value's elements, in its shape; none: it is exact.
  using Bound = std::optional<Id>;

  explicit BoundRules(const ir::Graph &original);
  /// Adds the bound of the next node. Errors: std::logic_error for an operation without a rule.
  void visit(std::size_t node);

  ir::Graph graph;
  std::vector<Bound> bounds; // of the inputs, then of the nodes that were visited

private:
  using Rule = Bound (BoundRules::*)(const ir::Node &);
  static Rule findRule(const std::string &op);

  // Arithmetic on float64 values.
  Id op(std::string name, std::vector<Id> operands, ir::Attributes attributes = {});
  Id number(double value);
  Id real(Id value); // as float64
  Id add(Id x, Id y) { return op("add", {x, y}); }
  Id sub(Id x, Id y) { return op("sub", {x, y}); }
  Id mul(Id x, Id y) { return op("mul", {x, y}); }
  Id div(Id x, Id y) { return op("div", {x, y}); }
  Id abs(Id x) { return op("abs", {x}); }
  Id larger(Id x, Id y) { return op("maximum", {x, y}); }
  Id pick(Id condition, Id x, Id y) { return op("select", {condition, x, y}); }
  Id isFinite(Id x);
  Id finitePart(Id x);          // its magnitude, 0 where it is not finite
  Id orInfinite(Id x);          // infinite where it is NaN
  Id times(Id bound, Id value); // |value| * bound, 0 where the bound is
  Id size(const Dim &dim);
  Id sumAlong(Id x, int64_t axis) { return op("sum", {x}, {{"axis", axis}}); }
  Id maxAlong(Id x, int64_t axis);
  Id productOf(Id x, Id y) { return op("matmul", {x, y}); }
  Id spread(Id x, const Shape &shape);

  const Bound &bound(Id value) const { return bounds[value]; }
  bool isExact(const ir::Node &node) const;
  /// Of several bounds that add up.
  static Bound plus(BoundRules &rules, const Bound &x, const Bound &y);
  Bound plus(const Bound &x, const Bound &y) { return plus(*this, x, y); }
  /// Infinite where `bound` is not 0.
  Bound unknownWhere(const ir::Node &node, const Bound &bound);
  /// The bound of a float result. `exact`: the result in float64 without its own rounding;
  /// `carried`: what comes from the operands; `added`: what the operation adds before it is
  /// rounded.
  Bound rounded(const ir::Node &node, Id exact, const Bound &carried, const Bound &added);
  /// What summing n terms adds, of which the magnitudes of the finite ones sum to `total`.
  Id accumulated(const ir::Node &node, Id n, Id total);

  // Families (BoundRulesElements.cpp, BoundRulesRows.cpp, BoundRulesProducts.cpp).
  Bound exact(const ir::Node &node);
  Bound moves(const ir::Node &node);
  Bound concat(const ir::Node &node);
  Bound gather(const ir::Node &node);
  Bound scatter(const ir::Node &node);
  Bound select(const ir::Node &node);
  Bound cast(const ir::Node &node);
  Bound keeps(const ir::Node &node);
  Bound sums(const ir::Node &node);
  Bound multiplies(const ir::Node &node);
  Bound divides(const ir::Node &node);
  Bound extremum(const ir::Node &node);
  Bound compares(const ir::Node &node);
  Bound integers(const ir::Node &node);
  Bound function(const ir::Node &node);
  Bound step(const ir::Node &node);
  Bound floorDivide(const ir::Node &node);
  Bound modulo(const ir::Node &node);
  Bound power(const ir::Node &node);
  Bound classifies(const ir::Node &node);
  Bound sumOfRow(const ir::Node &node);
  Bound meanOfRow(const ir::Node &node);
  Bound productOfRow(const ir::Node &node);
  Bound extremumOfRow(const ir::Node &node);
  Bound placeInRow(const ir::Node &node);
  Bound placesInRow(const ir::Node &node);
  Bound sumsOfRow(const ir::Node &node);
  Bound softmax(const ir::Node &node);
  Bound layerNorm(const ir::Node &node);
  Bound matmul(const ir::Node &node);
  Bound attention(const ir::Node &node);

  std::unordered_map<Id, Id> reals;
  std::unordered_map<double, Id> numbers;
};

/// The step from 1 to the next number, the largest and the smallest number of the arithmetic that
/// results of the dtype are computed in: float64, else float32.
double unitOfArithmetic(DType dtype);
/// Of the dtype itself.
double unitOf(DType dtype);
double mostOfArithmetic(DType dtype);
double leastOfArithmetic(DType dtype);

} // namespace kiln::test
