#pragma once

#include "kiln/Error.h"
#include "runtime/Artifact.h"
#include "runtime/Buffer.h"
#include "runtime/DimProgram.h"

#include <cstdint>
#include <string>
#include <vector>

namespace kiln::runtime {

/// Sizes that break a constraint of the artifact.
class ConstraintError : public ValueError {
public:
  ConstraintError(const std::string &message, Constraint constraint, std::string sizes)
      : ValueError(message), constraint(std::move(constraint)), sizes(std::move(sizes)) {}
  Constraint constraint;
  std::string sizes; // `seq is 60 (argument 0, dim 1), start is 2 (argument 1, dim 0)`
};

/// What has to hold before an artifact's entry is called, as flat lists: dtype, device, rank,
/// static dims, equal names equal sizes, constraints. Solves the symbols on the way.
/// `inputs` are all inputs in order; a null pointer is allowed where nothing is looked at.
class Guards {
public:
  /// Keeps a reference to `artifact`. Errors: KeyError for a dim over an unknown symbol.
  explicit Guards(const Artifact &artifact);

  /// What can be said of the weights alone. Errors: ValueError.
  void checkWeights(const TensorValue *const *inputs) const;

  /// Everything else; fills `symbols`, one for each of the artifact's. `given`, if not null, are
  /// their values, which the inputs must then have; without it each symbol must be a plain dim of
  /// some input. Errors: ValueError naming the input, the dim, what was expected and what came.
  void checkCall(const TensorValue *const *inputs, int64_t *symbols, const int64_t *given) const;

  /// "argument 0", "weight encoder.bias".
  std::string inputName(uint32_t input) const;

private:
  struct Guard {
    enum class Kind : uint8_t { type, fixed, define, same };
    Kind kind;
    uint32_t input;
    uint32_t axis = 0;
    int64_t operand = 0; // fixed: the size; define, same: the symbol
  };
  /// A dim that is neither number nor name.
  struct Expression {
    uint32_t input, axis;
    DimProgram size;
  };
  struct Bound {
    DimProgram size;
    Constraint constraint;
  };

  void checkType(const Guard &guard, const TensorValue &value) const;
  [[noreturn]] void failSymbol(const Guard &guard, int64_t expected, int64_t got, bool given) const;
  [[noreturn]] void failConstraint(const Bound &bound, int64_t got, const int64_t *symbols) const;
  /// The sizes that an expression is made of, and where they come from.
  std::string sizesOf(const Dim &dim, const int64_t *symbols) const;
  /// The guard that gives a symbol its value; null if none does.
  const Guard *definition(int64_t symbol) const;

  const Artifact &artifact;
  std::vector<Guard> weightGuards, callGuards;
  std::vector<Expression> expressions;
  std::vector<Bound> bounds;
  std::vector<int64_t> undetermined; // symbols that are no plain dim of an input
};

} // namespace kiln::runtime
