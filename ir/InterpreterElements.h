#pragma once

#include "ir/InterpreterArray.h"

#include <string_view>

/// What elementwise operations do to one element: the exact mathematics in double, to be rounded by
/// the caller; integers wrap.
namespace kiln::ir {

struct ElementFunction {
  /// `dtype` is that of the operands; `y` is x for an operation of one operand. The result is not
  /// yet rounded.
  Scalar (*apply)(DType dtype, Scalar x, Scalar y);
  /// Whether every machine gives this result on floats, to the last bit: then it may be computed at
  /// compile time.
  bool exactOnFloats;
};

/// The function of an operation of ir/Elementwise.def by name; null for any other.
const ElementFunction *findElementFunction(std::string_view op);

/// One element as another dtype: floats to integers truncate towards zero and saturate, NaN becomes
/// 0; to booleans: not equal to zero.
Scalar castElement(DType from, DType to, Scalar value);

} // namespace kiln::ir
