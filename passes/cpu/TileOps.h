#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// AMX's tile registers 0 to 7, all of 16 rows of 64 bytes, by the intrinsics with fixed registers:
/// tiles of the `amx` dialect cannot be carried round a loop. Tiles belong to a thread: bodies that
/// use them begin with `configure` and end with `release`.
///
/// With CpuTarget::tilesEmulated ordinary code of the same meaning, step by step as in Intel's
/// manual: for tests on machines without AMX.
class TileOps {
public:
  static constexpr int64_t rows = 16, rowBytes = 64;

  static void configure(FunctionEmitter &f);
  static void release(FunctionEmitter &f);

  /// In a function whose callers have configured the tiles.
  explicit TileOps(FunctionEmitter &f);
  void zero(int tile);
  /// Rows `strideBytes` apart.
  void load(int tile, mlir::Value from, mlir::Value strideBytes);
  void store(int tile, mlir::Value to, mlir::Value strideBytes);
  /// sums [16][16] of float32 += x [16][32] of bfloat16 @ y [16][16][2], pairs of k.
  void dot(int sums, int x, int y);

private:
  void call(llvm::StringRef name, mlir::ValueRange operands);
  mlir::Value number(int tile);

  FunctionEmitter &f;
  mlir::Value registers; // where they are emulated: memory
};

/// As TileOps' calls, of emulated registers (TileEmulation.cpp); emits them where they are not yet.
inline constexpr llvm::StringLiteral tileConfigName = "tiles.config";
void emitTileEmulation(FunctionEmitter &caller);

} // namespace kiln::passes
