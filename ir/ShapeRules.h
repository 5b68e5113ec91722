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
  /// What cannot be told before the sizes are known and must hold for the code to be right: guards
  /// of a compiled model. Empty where all dims concerned are static.
  std::vector<Constraint> assumptions = {};
  /// For each of them what the error says where it does not hold; empty where there is no more to
  /// say than the constraint.
  std::vector<std::string> notes = {};
  explicit operator bool() const { return error == ErrorKind::none; }
};

/// The rule for `op`, its first result where there are several. Axes are counted from the front:
/// the frontend resolves negative ones. Where an operation has no operands, the device is CPU()
/// (of a constant: the one of its contents).
/// Errors: std::logic_error for an op that docs/spec.md does not have or an attribute that is
/// missing or of another type: mistakes of a program, not of its user.
Inferred inferType(std::string_view op, std::span<const TensorType> operands,
                   const Attributes &attributes);

/// All results of `op`: one, but for `linear`, which has one for each weight. An error stands
/// alone.
std::vector<Inferred> inferTypes(std::string_view op, std::span<const TensorType> operands,
                                 const Attributes &attributes);

/// Whether `op` is known, and how many operands it takes (max -1: any number).
struct OpArity {
  int min = 0, max = 0;
};
const OpArity *findOp(std::string_view op);

/// The names of all operations, sorted.
std::vector<std::string_view> allOps();

/// NumPy's broadcasting over symbolic dims: equal dims stay, 1 gives way, a name against another
/// dim is an error (nothing is known of it). The result's dtype and device mean nothing.
Inferred broadcastShapes(std::span<const Shape> shapes);

/// The constraints of `graph` and all that its nodes assume, none twice: what a call must satisfy.
std::vector<Constraint> allConstraints(const Graph &graph);

/// Whether `dim` is at least 0 for all sizes that its names may have; false where that is unknown.
bool isNonNegative(const Dim &dim);

} // namespace kiln::ir
