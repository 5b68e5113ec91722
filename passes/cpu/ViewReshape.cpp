#include "passes/cpu/ViewReshape.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Axes of a shape that are not 1, in order.
SmallVector<int64_t> properAxes(const Shape &shape) {
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < shape.rank(); ++axis)
    if (!(shape[axis] == Dim(1)))
      axes.push_back(axis);
  return axes;
}

/// Axes of a reshape's operand and of its result that hold the same elements among them.
struct ReshapeGroup {
  SmallVector<int64_t> from, to;
};

/// The groups from the left, each as small as can be proven; all in one where nothing can.
SmallVector<ReshapeGroup> reshapeGroups(const Shape &from, const Shape &to) {
  const auto fromAxes = properAxes(from), toAxes = properAxes(to);
  auto product = [](const Shape &shape, ArrayRef<int64_t> axes) {
    Dim result = 1;
    for (int64_t axis : axes)
      result = result * shape[axis];
    return result;
  };
  SmallVector<ReshapeGroup> groups;
  ArrayRef<int64_t> left = fromAxes, right = toAxes;
  auto takeSmallest = [&] {
    for (size_t total = 2; total <= left.size() + right.size(); ++total)
      for (size_t count = 1; count < total && count <= left.size(); ++count) {
        if (total - count > right.size())
          continue;
        auto some = left.take_front(count), others = right.take_front(total - count);
        if (!(product(from, some) == product(to, others)))
          continue;
        groups.push_back({SmallVector<int64_t>(some), SmallVector<int64_t>(others)});
        left = left.drop_front(count);
        right = right.drop_front(total - count);
        return true;
      }
    return false;
  };
  while (!left.empty() && !right.empty())
    if (!takeSmallest())
      break;
  if (!left.empty() || !right.empty()) // of empty tensors
    return {{fromAxes, toAxes}};
  return groups;
}

} // namespace

Value emitReshape(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  Value x = op->getOperand(0);
  Shape from = ElementEmitter::typeOf(x).shape;
  Shape to = ElementEmitter::typeOf(op->getResult(0)).shape;
  Coords inner;
  inner.index.assign(from.rank(), f.constant(0));
  inner.mask = at.mask;
  for (const ReshapeGroup &group : reshapeGroups(from, to)) {
    if (llvm::is_contained(group.to, at.laneAxis)) {
      // Lanes stay in one axis where that is all of the group, or the last of those that make one.
      if (group.from.size() != 1 || group.to.back() != at.laneAxis)
        return emitLanes(f, x, at,
                         [&](const Coords &one) { return emitReshape(elements, f, op, one); });
      inner.laneAxis = group.from[0];
      inner.laneStep = at.laneStep;
    }
    // Through the flat position within the group.
    Value flat = at.index[group.to[0]];
    for (int64_t axis : llvm::drop_begin(group.to))
      flat = f.add(f.mul(flat, f.dimValue(to[axis])), at.index[axis]);
    for (int64_t axis : llvm::reverse(llvm::drop_begin(group.from))) {
      Value size = f.dimValue(from[axis]);
      inner.index[axis] = f.rem(flat, size);
      flat = f.div(flat, size);
    }
    inner.index[group.from[0]] = flat;
  }
  if (!inner.isVector())
    inner.mask = {};
  return elements.emit(x, inner);
}

} // namespace kiln::passes
