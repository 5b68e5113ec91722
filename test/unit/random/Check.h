#pragma once

#include "test/unit/random/Program.h"

#include <functional>
#include <optional>

namespace kiln::test {

/// What the interpreter says, with bounds of how far others may be from it (ErrorBounds.h).
struct Expected {
  std::vector<ir::DenseData> outputs;
  std::vector<std::optional<ir::DenseData>> bounds; // float64; none: exact
};
/// Errors: std::runtime_error where the interpreter refuses.
Expected interpret(const ir::Graph &graph, const Case &one);

/// How many elements were compared, and of how many of them nothing is known.
struct Tally {
  int64_t elements = 0, unknown = 0;
};

/// The first element that is too far from what is expected; none: all is well.
std::optional<std::string> findDifference(const Expected &expected,
                                          const std::vector<ir::DenseData> &got,
                                          Tally *tally = nullptr);
/// The first element whose bits differ; any NaN is equal to any other.
std::optional<std::string> findOtherBits(const std::vector<ir::DenseData> &expected,
                                         const std::vector<ir::DenseData> &got);

/// Runs one case of a graph in some way.
using Engine = std::function<std::vector<ir::DenseData>(const ir::Graph &, const Case &)>;

/// The compiler, with some passes switched off; the graph as it is, symbolic. Verifies after each
/// pass.
Engine compiler(std::string target = "native", std::vector<std::string> disabledPasses = {});

/// What is wrong with a program: none if all is well.
using Check = std::function<std::optional<std::string>(const Program &)>;

/// The interpreter against an engine, in each case.
Check compareWith(const Engine &engine);

/// The whole comparison for a seed: the interpreter, the program written down in a Graph and
/// compiled with symbolic dims and all fusions, and run eagerly, some with reads here and there.
/// One of three is also compiled with fusions off: all of them, or one, by the seed. Where the spec
/// promises it, bits are equal.
std::optional<std::string> checkProgram(const Program &program, unsigned seed,
                                        Tally *tally = nullptr);

} // namespace kiln::test
