#pragma once

#include "passes/cpu/Microkernel.h"

namespace kiln::passes {

/// What multiplies, and so how operands lie in memory.
enum class ProductUnit : uint8_t {
  /// Float32 multiply-adds; panels of 16-bit floats are widened while loading (Microkernel.h).
  multiplyAdd,
  /// vdpbf16ps: pairs of bfloat16 (MicrokernelPairs.h).
  pairs,
  /// AMX (MicrokernelTiles.h), and pairs for the last k that make no step of it.
  tiles,
};

/// How a product of k * panelWidth is computed: what kernels that copy operands have to know.
struct ProductFormat {
  ProductUnit unit = ProductUnit::multiplyAdd;
  DType rowType = DType::float32;        // of rows of A
  int64_t rowStride = passes::rowStride; // elements between rows of A
  int64_t panelWidth = 0;                // columns of B
  int64_t granule = rowGranule;          // A and C have memory for multiples of so many rows
  bool wholeSteps = false;               // k is known to be whole steps of tiles
  /// 2: an operand is the sum of two numbers in bfloat16, the rounded one and the rest, and of
  /// the four products the three larger ones are summed. Second parts lie behind the first ones:
  /// see ProductOperands::nextPartA.
  int64_t parts = 1;

  bool inPairs() const { return unit != ProductUnit::multiplyAdd; }
  /// Bytes of an element of A.
  int64_t rowBytes() const { return int64_t(sizeBytes(rowType)); }
  /// Elements of one part of a panel of B with `k` rows; of pairs also the second half of an odd
  /// last one.
  int64_t partElements(int64_t k) const { return (inPairs() ? (k + 1) / 2 * 2 : k) * panelWidth; }
  /// Elements of a panel of B with `k` rows.
  int64_t panelElements(int64_t k) const { return parts * partElements(k); }
  mlir::Value panelElements(FunctionEmitter &f, mlir::Value k) const;
};

/// The cost model: how a product of operands of `dtype` over `depth` k is computed on the target.
/// The choice never depends on the number of rows, so that no result does.
ProductFormat chooseProduct(const ModuleLowering &lowering, DType dtype, const Dim &depth);

/// Around the products of a body: what their unit needs once.
void emitProductsBegin(FunctionEmitter &f, const ProductFormat &format);
void emitProductsEnd(FunctionEmitter &f, const ProductFormat &format);

/// Sums of a product (a vector) rounded to `dtype`, as float32: in the format's own way, which may
/// take subnormal numbers for zeros.
mlir::Value emitRoundedSums(FunctionEmitter &f, const ProductFormat &format, mlir::Value sums,
                            DType dtype);

/// Calls the product of Microkernel.h in a format; `panelType`: of B's elements where the format
/// leaves it open. `halfPanel`: the second half of each row of B and C need not be computed.
void emitProduct(FunctionEmitter &f, const ProductFormat &format, DType panelType,
                 const ProductOperands &operands, bool halfPanel = false);

} // namespace kiln::passes
