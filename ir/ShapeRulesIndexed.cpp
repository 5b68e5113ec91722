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
  Shape front = concatenate(leading(table.shape, axis), indices.shape.vec());
  return {{table.dtype, concatenate(front.vec(), trailing(table.shape, axis + 1)), table.device}};
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
  const auto &reduction = use.attributes.get<std::string>("reduction");
  constexpr std::array<std::string_view, 5> reductions = {"none", "add", "mul", "max", "min"};
  if (std::find(reductions.begin(), reductions.end(), reduction) == reductions.end())
    fail(ErrorKind::value, "C6", "expected one of the reductions {}, got {}",
         fmt::join(reductions, ", "), reduction);
  if (reduction != "none")
    requireNumber(x, "x", "C7");
  return {x};
}

} // namespace kiln::ir::rules
