#include "passes/Fusing.h"

#include "ir/TypeConversion.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace kiln::passes {

SmallVector<Block *> programBlocks(ModuleOp module) {
  SmallVector<Block *> blocks;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function->hasAttr(ir::kernelAttrName) && function.getBody().hasOneBlock())
      blocks.push_back(&function.getBody().front());
  return blocks;
}

bool isWeight(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return false;
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function)
    return false;
  auto role = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), ir::roleAttrName);
  return role && role.getValue() == "weight";
}

bool isFilterMatrix(ir::ReshapeOp reshape) {
  Shape from = ir::shapeOf(reshape.getX().getType()), to = ir::shapeOf(reshape.getType());
  return from.rank() > 2 && to.rank() == 2 && from[-1] == to[-1];
}

bool isPackedPermute(Operation *op) {
  return isa<ir::PermuteOp>(op) && op->hasAttr(packedAttrName);
}

bool decodesForLinears(Operation *op) {
  return isa<ir::DequantizeOp>(op) && !op->use_empty() &&
         llvm::all_of(op->getUses(), [](OpOperand &use) {
           auto linear = dyn_cast<ir::LinearOp>(use.getOwner());
           return linear && llvm::is_contained(linear.getWeights(), use.get()) &&
                  linear.getX() != use.get();
         });
}

bool isMadeOfWindows(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !value.hasOneUse())
    return false;
  return isa<ir::WindowsOp>(op) ||
         (op->hasTrait<ir::KilnView>() && isMadeOfWindows(op->getOperand(0)));
}

bool isRepeatable(Operation *op) {
  return isa_and_present<ir::ConstantOp, ir::IotaOp, ir::SizeOp>(op);
}

bool isCollective(Operation *op) { return isa_and_present<ir::AllReduceOp, ir::AllGatherOp>(op); }

bool isFull(ir::FusionOp fusion) {
  return fusion.getBody().front().getOperations().size() > maxOperations;
}

bool isUnitReshape(Operation *op) {
  if (isa<ir::RebindOp>(op))
    return true;
  auto reshape = dyn_cast<ir::ReshapeOp>(op);
  if (!reshape)
    return false;
  auto properDims = [](Value value) {
    SmallVector<Dim> dims;
    for (const Dim &dim : ir::shapeOf(value.getType()))
      if (!(dim == Dim(1)))
        dims.push_back(dim);
    return dims;
  };
  return properDims(reshape.getX()) == properDims(reshape.getResult());
}

/// The block argument of the fusion for an outside value: a new input if it is none yet.
static Value inputFor(ir::FusionOp fusion, Value value) {
  Block &body = fusion.getBody().front();
  for (auto [i, input] : llvm::enumerate(fusion.getInputs()))
    if (input == value)
      return body.getArgument(i);
  fusion.getInputsMutable().append(value);
  return body.addArgument(value.getType(), value.getLoc());
}

/// Puts a copy of an operation that makes a linear's weight into the linear's fusion, for each use
/// there.
static void absorbDecoding(ir::FusionOp fusion, ir::DequantizeOp decode) {
  Block &body = fusion.getBody().front();
  for (int64_t i = fusion.getInputs().size() - 1; i >= 0; --i) {
    if (fusion.getInputs()[i] != decode.getResult())
      continue;
    IRMapping mapping;
    mapping.map(decode.getX(), inputFor(fusion, decode.getX()));
    OpBuilder b = OpBuilder::atBlockBegin(&body);
    for (OpOperand &use : llvm::make_early_inc_range(body.getArgument(i).getUses()))
      use.set(b.clone(*decode, mapping)->getResult(0));
    body.eraseArgument(i);
    fusion.getInputsMutable().erase(i);
  }
  if (decode->use_empty())
    decode->erase();
}

ir::FusionOp wrapInFusion(Operation *op) {
  OpBuilder b(op);
  auto fusion = ir::FusionOp::create(b, op->getLoc(), op->getResultTypes(), ValueRange{});
  Block &body = fusion.getBody().emplaceBlock();
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, inputFor(fusion, operand));
  b.setInsertionPointToStart(&body);
  Operation *inner = b.clone(*op, mapping);
  ir::YieldOp::create(b, op->getLoc(), inner->getResults());
  SmallVector<Value> weights;
  if (auto linear = dyn_cast<ir::LinearOp>(op))
    llvm::append_range(weights, linear.getWeights());
  op->replaceAllUsesWith(fusion.getResults());
  op->erase();
  for (Value weight : weights)
    if (auto decode = weight.getDefiningOp<ir::DequantizeOp>())
      absorbDecoding(fusion, decode);
  return fusion;
}

bool canAbsorbUser(ir::FusionOp fusion, Operation *user) {
  // Backwards from the user's other operands; what stands before the fusion cannot depend on it.
  SmallVector<Operation *> todo;
  llvm::SmallPtrSet<Operation *, 16> seen;
  auto visit = [&](Operation *op) {
    if (op && op->getBlock() == fusion->getBlock() && !op->isBeforeInBlock(fusion) &&
        seen.insert(op).second)
      todo.push_back(op);
  };
  for (Value operand : user->getOperands())
    if (operand.getDefiningOp() != fusion.getOperation())
      visit(operand.getDefiningOp());
  while (!todo.empty()) {
    Operation *op = todo.pop_back_val();
    if (op == fusion.getOperation())
      return false;
    for (Value operand : op->getOperands())
      visit(operand.getDefiningOp());
  }
  return true;
}

ir::FusionOp absorbUser(ir::FusionOp fusion, Operation *user) {
  Block &body = fusion.getBody().front();
  Operation *yield = body.getTerminator();
  IRMapping mapping;
  for (Value operand : user->getOperands()) {
    auto result = dyn_cast<OpResult>(operand);
    if (result && result.getOwner() == fusion.getOperation())
      mapping.map(operand, yield->getOperand(result.getResultNumber()));
    else
      mapping.map(operand, inputFor(fusion, operand));
  }
  OpBuilder b(yield);
  Operation *inner = b.clone(*user, mapping);

  // What the fusion must still give: results used by others than `user`, then the user's.
  SmallVector<Value> outside, inside;
  for (auto [result, yielded] : llvm::zip(fusion.getResults(), yield->getOperands()))
    if (llvm::any_of(result.getUsers(), [&](Operation *other) { return other != user; })) {
      outside.push_back(result);
      inside.push_back(yielded);
    }
  llvm::append_range(outside, user->getResults());
  llvm::append_range(inside, inner->getResults());
  yield->setOperands(inside);

  b.setInsertionPoint(user);
  auto grown = ir::FusionOp::create(b, b.getFusedLoc({fusion.getLoc(), user->getLoc()}),
                                    ValueRange(inside).getTypes(), fusion.getInputs());
  grown.getBody().takeBody(fusion.getBody());
  for (auto [value, result] : llvm::zip(outside, grown.getResults()))
    value.replaceAllUsesWith(result);
  user->erase();
  fusion.erase();
  if (llvm::any_of(grown->getUsers(), [&](Operation *other) {
        return other->getBlock() == grown->getBlock() && other->isBeforeInBlock(grown);
      }))
    sortBlock(*grown->getBlock());
  return grown;
}

bool onlyFeeds(Operation *producer, ir::FusionOp fusion) {
  return !producer->use_empty() && llvm::all_of(producer->getUsers(), [&](Operation *user) {
    return user == fusion.getOperation();
  });
}

void absorbProducer(ir::FusionOp fusion, Operation *producer) {
  Block &body = fusion.getBody().front();
  IRMapping mapping;
  for (Value operand : producer->getOperands())
    mapping.map(operand, inputFor(fusion, operand));
  OpBuilder b = OpBuilder::atBlockBegin(&body);
  Operation *inner = b.clone(*producer, mapping);
  for (int64_t i = fusion.getInputs().size() - 1; i >= 0; --i) {
    auto result = dyn_cast<OpResult>(fusion.getInputs()[i]);
    if (!result || result.getOwner() != producer)
      continue;
    body.getArgument(i).replaceAllUsesWith(inner->getResult(result.getResultNumber()));
    body.eraseArgument(i);
    fusion.getInputsMutable().erase(i);
  }
  producer->erase();
}

void sortBlock(Block &block) { sortTopologically(&block); }

} // namespace kiln::passes
