#pragma once

#include "frontend/PendingGraph.h"

#include <unordered_map>

/// Numbers of a program that change from read to read: the factor `t` of a loop that reads
/// `x * t`, or the position of `x.slice({Slice(), t})`. As constants and attributes they would be
/// part of the artifact's key, and each round would compile anew.
namespace kiln::detail {

/// For nodes that were put into a graph instead of others: the ones whose contents they are.
using Originals = std::unordered_map<const Node *, std::shared_ptr<Node>>;

/// Makes inputs of the numbers that have been seen to vary: where the same places of the program
/// record the same operations with more than two sets of numbers, those that differ. Constants
/// become leaves; bounds of slices become indices of a gather. The first two sets stay constants,
/// so that programs whose numbers do not change keep their artifacts.
Originals liftVarying(PendingGraph &pending);

} // namespace kiln::detail
