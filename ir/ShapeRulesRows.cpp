#include "ir/ShapeRulesFamilies.h"

#include <cmath>
#include <limits>

namespace kiln::ir::rules {

/// The type of x with its axis reduced to size 1.
static TensorType reduced(const Use &use, DType dtype) {
  int64_t axis = axisOf(use, use[0], "x", "C1");
  std::vector<Dim> dims = use[0].shape.vec();
  dims[static_cast<std::size_t>(axis)] = 1;
  return {dtype, Shape(std::move(dims)), use[0].device};
}

/// What has no value for no elements.
static void requireElements(const Use &use, const char *label) {
  const Dim &size = use[0].shape[use.attributes.get<int64_t>("axis")];
  constexpr auto empty = "the axis {} has no elements: {}";
  auto axis = use.attributes.get<int64_t>("axis");
  if (size == 0)
    fail(ErrorKind::value, label, empty, axis, show("x", use[0]));
  std::size_t known = use.assumptions.size();
  if (!size.isStatic() && !isNonNegative(size - 1))
    use.assumptions.push_back(size.between(1, std::numeric_limits<int64_t>::max()));
  explain(use, known, [&] { return fmt::format(empty, axis, show("x", use[0])); });
}

std::vector<TensorType> sum(const Use &use) {
  TensorType result = reduced(use, use[0].dtype);
  requireNumber(use[0], "x", "C2");
  return {std::move(result)};
}

std::vector<TensorType> mean(const Use &use) {
  TensorType result = reduced(use, use[0].dtype);
  requireFloat(use[0], "x", "C2");
  return {std::move(result)};
}

std::vector<TensorType> extremum(const Use &use) {
  std::vector<TensorType> result = sum(use);
  requireElements(use, "C3");
  return result;
}

std::vector<TensorType> argExtremum(const Use &use) {
  std::vector<TensorType> result = extremum(use);
  result[0].dtype = DType::int64;
  return result;
}

std::vector<TensorType> softmax(const Use &use) {
  axisOf(use, use[0], "x", "C1");
  requireFloat(use[0], "x", "C2");
  return {use[0]};
}

std::vector<TensorType> cumsum(const Use &use) {
  axisOf(use, use[0], "x", "C1");
  requireNumber(use[0], "x", "C2");
  return {use[0]};
}

std::vector<TensorType> argsort(const Use &use) {
  const TensorType &x = use[0];
  int64_t axis = axisOf(use, x, "x", "C1");
  const auto &count = use.attributes.get<Shape>("count");
  if (count.rank() != 1)
    fail(ErrorKind::value, "C2", "expected a count of one dim, got {}", count.str());
  if (!assumeNonNegative(use, count[0]) || !assumeNonNegative(use, x.shape[axis] - count[0]))
    fail(ErrorKind::value, "C3", "count {} is out of range for dimension size {} of axis {}: {}",
         count[0].str(), x.shape[axis].str(), axis, show("x", x));
  std::vector<Dim> dims = x.shape.vec();
  dims[static_cast<std::size_t>(axis)] = count[0];
  return {{DType::int64, Shape(std::move(dims)), x.device}};
}

std::vector<TensorType> layerNorm(const Use &use) {
  const TensorType &x = use[0];
  if (use.size() == 2)
    fail(ErrorKind::type, "C1", "expected weight and bias or neither, got 2 operands");
  if (x.rank() < 1)
    fail(ErrorKind::value, "C2", "expected a rank of 1 or more: {}", show("x", x));
  requireFloat(x, "x", "C3");
  for (std::size_t i = 1; i < use.size(); ++i) {
    std::string_view name = i == 1 ? "weight" : "bias";
    requireSameDType(x, "x", use[i], name, "C4");
    if (use[i].shape != Shape{x.shape[-1]})
      fail(ErrorKind::value, "C5", "{} does not match dimension of reduction: {}", name,
           show("x", x, name, use[i]));
  }
  auto epsilon = use.attributes.get<double>("epsilon");
  if (!(epsilon > 0) || !std::isfinite(epsilon))
    fail(ErrorKind::value, "C6", "epsilon must be positive, got {}", epsilon);
  return {x};
}

} // namespace kiln::ir::rules
