#include "ir/ShapeRulesFamilies.h"

#include <algorithm>
#include <array>

namespace kiln::ir::rules {

std::vector<TensorType> gather(const Use &use) {
  const TensorType &table = use[0], &indices = use[1];
  if (table.rank() < 1)
    fail(ErrorKind::value, "C1", "expected a table of rank 1 or more: {}", show("table", table));
  if (!isInteger(indices.dtype))
    fail(ErrorKind::value, "C2", "indices must be integers: {}", show("indices", indices));
  int64_t axis = axisOf(use, table, "table", "C3");
  if (const Attribute *total = use.attributes.find("total");
      total && !assumeNonNegative(use, Dim(std::get<int64_t>(*total)) - table.shape[axis]))
    fail(ErrorKind::value, "C5", "a part of a table of {} entries has more along axis {}: {}",
         std::get<int64_t>(*total), axis, show("table", table));
  Shape front = concatenate(leading(table.shape, axis), indices.shape.vec());
  return {{table.dtype, concatenate(front.vec(), trailing(table.shape, axis + 1)), table.device}};
}

/// The attribute `reduction`, and that x has a dtype for it.
static void requireReduction(const Use &use, const char *name, const char *dtype) {
  const auto &reduction = use.attributes.get<std::string>("reduction");
  constexpr std::array<std::string_view, 5> reductions = {"none", "add", "mul", "max", "min"};
  if (std::find(reductions.begin(), reductions.end(), reduction) == reductions.end())
    fail(ErrorKind::value, name, "expected one of the reductions {}, got {}",
         fmt::join(reductions, ", "), reduction);
  if (reduction != "none")
    requireNumber(use[0], "x", dtype);
}

std::vector<TensorType> scatter(const Use &use) {
  const TensorType &x = use[0], &indices = use[1], &updates = use[2];
  if (x.rank() < 1)
    fail(ErrorKind::value, "C1", "expected a rank of 1 or more: {}", show("x", x));
  if (!isInteger(indices.dtype))
    fail(ErrorKind::value, "C2", "indices must be integers: {}", show("indices", indices));
  if (indices.rank() != 1)
    fail(ErrorKind::value, "C3", "expected indices of rank 1: {}", show("indices", indices));
  requireSameDType(x, "x", updates, "updates", "C4");
  Shape rows = concatenate(indices.shape.vec(), trailing(x.shape, 1));
  if (updates.shape != rows)
    fail(ErrorKind::value, "C5", "expected updates of shape {}, a row of x for each index: {}, {}",
         rows.str(), show("x", x, "indices", indices), show("updates", updates));
  requireReduction(use, "C6", "C7");
  return {x};
}

/// C1 to C4 of both operations on elements.
static void requireElementIndices(const Use &use) {
  const TensorType &x = use[0], &indices = use[1];
  int64_t axis = axisOf(use, x, "x", "C1");
  if (!isInteger(indices.dtype))
    fail(ErrorKind::value, "C2", "indices must be integers: {}", show("indices", indices));
  if (indices.rank() != x.rank())
    fail(ErrorKind::value, "C3", "ranks differ: {}", show("x", x, "indices", indices));
  for (int64_t a = 0; a < x.rank(); ++a)
    if (a != axis && !assumeNonNegative(use, x.shape[a] - indices.shape[a]))
      fail(ErrorKind::value, "C4", "there are more indices than elements along axis {}: {}", a,
           show("x", x, "indices", indices));
}

std::vector<TensorType> gatherElements(const Use &use) {
  requireElementIndices(use);
  return {{use[0].dtype, use[1].shape, use[0].device}};
}

std::vector<TensorType> scatterElements(const Use &use) {
  requireElementIndices(use);
  const TensorType &x = use[0], &indices = use[1], &updates = use[2];
  requireSameDType(x, "x", updates, "updates", "C5");
  if (updates.shape != indices.shape)
    fail(ErrorKind::value, "C6", "expected an update for each index: {}",
         show("indices", indices, "updates", updates));
  requireReduction(use, "C7", "C8");
  return {x};
}

} // namespace kiln::ir::rules
