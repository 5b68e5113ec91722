#include "ir/InterpreterOps.h"

/// Values from nothing, and operations that move elements.
namespace kiln::ir {

using Results = std::vector<Array>;

Results moved(const OpCall &call, const Sizes &offsets) {
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

static Results windows(const OpCall &call) {
  Sizes strides = stridesOf(call.operand(0).sizes);
  int64_t own = strides[static_cast<size_t>(call.axis())];
  strides[static_cast<size_t>(call.axis())] = own * call.attributes.get<int64_t>("stride");
  strides.insert(strides.begin() + static_cast<ptrdiff_t>(call.axis()) + 1,
                 own * call.attributes.get<int64_t>("dilation"));
  return moved(call, offsetsOf(call.result().sizes, strides));
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

std::span<const OpEntry> movementFunctions() {
  static const OpEntry entries[] = {
      {"constant", constant}, {"iota", iota},       {"size", size},   {"broadcast_to", broadcastTo},
      {"reshape", reshape},   {"permute", permute}, {"slice", slice}, {"windows", windows},
      {"rebind", reshape},    {"concat", concat},
  };
  return entries;
}

} // namespace kiln::ir
