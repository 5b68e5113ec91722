#include "passes/cpu/PackedRows.h"

#include "ir/KilnDialect.h"
#include "kiln/Quantization.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

/// Columns that code is unrolled over; 0 where nothing is decoded, or where there are no whole
/// units.
static int64_t unrolledColumns(FunctionEmitter &f, Kernel &kernel, const Dim &columns) {
  int64_t block = 0;
  for (auto decode : kernel.body().getOps<ir::DequantizeOp>())
    block = std::max(block, blockElements(*parseQuantizationEncoding(decode.getEncoding().str())));
  if (block == 0 || !columns.isStatic())
    return 0;
  constexpr int64_t maxCopies = 256; // of operations
  auto operations = static_cast<int64_t>(kernel.body().getOperations().size());
  for (int64_t size : {block, dequantizeUnit})
    if (columns.value() % size == 0 && size / f.lanes() * operations <= maxCopies)
      return size;
  return 0;
}

void emitColumnLoop(FunctionEmitter &f, Kernel &kernel, const Dim &columns, Value first,
                    Value count, llvm::function_ref<void(Value column, Value mask)> body) {
  const int64_t unrolled = unrolledColumns(f, kernel, columns);
  if (unrolled == 0)
    return f.vectorLoop(count, [&](Value column, Value mask) { body(f.add(first, column), mask); });
  f.loop(f.constant(0), count, f.constant(unrolled), [&](Value column) {
    Value start = f.add(first, column);
    for (int64_t place = 0; place < unrolled; place += f.lanes())
      body(f.add(start, place), {});
  });
}

void emitPrefetch(FunctionEmitter &f, Kernel &kernel, ArrayRef<Dim> outer, Value row) {
  // Rows ahead: some hundred nanoseconds of decoding. Lines of a row: what comes behind them is
  // noticed.
  constexpr int64_t distance = 2, lineBytes = 64, maxLines = 16;
  ElementEmitter elements(f);
  elements.provideArguments(kernel.body());
  for (auto gather : kernel.body().getOps<ir::GatherOp>()) {
    auto table = dyn_cast<BlockArgument>(gather.getTable());
    TensorType type = ElementEmitter::typeOf(gather.getTable());
    TensorType indices = ElementEmitter::typeOf(gather.getIndices());
    bool isDecoded = llvm::any_of(gather->getUsers(), llvm::IsaPred<ir::DequantizeOp>);
    bool isRow = gather.getAxis() == 0 && type.rank() == 2 && type.shape[1].isStatic() &&
                 ArrayRef<Dim>(indices.shape.vec()) == outer;
    if (!table || !isDecoded || !isRow)
      continue;
    Value last = f.sub(emitNumElements(f, outer), f.constant(1));
    Coords where;
    where.index = emitRowCoords(f, outer, f.min(f.add(row, distance), last));
    Value index = toIndex(f, elements.emit(gather.getIndices(), where), indices.dtype);
    if (gather.getTotal()) { // of rows of another rank the first one is read
      Value rows = f.dimValue(type.shape[0]);
      Value own = f.sub(index, f.mul(f.rank(), rows));
      Value isHere = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult, own, rows);
      index = arith::SelectOp::create(f.b, isHere, own, f.constant(0));
    }
    const int64_t bytes = type.shape[1].value();
    Value start = f.offsetBytes(f.buffer(table.getArgNumber()), f.mul(index, bytes));
    for (int64_t at = 0; at < std::min(bytes, maxLines * lineBytes); at += lineBytes)
      LLVM::Prefetch::create(f.b, f.offsetBytes(start, f.constant(at)), /*rw=*/0, /*hint=*/3,
                             /*cache=*/1);
  }
}

} // namespace kiln::passes
