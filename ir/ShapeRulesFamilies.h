#pragma once

#include "ir/ShapeRules.h"

#include <fmt/format.h>

/// What the files of the rules share. Each op family has a file; ShapeRules.cpp holds the table.
namespace kiln::ir::rules {

/// A use of an operation, and what its rule finds out.
struct Use {
  std::span<const TensorType> operands;
  const Attributes &attributes;
  std::vector<Constraint> &assumptions;
  std::vector<std::string> &notes; // Inferred::notes, as far as there are any

  const TensorType &operator[](std::size_t i) const { return operands[i]; }
  std::size_t size() const { return operands.size(); }
};

/// Throws Violation.
using Rule = std::vector<TensorType> (*)(const Use &use);

/// A constraint that does not hold. Caught by inferType.
struct Violation {
  ErrorKind kind;
  const char *label;
  std::string message;
};

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, const char *label, fmt::format_string<Args...> format,
                       Args &&...args) {
  throw Violation{kind, label, fmt::format(format, std::forward<Args>(args)...)};
}

/// "x [3, 4] f32"
std::string show(std::string_view name, const TensorType &type);
/// "x [3, 4] f32, y [5, 6] f32"
std::string show(std::string_view x, const TensorType &xType, std::string_view y,
                 const TensorType &yType);

/// The attribute `axis`, which must be in [0, rank of x).
int64_t axisOf(const Use &use, const TensorType &x, std::string_view name, const char *label);
void requireFloat(const TensorType &x, std::string_view name, const char *label);
void requireNumber(const TensorType &x, std::string_view name, const char *label);
void requireSameDType(const TensorType &x, std::string_view xName, const TensorType &y,
                      std::string_view yName, const char *label);
/// Whether `dim` is at least 0, which is assumed where it is not known.
bool assumeNonNegative(const Use &use, const Dim &dim);
/// Gives what was assumed since there were `known` assumptions the text of its error.
template <class Text> void explain(const Use &use, std::size_t known, Text text) {
  use.notes.resize(use.assumptions.size());
  for (; known < use.notes.size(); ++known)
    use.notes[known] = text();
}
/// The same for the dims of an attribute `shape`.
void requireNonNegative(const Use &use, const Shape &shape, const char *label);

/// Broadcasts `from`, right-aligned, to `to`. Nothing where that works, else the axes that differ.
struct AxisPair {
  int64_t from = 0, to = 0;
};
std::optional<AxisPair> findUnbroadcastable(const Shape &from, const Shape &to);

inline Shape concatenate(std::span<const Dim> a, std::span<const Dim> b) {
  std::vector<Dim> dims(a.begin(), a.end());
  dims.insert(dims.end(), b.begin(), b.end());
  return Shape(std::move(dims));
}
/// The first `count` dims.
inline std::span<const Dim> leading(const Shape &shape, int64_t count) {
  return std::span(shape.vec()).first(static_cast<std::size_t>(count));
}
/// Those from axis `first` on.
inline std::span<const Dim> trailing(const Shape &shape, int64_t first) {
  return std::span(shape.vec()).subspan(static_cast<std::size_t>(first));
}

// Elementwise
enum class DTypes : uint8_t { Any, Number, Float, Predicate, Bits };
std::vector<TensorType> unary(const Use &use, DTypes dtypes);
std::vector<TensorType> binary(const Use &use, DTypes dtypes);
std::vector<TensorType> select(const Use &use);
std::vector<TensorType> cast(const Use &use);
// Values from nothing
std::vector<TensorType> constant(const Use &use);
std::vector<TensorType> iota(const Use &use);
std::vector<TensorType> size(const Use &use);
// Movement
std::vector<TensorType> broadcastTo(const Use &use);
std::vector<TensorType> reshape(const Use &use);
std::vector<TensorType> permute(const Use &use);
std::vector<TensorType> slice(const Use &use);
std::vector<TensorType> windows(const Use &use);
std::vector<TensorType> rebind(const Use &use);
std::vector<TensorType> concat(const Use &use);
// By index
std::vector<TensorType> gather(const Use &use);
std::vector<TensorType> scatter(const Use &use);
std::vector<TensorType> gatherElements(const Use &use);
std::vector<TensorType> scatterElements(const Use &use);
// Ranks
std::vector<TensorType> allReduce(const Use &use);
std::vector<TensorType> allGather(const Use &use);
std::vector<TensorType> localSlice(const Use &use);
// Packed weights
std::vector<TensorType> dequantize(const Use &use);
// Products
std::vector<TensorType> matmul(const Use &use);
std::vector<TensorType> linear(const Use &use);
std::vector<TensorType> attention(const Use &use);
// Rows
std::vector<TensorType> sum(const Use &use);
std::vector<TensorType> mean(const Use &use);
std::vector<TensorType> extremum(const Use &use);
std::vector<TensorType> argExtremum(const Use &use);
std::vector<TensorType> softmax(const Use &use);
std::vector<TensorType> cumsum(const Use &use);
std::vector<TensorType> argsort(const Use &use);
std::vector<TensorType> layerNorm(const Use &use);

} // namespace kiln::ir::rules
