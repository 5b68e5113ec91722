#pragma once

#include "kiln/DType.h"
#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// The register-blocked product that linear, matmul and attention share:
///   C[rows, panelWidth] (=|+=) A[rows, k] @ B[k, panelWidth], k <= productBlock.
/// One helper function per module and panel dtype, so that every kernel beyond the first costs
/// LLVM no more than a call.
///
/// - A: float32 rows in worker scratch, `rowStride` elements apart. Rows are read as they lie: the
///   constant stride makes every row's address a constant offset, so no transposed packing is
///   needed, and copying rows is all that the packing of x has to do.
/// - B: a panel [k][panelWidth] of float32, bfloat16 or float16, widened while loading.
/// - C: float32 rows, any stride.
/// - Each element's sum runs over k in order with one accumulator, whatever the number of rows: the
///   result of a row never depends on how many rows there are or how the work was cut.

/// How many k one call sums: the size of the blocks whose sums are added up. Fixed, as results
/// depend on it. 256: shorter chains round less (the error of K = 3072 is a third of that of one
/// chain), and a panel of 256 x 32 float32 takes 32 KiB, half of what L1 and L2 stream well.
constexpr int64_t productBlock = 256;

/// Elements between rows of A: a block and one cache line, so that rows do not share cache sets.
constexpr int64_t rowStride = productBlock + 16;

/// A and C must have memory for this multiple of rows.
constexpr int64_t rowGranule = 12;

/// Columns of a panel: two vectors.
inline int64_t panelWidth(const CpuTarget &target) { return 2 * target.lanes(); }

struct ProductOperands {
  mlir::Value a, b, c;    // pointers
  mlir::Value k;          // i64, 0 to productBlock
  mlir::Value strideC;    // i64, elements
  mlir::Value accumulate; // i64: 0 overwrites C
  mlir::Value rows;       // i64
  /// Elements from the first parts of A and B to the second ones (ProductFormat::parts).
  int64_t nextPartA = 0, nextPartB = 0;
};

/// Calls the product; emits it into the module where it is not there yet. `panelType`: float32,
/// bfloat16 or float16. `halfPanel`: only the first vector of each row of B and C is computed.
void emitProduct(FunctionEmitter &f, DType panelType, const ProductOperands &operands,
                 bool halfPanel = false);

/// The product of at most mostJointRows rows with jointPanels panels, `nextPanel` elements of B
/// apart. C of the second panel lies mostJointRows rows behind the first one's.
constexpr int64_t mostJointRows = 2, jointPanels = 2;
void emitJointProduct(FunctionEmitter &f, DType panelType, const ProductOperands &operands,
                      int64_t nextPanel);

/// How many rows are faster so: with one panel they have too few sums to keep the unit busy, and
/// wait for each other's. Vectors of 64 bytes are as fast as the outer caches give weights.
int64_t jointRows(const CpuTarget &target);

} // namespace kiln::passes
