#pragma once

#include "kiln/Dim.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

namespace kiln {

class Tensor;

/// A C++ number beside a tensor. It never widens the tensor's dtype; one that does not fit it is a
/// ValueError.
struct Scalar {
  enum class Kind : uint8_t { boolean, integer, unsignedInteger, real };
  Kind kind = Kind::integer;
  int64_t integer = 0; // boolean and integer; the bits of an unsignedInteger
  double real = 0;

  Scalar() = default;
  template <class T>
    requires std::is_arithmetic_v<T>
  Scalar(T value) {
    if constexpr (std::is_floating_point_v<T>) {
      kind = Kind::real;
      real = static_cast<double>(value);
    } else {
      kind = std::is_same_v<T, bool> ? Kind::boolean
             : std::is_unsigned_v<T> ? Kind::unsignedInteger
                                     : Kind::integer;
      integer = static_cast<int64_t>(value);
    }
  }
};

/// One side of `a + b`: a tensor or a number, and where it was written. Made by conversion only;
/// lives as long as the expression.
class Operand {
public:
  Operand(const Tensor &tensor, std::source_location where = std::source_location::current())
      : tensor(&tensor), where(where) {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Operand(T value, std::source_location where = std::source_location::current())
      : scalar(value), where(where) {}

  const Tensor *tensor = nullptr; // null: the number
  Scalar scalar;
  std::source_location where;
};

/// A bound of `arange`: a whole number, a real one or a dim.
class Bound {
public:
  template <std::integral T> Bound(T value) : dim(static_cast<int64_t>(value)) {}
  template <std::floating_point T>
  Bound(T value) : real(static_cast<double>(value)), isReal(true) {}
  Bound(Dim dim) : dim(std::move(dim)) {}

  Dim dim;
  double real = 0;
  bool isReal = false;
};

/// A range of an axis: [start, stop) by step, as in Python; negative bounds count from the end. A
/// negative step goes backwards, from the last entry unless `start` says otherwise.
/// Errors: ValueError for a step of zero and for bounds outside of the axis.
struct Slice {
  std::optional<Dim> start, stop;
  int64_t step = 1;

  Slice(std::optional<Dim> start = {}, std::optional<Dim> stop = {}, int64_t step = 1)
      : start(std::move(start)), stop(std::move(stop)), step(step) {}
};

struct NewAxis {};
struct Ellipsis {};
/// In an index: a new axis of size 1; as many full slices as there is room for.
inline constexpr NewAxis newAxis{};
inline constexpr Ellipsis ellipsis{};

/// One entry of an index: a slice, a position (which drops the axis), `newAxis` or `ellipsis`.
class Index {
public:
  enum class Kind : uint8_t { slice, position, newAxis, ellipsis };

  Index(Slice slice) : kind(Kind::slice), range(std::move(slice)) {}
  template <std::integral T>
  Index(T position) : kind(Kind::position), position(static_cast<int64_t>(position)) {}
  Index(NewAxis) : kind(Kind::newAxis) {}
  Index(Ellipsis) : kind(Kind::ellipsis) {}

  Kind kind;
  Slice range;
  int64_t position = 0;
};

/// The position in `tensor[i]`, and where it was written.
struct At {
  template <std::integral T>
  At(T position, std::source_location where = std::source_location::current())
      : position(static_cast<int64_t>(position)), where(where) {}
  int64_t position;
  std::source_location where;
};

/// The axes of a reduction: one, several, or, of nullopt, all of the flattened tensor.
struct Axes {
  template <std::integral T> Axes(T axis) : list{static_cast<int64_t>(axis)} {}
  Axes(std::initializer_list<int64_t> axes) : list(axes) {}
  Axes(std::vector<int64_t> axes) : list(std::move(axes)) {}
  Axes(std::nullopt_t) {}
  std::vector<int64_t> list; // empty: all
};

/// The first size in `reshape(2, -1, 4)`, and where it was written.
struct DimAt {
  template <class T>
    requires(std::is_convertible_v<const T &, Dim>)
  DimAt(const T &dim, std::source_location where = std::source_location::current())
      : dim(dim), where(where) {}
  Dim dim;
  std::source_location where;
};

} // namespace kiln
