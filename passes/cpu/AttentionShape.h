#pragma once

#include "ir/KilnDialect.h"
#include "passes/cpu/ElementEmitter.h"

namespace kiln::passes {

/// An attention's axes and sizes, as kernels on all devices need them.
struct AttentionShape {
  explicit AttentionShape(ir::AttentionOp op);

  TensorType q, k, v;
  TensorType scores;         // [..., H, Sq, Sk]
  int64_t headAxis, rowAxis; // of q, k and v
  Dim heads, queries, keys;
  std::vector<Dim> outer; // batch dims and heads
};

} // namespace kiln::passes
