#pragma once

#include "ir/InterpreterArray.h"

#include <string_view>

#include "mlir/IR/Operation.h"

/// Operations by name, for the interpreter and for folding.
namespace kiln::ir {

/// An operation about to be computed, at actual sizes.
struct OpCall {
  mlir::Operation *op;
  std::span<const ArrayPtr> operands; // as many as `op` has
  Attributes attributes;              // of `op`, its dims as numbers
  std::vector<TensorType> types;      // of the results

  const Array &operand(size_t i) const { return *operands[i]; }
  /// A result to fill in.
  Array result(size_t i = 0) const { return Array(types[i].dtype, types[i].shape.sizes()); }
  int64_t axis() const { return attributes.get<int64_t>("axis"); }
};

/// Operations with one result give it; those with more give all.
using OpFunction = std::vector<Array> (*)(const OpCall &);

/// Null for an operation that the interpreter's control flow handles (launch, fusion, return).
OpFunction findOpFunction(std::string_view op);

/// The results of an operation that `findOpFunction` knows.
/// Errors: what ShapeRules say at these sizes; IndexError of gather; KeyError for a dim's name that
/// `dims` does not have.
std::vector<Array> evaluateOp(mlir::Operation *op, std::span<const ArrayPtr> operands,
                              const DimBindings &dims);

/// The result whose element i is the first operand's element at offsets[i].
std::vector<Array> moved(const OpCall &call, const Sizes &offsets);

// By family: InterpreterMovement.cpp, InterpreterIndexed.cpp and so on.
using OpEntry = std::pair<const std::string_view, OpFunction>;
std::span<const OpEntry> movementFunctions();
std::span<const OpEntry> indexedFunctions();
std::span<const OpEntry> rowFunctions();
std::span<const OpEntry> productFunctions();

} // namespace kiln::ir
