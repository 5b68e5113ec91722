#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// Adds to a warp's sums the products of 32 bytes of k, as each thread has them (TensorOps.h):
/// tiles of 16 rows, `a[m]` of 4 registers (i32), times tiles of 8 columns, `b[n]` of 2;
/// sums[(m * columns + n) * 4 ...] are f32.
///
/// float16 and bfloat16 are summed by the tensor core. float32 is multiplied in three products of
/// tf32 (the two parts of each number but the product of the small ones), and each step of 8 is
/// summed apart, then added in float32: tensor cores cut their sums off instead of rounding them.
void emitMultiplyStep(FunctionEmitter &f, DType dtype,
                      mlir::ArrayRef<llvm::SmallVector<mlir::Value>> a,
                      mlir::ArrayRef<llvm::SmallVector<mlir::Value>> b,
                      mlir::MutableArrayRef<mlir::Value> sums);

} // namespace kiln::passes
