#include "passes/gpu/GroupReduce.h"

#include "passes/gpu/DeviceOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Combine = llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)>;

/// Over threads whose numbers differ in the bits below `width`.
SmallVector<Value> combineShuffled(FunctionEmitter &f, ValueRange values, int64_t width,
                                   Combine combine) {
  SmallVector<Value> mine(values);
  for (int64_t mask = width / 2; mask >= 1; mask /= 2) {
    SmallVector<Value> others;
    for (Value value : mine)
      others.push_back(device::shuffleXor(f, value, static_cast<int32_t>(mask)));
    mine = combine(mine, others);
  }
  return mine;
}

} // namespace

SmallVector<Value> emitGroupCombine(FunctionEmitter &f, const RowGroup &group, ValueRange values,
                                    Combine combine) {
  SmallVector<Value> mine = combineShuffled(f, values, warpThreads, combine);
  const int64_t warps = group.threads / warpThreads;
  if (warps == 1)
    return mine;
  // Between warps through shared memory: 8 bytes for each of them and each value. Each warp then
  // combines the results of all in the same order.
  Value slots = device::sharedArray(f, ("group_" + Twine(warps) + "x" + Twine(values.size())).str(),
                                    warps * values.size() * 8);
  Value warp = f.div(group.thread, f.constant(warpThreads));
  Value lane = f.rem(group.thread, f.constant(warpThreads));
  auto slot = [&](Value number, size_t value) {
    return f.offset(slots, f.add(number, value * warps), 8);
  };
  auto isBit = [](Type type) { return type.isInteger(1); };
  f.ifThen(f.equal(lane, f.constant(0)), [&] {
    for (auto [i, value] : llvm::enumerate(mine)) {
      Value stored = value;
      if (isBit(value.getType()))
        stored = arith::ExtUIOp::create(f.b, f.b.getI8Type(), value);
      f.store(stored, slot(warp, i));
    }
  });
  device::barrier(f);
  Value from = f.rem(lane, f.constant(warps));
  SmallVector<Value> partial;
  for (auto [i, value] : llvm::enumerate(mine)) {
    Type type = isBit(value.getType()) ? f.b.getI8Type() : value.getType();
    Value loaded = f.load(type, slot(from, i));
    if (isBit(value.getType()))
      loaded = arith::TruncIOp::create(f.b, value.getType(), loaded);
    partial.push_back(loaded);
  }
  device::barrier(f); // before the next one writes there
  return combineShuffled(f, partial, warps, combine);
}

Value emitGroupReduction(FunctionEmitter &f, const RowGroup &group, Reduction reduction,
                         DType dtype, Value value) {
  if (isa<VectorType>(value.getType())) {
    Value total = vector::ExtractOp::create(f.b, value, int64_t(0));
    for (int64_t lane = 1; lane < f.lanes(); ++lane)
      total = emitCombine(f, reduction, dtype, total, vector::ExtractOp::create(f.b, value, lane));
    value = total;
  }
  return emitGroupCombine(f, group, value, [&](ValueRange x, ValueRange y) -> SmallVector<Value> {
    return {emitCombine(f, reduction, dtype, x[0], y[0])};
  })[0];
}

} // namespace kiln::passes
