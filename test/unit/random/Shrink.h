#pragma once

#include "test/unit/random/Check.h"

namespace kiln::test {

/// A smaller program that still fails: one case, as few outputs, nodes, inputs, sizes and
/// interesting numbers as were found to be enough. `program` must fail. Each attempt runs the check
/// once. A reduced program that the interpreter refuses does not count as failing.
Program shrink(Program program, const Check &check);

/// The types of all nodes, inferred anew; none where the rules refuse.
std::optional<ir::Graph> inferAgain(ir::Graph graph);

/// Writes one case as IR with its inputs as attributes, for `kiln-opt --kiln-interpret`, below
/// comments that say what failed and how to repeat it. Returns the path, in $KILN_RANDOM_REPORTS or
/// else in `kiln-random` of the folder for temporary files.
std::string writeReport(const Program &program, const std::string &name, const std::string &what,
                        const std::string &command);

} // namespace kiln::test
