#include "passes/cpu/TileRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <functional>
#include <limits>

using namespace mlir;

namespace kiln::passes {

/// What a tile takes beside its sums, in multiply-adds: a call, and the first loads.
static constexpr int64_t tileBegin = 1;

SmallVector<int64_t> firstTiles(const TileKinds &kinds) {
  const int64_t count = 2 * kinds.rows.front();
  SmallVector<int64_t> first(count, 0), cost(count, 0);
  for (int64_t rows = 1; rows < count; ++rows) {
    cost[rows] = std::numeric_limits<int64_t>::max();
    for (int64_t kind : kinds.rows) {
      if (kind > rows)
        continue;
      int64_t all =
          std::max(kind * kinds.vectors, kinds.sumsInFlight) + tileBegin + cost[rows - kind];
      if (all < cost[rows]) {
        cost[rows] = all;
        first[rows] = kind;
      }
    }
  }
  return first;
}

/// The tables of `kinds`, one behind the other: the first tile, how many tiles there are.
static Value emitTables(FunctionEmitter &f, StringRef name, ArrayRef<int64_t> first) {
  ModuleOp module = f.lowering.module;
  if (!module.lookupSymbol(name)) {
    SmallVector<int64_t> values(first);
    for (size_t rows = 0; rows < first.size(); ++rows) {
      int64_t tiles = 0;
      for (int64_t left = int64_t(rows); left; left -= first[left])
        ++tiles;
      values.push_back(tiles);
    }
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToEnd(module.getBody());
    auto type = RankedTensorType::get({int64_t(values.size())}, f.i64());
    LLVM::GlobalOp::create(f.b, LLVM::LLVMArrayType::get(f.i64(), values.size()),
                           /*isConstant=*/true, LLVM::Linkage::Private, name,
                           DenseElementsAttr::get(type, ArrayRef<int64_t>(values)),
                           /*alignment=*/64);
  }
  return LLVM::AddressOfOp::create(f.b, f.ptr(), name);
}

void emitTiles(FunctionEmitter &f, StringRef table, const TileKinds &kinds, Value rows,
               llvm::function_ref<void(Value row, int64_t kind)> tileAt) {
  const int64_t largest = kinds.rows.front();
  const SmallVector<int64_t> first = firstTiles(kinds);
  Value tables = emitTables(f, table, first);
  // All but one whole tile: a row or two more are cut better together with it.
  Value wholeTiles = f.max(f.constant(1), f.div(rows, f.constant(largest)));
  wholeTiles = f.sub(wholeTiles, f.constant(1));
  Value whole = f.mul(wholeTiles, largest), left = f.sub(rows, whole);
  Value restTiles = f.load(f.i64(), f.offset(tables, f.add(left, int64_t(first.size())), 8));
  f.loop(f.constant(0), whole, f.constant(largest), [&](Value row) { tileAt(row, largest); });
  f.fold(f.constant(0), restTiles, f.constant(1), {whole}, [&](Value, ValueRange carried) {
    Value row = carried[0];
    Value size = f.load(f.i64(), f.offset(tables, f.sub(rows, row), 8));
    std::function<void(size_t)> choose = [&](size_t kind) {
      if (kind + 1 == kinds.rows.size())
        return tileAt(row, kinds.rows[kind]);
      f.ifThen(
          f.lessThan(f.constant(kinds.rows[kind + 1]), size),
          [&] { tileAt(row, kinds.rows[kind]); }, [&] { choose(kind + 1); });
    };
    choose(0);
    return SmallVector<Value>{f.add(row, size)};
  });
}

Value emitZeroRow(FunctionEmitter &f, StringRef name, int64_t elements) {
  ModuleOp module = f.lowering.module;
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToEnd(module.getBody());
    auto values = RankedTensorType::get({elements}, f.f32());
    LLVM::GlobalOp::create(f.b, LLVM::LLVMArrayType::get(f.f32(), elements),
                           /*isConstant=*/true, LLVM::Linkage::Private, name,
                           f.b.getZeroAttr(values), /*alignment=*/64);
  }
  return LLVM::AddressOfOp::create(f.b, f.ptr(), name);
}

void emitTileEnd(FunctionEmitter &f, int64_t rows, int64_t vectors, StridedRows to,
                 StridedRows from, llvm::function_ref<Value(int64_t, int64_t)> sum) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < vectors; ++j) {
      Value inRow = f.constant(j * f.lanes() * 4);
      Value before = f.load(f.vec(f.f32()), f.offsetBytes(from.first, inRow));
      f.store(arith::AddFOp::create(f.b, before, sum(r, j)), f.offsetBytes(to.first, inRow));
    }
    to.first = f.offsetBytes(to.first, to.strideBytes);
    from.first = f.offsetBytes(from.first, from.strideBytes);
  }
}

constexpr int64_t lineBytes = 64, fractionBits = 16;

PanelAhead::PanelAhead(FunctionEmitter &f, Value panel, Value steps, int64_t stepBytes,
                       int64_t distance, Value rows)
    : f(f), next(f.offsetBytes(panel, f.constant(distance * stepBytes))), steps(steps),
      perRow(f.ceilDiv(f.constant(stepBytes << fractionBits), f.max(f.constant(1), rows))) {}

PanelAhead::Share PanelAhead::of(Value row, int64_t tileRows) const {
  Value scale = f.constant(int64_t(1) << fractionBits);
  Value before = f.div(f.mul(perRow, row), scale);
  return {f.offsetBytes(next, f.mul(steps, before)),
          f.div(f.add(f.mul(perRow, tileRows), (int64_t(1) << fractionBits) - 1), scale)};
}

void PanelAhead::emitFetch(FunctionEmitter &f, Value place, int64_t tileRows, int64_t stepBytes) {
  const int64_t lines = tileRows < 3 || stepBytes <= lineBytes ? 1 : 2;
  // Read, level 2 (LLVM numbers its levels from 3 down), data.
  for (int64_t line = 0; line < lines; ++line)
    LLVM::Prefetch::create(f.b, f.offsetBytes(place, f.constant(line * lineBytes)), 0, 2, 1);
}

} // namespace kiln::passes
