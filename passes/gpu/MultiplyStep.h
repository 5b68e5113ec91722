#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// What tensor cores multiply: operands of `dtype` (float32, float16 or bfloat16) as they lie in
/// shared memory, those of float32 with `precision`:
/// - highest: in three products of tf32 (the two parts of each number but the product of the small
///   ones); each step of 8 is summed apart, then added in float32: tensor cores cut their sums off
///   instead of rounding them. What is lost of a number is at most 2^-22 of it, and at most 2^-136.
/// - high: rounded to tf32 (11 bits), ties away from zero.
/// - bf16: rounded to bfloat16, ties to even.
/// Other sums are those of the tensor core.
struct DeviceProduct {
  DType dtype;
  Precision precision = Precision::highest;

  /// Whether a number is multiplied in two parts.
  bool inParts() const { return dtype == DType::float32 && precision == Precision::highest; }
};

/// What may be among the operands. Without infinities and NaN the split in two parts takes half of
/// the instructions; where there are some, it gives NaN for each sum that they are in.
enum class Operands : uint8_t { anything, finite };

/// Adds to a warp's sums the products of some steps of 32 bytes of k, as each thread has them
/// (TensorOps.h): tiles of 16 rows, `a[m]` of 4 registers (i32) for each step, times tiles of 8
/// columns, `b[n]` of 2; sums[(m * columns + n) * 4 ...] are f32.
void emitMultiplySteps(FunctionEmitter &f, const DeviceProduct &product,
                       mlir::ArrayRef<llvm::SmallVector<mlir::Value>> a,
                       mlir::ArrayRef<llvm::SmallVector<mlir::Value>> b,
                       mlir::MutableArrayRef<mlir::Value> sums,
                       Operands operands = Operands::anything);

} // namespace kiln::passes
