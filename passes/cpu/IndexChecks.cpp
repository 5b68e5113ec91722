// A kernel's indices are all checked before it runs, so that its bodies read without checks.
#include "ir/KilnDialect.h"
#include "passes/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// A gather's table, or a scatter's x; a part of a table is checked as the whole.
TensorType indexed(Operation *op) {
  if (auto gather = dyn_cast<ir::GatherOp>(op))
    return gather.wholeTableType();
  return ElementEmitter::typeOf(op->getOperand(0));
}

std::string describe(Operation *op, int64_t axis) {
  std::string name = op->getName().stripDialect().str();
  TensorType table = indexed(op);
  TensorType indices = ElementEmitter::typeOf(op->getOperand(1));
  return "[" + name + "] indices " + indices.str() + " into axis " + std::to_string(axis) +
         (name == "gather" ? " of table " : " of x ") + table.str();
}

void emitCheck(FunctionEmitter &f, ElementEmitter &elements, Operation *op, int64_t axis) {
  Value indices = op->getOperand(1);
  TensorType type = ElementEmitter::typeOf(indices);
  Value bound = f.dimValue(indexed(op).shape[axis]);
  int64_t site = f.lowering.addIndexSite(describe(op, axis), op->getLoc());

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
    if (auto gather = dyn_cast<ir::GatherOp>(op))
      emitCheck(launcher, elements, gather, static_cast<int64_t>(gather.getAxis()));
    else if (isa<ir::ScatterOp>(op))
      emitCheck(launcher, elements, &op, /*axis=*/0);
    else if (isa<ir::GatherElementsOp, ir::ScatterElementsOp>(op))
      emitCheck(launcher, elements, &op, op.getAttrOfType<IntegerAttr>("axis").getInt());
}

} // namespace kiln::passes
