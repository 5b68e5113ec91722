#pragma once

#include "passes/gpu/LinearTiles.h"

namespace kiln::passes {

/// The functions of a linear that wgmma makes (WarpgroupTile.h): which results, from how many rows
/// on, and their code.
class WarpgroupLinear {
public:
  using Groups = LinearTiles::Groups;

  WarpgroupLinear(ModuleLowering &lowering, Kernel &kernel, ir::LinearOp linear,
                  LinearOperands &operands, LinearTiles &tiles)
      : lowering(lowering), kernel(kernel), linear(linear), operands(operands), tiles(tiles) {}

  /// Whether wgmma may make the results of some groups, where there are many rows: then their
  /// weights are in tiles.
  bool suits(Groups groups);
  /// The number of their function; `checks` are of the kernel's indices.
  int64_t emit(Groups groups, const std::string &suffix, mlir::ArrayRef<IndexCheck> checks);
  /// In the launcher: runs it for so many rows, or, where they are few, `otherwise`.
  void launch(FunctionEmitter &f, Groups groups, int64_t function, mlir::Value rows,
              llvm::function_ref<void()> otherwise);

private:
  ModuleLowering &lowering;
  Kernel &kernel;
  ir::LinearOp linear;
  LinearOperands &operands;
  LinearTiles &tiles;
};

} // namespace kiln::passes
