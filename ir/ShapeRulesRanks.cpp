#include "ir/ShapeRulesFamilies.h"

namespace kiln::ir::rules {

std::vector<TensorType> allReduce(const Use &use) {
  const auto &reduction = use.attributes.get<std::string>("reduction");
  if (reduction != "sum")
    fail(ErrorKind::value, "C1", "expected the reduction sum, got {}", reduction);
  requireNumber(use[0], "x", "C2");
  return {use[0]};
}

/// C1 and C2 of the operations whose types depend on the number of ranks.
static int64_t ranksOf(const Use &use) {
  auto ranks = use.attributes.get<int64_t>("ranks");
  if (ranks < 1)
    fail(ErrorKind::value, "C2", "expected 1 rank or more, got {}: {}", ranks, show("x", use[0]));
  return ranks;
}

static std::vector<TensorType> withSize(const TensorType &x, int64_t axis, Dim size) {
  std::vector<Dim> dims = x.shape.vec();
  dims[static_cast<std::size_t>(axis)] = std::move(size);
  return {{x.dtype, Shape(std::move(dims)), x.device}};
}

std::vector<TensorType> allGather(const Use &use) {
  const TensorType &x = use[0];
  int64_t axis = axisOf(use, x, "x", "C1");
  int64_t ranks = ranksOf(use);
  return withSize(x, axis, x.shape[axis] * ranks);
}

std::vector<TensorType> localSlice(const Use &use) {
  const TensorType &x = use[0];
  int64_t axis = axisOf(use, x, "x", "C1");
  int64_t ranks = ranksOf(use);
  const Dim &size = x.shape[axis];
  if (!size.isStatic() || size.value() % ranks != 0)
    fail(ErrorKind::value, "C3", "{} ranks cannot have equal parts of axis {}: {}", ranks, axis,
         show("x", x));
  return withSize(x, axis, size / ranks);
}

} // namespace kiln::ir::rules
