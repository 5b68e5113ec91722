#include "passes/cpu/ProductFormat.h"

#include "passes/cpu/ElementEmitter.h"
#include "passes/cpu/MicrokernelPairs.h"
#include "passes/cpu/MicrokernelTiles.h"
#include "passes/cpu/TileOps.h"

using namespace mlir;

namespace kiln::passes {

Value ProductFormat::panelElements(FunctionEmitter &f, Value k) const {
  Value rows = inPairs() ? f.mul(f.div(f.add(k, 1), f.constant(2)), 2) : k;
  return f.mul(rows, panelWidth * parts);
}

ProductFormat chooseProduct(const ModuleLowering &lowering, DType dtype, const Dim &depth) {
  const bool inTwo = dtype == DType::float32 && lowering.precision == Precision::high;
  const bool narrow = dtype == DType::bfloat16 || inTwo ||
                      (dtype == DType::float32 && lowering.precision == Precision::bf16);
  ProductFormat format{.panelWidth = panelWidth(lowering.target)};
  if (!lowering.target.bf16 || !narrow)
    return format;
  // Without a whole step tiles would only write zeros.
  const bool tiles = lowering.target.tiles && !(depth.isStatic() && depth.value() < tileDepth);
  // Three products of pairs take 3/2 of the time of one by multiply-adds, of tiles 3/16.
  if (inTwo && !tiles)
    return format;
  format = {ProductUnit::pairs, DType::bfloat16, pairRowStride, pairPanelWidth};
  if (inTwo)
    format.parts = 2;
  if (!tiles)
    return format;
  format.unit = ProductUnit::tiles;
  format.granule = 2 * tileRowGranule;
  format.wholeSteps = depth.isStatic() && depth.value() % tileDepth == 0;
  return format;
}

void emitProductsBegin(FunctionEmitter &f, const ProductFormat &format) {
  if (format.unit == ProductUnit::tiles)
    TileOps::configure(f);
}
void emitProductsEnd(FunctionEmitter &f, const ProductFormat &format) {
  if (format.unit == ProductUnit::tiles)
    TileOps::release(f);
}

Value emitRoundedSums(FunctionEmitter &f, const ProductFormat &format, Value sums, DType dtype) {
  if (format.inPairs() && dtype == DType::bfloat16)
    return emitRoundedToBFloat16(f, sums);
  return roundTo(f, sums, dtype);
}

static void emitTilesAndPairs(FunctionEmitter &f, const ProductFormat &format,
                              const ProductOperands &operands) {
  emitTileProduct(f, operands);
  if (format.wholeSteps)
    return;
  Value whole = f.mul(f.div(operands.k, f.constant(tileDepth)), tileDepth);
  f.ifThen(f.lessThan(whole, operands.k), [&] {
    ProductOperands rest = operands;
    rest.a = f.offset(operands.a, whole, format.rowBytes());
    rest.b = f.offset(operands.b, f.mul(whole, format.panelWidth), format.rowBytes());
    rest.k = f.sub(operands.k, whole);
    rest.accumulate = f.constant(1);
    emitPairProduct(f, rest);
  });
}

static void emitPartProduct(FunctionEmitter &f, const ProductFormat &format, DType panelType,
                            const ProductOperands &operands, bool halfPanel) {
  switch (format.unit) {
  case ProductUnit::multiplyAdd:
    return emitProduct(f, panelType, operands, halfPanel);
  case ProductUnit::pairs:
    return emitPairProduct(f, operands, halfPanel);
  case ProductUnit::tiles:
    return emitTilesAndPairs(f, format, operands);
  }
}

void emitProduct(FunctionEmitter &f, const ProductFormat &format, DType panelType,
                 const ProductOperands &operands, bool halfPanel) {
  emitPartProduct(f, format, panelType, operands, halfPanel);
  if (format.parts == 1)
    return;
  ProductOperands cross = operands;
  cross.accumulate = f.constant(1);
  cross.b = f.offset(operands.b, f.constant(operands.nextPartB), format.rowBytes());
  emitPartProduct(f, format, panelType, cross, halfPanel);
  cross.a = f.offset(operands.a, f.constant(operands.nextPartA), format.rowBytes());
  cross.b = operands.b;
  emitPartProduct(f, format, panelType, cross, halfPanel);
}

} // namespace kiln::passes
