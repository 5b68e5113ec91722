#include "passes/cpu/Microkernel.h"

#include "passes/cpu/ElementEmitter.h"
#include "passes/cpu/TileRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Rows of the tiles. Two vectors a row, the panel's two vectors and a broadcast must fit in the
/// registers: 12 * 2 + 3 of 32, 6 * 2 + 3 of 16. Without FMA a product takes a register too:
/// 4 * 2 + 4 of 16.
ArrayRef<int64_t> tiles(const CpuTarget &target) {
  static constexpr int64_t wide[] = {12, 6, 5, 4, 3, 2, 1}, narrow[] = {6, 5, 4, 3, 2, 1},
                           noFma[] = {4, 3, 2, 1};
  if (target.vectorRegisters >= 32)
    return wide;
  return target.fma ? ArrayRef<int64_t>(narrow) : ArrayRef<int64_t>(noFma);
}
/// Two multiply-adds a cycle, each of four cycles, on most processors; AVX-512 has one on some.
constexpr int64_t sumsInFlight = 8;

/// Two vectors of zeros, to add to.
Value emitZeros(FunctionEmitter &f) { return emitZeroRow(f, "gemm.zeros", 2 * f.lanes()); }

/// C = from + A @ B for a fixed number of rows: all of C's tile in registers over the loop on k.
/// One way to end, whether the sums are added to something or not, as code costs compile time.
/// Fetches lines at `ahead` for each k, `aheadBytes` further each time. `vectors`: columns to
/// compute of each of `panels`; the second panel lies `nextPanel` bytes behind the first one, its C
/// and `from` behind mostJointRows rows of the first one's.
void emitTile(FunctionEmitter &caller, StringRef name, int64_t rows, DType panelType,
              int64_t vectors, int64_t panels = 1) {
  ModuleLowering &lowering = caller.lowering;
  Type p = caller.ptr(), i = caller.i64();
  auto f =
      FunctionEmitter::helper(lowering, caller.b.getLoc(), name, {p, p, i, p, i, p, i, p, i, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value a = argument(0), panel = argument(1), k = argument(2), c = argument(3);
  Value strideBytes = argument(4), from = argument(5), fromStrideBytes = argument(6);
  Value ahead = argument(7), aheadBytes = argument(8), nextPanel = argument(9);
  const int64_t lanes = f.lanes(), bytes = sizeBytes(panelType);
  auto vector = f.vec(f.f32());

  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(vector));
  SmallVector<Value> sums(panels * rows * vectors, zero);
  sums = f.fold(f.constant(0), k, f.constant(1), sums, [&](Value step, ValueRange carried) {
    Value source = f.offset(panel, f.mul(step, 2 * lanes), bytes);
    Value aheadNow = f.offsetBytes(ahead, f.mul(step, aheadBytes));
    SmallVector<Value, 4> columns;
    for (int64_t part = 0; part < panels; ++part) {
      for (int64_t j = 0; j < vectors; ++j) {
        Value stored = f.load(f.vec(storageType(f, panelType)),
                              f.offsetBytes(source, f.constant(j * lanes * bytes)));
        columns.push_back(loadConvert(f, stored, panelType));
      }
      PanelAhead::emitFetch(f, aheadNow, rows, 2 * lanes * bytes);
      if (part + 1 < panels) {
        source = f.offsetBytes(source, nextPanel);
        aheadNow = f.offsetBytes(aheadNow, nextPanel);
      }
    }
    SmallVector<Value> next;
    Value column = f.offset(a, step, 4);
    for (int64_t r = 0; r < rows; ++r) {
      Value x = f.splat(f.load(f.f32(), f.offsetBytes(column, f.constant(r * rowStride * 4))));
      for (Value values : columns)
        next.push_back(f.multiplyAdd(x, values, carried[next.size()]));
    }
    return next;
  });

  for (int64_t part = 0; part < panels; ++part) {
    emitTileEnd(f, rows, vectors, {c, strideBytes}, {from, fromStrideBytes},
                [&](int64_t r, int64_t j) { return sums[(r * panels + part) * vectors + j]; });
    if (part + 1 < panels) {
      c = f.offsetBytes(c, f.mul(strideBytes, mostJointRows));
      from = f.offsetBytes(from, f.mul(fromStrideBytes, mostJointRows));
    }
  }
  f.finish();
}

/// All rows, by tiles.
void emitRows(FunctionEmitter &caller, StringRef name, DType panelType, int64_t vectors) {
  ModuleLowering &lowering = caller.lowering;
  const TileKinds kinds = {tiles(lowering.target), vectors, sumsInFlight};
  auto tileName = [&](int64_t rows) { return (name + "." + Twine(rows)).str(); };
  for (int64_t rows : kinds.rows)
    emitTile(caller, tileName(rows), rows, panelType, vectors);

  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(lowering, caller.b.getLoc(), name, {p, p, i, p, i, i, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value panel = argument(1), k = argument(2), strideC = argument(4), rows = argument(6);
  Value fresh = f.equal(argument(5), f.constant(0));
  Value strideBytes = f.mul(strideC, 4), zeros = emitZeros(f);
  Value fromStride = arith::SelectOp::create(f.b, fresh, f.constant(0), strideBytes);
  const PanelAhead panelAhead(f, panel, k, 2 * f.lanes() * sizeBytes(panelType), productBlock,
                              rows);
  auto tileAt = [&](Value row, int64_t kind) {
    auto ahead = panelAhead.of(row, kind);
    Value a = f.offset(argument(0), f.mul(row, rowStride), 4);
    Value c = f.offset(argument(3), f.mul(row, strideC), 4);
    Value from = arith::SelectOp::create(f.b, fresh, zeros, c);
    f.call(tileName(kind), {a, panel, k, c, strideBytes, from, fromStride, ahead.start,
                            ahead.stepBytes, f.constant(0)});
  };
  emitTiles(f, (name + ".cut").str(), kinds, rows, tileAt);
  f.finish();
}

/// At most mostJointRows rows with two panels.
void emitJointRows(FunctionEmitter &caller, StringRef name, DType panelType) {
  auto tileName = [&](int64_t rows) { return (name + "." + Twine(rows)).str(); };
  for (int64_t rows = 1; rows <= mostJointRows; ++rows)
    emitTile(caller, tileName(rows), rows, panelType, 2, jointPanels);

  Type p = caller.ptr(), i = caller.i64();
  auto f =
      FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), name, {p, p, i, p, i, i, i, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value panel = argument(1), k = argument(2), c = argument(3), rows = argument(6);
  Value fresh = f.equal(argument(5), f.constant(0));
  Value strideBytes = f.mul(argument(4), 4);
  Value from = arith::SelectOp::create(f.b, fresh, emitZeros(f), c);
  Value fromStride = arith::SelectOp::create(f.b, fresh, f.constant(0), strideBytes);
  const int64_t stepBytes = 2 * f.lanes() * sizeBytes(panelType);
  Value next = f.offsetBytes(panel, f.constant(productBlock * stepBytes));
  auto tile = [&](int64_t kind) {
    f.call(tileName(kind), {argument(0), panel, k, c, strideBytes, from, fromStride, next,
                            f.constant(stepBytes), argument(7)});
  };
  static_assert(mostJointRows == 2);
  f.ifThen(f.equal(rows, f.constant(1)), [&] { tile(1); }, [&] { tile(2); });
  f.finish();
}

} // namespace

int64_t jointRows(const CpuTarget &target) {
  return target.vectorRegisters < 32 ? mostJointRows : 0;
}

void emitProduct(FunctionEmitter &f, DType panelType, const ProductOperands &o, bool halfPanel) {
  std::string name = (halfPanel ? "gemm.half." : "gemm.") + std::string(shortName(panelType));
  if (!f.lowering.module.lookupSymbol(name))
    emitRows(f, name, panelType, halfPanel ? 1 : 2);
  f.call(name, {o.a, o.b, o.k, o.c, o.strideC, o.accumulate, o.rows});
}

void emitJointProduct(FunctionEmitter &f, DType panelType, const ProductOperands &o,
                      int64_t nextPanel) {
  std::string name = "gemm.joint." + std::string(shortName(panelType));
  if (!f.lowering.module.lookupSymbol(name))
    emitJointRows(f, name, panelType);
  f.call(name, {o.a, o.b, o.k, o.c, o.strideC, o.accumulate, o.rows,
                f.constant(nextPanel * sizeBytes(panelType))});
}

} // namespace kiln::passes
