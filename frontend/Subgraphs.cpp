#include "frontend/Subgraphs.h"

#include "frontend/Pieces.h"
#include "frontend/Trace.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <map>
#include <set>

namespace kiln::detail {

static uint64_t &innermost() {
  thread_local uint64_t call = 0;
  return call;
}

SubgraphScope::SubgraphScope() : outer(innermost()) {
  static std::atomic<uint64_t> calls{0};
  if (!outer && TraceScope::isActive())
    innermost() = ++calls;
}
SubgraphScope::~SubgraphScope() { innermost() = outer; }

uint64_t SubgraphScope::current() { return innermost(); }

OutsideSubgraphs::OutsideSubgraphs() : outer(std::exchange(innermost(), 0)) {}
OutsideSubgraphs::~OutsideSubgraphs() { innermost() = outer; }

std::vector<ir::Segment> findSegments(PendingGraph &pending) {
  auto callOf = [&](std::size_t i) { return pending.nodes[i]->subgraphCall; };
  std::size_t size = pending.nodes.size(), first = 0;
  while (first < size && !callOf(first))
    ++first;
  if (first == size)
    return {};
  sortByCreation(pending);
  std::vector<ir::Segment> segments;
  std::map<uint64_t, int> runs; // of each call
  for (std::size_t begin = 0, end; begin < size; begin = end) {
    for (end = begin + 1; end < size && callOf(end) == callOf(begin);)
      ++end;
    if (callOf(begin)) {
      segments.push_back({begin, end});
      ++runs[callOf(begin)];
    }
  }
  // What another thread recorded in between cannot be told from an operand that comes from outside.
  std::erase_if(segments,
                [&](const ir::Segment &segment) { return runs.at(callOf(segment.begin)) > 1; });
  return segments;
}

void shareDefinitions(ir::Graph &graph, const PendingGraph &pending) {
  std::vector<ir::SegmentUse> uses = ir::segmentUses(graph);
  std::map<std::string, std::size_t> definitions;
  for (std::size_t s = 0; s < graph.segments.size(); ++s) {
    ir::Segment &segment = graph.segments[s];
    std::string text = ir::segmentText(graph, segment, uses[s]);
    for (std::size_t i = segment.begin; i < segment.end; ++i)
      if (const std::string &op = graph.nodes[i].op;
          op.starts_with("gather") || op.starts_with("scatter")) {
        const std::source_location &where = pending.nodes[i]->where;
        text += fmt::format("at {}:{}:{}\n", where.file_name(), where.line(), where.column());
      }
    segment.definition = definitions.try_emplace(std::move(text), definitions.size()).first->second;
  }
}

} // namespace kiln::detail
