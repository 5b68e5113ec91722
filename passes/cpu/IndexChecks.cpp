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

void emitCheck(FunctionEmitter &f, ElementEmitter &elements, const IndexCheck &check) {
  int64_t site = check.site;
  Value bound = f.dimValue(check.bound);
  auto indexAt = [&](Value position) { return check.emitIndex(f, elements, position); };
  Value count = check.emitCount(f);
  // Unsigned: a negative index is a huge one. The smallest bad position wins, so go backwards.
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

IndexCheck makeCheck(ModuleLowering &lowering, Operation *op, int64_t axis) {
  return {op->getOperand(1), indexed(op).shape[axis],
          lowering.addIndexSite(describe(op, axis), op->getLoc())};
}

} // namespace

Value IndexCheck::emitCount(FunctionEmitter &f) const {
  return emitNumElements(f, ElementEmitter::typeOf(indices).shape.vec());
}

Value IndexCheck::emitIndex(FunctionEmitter &f, ElementEmitter &elements, Value position) const {
  TensorType type = ElementEmitter::typeOf(indices);
  Coords at;
  at.index = emitRowCoords(f, type.shape.vec(), position);
  return toIndex(f, elements.emit(indices, at), type.dtype);
}

SmallVector<IndexCheck> indexChecks(ModuleLowering &lowering, Block &kernelBody) {
  SmallVector<IndexCheck> checks;
  for (Operation &op : kernelBody)
    if (auto gather = dyn_cast<ir::GatherOp>(op))
      checks.push_back(makeCheck(lowering, gather, static_cast<int64_t>(gather.getAxis())));
    else if (isa<ir::ScatterOp>(op))
      checks.push_back(makeCheck(lowering, &op, /*axis=*/0));
    else if (isa<ir::GatherElementsOp, ir::ScatterElementsOp>(op))
      checks.push_back(makeCheck(lowering, &op, op.getAttrOfType<IntegerAttr>("axis").getInt()));
  return checks;
}

void emitIndexChecks(FunctionEmitter &launcher, Block &kernelBody) {
  ElementEmitter elements(launcher);
  elements.provideArguments(kernelBody);
  for (const IndexCheck &check : indexChecks(launcher.lowering, kernelBody))
    emitCheck(launcher, elements, check);
}

} // namespace kiln::passes
