#include "passes/cpu/MemoryPlan.h"

#include "passes/Fusing.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

using namespace mlir;

namespace kiln::passes {
namespace {

struct Slot {
  Dim size, offset;
  bool free = false;
};

class Planner {
public:
  explicit Planner(func::FuncOp main) : main(main), block(main.getBody().front()) {}

  MemoryPlan run() {
    for (BlockArgument argument : block.getArguments())
      plan.placements[argument] = {Placement::Kind::input, argument.getArgNumber(), 0};
    placeOutputs();
    findLastUses();
    for (Operation &op : block.without_terminator())
      if (isa<ir::LaunchOp>(op) || (isCollective(&op) && !isView(&op)))
        placeResults(op);
    for (Operation &op : block)
      if (isView(&op))
        plan.placements[op.getResult(0)] = plan.placements.lookup(viewedValue(op.getResult(0)));
    return std::move(plan);
  }

private:
  void placeOutputs() {
    for (auto [i, returned] : llvm::enumerate(block.getTerminator()->getOperands())) {
      Value root = viewedValue(returned);
      plan.outputAliases.emplace_back();
      if (auto argument = dyn_cast<BlockArgument>(root))
        plan.outputAliases.back() = argument.getArgNumber();
      else if (!plan.placements.count(root))
        plan.placements[root] = {Placement::Kind::output, static_cast<unsigned>(i), 0};
      else
        plan.copies.push_back({static_cast<unsigned>(i), root});
    }
  }

  void findLastUses() {
    for (Operation &op : block)
      for (Value operand : op.getOperands())
        lastUse[viewedValue(operand)] = &op;
  }

  void placeResults(Operation &op) {
    // Results first: nothing may write over what it reads.
    for (Value result : op.getResults())
      if (!plan.placements.count(result)) {
        size_t slot = takeSlot(alignedBytes(ir::toTensorType(result.getType()).sizeBytes()));
        slotOf[result] = slot;
        plan.placements[result] = {Placement::Kind::workspace, 0, slots[slot].offset};
      }
    auto release = [&](Value value) {
      auto it = slotOf.find(value);
      if (it != slotOf.end())
        slots[it->second].free = true;
    };
    for (Value operand : op.getOperands())
      if (lastUse.lookup(viewedValue(operand)) == &op)
        release(viewedValue(operand));
    for (Value result : op.getResults())
      if (result.use_empty())
        release(result);
  }

  size_t takeSlot(const Dim &size) {
    auto fits = [&](const Slot &slot) {
      if (slot.size == size)
        return true;
      return slot.size.isStatic() && size.isStatic() && slot.size.value() >= size.value();
    };
    for (size_t i = 0; i < slots.size(); ++i)
      if (slots[i].free && fits(slots[i])) {
        slots[i].free = false;
        return i;
      }
    slots.push_back({size, plan.workspace});
    plan.workspace = plan.workspace + size;
    return slots.size() - 1;
  }

  func::FuncOp main;
  Block &block;
  MemoryPlan plan;
  std::vector<Slot> slots;
  llvm::DenseMap<Value, size_t> slotOf;
  llvm::DenseMap<Value, Operation *> lastUse;
};

} // namespace

/// Whether a value was made for one use: not by views of what others see.
static bool isUsedOnce(Value value) {
  while (value.hasOneUse() && isView(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value.hasOneUse() && isa<OpResult>(value);
}

bool isView(Operation *op) {
  return op && (isa<ir::ReshapeOp, ir::RebindOp>(op) || isPackedPermute(op) ||
                (isa<ir::AllReduceOp>(op) && isUsedOnce(op->getOperand(0))));
}

Value viewedValue(Value value) {
  while (isView(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

Dim alignedBytes(const Dim &bytes) { return (bytes + Dim(63)) / Dim(64) * Dim(64); }

MemoryPlan planMemory(func::FuncOp main) { return Planner(main).run(); }

} // namespace kiln::passes
