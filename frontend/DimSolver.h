#pragma once

#include "kiln/Dim.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kiln::detail {

/// Names for sizes that are known, and what is learnt about them: which must be equal, which must
/// be numbers. Every step keeps the value of every dim.
class DimSolver {
public:
  /// A new name for `value`. A soft one becomes a number in the end unless it turns out equal to
  /// one that is not soft.
  Dim fresh(int64_t value, bool isSoft = false);
  /// What is known of `dim` by now.
  Dim resolve(const Dim &dim) const;
  int64_t value(const Dim &dim) const;

  /// Both have one value: from now on they are one dim.
  void unify(const Dim &a, const Dim &b);
  /// From now on `dim` is its value.
  void makeStatic(const Dim &dim);
  /// The dim of a result whose operands have these; NumPy's broadcasting.
  Dim broadcast(const Dim &a, const Dim &b);
  /// Makes numbers of the soft names that are left.
  void finish();

private:
  struct Name {
    int64_t value;
    bool isSoft;
    std::optional<Dim> bound; // an earlier name, a number or an expression
  };
  std::size_t indexOf(const Dim &name) const;
  /// Makes two expressions equal by making names equal that have equal values: `d0 + d1` and
  /// `d2 + d3`, as of two tensors that grew alike. False if that does not do.
  bool unifyNames(const Dim &a, const Dim &b);

  std::vector<Name> names;
};

} // namespace kiln::detail
