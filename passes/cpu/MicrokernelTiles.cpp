#include "passes/cpu/MicrokernelTiles.h"

#include "passes/cpu/MicrokernelPairs.h"
#include "passes/cpu/TileOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr llvm::StringLiteral name = "gemm.tiles";
/// Columns of a tile of sums, and of a panel's row in bytes.
constexpr int64_t tileColumns = 16, panelRowBytes = pairPanelWidth * 4;

/// Emits the function: blocks of 2 x 2 tiles of sums, for which a step loads four tiles for four
/// products; for a last tile of rows 1 x 4. Tiles 0 to 3 are sums, 4 and 5 of A, 6 and 7 of B.
struct TileKernel {
  FunctionEmitter &f;
  TileOps tiles;

  explicit TileKernel(FunctionEmitter &f) : f(f), tiles(f) {}
  Value argument(unsigned index) { return f.function.getArgument(index); }

  Value rowOfA(Value row, int64_t tile) {
    return f.offset(argument(0), f.mul(f.add(row, tile * TileOps::rows), pairRowStride), 2);
  }
  Value sumsAt(Value row, int64_t tile, Value column, int64_t columnTile) {
    Value place = f.mul(f.add(row, tile * TileOps::rows), argument(4));
    return f.offset(argument(3), f.add(f.add(place, column), columnTile * tileColumns), 4);
  }

  /// `count` x (4 / count) tiles of sums from (row, column) on.
  void emitBlock(Value row, Value column, int64_t count) {
    const int64_t across = 4 / count;
    Value strideC = f.mul(argument(4), 4), strideA = f.constant(pairRowStride * 2);
    Value strideB = f.constant(panelRowBytes);
    auto sums = [&](llvm::function_ref<void(int tile, Value at)> body) {
      for (int64_t r = 0; r < count; ++r)
        for (int64_t c = 0; c < across; ++c)
          body(int(r * across + c), sumsAt(row, r, column, c));
    };
    f.ifThen(
        f.equal(argument(5), f.constant(0)),
        [&] { sums([&](int tile, Value) { tiles.zero(tile); }); },
        [&] { sums([&](int tile, Value at) { tiles.load(tile, at, strideC); }); });
    Value columns = f.offset(argument(1), column, 4);
    f.loop(f.constant(0), f.div(argument(2), f.constant(tileDepth)), f.constant(1),
           [&](Value step) {
             Value inRow = f.mul(step, tileDepth * 2);
             for (int64_t r = 0; r < count; ++r)
               tiles.load(int(4 + r), f.offsetBytes(rowOfA(row, r), inRow), strideA);
             Value panel = f.offsetBytes(columns, f.mul(step, tileDepth / 2 * panelRowBytes));
             for (int64_t c = 0; c < across; ++c) {
               const int ofB = int(6 + c % 2);
               tiles.load(ofB, f.offsetBytes(panel, f.constant(c * TileOps::rowBytes)), strideB);
               for (int64_t r = 0; r < count; ++r)
                 tiles.dot(int(r * across + c), int(4 + r), ofB);
             }
           });
    sums([&](int tile, Value at) { tiles.store(tile, at, strideC); });
  }

  void emit() {
    Value rows = argument(6), pair = f.constant(2 * TileOps::rows);
    // A last block of up to 16 rows is one tile high.
    Value whole = f.mul(f.div(f.add(rows, TileOps::rows - 1), pair), 2 * TileOps::rows);
    f.loop(f.constant(0), whole, pair, [&](Value row) {
      f.loop(f.constant(0), f.constant(pairPanelWidth), f.constant(2 * tileColumns),
             [&](Value column) { emitBlock(row, column, 2); });
    });
    f.ifThen(f.lessThan(whole, rows), [&] { emitBlock(whole, f.constant(0), 1); });
  }
};

} // namespace

void emitTileProduct(FunctionEmitter &caller, const ProductOperands &o) {
  if (!caller.lowering.module.lookupSymbol(name)) {
    Type p = caller.ptr(), i = caller.i64();
    auto f =
        FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), name, {p, p, i, p, i, i, i});
    TileKernel(f).emit();
    f.finish();
  }
  caller.call(name, {o.a, o.b, o.k, o.c, o.strideC, o.accumulate, o.rows});
}

} // namespace kiln::passes
