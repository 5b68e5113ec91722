#pragma once

#include "ir/KilnDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kiln::passes {

/// The block of `@main` and those of the subgraphs that it calls, kernels apart. Functions of
/// another form (already lowered, say) are left out.
llvm::SmallVector<mlir::Block *> programBlocks(mlir::ModuleOp module);

/// Whether a value is a weight of the model: an argument of main with that role.
bool isWeight(mlir::Value value);
/// Whether a reshape makes a matrix [K, N] of [..., N].
bool isFilterMatrix(ir::ReshapeOp reshape);
/// Whether an operation makes a filter [..., C, N] of PyTorch's [N, C, ...], a weight, that kernels
/// read packed: it stays in @main as a view and moves nothing. FuseLinear decides.
bool isPackedPermute(mlir::Operation *op);
inline constexpr llvm::StringLiteral packedAttrName = "kiln.packed";
/// Whether an operation decodes weights of linears and nothing else: it goes into their kernels.
bool decodesForLinears(mlir::Operation *op);
/// Whether a value is made of windows by views alone that nothing else reads: elements repeat in
/// it, so that it is better never stored.
bool isMadeOfWindows(mlir::Value value);
/// Makes a value from nothing (a constant, an iota, a size): cheaper to repeat than to store. False
/// for null.
bool isRepeatable(mlir::Operation *op);
/// A reshape that only adds or removes axes of size 1, or a rebind: as cheap inside a kernel as
/// outside.
bool isUnitReshape(mlir::Operation *op);

/// Waits for the other ranks: stays in @main, between kernels.
bool isCollective(mlir::Operation *op);

/// Operations of a fusion: code grows with them, so longer chains are cut.
inline constexpr size_t maxOperations = 64;
bool isFull(ir::FusionOp fusion);

/// A fusion of one operation, in its place. What decodes the weights of a linear goes with it: its
/// kernel reads them packed.
ir::FusionOp wrapInFusion(mlir::Operation *op);

/// Whether `user`, which uses a result of `fusion`, may move into it: none of its other operands
/// is computed from a result of the fusion outside of it.
bool canAbsorbUser(ir::FusionOp fusion, mlir::Operation *user);
/// Moves an operation that uses results of the fusion into it; its results become the fusion's, and
/// results that nothing outside needs any more go. The fusion is replaced and returned; operations
/// between the two may move behind it.
ir::FusionOp absorbUser(ir::FusionOp fusion, mlir::Operation *user);

/// Moves an operation whose every use is in the fusion into it.
void absorbProducer(ir::FusionOp fusion, mlir::Operation *producer);
/// Whether all uses of the operation's results are inputs of `fusion`.
bool onlyFeeds(mlir::Operation *producer, ir::FusionOp fusion);

/// Puts operations behind their operands again.
void sortBlock(mlir::Block &block);

} // namespace kiln::passes
