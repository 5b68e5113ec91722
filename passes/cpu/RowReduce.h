#pragma once

#include "passes/cpu/ElementEmitter.h"

namespace kiln::passes {

/// How elements are combined into one. Sums of float16 and bfloat16 are kept in float32.
enum class Reduction : uint8_t { sum, product, max, min };

/// `x combined with y`, scalars or vectors in the compute type of `dtype`; a NaN wins over max and
/// min.
mlir::Value emitCombine(FunctionEmitter &f, Reduction reduction, DType dtype, mlir::Value x,
                        mlir::Value y);
/// The value that changes nothing: 0, 1, the least or the greatest.
mlir::Value emitNeutral(FunctionEmitter &f, Reduction reduction, DType dtype, bool vector);

/// Combines the columns [0, count) of a row to a scalar. `element(column, mask)` gives a vector.
/// Four vectors take turns and are combined in a fixed order, so the result depends on the values,
/// `count` and the target's vector width only.
mlir::Value
emitRowReduction(FunctionEmitter &f, Reduction reduction, DType dtype, mlir::Value count,
                 llvm::function_ref<mlir::Value(mlir::Value column, mlir::Value mask)> element);

/// What layer normalisation needs of a row: its mean and 1 / sqrt(variance + epsilon), as scalars
/// of `dtype` (float32 or float64). The variance is the mean of squared distances (a second pass
/// over the row).
struct RowStatistics {
  mlir::Value mean, scale;
};
RowStatistics
emitRowStatistics(FunctionEmitter &f, DType dtype, mlir::Value count, double epsilon,
                  llvm::function_ref<mlir::Value(mlir::Value column, mlir::Value mask)> element);

/// (x - mean) * scale, then * weight + bias where given: vectors of a row's columns.
mlir::Value emitNormalised(FunctionEmitter &f, mlir::Value x, const RowStatistics &statistics,
                           mlir::Value weight, mlir::Value bias);

} // namespace kiln::passes
