#include "passes/cpu/MicrokernelPairs.h"

#include "passes/cpu/TileRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr int64_t lanes = 16;

/// A function for all rows, and those of its tiles.
struct Kind {
  llvm::StringLiteral name;
  int64_t vectors; // of a row
  /// Rows of the tiles, largest first. Vectors of a row, as many of the panel and a broadcast must
  /// fit in 32 registers: 6 * 4 + 5, 12 * 2 + 3.
  llvm::ArrayRef<int64_t> rows;

  std::string tile(int64_t rows) const { return (name + "." + Twine(rows)).str(); }
};
constexpr int64_t wholeRows[] = {6, 4, 3, 2, 1}, halfRows[] = {12, 6, 4, 3, 2, 1};
const Kind wholePanels = {"gemm.pairs", 4, wholeRows};
const Kind halfPanels = {"gemm.half.pairs", 2, halfRows};
/// One vdpbf16ps a cycle, each of six cycles.
constexpr int64_t sumsInFlight = 6;

/// A row of zeros, to add to.
Value emitZeros(FunctionEmitter &f) { return emitZeroRow(f, "gemm.pairs.zeros", pairPanelWidth); }

/// C = from + A @ B for a fixed number of rows: all of C's tile in registers over the loop on k.
/// Fetches lines at `ahead` for each pair, `aheadBytes` further each time.
void emitTile(FunctionEmitter &caller, const Kind &kind, int64_t rows) {
  const int64_t vectors = kind.vectors;
  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), kind.tile(rows),
                                   {p, p, i, p, i, p, i, p, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value a = argument(0), panel = argument(1), pairs = argument(2), c = argument(3);
  Value strideBytes = argument(4), from = argument(5), fromStrideBytes = argument(6);
  Value ahead = argument(7), aheadBytes = argument(8);
  auto sumType = f.vec(f.f32());
  auto halves = VectorType::get({2 * lanes}, f.b.getBF16Type());

  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(sumType));
  SmallVector<Value> sums(rows * vectors, zero);
  sums = f.fold(f.constant(0), pairs, f.constant(1), sums, [&](Value step, ValueRange carried) {
    Value source = f.offset(panel, f.mul(step, pairPanelWidth), 4);
    SmallVector<Value, 4> columns;
    for (int64_t j = 0; j < vectors; ++j)
      columns.push_back(f.load(halves, f.offsetBytes(source, f.constant(j * lanes * 4))));
    PanelAhead::emitFetch(f, f.offsetBytes(ahead, f.mul(step, aheadBytes)), rows,
                          pairPanelWidth * 4);
    SmallVector<Value> next;
    Value pair = f.offset(a, step, 4);
    for (int64_t r = 0; r < rows; ++r) {
      Value bits = f.load(f.b.getI32Type(), f.offsetBytes(pair, f.constant(r * pairRowStride * 2)));
      Value x = LLVM::BitcastOp::create(f.b, halves, f.splat(bits));
      for (int64_t j = 0; j < vectors; ++j)
        next.push_back(f.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", sumType,
                                   {carried[r * vectors + j], x, columns[j]}));
    }
    return next;
  });

  emitTileEnd(f, rows, vectors, {c, strideBytes}, {from, fromStrideBytes},
              [&](int64_t r, int64_t j) { return sums[r * vectors + j]; });
  f.finish();
}

/// All rows, by tiles.
void emitRows(FunctionEmitter &caller, const Kind &kind) {
  const TileKinds kinds = {kind.rows, kind.vectors, sumsInFlight};
  for (int64_t rows : kinds.rows)
    emitTile(caller, kind, rows);

  Type p = caller.ptr(), i = caller.i64();
  auto f =
      FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), kind.name, {p, p, i, p, i, i, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value panel = argument(1), strideC = argument(4), rows = argument(6);
  Value pairs = f.div(f.add(argument(2), 1), f.constant(2));
  Value fresh = f.equal(argument(5), f.constant(0));
  Value strideBytes = f.mul(strideC, 4), zeros = emitZeros(f);
  Value fromStride = arith::SelectOp::create(f.b, fresh, f.constant(0), strideBytes);
  const PanelAhead panelAhead(f, panel, pairs, pairPanelWidth * 4, productBlock / 2, rows);
  auto tileAt = [&](Value row, int64_t tileRows) {
    Value a = f.offset(argument(0), f.mul(row, pairRowStride), 2);
    Value c = f.offset(argument(3), f.mul(row, strideC), 4);
    Value from = arith::SelectOp::create(f.b, fresh, zeros, c);
    auto ahead = panelAhead.of(row, tileRows);
    f.call(kind.tile(tileRows),
           {a, panel, pairs, c, strideBytes, from, fromStride, ahead.start, ahead.stepBytes});
  };
  emitTiles(f, (kind.name + ".cut").str(), kinds, rows, tileAt);
  f.finish();
}

} // namespace

void emitPairProduct(FunctionEmitter &f, const ProductOperands &o, bool halfPanel) {
  const Kind &kind = halfPanel ? halfPanels : wholePanels;
  if (!f.lowering.module.lookupSymbol(kind.name))
    emitRows(f, kind);
  f.call(kind.name, {o.a, o.b, o.k, o.c, o.strideC, o.accumulate, o.rows});
}

Value emitToBFloat16(FunctionEmitter &f, Value x) {
  auto type = VectorType::get({lanes}, f.b.getBF16Type());
  return f.intrinsic("llvm.x86.avx512bf16.cvtneps2bf16.512", type, x);
}

Value emitRoundedToBFloat16(FunctionEmitter &f, Value x) {
  auto words = f.vec(f.b.getI32Type());
  Value halves = LLVM::BitcastOp::create(f.b, f.vec(f.b.getI16Type()), emitToBFloat16(f, x));
  Value sixteen = arith::ConstantOp::create(f.b, DenseElementsAttr::get(words, APInt(32, 16)));
  Value wide = arith::ExtUIOp::create(f.b, words, halves);
  return LLVM::BitcastOp::create(f.b, f.vec(f.f32()), arith::ShLIOp::create(f.b, wide, sixteen));
}

} // namespace kiln::passes
