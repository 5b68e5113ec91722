#pragma once

#include "passes/cpu/ProductFormat.h"

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace kiln::passes {

/// What the kernel of a `kiln.linear` can hold. The fusion passes ask before they fuse, the emitter
/// checks the whole form and refuses, with the reason, what is outside it.
///
/// - Weights and biases are operands of the kernel, the weights used by the linear only (they come
///   packed); float32, bfloat16 or float16; K and N are numbers. Or each weight is a `dequantize`,
///   used by the linear only, of an operand, which comes as it is.
/// - Before the linear: whatever ElementEmitter computes (elementwise operations, views, concat,
///   gather, iota, constants). It runs once for each element of x while x is copied, and again for
///   each block of N: so it should be cheap. Where a reshape that joins the last axes makes x, it
///   is copied in runs of the last one of them (linearRuns): windows of a convolution.
/// - Behind it: elementwise operations whose results have the shape of the linear's results. Their
///   other operands are anything that does not depend on the linear and broadcasts to that shape.
///   An operation may use several results of the linear (which then have one N).
/// - Then at most one layer_norm whose x is one of these values, and elementwise operations behind
///   it, which may use x and its result but no other value that depends on the linear. If x is not
///   itself a result of the kernel, one result behind the layer_norm must have its dtype (x is
///   kept in that result's memory).
/// - Each result of the kernel depends on the linear.
struct LinearForm {
  struct Store {
    mlir::Value value;
    unsigned output; // of the kernel
  };
  /// Results of the linear that are needed together, and what is stored of them.
  struct Group {
    llvm::SmallVector<unsigned> weights;
    llvm::SmallVector<Store> stores;
  };
  mlir::Operation *linear = nullptr;
  llvm::SmallVector<Group> groups;
  mlir::Operation *norm = nullptr;     // null if there is none
  unsigned normInput = 0;              // the output whose memory holds the layer_norm's x
  llvm::SmallVector<Store> normStores; // stored by the second stage

  /// Of each result of a group.
  int64_t columnsOf(const Group &group) const;
};

using ErrorReporter = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// The form of a kernel's body, or of a fusion's region, whose anchor is `linear`. Failure, after
/// reporting why through `error` if it is given.
mlir::FailureOr<LinearForm> analyseLinear(mlir::Block &body, mlir::Operation *linear,
                                          ErrorReporter error = {});

/// Whether a `kiln.linear` of these types can be a kernel (dtypes, static weights).
bool isSupportedLinear(mlir::Operation *linear);
/// Whether a linear reads its weights as packed blocks: dequantize makes them.
bool hasPackedWeights(mlir::Operation *linear);
/// Whether an operation behind a linear may become part of its kernel, as far as can be told from
/// it alone: `value` is the operand of `op` that depends on the linear.
bool canFuseIntoLinearEpilogue(mlir::Operation *op, mlir::Value value);
/// Whether an operation may run while a linear's x is copied.
bool canFuseIntoLinearPrologue(mlir::Operation *op);
/// The value that is reshaped to a linear's x by joining its last axes, of static sizes, to x's
/// last one; null where x is not made so.
mlir::Value linearRuns(mlir::Operation *linear);

/// The form of kernels around a matmul or an attention: operands are whatever ElementEmitter
/// computes; behind the anchor only elementwise operations whose results have its result's shape;
/// each result of the kernel depends on it. Failure, after reporting why, if it is another.
mlir::LogicalResult checkElementwiseBehind(mlir::Block &body, mlir::Operation *anchor,
                                           ErrorReporter error = {});
/// Whether an operation behind such an anchor may become part of its kernel; `value` is its operand
/// that depends on the anchor.
bool canFuseIntoProductEpilogue(mlir::Operation *op, mlir::Value value);

/// How a weight of a linear lies in memory: "rows:32" ([N, K]) or "columns:32" ([K, N]),
/// "row-pairs:64" or "column-pairs:64", "row-parts:64" or "column-parts:64", the kind and width of
/// runtime::Packing. On the kernel's argument as `kiln.packing`.
inline constexpr llvm::StringLiteral packingAttrName = "kiln.packing";
std::string linearPacking(mlir::Operation *linear, const ProductFormat &format);

} // namespace kiln::passes
