#include "ir/InterpreterOps.h"
#include "kiln/Error.h"

/// Values from nothing, and operations that move elements.
namespace kiln::ir {

using Results = std::vector<Array>;

/// The result whose element i is x's element at offsets[i].
static Results moved(const OpCall &call, const Sizes &offsets) {
  Array result = call.result();
  for (size_t i = 0; i < offsets.size(); ++i)
    result.values[i] = call.operand(0).values[static_cast<size_t>(offsets[i])];
  return {result};
}

static Results constant(const OpCall &call) {
  return {Array(*call.attributes.get<std::shared_ptr<const DenseData>>("value"))};
}

static Results iota(const OpCall &call) {
  Array result = call.result();
  for (int64_t i = 0; i < result.numElements(); ++i)
    result.set(i, isFloat(result.dtype)
                      ? real(call.attributes.get<double>("start") +
                             static_cast<double>(i) * call.attributes.get<double>("step"))
                      : integer(call.attributes.get<int64_t>("start") +
                                i * call.attributes.get<int64_t>("step")));
  return {result};
}

static Results size(const OpCall &call) {
  Array result = call.result();
  result.set(0, integer(call.attributes.get<Shape>("dim")[0].value()));
  return {result};
}

static Results broadcastTo(const OpCall &call) {
  Sizes sizes = call.result().sizes;
  return moved(call, offsetsOf(sizes, broadcastStrides(call.operand(0).sizes, sizes)));
}

static Results reshape(const OpCall &call) {
  return moved(call, offsetsOf(call.result().sizes, stridesOf(call.result().sizes)));
}

static Results permute(const OpCall &call) {
  Sizes own = stridesOf(call.operand(0).sizes), strides;
  for (int64_t axis : call.attributes.get<std::vector<int64_t>>("axes"))
    strides.push_back(own[static_cast<size_t>(axis)]);
  return moved(call, offsetsOf(call.result().sizes, strides));
}

static Results slice(const OpCall &call) {
  Sizes strides = stridesOf(call.operand(0).sizes);
  Sizes starts = call.attributes.get<Shape>("starts").sizes();
  const auto &steps = call.attributes.get<std::vector<int64_t>>("steps");
  int64_t base = 0;
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    base += starts[axis] * strides[axis];
    strides[axis] *= steps[axis];
  }
  return moved(call, offsetsOf(call.result().sizes, strides, base));
}

static Results concat(const OpCall &call) {
  Array result = call.result();
  Sizes strides = stridesOf(result.sizes);
  int64_t base = 0; // where the operand begins
  auto axis = static_cast<size_t>(call.axis());
  for (const ArrayPtr &operand : call.operands) {
    Sizes offsets = offsetsOf(operand->sizes, strides, base);
    for (size_t i = 0; i < offsets.size(); ++i)
      result.values[static_cast<size_t>(offsets[i])] = operand->values[i];
    base += operand->sizes[axis] * strides[axis];
  }
  return {result};
}

static Results gather(const OpCall &call) {
  const Array &table = call.operand(0), &indices = call.operand(1);
  auto axis = static_cast<size_t>(call.axis());
  int64_t bound = table.sizes[axis];
  for (int64_t position = 0; position < indices.numElements(); ++position)
    if (int64_t index = indices.integerAt(position); index < 0 || index >= bound)
      throw IndexError("[gather] index " + std::to_string(index) + " at position " +
                       std::to_string(position) + " is out of range [0, " + std::to_string(bound) +
                       ")");
  // Along the indices' axes table stands still; a row's place is then added.
  Sizes strides = stridesOf(table.sizes);
  int64_t stride = strides[axis];
  Sizes inner(strides.begin() + static_cast<ptrdiff_t>(axis) + 1, strides.end());
  strides.resize(axis);
  Sizes which(strides.size(), 0); // the same walk over the indices
  for (int64_t own : stridesOf(indices.sizes)) {
    strides.push_back(0);
    which.push_back(own);
  }
  strides.insert(strides.end(), inner.begin(), inner.end());
  which.resize(strides.size(), 0);

  Sizes sizes = call.result().sizes;
  Sizes offsets = offsetsOf(sizes, strides), positions = offsetsOf(sizes, which);
  for (size_t i = 0; i < offsets.size(); ++i)
    offsets[i] += indices.integerAt(positions[i]) * stride;
  return moved(call, offsets);
}

std::span<const OpEntry> movementFunctions() {
  static const OpEntry entries[] = {
      {"constant", constant}, {"iota", iota},       {"size", size},   {"broadcast_to", broadcastTo},
      {"reshape", reshape},   {"permute", permute}, {"slice", slice}, {"concat", concat},
      {"gather", gather},
  };
  return entries;
}

} // namespace kiln::ir
