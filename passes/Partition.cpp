#include "passes/Partition.h"

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_PARTITIONPASS
#include "passes/Passes.h.inc"

int64_t Layouts::wholeSize(Value value, int64_t axis) const {
  Layout layout = of(value);
  if (layout.kind == Layout::Kind::split && layout.axis == axis)
    return layout.size;
  Dim dim = ir::shapeOf(value.getType())[axis];
  return dim.isStatic() ? dim.value() : -1;
}

Shape Layouts::wholeShape(Value value) const {
  std::vector<Dim> dims = ir::shapeOf(value.getType()).vec();
  if (Layout layout = of(value); layout.kind == Layout::Kind::split)
    dims[static_cast<size_t>(layout.axis)] = layout.size;
  return Shape(std::move(dims));
}

/// Right behind the operation that makes a value, so that all its users come later.
static OpBuilder behind(Value value) {
  OpBuilder b(value.getContext());
  b.setInsertionPointAfterValue(value);
  return b;
}

Value Layouts::whole(Value value) {
  Layout layout = of(value);
  if (layout.kind == Layout::Kind::whole)
    return value;
  Value &known = wholes[value];
  if (known)
    return known;
  OpBuilder b = behind(value);
  Location loc = value.getLoc();
  if (layout.kind == Layout::Kind::partial)
    return known = ir::AllReduceOp::create(b, loc, value, "sum");
  Value gathered = ir::AllGatherOp::create(b, loc, value, layout.axis, ranks);
  if (layout.size % ranks == 0)
    return known = gathered;
  // Without what fills up the last parts.
  std::vector<Dim> stops = wholeShape(value).vec();
  std::vector<Dim> starts(stops.size(), 0);
  SmallVector<int64_t> steps(stops.size(), 1);
  return known = ir::SliceOp::create(b, loc, gathered, ir::DimsAttr::get(b.getContext(), starts),
                                     ir::DimsAttr::get(b.getContext(), stops), steps);
}

Value Layouts::part(Value value, int64_t axis) {
  if (of(value) == Layout::split(axis, wholeSize(value, axis)))
    return value;
  value = whole(value);
  int64_t size = wholeSize(value, axis);
  if (size < 0 || size % ranks != 0)
    return {};
  Value &known = parts[{value, axis}];
  if (!known) {
    OpBuilder b = behind(value);
    known = ir::LocalSliceOp::create(b, value.getLoc(), value, axis, ranks);
    set(known, Layout::split(axis, size));
  }
  return known;
}

void Layouts::makeWhole(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    operand.set(whole(operand.get()));
}

LogicalResult Layouts::retype(Operation *op, Layout layout) {
  SmallVector<Type> types;
  if (failed(ir::inferResultTypes(op->getName().getStringRef(), op->getContext(), op->getLoc(),
                                  op->getOperandTypes(), op->getAttrDictionary(), types)))
    return failure();
  op->getResult(0).setType(types[0]);
  set(op->getResult(0), layout);
  return success();
}

namespace {

/// The weight that a value is made of by operations of one operand, for messages.
std::string nameOfWeight(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (op->getNumOperands() != 1)
      return "a value";
    value = op->getOperand(0);
  }
  auto argument = cast<BlockArgument>(value);
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), ir::nameAttrName);
  return name ? ("\"" + name.getValue() + "\"").str()
              : "argument " + std::to_string(argument.getArgNumber());
}

class Partitioner {
public:
  Partitioner(func::FuncOp main, int64_t ranks) : main(main), ranks(ranks), layouts(ranks) {}

  LogicalResult run() {
    if (failed(splitArguments()))
      return failure();
    Block &block = main.getBody().front();
    SmallVector<Operation *> operations; // without those that are made on the way
    for (Operation &op : block)
      operations.push_back(&op);
    for (Operation *op : operations)
      if (llvm::any_of(op->getOperands(), [&](Value value) { return !layouts.isWhole(value); }) &&
          failed(visit(op)))
        return failure();
    main.setFunctionType(FunctionType::get(main.getContext(), block.getArgumentTypes(),
                                           main.getFunctionType().getResults()));
    return success();
  }

private:
  LogicalResult splitArguments() {
    Builder b(main.getContext());
    for (BlockArgument argument : main.getArguments()) {
      unsigned number = argument.getArgNumber();
      auto attribute = main.getArgAttrOfType<IntegerAttr>(number, ir::shardAttrName);
      if (!attribute)
        continue;
      int64_t axis = attribute.getInt(), size = layouts.wholeSize(argument, axis);
      TensorType type = ir::toTensorType(argument.getType());
      if (size < 0)
        return main.emitError("[partition] the size of axis ")
               << axis << " of " << nameOfWeight(argument) << " " << type.str()
               << " must be a number to be split over " << ranks << " ranks";
      std::vector<Dim> dims = type.shape.vec();
      dims[static_cast<size_t>(axis)] = ir::partSize(size, ranks);
      argument.setType(ir::toMlirType(main.getContext(), type.dtype, Shape(std::move(dims))));
      main.setArgAttr(number, ir::wholeAttrName, b.getI64IntegerAttr(size));
      layouts.set(argument, Layout::split(axis, size));
    }
    return success();
  }

  LogicalResult visit(Operation *op) {
    if (auto matmul = dyn_cast<ir::MatmulOp>(op); matmul && failed(checkInner(matmul)))
      return failure();
    if (PartitionRule rule = findPartitionRule(op)) {
      FailureOr<bool> done = rule(layouts, op);
      if (failed(done))
        return failure();
      if (*done)
        return success();
    }
    layouts.makeWhole(op); // what it is made of is there before it
    return success();
  }

  /// Parts of a sum that are filled up with zeros would give it what was made of zeros.
  LogicalResult checkInner(ir::MatmulOp op) {
    Layout y = layouts.of(op.getY());
    int64_t inner = layouts.wholeShape(op.getY()).rank() - 2;
    if (!y.isSplit(inner) || y.size % ranks == 0)
      return success();
    return op.emitError("[partition] ")
           << y.size << " rows of the product's right side " << layouts.wholeShape(op.getY()).str()
           << ", made of " << nameOfWeight(op.getY())
           << " that is split along them, are no multiple of " << ranks << " ranks";
  }

  func::FuncOp main;
  int64_t ranks;
  Layouts layouts;
};

struct PartitionPass : impl::PartitionPassBase<PartitionPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto attribute = module->getAttrOfType<IntegerAttr>(ir::ranksAttrName);
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!attribute || attribute.getInt() == 1 || !main || !main.getBody().hasOneBlock())
      return;
    for (unsigned i = 0; i < main.getNumArguments(); ++i)
      if (main.getArgAttr(i, ir::wholeAttrName))
        return; // it has been here
    // A subgraph's calls may differ in what of their operands is split.
    OpPassManager inliner(ModuleOp::getOperationName());
    inliner.addPass(createInlineSubgraphsPass());
    if (failed(runPipeline(inliner, module)) || failed(Partitioner(main, attribute.getInt()).run()))
      signalPassFailure();
  }
};

} // namespace
} // namespace kiln::passes
