#pragma once

#include "passes/cpu/RowReduce.h"

namespace kiln::passes {

/// Threads of a warp.
inline constexpr int64_t warpThreads = 32;

/// The threads that work on one row: a warp, or all of a block of `threads`.
struct RowGroup {
  int64_t threads;
  mlir::Value thread; // the number of this one among them, i64
};

/// Combines what each thread of the group has; all get the same bits. In a block all threads must
/// come here. `combine` takes and gives as many values as there are.
llvm::SmallVector<mlir::Value> emitGroupCombine(
    FunctionEmitter &f, const RowGroup &group, mlir::ValueRange values,
    llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::ValueRange, mlir::ValueRange)> combine);

/// The same of one value, scalar or vector, whose lanes are combined first.
mlir::Value emitGroupReduction(FunctionEmitter &f, const RowGroup &group, Reduction reduction,
                               DType dtype, mlir::Value value);

} // namespace kiln::passes
