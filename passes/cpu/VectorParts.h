#pragma once

#include "passes/cpu/KernelBuilder.h"

/// Vectors of a number of elements of their own, and parts of them.
namespace kiln::passes {

mlir::VectorType vectorOf(mlir::Type element, int64_t count);
inline mlir::VectorType floats(FunctionEmitter &f, int64_t count) {
  return vectorOf(f.f32(), count);
}
inline mlir::VectorType ints(FunctionEmitter &f, int64_t count) {
  return vectorOf(f.b.getI32Type(), count);
}

mlir::Value emitZeros(FunctionEmitter &f, mlir::Type type);
mlir::Value emitSplat(FunctionEmitter &f, mlir::VectorType type, mlir::Value scalar);
/// Elements [first, first + count).
mlir::Value emitPart(FunctionEmitter &f, mlir::Value vector, int64_t first, int64_t count);
/// x, then y.
mlir::Value emitJoined(FunctionEmitter &f, mlir::Value x, mlir::Value y);
/// The sum of a vector's elements, by halves.
mlir::Value emitSumOf(FunctionEmitter &f, mlir::Value vector);

} // namespace kiln::passes
