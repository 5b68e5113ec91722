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
  int64_t rank = 0;                   // whose value it is

  const Array &operand(size_t i) const { return *operands[i]; }
  /// A result to fill in.
  Array result(size_t i = 0) const { return Array(types[i].dtype, types[i].shape.sizes()); }
  int64_t axis() const { return attributes.get<int64_t>("axis"); }
};

/// Operations with one result give it; those with more give all.
using OpFunction = std::vector<Array> (*)(const OpCall &);

/// Null for an operation that the interpreter's control flow handles (launch, fusion, return).
OpFunction findOpFunction(std::string_view op);

/// The results of an operation that `findOpFunction` knows, on one rank.
/// Errors: what ShapeRules say at these sizes; IndexError of gather; KeyError for a dim's name that
/// `dims` does not have.
std::vector<Array> evaluateOp(mlir::Operation *op, std::span<const ArrayPtr> operands,
                              const DimBindings &dims, int64_t rank = 0);

/// Operations on what all ranks have of x, in their order; null for another one.
using CollectiveFunction = Array (*)(const Attributes &attributes, std::span<const ArrayPtr> x);
CollectiveFunction findCollective(std::string_view op);
/// A rank's part of a weight that is split along an axis: `size` elements, zeros behind its end.
Array partOf(const Array &whole, int64_t axis, int64_t size, int64_t rank);

/// The result whose element i is the first operand's element at offsets[i].
std::vector<Array> moved(const OpCall &call, const Sizes &offsets);

// By family: InterpreterMovement.cpp, InterpreterIndexed.cpp and so on.
using OpEntry = std::pair<const std::string_view, OpFunction>;
std::span<const OpEntry> movementFunctions();
std::span<const OpEntry> indexedFunctions();
std::span<const OpEntry> rankFunctions();
std::span<const OpEntry> packedFunctions();
std::span<const OpEntry> rowFunctions();
std::span<const OpEntry> productFunctions();

} // namespace kiln::ir
