#include "ir/InterpreterOps.h"

#include "ir/InterpreterElements.h"
#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"
#include "ir/TypeConversion.h"
#include "kiln/Error.h"

#include <map>

namespace kiln::ir {

using Results = std::vector<Array>;

/// An element of the result from the elements of the operands at the same place.
template <class F> static Results elementwise(const OpCall &call, F element) {
  Array result = call.result();
  std::vector<Sizes> offsets;
  for (const ArrayPtr &operand : call.operands)
    offsets.push_back(offsetsOf(result.sizes, broadcastStrides(operand->sizes, result.sizes)));
  auto at = [&](size_t operand, int64_t i) {
    return call.operand(operand)
        .values[static_cast<size_t>(offsets[operand][static_cast<size_t>(i)])];
  };
  for (int64_t i = 0; i < result.numElements(); ++i)
    result.set(i, element([&](size_t operand) { return at(operand, i); }));
  return {result};
}

/// The operations of ir/Elementwise.def.
static Results fromTable(const OpCall &call) {
  const ElementFunction *function =
      findElementFunction(std::string_view(call.op->getName().stripDialect()));
  size_t last = call.operands.size() - 1;
  return elementwise(call, [&](auto operand) {
    return function->apply(call.operand(0).dtype, operand(0), operand(last));
  });
}

static Results select(const OpCall &call) {
  return elementwise(call, [](auto operand) { return operand(operand(0).integer ? 1 : 2); });
}

static Results cast(const OpCall &call) {
  return elementwise(call, [&](auto operand) {
    return castElement(call.operand(0).dtype, call.types[0].dtype, operand(0));
  });
}

OpFunction findOpFunction(std::string_view op) {
  static const auto functions = [] {
    std::map<std::string_view, OpFunction> all{{"select", select}, {"cast", cast}};
    for (auto family : {movementFunctions(), indexedFunctions(), rankFunctions(), packedFunctions(),
                        rowFunctions(), productFunctions()})
      all.insert(family.begin(), family.end());
    return all;
  }();
  auto found = functions.find(op);
  if (found != functions.end())
    return found->second;
  return findElementFunction(op) ? fromTable : nullptr;
}

/// Of one value: 2 GiB of scalars.
static constexpr int64_t maxElements = int64_t(1) << 28;

static Shape evaluate(const Shape &shape, const DimBindings &dims) {
  return Shape(std::span<const int64_t>(shape.evaluate(dims)));
}

Results evaluateOp(mlir::Operation *op, std::span<const ArrayPtr> operands, const DimBindings &dims,
                   int64_t rank) {
  std::string_view name(op->getName().stripDialect());
  OpCall call{op, operands, {}, {}, rank};
  for (const auto &[attribute, value] : attributesOf(op)) {
    const Shape *shape = std::get_if<Shape>(&value);
    call.attributes.set(attribute, shape ? Attribute(evaluate(*shape, dims)) : value);
  }
  if (llvm::isa<LinearOp>(op)) // whose rule does not see operand segments
    call.attributes.set("weights", static_cast<int64_t>(op->getNumResults()));

  std::vector<TensorType> types;
  for (const ArrayPtr &operand : operands)
    types.emplace_back(operand->dtype, Shape(std::span<const int64_t>(operand->sizes)), CPU());
  // What could not be told of symbolic dims is checked here.
  for (const Inferred &inferred : inferTypes(name, types, call.attributes)) {
    std::string prefix = "[" + std::string(name) + "] ";
    if (!inferred)
      throwError(inferred.error, prefix + inferred.message);
    if (inferred.type.shape.numElements().value() > maxElements)
      throw ValueError(prefix + "result is too large to interpret: " + inferred.type.str());
    call.types.push_back(inferred.type);
  }
  return findOpFunction(name)(call);
}

} // namespace kiln::ir
