#pragma once

#include "ir/KilnDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kiln::passes {

/// What an outlined kernel computes and moves (runtime::KernelCost), as the attributes `flops`,
/// `weight_bytes`, `other_bytes` and `types` (strings) and `products` (a DType's number).
///
/// Products count two operations for each term of a sum, attention also what its softmax needs;
/// of all else each operation counts one for each element (of its result, of what it reduces): a
/// layer_norm 8 and a softmax 5, by their definitions; views, gathers, casts and copies none.
/// Operands are read and results written once; of what is only gathered from, the rows that are
/// gathered. `launch`: one of the kernel's, which tells weights from other operands.
mlir::DictionaryAttr kernelCost(mlir::func::FuncOp kernel, ir::LaunchOp launch);

} // namespace kiln::passes
