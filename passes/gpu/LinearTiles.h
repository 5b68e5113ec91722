#pragma once

#include "passes/cpu/KernelForms.h"
#include "passes/gpu/LinearOperands.h"

namespace kiln::passes {

/// The results of a linear in tiles, those of several groups side by side: which tile is where, and
/// what is made of its sums.
class LinearTiles {
public:
  using Groups = mlir::ArrayRef<LinearForm::Group>;

  LinearTiles(Kernel &kernel, ir::LinearOp linear, LinearOperands &operands)
      : kernel(kernel), linear(linear), operands(operands) {}

  int64_t columnsOf(const LinearForm::Group &group) const;
  /// Of all groups; how many tiles they have side by side.
  int64_t columnsOf(Groups groups) const;
  int64_t wideTilesOf(Groups groups, const TileShape &shape) const;
  /// How many tiles there are, and how many of them above each other, for so many rows.
  mlir::Value tilesOf(FunctionEmitter &f, Groups groups, const TileShape &shape,
                      mlir::Value rows) const;
  static mlir::Value tallTilesOf(FunctionEmitter &f, const TileShape &shape, mlir::Value rows);
  /// Elements that a thread works on at once behind the product.
  int64_t lanesOf(Groups groups) const;

  /// Of a tile: which group's it is, where it is in the group's matrix, how many columns that has,
  /// and its weights.
  struct Place {
    mlir::Value group, firstRow, firstColumn, columns;
    llvm::SmallVector<mlir::Value> weights;
  };
  /// Tile number `tile`; those above each other come one after the other.
  Place find(FunctionEmitter &f, Groups groups, const TileShape &shape, mlir::Value tile,
             mlir::Value rows);

  /// The sum of product number `slot` of the group at a place of the tile: f.lanes() elements of
  /// float32 along the row, or a single one.
  using Sums = llvm::function_ref<mlir::Value(int64_t slot, mlir::Value row, mlir::Value column)>;
  /// Sums that lie in shared memory, slots `slotBytes` and rows `stride` elements apart.
  static std::function<mlir::Value(int64_t, mlir::Value, mlir::Value)>
  inShared(FunctionEmitter &f, mlir::Value shared, int64_t slotBytes, int64_t stride);

  /// Stores what follows the product, for items `first`, `first + step`, … of the tile's vectors.
  void emit(FunctionEmitter &f, Groups groups, const Place &place, const TileShape &shape,
            mlir::Value first, mlir::Value step, Sums sums);

  /// The same of all sums of a tile, which threads have in registers, for each product.
  void emit(FunctionEmitter &f, Groups groups, const Place &place, const ProductTile &tile,
            mlir::Value thread, mlir::ArrayRef<llvm::SmallVector<mlir::Value>> products);

private:
  /// In code for one of the groups each: `body`.
  void forGroup(FunctionEmitter &f, Groups groups, const Place &place,
                llvm::function_ref<void(const LinearForm::Group &)> body);
  /// A vector at a place of the tile, where that is within the results.
  void emitVector(FunctionEmitter &f, const LinearForm::Group &group, const Place &place,
                  mlir::Value row, mlir::Value column, Sums sums);
  mlir::Value result(FunctionEmitter &f, ElementEmitter &elements, unsigned index, mlir::Value sum,
                     const Coords &at);
  void store(FunctionEmitter &f, ElementEmitter &elements, const LinearForm::Group &group,
             mlir::Value row, const Coords &at);

  Kernel &kernel;
  ir::LinearOp linear;
  LinearOperands &operands;
};

} // namespace kiln::passes
