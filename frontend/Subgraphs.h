#pragma once

#include "frontend/PendingGraph.h"
#include "kiln/Subgraph.h"

namespace kiln::detail {

/// The nodes of each call of `subgraph` in a row. Where there is such a call the nodes are put in
/// the order in which they were recorded, else nothing changes. Definitions are not told apart yet.
std::vector<ir::Segment> findSegments(PendingGraph &pending);

/// Says which segments are of one definition: those that compute the same and, as an index that is
/// out of range is reported with its place, check indices at the same places.
void shareDefinitions(ir::Graph &graph, const PendingGraph &pending);

} // namespace kiln::detail
