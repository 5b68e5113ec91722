#pragma once

#include "ir/HostTensor.h"

#include "mlir/IR/BuiltinOps.h"

#include <span>

/// The meaning of programs, as directly as it can be written: the oracle of all tests. Slow.
namespace kiln::ir {

/// Results, or what went wrong.
struct Evaluation {
  std::vector<HostTensor> results; // of rank 0, where there are several
  ErrorKind error = ErrorKind::none;
  std::string message;
  /// The results of each rank, where they are not the same on all.
  std::vector<std::vector<HostTensor>> byRank = {};
  explicit operator bool() const { return error == ErrorKind::none; }
};

/// Runs @main of a verified module that consists of func and kiln operations. Floats are computed
/// in double and rounded to their dtype by each operation. Sizes of symbolic dims come from the
/// arguments. A module with kiln.ranks is run by that many ranks, operation by operation; of an
/// argument that kiln-partition has split, `arguments` has the whole.
/// Errors: ValueError for arguments that do not fit @main's types; IndexError that names index,
/// position and bound.
Evaluation interpret(mlir::ModuleOp module, std::span<const HostTensor> arguments);

/// Imports, verifies and interprets a graph.
Evaluation interpretGraph(const Graph &graph, std::span<const HostTensor> arguments);

} // namespace kiln::ir
