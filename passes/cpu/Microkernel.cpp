#include "passes/cpu/Microkernel.h"

#include "passes/cpu/ElementEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <functional>

using namespace mlir;

namespace kiln::passes {
namespace {

/// Rows of the tiles, largest first; the smallest is 1. Two vectors a row, the panel's two vectors
/// and a broadcast must fit in the registers: 12 * 2 + 3 of 32, 6 * 2 + 3 of 16. Without FMA a
/// product takes a register too: 4 * 2 + 4 of 16.
ArrayRef<int64_t> tiles(const CpuTarget &target) {
  static constexpr int64_t wide[] = {12, 8, 6, 4, 1}, narrow[] = {6, 4, 1}, noFma[] = {4, 1};
  if (target.vectorRegisters >= 32)
    return wide;
  return target.fma ? ArrayRef<int64_t>(narrow) : ArrayRef<int64_t>(noFma);
}

void call(FunctionEmitter &f, StringRef name, ValueRange operands) {
  LLVM::CallOp::create(f.b, TypeRange{}, name, operands);
}

/// Two vectors of zeros, to add to.
Value emitZeros(FunctionEmitter &f) {
  ModuleOp module = f.lowering.module;
  constexpr llvm::StringLiteral name = "gemm.zeros";
  auto values = RankedTensorType::get({2 * f.lanes()}, f.f32());
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToEnd(module.getBody());
    LLVM::GlobalOp::create(f.b, LLVM::LLVMArrayType::get(f.f32(), 2 * f.lanes()),
                           /*isConstant=*/true, LLVM::Linkage::Private, name,
                           f.b.getZeroAttr(values), /*alignment=*/64);
  }
  return LLVM::AddressOfOp::create(f.b, f.ptr(), name);
}

/// C = from + A @ B for a fixed number of rows: all of C's tile in registers over the loop on k.
/// One way to end, whether the sums are added to something or not, as code costs compile time.
/// Fetches a line at `ahead` for each k, `aheadBytes` further each time. `vectors`: columns to
/// compute.
void emitTile(FunctionEmitter &caller, StringRef name, int64_t rows, DType panelType,
              int64_t vectors) {
  ModuleLowering &lowering = caller.lowering;
  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(lowering, caller.b.getLoc(), name, {p, p, i, p, i, p, i, p, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value a = argument(0), panel = argument(1), k = argument(2), c = argument(3);
  Value strideBytes = argument(4), from = argument(5), fromStrideBytes = argument(6);
  Value ahead = argument(7), aheadBytes = argument(8);
  const int64_t lanes = f.lanes(), bytes = sizeBytes(panelType);
  auto vector = f.vec(f.f32());

  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(vector));
  SmallVector<Value> sums(rows * vectors, zero);
  sums = f.fold(f.constant(0), k, f.constant(1), sums, [&](Value step, ValueRange carried) {
    Value source = f.offset(panel, f.mul(step, 2 * lanes), bytes);
    SmallVector<Value, 2> columns;
    for (int64_t j = 0; j < vectors; ++j) {
      Value stored = f.load(f.vec(storageType(f, panelType)),
                            f.offsetBytes(source, f.constant(j * lanes * bytes)));
      columns.push_back(loadConvert(f, stored, panelType));
    }
    // Read, level 2 (LLVM numbers its levels from 3 down), data.
    LLVM::Prefetch::create(f.b, f.offsetBytes(ahead, f.mul(step, aheadBytes)), 0, 2, 1);
    SmallVector<Value> next;
    Value column = f.offset(a, step, 4);
    for (int64_t r = 0; r < rows; ++r) {
      Value x = f.splat(f.load(f.f32(), f.offsetBytes(column, f.constant(r * rowStride * 4))));
      for (int64_t j = 0; j < vectors; ++j)
        next.push_back(f.multiplyAdd(x, columns[j], carried[r * vectors + j]));
    }
    return next;
  });

  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < vectors; ++j) {
      Value inRow = f.constant(j * lanes * 4);
      Value before = f.load(vector, f.offsetBytes(from, inRow));
      f.store(arith::AddFOp::create(f.b, before, sums[r * vectors + j]), f.offsetBytes(c, inRow));
    }
    c = f.offsetBytes(c, strideBytes);
    from = f.offsetBytes(from, fromStrideBytes);
  }
  f.finish();
}

/// All rows: whole tiles of the largest kind, then one tile for what is left.
void emitRows(FunctionEmitter &caller, StringRef name, DType panelType, int64_t vectors) {
  ModuleLowering &lowering = caller.lowering;
  ArrayRef<int64_t> kinds = tiles(lowering.target);
  auto tileName = [&](int64_t rows) { return (name + "." + Twine(rows)).str(); };
  for (int64_t rows : kinds)
    emitTile(caller, tileName(rows), rows, panelType, vectors);

  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(lowering, caller.b.getLoc(), name, {p, p, i, p, i, i, i});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value panel = argument(1), k = argument(2), strideC = argument(4), rows = argument(6);
  Value fresh = f.equal(argument(5), f.constant(0));
  Value strideBytes = f.mul(strideC, 4), zeros = emitZeros(f);
  Value fromStride = arith::SelectOp::create(f.b, fresh, f.constant(0), strideBytes);
  // Panels follow each other in memory. Where several tiles read one panel from the caches nearby,
  // the processor does not see that the next one is wanted, so the tiles fetch it, a part each.
  Value blockBytes = f.mul(k, 2 * f.lanes() * sizeBytes(panelType));
  Value aheadBytes = f.ceilDiv(f.constant(2 * f.lanes() * sizeBytes(panelType)),
                               f.max(f.constant(1), f.ceilDiv(rows, f.constant(kinds[0]))));
  Value next = f.offsetBytes(panel, blockBytes);
  Value aheadPerRow = f.div(f.mul(k, aheadBytes), f.constant(kinds[0]));
  auto tileAt = [&](Value row, int64_t kind) {
    Value ahead = f.offsetBytes(next, f.mul(row, aheadPerRow));
    Value a = f.offset(argument(0), f.mul(row, rowStride), 4);
    Value c = f.offset(argument(3), f.mul(row, strideC), 4);
    Value from = arith::SelectOp::create(f.b, fresh, zeros, c);
    call(f, tileName(kind), {a, panel, k, c, strideBytes, from, fromStride, ahead, aheadBytes});
  };
  Value whole = f.mul(f.div(rows, f.constant(kinds[0])), kinds[0]);
  Value left = f.sub(rows, whole);
  auto yes = [&](Value condition) -> Value {
    return arith::ExtUIOp::create(f.b, f.i64(), condition);
  };
  // Two of four rows where six and four would compute more rows for nothing.
  const bool sixes = kinds[0] == 6;
  if (sixes) {
    Value few = arith::AndIOp::create(f.b, f.lessThan(f.constant(0), whole),
                                      arith::AndIOp::create(f.b, f.lessThan(f.constant(0), left),
                                                            f.lessThan(left, f.constant(3))));
    whole = f.sub(whole, f.mul(yes(few), 6));
    f.ifThen(few, [&] { tileAt(whole, 4); });
    Value done = f.mul(yes(few), 4);
    f.loop(f.constant(0), whole, f.constant(6), [&](Value row) { tileAt(row, 6); });
    whole = f.add(whole, done);
    left = f.sub(rows, whole);
  } else {
    f.loop(f.constant(0), whole, f.constant(kinds[0]), [&](Value row) { tileAt(row, kinds[0]); });
    // The first and the ninth row alone: slow by itself, but faster than three rows for nothing.
    Value alone = f.equal(f.rem(left, f.constant(8)), f.constant(1));
    left = f.sub(left, yes(alone));
    f.ifThen(alone, [&] { tileAt(f.sub(rows, f.constant(1)), 1); });
  }
  // The smallest tile that holds what is left.
  ArrayRef<int64_t> rest = sixes ? kinds : kinds.drop_back();
  std::function<void(size_t)> choose = [&](size_t kind) {
    if (kind + 1 == rest.size())
      return tileAt(whole, rest[kind]);
    f.ifThen(
        f.lessThan(f.constant(rest[kind + 1]), left), [&] { tileAt(whole, rest[kind]); },
        [&] { choose(kind + 1); });
  };
  f.ifThen(f.lessThan(f.constant(0), left), [&] { choose(0); });
  f.finish();
}

} // namespace

int64_t tileRows(const CpuTarget &target) { return tiles(target).front(); }

void emitProduct(FunctionEmitter &f, DType panelType, const ProductOperands &o, bool halfPanel) {
  std::string name = (halfPanel ? "gemm.half." : "gemm.") + std::string(shortName(panelType));
  if (!f.lowering.module.lookupSymbol(name))
    emitRows(f, name, panelType, halfPanel ? 1 : 2);
  call(f, name, {o.a, o.b, o.k, o.c, o.strideC, o.accumulate, o.rows});
}

} // namespace kiln::passes
