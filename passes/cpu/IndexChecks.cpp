// A kernel's indices are all checked before it runs, so that its bodies read without checks.
#include "ir/KilnDialect.h"
#include "passes/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// "[gather] indices [4, 16] i64 into axis 0 of table [10, 3] f32"
std::string describe(Operation *gather, int64_t axis) {
  TensorType table = ElementEmitter::typeOf(gather->getOperand(0));
  TensorType indices = ElementEmitter::typeOf(gather->getOperand(1));
  return "[gather] indices " + indices.str() + " into axis " + std::to_string(axis) + " of table " +
         table.str();
}

void emitCheck(FunctionEmitter &f, ElementEmitter &elements, Operation *gather) {
  int64_t axis = gather->getAttrOfType<IntegerAttr>("axis").getInt();
  Value indices = gather->getOperand(1);
  TensorType type = ElementEmitter::typeOf(indices);
  Value bound = f.dimValue(ElementEmitter::typeOf(gather->getOperand(0)).shape[axis]);
  int64_t site = f.lowering.addIndexSite(describe(gather, axis), gather->getLoc());

  auto indexAt = [&](Value position) {
    Coords at;
    at.index = emitRowCoords(f, type.shape.vec(), position);
    return toIndex(f, elements.emit(indices, at), type.dtype);
  };
  // Unsigned: a negative index is a huge one. The smallest bad position wins, so go backwards.
  Value count = emitNumElements(f, type.shape.vec());
  auto bad = f.fold(f.constant(0), count, f.constant(1), f.constant(-1),
                    [&](Value step, ValueRange carried) -> SmallVector<Value> {
                      Value position = f.sub(f.sub(count, step), f.constant(1));
                      Value inside = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult,
                                                           indexAt(position), bound);
                      return {arith::SelectOp::create(f.b, inside, carried[0], position)};
                    });
  Value failed = f.lessThan(f.constant(-1), bad[0]);
  f.ifThen(failed, [&] { f.reportIndex(site, indexAt(bad[0]), bad[0], bound); });
  f.returnIf(failed, /*status=*/1);
}

} // namespace

void emitIndexChecks(FunctionEmitter &launcher, Block &kernelBody) {
  ElementEmitter elements(launcher);
  elements.provideArguments(kernelBody);
  // In program order: an index that is itself gathered is checked after its own indices.
  for (Operation &op : kernelBody)
    if (op.getName().getStringRef() == "kiln.gather")
      emitCheck(launcher, elements, &op);
}

} // namespace kiln::passes
