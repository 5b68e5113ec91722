#include "passes/cpu/MicrokernelPacking.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

void emitColumns(FunctionEmitter &f, Value count, bool wholeVectors,
                 llvm::function_ref<void(Value column, Value mask)> body) {
  if (!wholeVectors)
    return f.vectorLoop(count, body);
  f.loop(f.constant(0), count, f.constant(f.lanes()), [&](Value column) { body(column, {}); });
}

bool isWholeVectors(FunctionEmitter &f, const Dim &columns) {
  return columns.isStatic() && columns.value() % f.lanes() == 0;
}

void emitPackRows(FunctionEmitter &f, Value a, Value rows, Value columns, bool wholeVectors,
                  int64_t blockStride, const RowSource &source) {
  Value blocks = f.ceilDiv(columns, f.constant(productBlock));
  f.loop(f.constant(0), rows, f.constant(1), [&](Value row) {
    RowReader read = source(row);
    f.loop(f.constant(0), blocks, f.constant(1), [&](Value block) {
      Value first = f.mul(block, productBlock);
      Value count = f.min(f.constant(productBlock), f.sub(columns, first));
      Value to = f.offset(a, f.add(f.mul(block, blockStride), f.mul(row, rowStride)), 4);
      // The last vector of a row is stored whole: there is room, and nobody reads what is beyond.
      emitColumns(f, count, wholeVectors, [&](Value column, Value mask) {
        f.store(read(f.add(first, column), mask), f.offset(to, column, 4));
      });
    });
  });

  // Tiles with more rows than are left read up to three rows more. What lies there cannot reach a
  // result, but stale bits may be subnormal numbers, which are slow.
  Value padded = f.mul(f.ceilDiv(rows, f.constant(4)), 4);
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(f.f32())));
  f.loop(rows, padded, f.constant(1), [&](Value row) {
    f.loop(f.constant(0), blocks, f.constant(1), [&](Value block) {
      Value to = f.offset(a, f.add(f.mul(block, blockStride), f.mul(row, rowStride)), 4);
      f.loop(f.constant(0), f.constant(productBlock), f.constant(f.lanes()),
             [&](Value column) { f.store(zero, f.offset(to, column, 4)); });
    });
  });
}

void emitPackPanel(FunctionEmitter &f, Value panel, Value k, Value columns,
                   const RowSource &source) {
  const int64_t lanes = f.lanes();
  f.loop(f.constant(0), k, f.constant(1), [&](Value row) {
    RowReader read = source(row);
    Value to = f.offset(panel, f.mul(row, 2 * lanes), 4);
    f.vectorLoop(columns, [&](Value column, Value mask) {
      f.store(read(column, mask), f.offset(to, column, 4));
    });
  });
}

void emitStores(FunctionEmitter &f, Kernel &kernel, ElementEmitter &elements, const Coords &at) {
  for (auto [number, result] : llvm::enumerate(kernel.terminator()->getOperands())) {
    TensorType type = ElementEmitter::typeOf(result);
    Value position = f.constant(0);
    for (int64_t axis = 0; axis < type.rank(); ++axis)
      position = f.add(f.mul(position, f.dimValue(type.shape[axis])), at.index[axis]);
    Value pointer =
        f.offset(f.buffer(kernel.numOperands() + number), position, sizeBytes(type.dtype));
    elements.storeAt(elements.emit(result, at), type.dtype, pointer, at.mask);
  }
}

} // namespace kiln::passes
