#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiln {

struct Constraint;
namespace detail {
struct DimExpr; // a canonical polynomial over names and floor divisions; runtime/core/DimExpr.h

template <class T>
concept SizeInteger = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;
} // namespace detail

/// What names stand for in one call: name -> size.
using DimBindings = std::map<std::string, int64_t, std::less<>>;

/// The size of one dimension: a number, a name, or an expression over both, always held in
/// canonical form (a polynomial: sum of coefficient * product of atoms, an atom being a name or a
/// floor division that does not simplify), so that equal expressions compare equal:
/// `4*x + 4 == (x + 1)*4`, `x + 1 + 1 == x + 2`, while `4*x/5 != (4/5)*x`.
/// Immutable; copying is cheap. A divisor is taken to be non-zero: `x*y/y == x`.
/// Errors: ValueError for a name that does not match `[A-Za-z_][A-Za-z0-9_]*`, for a division by
/// zero, for an overflow of int64 and for more than 4096 terms.
class Dim {
public:
  Dim() = default;
  template <detail::SizeInteger T> Dim(T value) : number(static_cast<int64_t>(value)) {
    if (!std::in_range<int64_t>(value))
      throwOutOfRange();
  }
  Dim(const char *name);
  explicit Dim(std::string_view name);

  bool isStatic() const { return !expression; }
  /// The number. Errors: TypeError if symbolic ("conversions only supported for static dims").
  int64_t value() const;
  /// True for a plain name such as Dim("batch").
  bool isName() const;
  /// True if neither a number nor a plain name.
  bool isAlgebraic() const { return !isStatic() && !isName(); }

  /// The names that occur, sorted.
  std::set<std::string> names() const;
  /// The size where each name has a value. Errors: KeyError for a name without one; ValueError on
  /// overflow.
  int64_t evaluate(const DimBindings &bindings) const;
  /// Puts expressions in the place of names; names without an entry stay.
  Dim substitute(const std::map<std::string, Dim, std::less<>> &values) const;

  /// Canonical text: `23`, `batch`, `batch * 4 + 1`, `(x + y - 4) / 5`. `parse` is its inverse.
  std::string str() const;
  /// Reads numbers, names, `+ - *`, parentheses, and `/` or `//` for floor division.
  /// Errors: ValueError naming the text and the position.
  static Dim parse(std::string_view text);

  friend Dim operator+(const Dim &a, const Dim &b);
  friend Dim operator-(const Dim &a, const Dim &b);
  friend Dim operator*(const Dim &a, const Dim &b);
  /// Floor division.
  friend Dim operator/(const Dim &a, const Dim &b);
  friend Dim operator-(const Dim &a);
  friend bool operator==(const Dim &a, const Dim &b);
  /// An arbitrary total order, the same in every process.
  friend std::strong_ordering operator<=>(const Dim &a, const Dim &b);

  std::size_t hash() const;

  /// The expression as a program for a stack machine, for code that evaluates or emits it often:
  /// numbers and names are pushed, the others take two values (divisor on top) and push one.
  struct Step {
    enum class Kind : uint8_t { number, name, add, multiply, floorDivide };
    Kind kind = Kind::number;
    int64_t number = 0; // Kind::number
    std::string name;   // Kind::name
  };
  std::vector<Step> program() const;

  /// Constraints for CompileOptions: `Dim("batch").between(1, 1024)`, both ends included.
  /// Errors: ValueError for an empty range, a negative `low` or a factor below 1.
  Constraint between(int64_t low, int64_t high) const;
  Constraint multipleOf(int64_t factor) const;

private:
  [[noreturn]] static void throwOutOfRange();
  friend struct detail::DimExpr;
  int64_t number = 0;
  std::shared_ptr<const detail::DimExpr> expression; // null if static
};

/// What a model asks of a dim beside being non-negative. See Dim::between and Dim::multipleOf.
struct Constraint {
  enum class Kind : uint8_t { between, multipleOf };
  Dim dim;
  Kind kind = Kind::between;
  int64_t low = 0;  // between: smallest size; multipleOf: the factor
  int64_t high = 0; // between: largest size
  friend bool operator==(const Constraint &, const Constraint &) = default;
};

/// Prints `Dim(4)`, `Dim("batch")`, `Dim("batch") * Dim(4)`.
std::ostream &operator<<(std::ostream &os, const Dim &dim);

} // namespace kiln

template <> struct std::hash<kiln::Dim> {
  std::size_t operator()(const kiln::Dim &dim) const { return dim.hash(); }
};
