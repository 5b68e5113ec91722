#pragma once

#include "passes/cpu/KernelBuilder.h"

/// Tensor cores and what feeds them, as operations of the nvvm dialect. Addresses in shared memory
/// are pointers of address space 3.
namespace kiln::passes::device {

/// The dynamic shared memory of the block, aligned to 16 bytes.
mlir::Value dynamicShared(FunctionEmitter &f);
/// `bytes` (i64) behind an address in shared memory.
mlir::Value sharedOffset(FunctionEmitter &f, mlir::Value address, mlir::Value bytes);

/// Begins to copy 16 bytes to shared memory; where `inside` (i1) does not hold they become zeros
/// and nothing is read.
void copyAsync(FunctionEmitter &f, mlir::Value shared, mlir::Value global, mlir::Value inside);
/// Ends a group of copies; waits until at most `pending` groups of this thread are not done.
void commitCopies(FunctionEmitter &f);
void waitForCopies(FunctionEmitter &f, int64_t pending);

/// Four matrices of 8 rows of 16 bytes: thread i of the warp gives the address of row i % 8 of
/// matrix i / 8, and gets of each matrix 4 bytes (i32): those at i % 4 of row i / 4. `transposed`:
/// of its transpose, as a matrix of 16-bit elements.
llvm::SmallVector<mlir::Value> loadMatrices(FunctionEmitter &f, mlir::Value address,
                                            bool transposed = false);

/// What a multiplication's operands are made of: 16-bit floats, or float32 of which the first 19
/// bits count (tf32).
enum class MultiplyType : uint8_t { bfloat16, float16, tf32 };

/// A float32 rounded to tf32, ties away from zero: an i32.
mlir::Value roundToTf32(FunctionEmitter &f, mlir::Value number);

/// c + a * b for a warp: a [16, k] in 4 registers (i32) of each thread, b [k, 8] in 2, c [16, 8] in
/// 4 f32; k makes 32 bytes. In PTX mma.sync.m16n8k16 or .m16n8k8.
llvm::SmallVector<mlir::Value> multiply(FunctionEmitter &f, MultiplyType type, mlir::ValueRange a,
                                        mlir::ValueRange b, mlir::ValueRange c);

} // namespace kiln::passes::device
