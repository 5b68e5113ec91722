#include "passes/cpu/VectorParts.h"

#include "passes/cpu/PackedBlocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;

namespace kiln::passes {
namespace {

SmallVector<int64_t> range(int64_t first, int64_t count) {
  SmallVector<int64_t> indices(count);
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}

} // namespace

VectorType vectorOf(Type element, int64_t count) { return VectorType::get({count}, element); }

Value emitZeros(FunctionEmitter &f, Type type) {
  return arith::ConstantOp::create(f.b, f.b.getZeroAttr(type));
}

Value emitSplat(FunctionEmitter &f, VectorType type, Value scalar) {
  return vector::BroadcastOp::create(f.b, type, scalar);
}

Value emitPart(FunctionEmitter &f, Value vector, int64_t first, int64_t count) {
  return emitShuffle(f, vector, vector, range(first, count));
}

Value emitJoined(FunctionEmitter &f, Value x, Value y) {
  int64_t count = cast<VectorType>(x.getType()).getNumElements();
  return emitShuffle(f, x, y, range(0, 2 * count));
}

Value emitSumOf(FunctionEmitter &f, Value vector) {
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  for (; count > 1; count /= 2)
    vector = arith::AddFOp::create(f.b, emitPart(f, vector, 0, count / 2),
                                   emitPart(f, vector, count / 2, count / 2));
  return vector::ExtractOp::create(f.b, vector, 0);
}

} // namespace kiln::passes
