#pragma once

#include "ir/Graph.h"

#include <optional>

/// How far a compiled result may be from the interpreter's, element by element.
///
/// The rule of an operation says what its operands' errors become in its result, and what it adds:
///  - nothing where IEEE or the spec say the result to the bit: arithmetic, sqrt, roundings,
///  comparisons,
///    selections, movement, integers. So such an operation on exact operands has to be exact;
///  - a few units in the last place for functions (docs/spec.md, "Rounding"), measured in
///  VectorMathTest;
///  - for sums of n terms n units of the sum of magnitudes: the interpreter sums in double,
///  compiled code
///    in float32, in the order of the spec. Products and means likewise;
///  - one unit of the dtype where a result that is not exact is rounded to it.
/// Where an operation jumps within the error of its operands (a cast to integers, a comparison,
/// argmax), where the error could decide whether a number overflows or which zero it is that one
/// divides by, nothing is known: the bound is infinite there.
namespace kiln::test {

struct BoundedGraph {
  /// The graph; its outputs are followed by the bounds (float64) of those that have one.
  ir::Graph graph;
  /// For each output the place of its bound among the outputs; none: it is exact.
  std::vector<std::optional<std::size_t>> bounds;
};

BoundedGraph withErrorBounds(const ir::Graph &graph);

} // namespace kiln::test
