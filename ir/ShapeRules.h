#pragma once

#include "ir/Graph.h"

#include <span>

/// One set of rules for the frontend's checks, the dialect's verifiers and the interpreter, so
/// that they all say the same. Constraint labels (C1, C2, …) are those of docs/spec.md.
namespace kiln::ir {

/// The type of a result, or what is wrong.
struct Inferred {
  TensorType type;
  ErrorKind error = ErrorKind::none;
  std::string message; // without "[op] " and location: "inner dims differ: x [3, 4] f32, y …"
  std::string label;   // "C2"
  explicit operator bool() const { return error == ErrorKind::none; }
};

/// The rule for `op`; std::logic_error for an op that docs/spec.md does not have.
Inferred inferType(std::string_view op, std::span<const TensorType> operands,
                   const Attributes &attributes);

/// Whether `op` is known, and how many operands it takes (max -1: any number).
struct OpArity {
  int min = 0, max = 0;
};
const OpArity *findOp(std::string_view op);

/// NumPy's broadcasting over symbolic dims: equal dims stay, 1 gives way, a name against another
/// dim is an error (nothing is known of it).
Inferred broadcastShapes(std::span<const Shape> shapes);

} // namespace kiln::ir
