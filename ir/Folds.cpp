#include "ir/InterpreterElements.h"
#include "ir/InterpreterOps.h"
#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

// Operations that are a constant or one of their operands. Only what is exact, to the last bit and
// the sign of zero. Rewrites that make operations: Canonicalize.cpp.

using namespace mlir;

namespace kiln::ir {

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// A larger constant would not pay for the operation that it replaces (docs/architecture.md).
static constexpr int64_t maxConstantElements = 64;

/// Whether a machine gives what the interpreter gives: it does not where floats are approximated.
static bool isExact(Operation *op) {
  const ElementFunction *function =
      findElementFunction(std::string_view(op->getName().stripDialect()));
  if (!function) // moves elements, or converts them
    return true;
  return function->exactOnFloats || !isFloat(toTensorType(op->getOperand(0).getType()).dtype);
}

/// Whether a tensor is small; sizes may be so large that their product overflows.
static bool isSmall(RankedTensorType type) {
  int64_t elements = 1;
  for (int64_t size : type.getShape()) {
    if (size == 0)
      return true;
    if (size < 0 || size > maxConstantElements || (elements *= size) > maxConstantElements)
      return false;
  }
  return true;
}

LogicalResult foldConstants(Operation *op, ArrayRef<mlir::Attribute> operands,
                            SmallVectorImpl<OpFoldResult> &results) {
  auto type = llvm::cast<RankedTensorType>(op->getResult(0).getType());
  if (!type.hasStaticShape() || !isSmall(type) || !isExact(op))
    return failure();
  std::vector<ArrayPtr> values;
  for (mlir::Attribute operand : operands) {
    auto elements = llvm::dyn_cast_or_null<DenseElementsAttr>(operand);
    if (!elements || !isSmall(llvm::cast<RankedTensorType>(elements.getType())))
      return failure();
    values.push_back(std::make_shared<Array>(toDenseData(elements)));
  }
  try {
    std::vector<Array> folded = evaluateOp(op, values, {});
    results.push_back(toMlirAttribute(op->getContext(), folded[0].toHost()));
    return success();
  } catch (const kiln::Error &) { // a symbolic dim has no value here
    return failure();
  }
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

//===----------------------------------------------------------------------===//
// Operations that do nothing
//===----------------------------------------------------------------------===//

/// The operand, if it is of the result's type.
static OpFoldResult foldTo(Value operand, Operation *op) {
  return operand.getType() == op->getResult(0).getType() ? OpFoldResult(operand) : OpFoldResult();
}

OpFoldResult CastOp::fold(FoldAdaptor) { return foldTo(getX(), *this); }
OpFoldResult BroadcastToOp::fold(FoldAdaptor) { return foldTo(getX(), *this); }
OpFoldResult ReshapeOp::fold(FoldAdaptor) { return foldTo(getX(), *this); }

OpFoldResult RebindOp::fold(FoldAdaptor) { return foldTo(getX(), *this); }

/// Not where equal sizes change places.
OpFoldResult PermuteOp::fold(FoldAdaptor) {
  return llvm::is_sorted(getAxes()) ? foldTo(getX(), *this) : OpFoldResult();
}

/// Not where the elements taken are others, though as many.
OpFoldResult SliceOp::fold(FoldAdaptor) {
  bool fromFirst = llvm::all_of(getStarts().getDims(), [](const Dim &dim) { return dim == 0; });
  bool each = llvm::all_of(getSteps(), [](int64_t step) { return step == 1; });
  return fromFirst && each ? foldTo(getX(), *this) : OpFoldResult();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? foldTo(getInputs()[0], *this) : OpFoldResult();
}

/// A condition that is the same everywhere.
OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  auto condition = llvm::dyn_cast_or_null<SplatElementsAttr>(adaptor.getCondition());
  if (!condition)
    return {};
  return foldTo(condition.getSplatValue<bool>() ? getX() : getY(), *this);
}

//===----------------------------------------------------------------------===//
// Neutral elements
//===----------------------------------------------------------------------===//

/// x, if y is `neutral` everywhere; zeros have to have its sign, for -0.0 + 0.0 is 0.0.
static OpFoldResult foldNeutral(Operation *op, mlir::Attribute y, double neutral) {
  auto splat = llvm::dyn_cast_or_null<SplatElementsAttr>(y);
  if (!splat)
    return {};
  Array value(toDenseData(llvm::cast<DenseElementsAttr>(y)));
  if (value.numElements() == 0)
    return {};
  bool isNeutral = isFloat(value.dtype) ? value.realAt(0) == neutral &&
                                              std::signbit(value.realAt(0)) == std::signbit(neutral)
                                        : value.integerAt(0) == static_cast<int64_t>(neutral);
  return isNeutral ? foldTo(op->getOperand(0), op) : OpFoldResult();
}

OpFoldResult AddOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getY(), -0.0); }
OpFoldResult SubOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getY(), 0.0); }
OpFoldResult MulOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getY(), 1.0); }
OpFoldResult DivOp::fold(FoldAdaptor adaptor) { return foldNeutral(*this, adaptor.getY(), 1.0); }

} // namespace kiln::ir
