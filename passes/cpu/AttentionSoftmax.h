#pragma once

#include "passes/cpu/MicrokernelPacking.h"

namespace kiln::passes {

/// What online softmax keeps of each query row between key blocks: the largest score so far and
/// the sum of the weights 2^(score - largest), float32 scalars in memory.
struct SoftmaxRow {
  mlir::Value scores;  // pointer: float32 scores of this key block
  mlir::Value count;   // i64: scores, 1 to productBlock; up to a whole vector more may be written
  mlir::Value largest; // pointer
  mlir::Value sum;     // pointer
  mlir::Value output;  // pointer: the row's weighted sum of values so far, rescaled here
  mlir::Value outputColumns; // i64, a multiple of lanes()
};

/// One step of online softmax for one row is two parts. Both end with all lanes as one, which takes
/// long but not much: do the first part for several rows, then the second, so that rows overlap.
///
/// The first: `adjust` turns stored scores into scaled, masked ones (a vector at a column; `mask`
/// null for whole vectors); then the largest. `isFirst` (i1): no step came before, and nothing is
/// to be rescaled.
void emitSoftmaxLargest(
    FunctionEmitter &f, const SoftmaxRow &row, mlir::Value isFirst,
    llvm::function_ref<mlir::Value(mlir::Value scores, mlir::Value column, mlir::Value mask)>
        adjust);
/// The second: the weights and their sum. A row whose scores are all -inf so far keeps the sum 0.
/// NaN makes the sum NaN. `rough`: emitExp2Flushed's. `keep` gets the weights of a column.
void emitSoftmaxWeights(FunctionEmitter &f, const SoftmaxRow &row, bool rough,
                        llvm::function_ref<void(mlir::Value weights, mlir::Value column)> keep);

/// What is added to scores, as exponents of two. Finite numbers stay finite, the lowest one, too.
mlir::Value emitInPowersOfTwo(FunctionEmitter &f, mlir::Value terms);

} // namespace kiln::passes
