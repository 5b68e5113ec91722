#include "passes/cpu/KernelForms.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"
#include "passes/cpu/ElementEmitter.h"
#include "passes/cpu/Microkernel.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace kiln::passes {
namespace {

bool isProductType(DType dtype) {
  return dtype == DType::float32 || dtype == DType::bfloat16 || dtype == DType::float16;
}

bool isElementwise(Operation *op) { return op->hasTrait<ir::KilnElementwise>(); }

Shape shapeOf(Value value) { return ir::shapeOf(value.getType()); }

/// Which results of the linear each value of the body depends on.
class Dependence {
public:
  Dependence(Block &body, ir::LinearOp linear) {
    for (auto [index, result] : llvm::enumerate(linear.getResults()))
      results[result].insert(index);
    for (Operation &op : body)
      if (&op != linear.getOperation())
        for (Value operand : op.getOperands())
          for (Value result : op.getResults())
            merge(result, operand);
  }
  const llvm::SetVector<unsigned> *of(Value value) const {
    auto it = results.find(value);
    return it == results.end() ? nullptr : &it->second;
  }

private:
  void merge(Value to, Value from) {
    if (const llvm::SetVector<unsigned> *set = of(from)) {
      llvm::SetVector<unsigned> copy = *set;
      results[to].insert(copy.begin(), copy.end());
    }
  }
  llvm::DenseMap<Value, llvm::SetVector<unsigned>> results;
};

/// Whether `value` is reached from `from` through operands without passing `stop`.
bool reaches(Value value, Operation *from, ArrayRef<Value> stops) {
  if (llvm::is_contained(stops, value))
    return false;
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (op == from)
    return true;
  return llvm::any_of(op->getOperands(),
                      [&](Value operand) { return reaches(operand, from, stops); });
}

class Analysis {
public:
  Analysis(Block &body, ir::LinearOp linear, ErrorReporter error)
      : body(body), linear(linear), error(error), dependence(body, linear) {}

  FailureOr<LinearForm> run() {
    form.linear = linear;
    if (!isSupportedLinear(linear))
      return refuse("a linear of these types has no kernel: dtypes must be floats of at most 32 "
                    "bits, K and N numbers");
    if (failed(checkOperands()) || failed(checkBehind()) || failed(groupResults()))
      return failure();
    return form;
  }

private:
  FailureOr<LinearForm> refuse(const Twine &reason) {
    if (error)
      error() << reason;
    return failure();
  }

  LogicalResult checkOperands() {
    for (Value weight : linear.getWeights()) {
      auto decode = weight.getDefiningOp<ir::DequantizeOp>();
      if (bool(decode) != hasPackedWeights(linear))
        return refuse("a linear cannot have weights that stay packed and others");
      if (!isa<BlockArgument>(decode ? decode.getX() : weight))
        return refuse("a weight of a linear must be an operand of its kernel");
      if (decode) {
        if (!decode->hasOneUse())
          return refuse("decoded rows of a linear are never stored: nothing else can read them");
        continue;
      }
      if (!weight.hasOneUse())
        return refuse("a weight of a linear comes packed: nothing else of its kernel can read it");
    }
    return success();
  }

  LogicalResult checkBehind() {
    for (Operation &op : body) {
      if (&op == linear.getOperation() || &op == body.getTerminator())
        continue;
      auto dependent = [&](Value operand) { return dependence.of(operand) != nullptr; };
      auto it = llvm::find_if(op.getOperands(), dependent);
      if (it == op.operand_end())
        continue;
      for (Value operand : op.getOperands())
        if (dependent(operand) && !canFuseIntoLinearEpilogue(&op, operand))
          return refuse("'" + op.getName().getStringRef() +
                        "' cannot follow a linear in its kernel");
      if (!isa<ir::LayerNormOp>(op))
        continue;
      if (form.norm)
        return refuse("a second layer_norm behind a linear");
      form.norm = &op;
    }
    return success();
  }

  LogicalResult groupResults() {
    // Results of the linear that one output needs are one group.
    SmallVector<unsigned> groupOf(linear.getNumResults());
    std::iota(groupOf.begin(), groupOf.end(), 0);
    auto unite = [&](unsigned x, unsigned y) {
      unsigned from = groupOf[y], to = groupOf[x];
      llvm::replace(groupOf, from, to);
    };
    Operation *terminator = body.getTerminator();
    for (Value output : terminator->getOperands()) {
      const llvm::SetVector<unsigned> *needed = dependence.of(output);
      if (!needed)
        return refuse("a result of the kernel that does not depend on its linear");
      for (unsigned index : *needed)
        unite((*needed)[0], index);
    }

    llvm::MapVector<unsigned, LinearForm::Group> groups;
    for (unsigned index = 0; index < linear.getNumResults(); ++index)
      groups[groupOf[index]].weights.push_back(index);
    for (auto [index, output] : llvm::enumerate(terminator->getOperands())) {
      LinearForm::Store store{output, unsigned(index)};
      if (form.norm && reaches(output, form.norm, {}))
        form.normStores.push_back(store);
      else
        groups[groupOf[(*dependence.of(output))[0]]].stores.push_back(store);
    }
    for (auto &[key, group] : groups) {
      for (unsigned index : group.weights)
        if (linear.getResult(index).getType() != linear.getResult(group.weights[0]).getType())
          return refuse("results of a linear that are used together must have one type");
      form.groups.push_back(std::move(group));
    }
    return form.norm ? placeNorm() : success();
  }

  /// Where the layer_norm's x is kept, and that nothing behind it needs more than x.
  LogicalResult placeNorm() {
    Value x = form.norm->getOperand(0), normalised = form.norm->getResult(0);
    if (form.groups.size() != 1)
      return refuse("a layer_norm behind a linear with independent results");
    for (const LinearForm::Store &store : form.normStores)
      if (reaches(store.value, linear, {x, normalised}))
        return refuse("a result behind a layer_norm uses a value before it other than its x");
    for (const LinearForm::Store &store : form.groups[0].stores)
      if (store.value == x) {
        form.normInput = store.output;
        return success();
      }
    auto dtype = [](Value value) {
      return cast<RankedTensorType>(value.getType()).getElementType();
    };
    for (const LinearForm::Store &store : form.normStores)
      if (dtype(store.value) == dtype(x)) {
        form.normInput = store.output;
        form.groups[0].stores.push_back({x, store.output});
        return success();
      }
    return refuse("no result behind the layer_norm has the dtype of its x");
  }

  Block &body;
  ir::LinearOp linear;
  ErrorReporter error;
  Dependence dependence;
  LinearForm form;
};

} // namespace

int64_t LinearForm::columnsOf(const Group &group) const {
  return ElementEmitter::typeOf(linear->getResult(group.weights[0])).shape[-1].value();
}

FailureOr<LinearForm> analyseLinear(Block &body, Operation *linear, ErrorReporter error) {
  return Analysis(body, cast<ir::LinearOp>(linear), error).run();
}

bool isSupportedLinear(Operation *op) {
  auto linear = cast<ir::LinearOp>(op);
  SmallVector<Value> values(op->getOperands());
  llvm::append_range(values, op->getResults());
  for (Value value : values)
    if (!isProductType(ElementEmitter::typeOf(value).dtype))
      return false;
  return llvm::all_of(linear.getWeights(), [](Value weight) {
    return cast<RankedTensorType>(weight.getType()).hasStaticShape();
  });
}

bool hasPackedWeights(Operation *linear) {
  return cast<ir::LinearOp>(linear).getWeights()[0].getDefiningOp<ir::DequantizeOp>() != nullptr;
}

bool canFuseIntoLinearEpilogue(Operation *op, Value value) {
  if (op->getNumResults() != 1 || shapeOf(op->getResult(0)) != shapeOf(value))
    return false;
  if (isElementwise(op))
    return true;
  if (!isa<ir::LayerNormOp>(op) || op->getOperand(0) != value)
    return false;
  return isProductType(ElementEmitter::typeOf(value).dtype) &&
         llvm::count(op->getOperands(), value) == 1;
}

bool canFuseIntoProductEpilogue(Operation *op, Value value) {
  return op->getNumResults() == 1 && isElementwise(op) &&
         shapeOf(op->getResult(0)) == shapeOf(value);
}

LogicalResult checkElementwiseBehind(Block &body, Operation *anchor, ErrorReporter error) {
  auto refuse = [&](const Twine &reason) {
    if (error)
      error() << reason;
    return failure();
  };
  llvm::SmallPtrSet<Operation *, 8> dependent = {anchor};
  auto depends = [&](Value value) {
    return value.getDefiningOp() && dependent.contains(value.getDefiningOp());
  };
  for (Operation &op : body.without_terminator())
    for (Value operand : op.getOperands())
      if (depends(operand)) {
        if (!canFuseIntoProductEpilogue(&op, operand))
          return refuse("'" + op.getName().getStringRef() + "' cannot follow it in its kernel");
        dependent.insert(&op);
      }
  for (Value output : body.getTerminator()->getOperands())
    if (!depends(output))
      return refuse("a result of the kernel does not depend on it");
  return success();
}

bool canFuseIntoLinearPrologue(Operation *op) {
  return isElementwise(op) || op->hasTrait<ir::KilnView>() ||
         isa<ir::ConcatOp, ir::GatherOp, ir::DequantizeOp, ir::ConstantOp, ir::IotaOp, ir::SizeOp>(
             op);
}

Value linearRuns(Operation *linear) {
  auto reshape = cast<ir::LinearOp>(linear).getX().getDefiningOp<ir::ReshapeOp>();
  if (!reshape)
    return {};
  Shape from = shapeOf(reshape.getX()), to = shapeOf(reshape.getResult());
  if (from.rank() <= to.rank())
    return {};
  for (int64_t axis = 0; axis < from.rank(); ++axis)
    if (axis + 1 < to.rank() ? !(from[axis] == to[axis])
                             : !from[axis].isStatic() || from[axis] == Dim(0))
      return {};
  return reshape.getX();
}

std::string linearPacking(Operation *linear, const ProductFormat &format) {
  const bool byRows = cast<ir::LinearOp>(linear).getTransposed();
  StringRef kind = format.parts == 2  ? (byRows ? "row-parts:" : "column-parts:")
                   : format.inPairs() ? (byRows ? "row-pairs:" : "column-pairs:")
                                      : (byRows ? "rows:" : "columns:");
  return (kind + Twine(format.panelWidth)).str();
}

} // namespace kiln::passes
