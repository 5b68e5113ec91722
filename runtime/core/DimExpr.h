#pragma once

#include "kiln/Dim.h"
#include "kiln/Error.h"

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What a symbolic Dim holds: a polynomial with integer coefficients over atoms, kept canonical.
namespace kiln::detail {

/// A name, or a floor division that does not simplify.
struct Atom {
  std::string name; // empty for a division
  Dim numerator, denominator;

  bool isName() const { return !name.empty(); }
};
using AtomRef = std::shared_ptr<const Atom>;

/// Sorted by compareAtoms; a power repeats its atom; empty for 1.
using Monomial = std::vector<AtomRef>;

struct Term {
  Monomial atoms;
  int64_t coefficient = 0; // never 0 within a Polynomial
};

/// Sorted by compareMonomials, greatest first, each monomial once. Empty for 0.
using Polynomial = std::vector<Term>;

/// Limits of an expression; text from a file may ask for more than memory holds. Terms of a sum,
/// factors of a term, divisions within divisions.
inline constexpr std::size_t maxTerms = 4096;
inline constexpr std::size_t maxFactors = 64;
inline constexpr std::size_t maxDepth = 64;

/// Names before divisions, then by text.
std::strong_ordering compareAtoms(const AtomRef &a, const AtomRef &b);
/// Graded lexicographic: by degree, then by the first atom that differs. Multiplication keeps this
/// order, which makes polynomial division end with a unique remainder.
std::strong_ordering compareMonomials(const Monomial &a, const Monomial &b);

/// None of these throws: nothing on overflow of int64.
std::optional<Polynomial> add(const Polynomial &a, const Polynomial &b);
std::optional<Polynomial> multiply(const Polynomial &a, const Polynomial &b);
std::optional<Polynomial> negate(const Polynomial &a);
/// `a / b` where b divides a, without a remainder.
std::optional<Monomial> divide(const Monomial &a, const Monomial &b);

/// Floor division; `b` is not 0. Never fails: where simplifying overflows, it keeps a / b as it is.
Dim floorDivide(const Polynomial &a, const Polynomial &b);

/// a / b rounded towards minus infinity; b is not 0 and the quotient fits.
int64_t floorDivide(int64_t a, int64_t b);

struct DimExpr {
  Polynomial terms; // never a constant alone
  std::size_t hash = 0;
  std::size_t depth = 0; // divisions within divisions

  /// The canonical Dim of a polynomial.
  static Dim make(Polynomial terms);
  static Dim makeAtom(Atom atom);
  static Polynomial polynomial(const Dim &dim);
  static const DimExpr *of(const Dim &dim) { return dim.expression.get(); }
};

/// `[Dim] overflow of int64 in a * b`
[[noreturn]] void throwOverflow(const Dim &a, const char *op, const Dim &b);

} // namespace kiln::detail
