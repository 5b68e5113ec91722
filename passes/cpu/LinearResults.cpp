#include "passes/cpu/LinearResults.h"

#include "passes/cpu/LinearBeside.h"
#include "passes/cpu/RowReduce.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

Coords matrixCoords(ArrayRef<Value> lead, Value column, Value mask) {
  Coords coords;
  coords.index.append(lead.begin(), lead.end());
  coords.index.push_back(column);
  coords.laneAxis = int64_t(lead.size());
  coords.mask = mask;
  return coords;
}

LinearResults::LinearResults(Kernel &kernel, const LinearForm &form, const ProductFormat &format)
    : kernel(kernel), form(form), linear(cast<ir::LinearOp>(kernel.anchor)), format(format) {
  Shape x = ElementEmitter::typeOf(linear.getX()).shape;
  leading.assign(x.begin(), x.end() - 1);
}

void LinearResults::emitPanel(FunctionEmitter &f, const LinearForm::Group &group, Value strip,
                              int64_t stripStride, Value firstRow, Value blockRows, Value panel) {
  const int64_t columns = form.columnsOf(group);
  Value firstColumn = f.mul(panel, format.panelWidth);
  Value width = f.constant(format.panelWidth);
  if (columns % format.panelWidth)
    width = f.min(width, f.sub(f.constant(columns), firstColumn));
  f.loop(f.constant(0), blockRows, f.constant(1), [&](Value row) {
    Value matrixRow = f.add(firstRow, row);
    SmallVector<Value> lead = emitRowCoords(f, leading, matrixRow);
    Value stripRow = f.offset(strip, f.mul(row, format.panelWidth), 4);
    emitColumns(f, width, columns % f.lanes() == 0, [&](Value inPanel, Value mask) {
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      for (auto [slot, index] : llvm::enumerate(group.weights))
        elements.provide(linear.getResult(index), [&, slot = slot, index = index](const Coords &c) {
          return linearResult(f, elements, index,
                              f.offset(stripRow, f.add(inPanel, int64_t(slot) * stripStride), 4),
                              c);
        });
      Coords coords = matrixCoords(lead, f.add(firstColumn, inPanel), mask);
      if (columns > format.panelWidth)
        emitFetchBeside(f, linear, group, f.mul(matrixRow, columns),
                        f.add(coords.index.back(), format.panelWidth));
      storeAll(f, elements, group.stores, matrixRow, columns, coords,
               columns > format.panelWidth ? format.panelWidth : 0);
    });
  });
}

Value LinearResults::linearResult(FunctionEmitter &f, ElementEmitter &elements, unsigned index,
                                  Value sum, const Coords &coords) {
  Value value = f.load(f.vec(f.f32()), sum);
  if (!linear.getBiases().empty()) {
    Coords biasAt = matrixCoords({}, coords.index.back(), coords.mask);
    value = arith::AddFOp::create(f.b, value, elements.emit(linear.getBiases()[index], biasAt));
  }
  return emitRoundedSums(f, format, value, ElementEmitter::typeOf(linear.getResult(index)).dtype);
}

void LinearResults::storeAll(FunctionEmitter &f, ElementEmitter &elements,
                             ArrayRef<LinearForm::Store> stores, Value matrixRow, int64_t columns,
                             const Coords &coords, int64_t nextColumns) {
  SmallVector<Value> values;
  for (const LinearForm::Store &store : stores)
    values.push_back(elements.emit(store.value, coords));
  for (auto [store, value] : llvm::zip(stores, values)) {
    DType dtype = ElementEmitter::typeOf(store.value).dtype;
    Value place = f.offset(f.buffer(kernel.numOperands() + store.output),
                           f.add(f.mul(matrixRow, columns), coords.index.back()), sizeBytes(dtype));
    storeRounded(f, elements, value, dtype, place, coords.mask);
    // To write, level 2, data: rows lie pages apart, which the processor does not foresee.
    if (nextColumns)
      LLVM::Prefetch::create(f.b, f.offsetBytes(place, f.constant(nextColumns * sizeBytes(dtype))),
                             1, 2, 1);
  }
}

void LinearResults::emitNorm(ModuleLowering &lowering, StringRef name) {
  auto norm = cast<ir::LayerNormOp>(form.norm);
  const TensorType type = ElementEmitter::typeOf(norm.getX());
  const int64_t columns = type.shape[-1].value();
  const bool wholeVectors = columns % lowering.target.lanes() == 0;
  auto f = FunctionEmitter::body(lowering, norm.getLoc(), name);
  f.loop(f.begin, f.end, f.constant(1), [&](Value row) {
    SmallVector<Value> lead = emitRowCoords(f, leading, row);
    Value memory = f.offset(f.buffer(kernel.numOperands() + form.normInput), f.mul(row, columns),
                            sizeBytes(type.dtype));
    auto read = [&](Value column, Value mask) {
      Value from = f.offset(memory, column, sizeBytes(type.dtype));
      return loadConvert(f, f.maskedLoad(f.vec(storageType(f, type.dtype)), from, mask),
                         type.dtype);
    };
    RowStatistics statistics = emitRowStatistics(f, DType::float32, f.constant(columns),
                                                 norm.getEpsilon().convertToDouble(), read);
    emitColumns(f, f.constant(columns), wholeVectors, [&](Value column, Value mask) {
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      auto affine = [&](Value vector) {
        return vector ? elements.emit(vector, matrixCoords({}, column, mask)) : Value();
      };
      Value before = read(column, mask);
      Value normalised = roundTo(
          f,
          emitNormalised(f, before, statistics, affine(norm.getWeight()), affine(norm.getBias())),
          type.dtype);
      elements.provide(norm.getX(), [=](const Coords &) { return before; });
      elements.provide(norm.getResult(), [=](const Coords &) { return normalised; });
      storeAll(f, elements, form.normStores, row, columns, matrixCoords(lead, column, mask));
    });
  });
  f.finish();
}

} // namespace kiln::passes
