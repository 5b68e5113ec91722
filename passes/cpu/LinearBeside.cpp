#include "passes/cpu/LinearBeside.h"

#include "passes/cpu/ElementEmitter.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace kiln::passes {

/// Kernel arguments whose elements are read where the group's results are stored.
static SmallVector<BlockArgument> readBeside(Operation *linear, const LinearForm::Group &group) {
  const Shape shape = ElementEmitter::typeOf(linear->getResult(group.weights[0])).shape;
  SmallVector<BlockArgument> arguments;
  llvm::SmallPtrSet<void *, 16> seen;
  SmallVector<Value> work;
  for (const LinearForm::Store &store : group.stores)
    work.push_back(store.value);
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value.getAsOpaquePointer()).second ||
        !(ElementEmitter::typeOf(value).shape == shape))
      continue;
    if (auto argument = dyn_cast<BlockArgument>(value))
      arguments.push_back(argument);
    else if (Operation *op = value.getDefiningOp(); op != linear)
      work.append(op->operand_begin(), op->operand_end());
  }
  return arguments;
}

void emitFetchBeside(FunctionEmitter &f, Operation *linear, const LinearForm::Group &group,
                     Value rowStart, Value column) {
  for (BlockArgument argument : readBeside(linear, group)) {
    const int64_t bytes = sizeBytes(ElementEmitter::typeOf(argument).dtype);
    Value place = f.offset(f.buffer(argument.getArgNumber()), f.add(rowStart, column), bytes);
    // To read, level 2 (LLVM numbers its levels from 3 down), data.
    LLVM::Prefetch::create(f.b, place, 0, 2, 1);
  }
}

} // namespace kiln::passes
