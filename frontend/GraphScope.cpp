#include "frontend/GraphScope.h"

#include <fmt/format.h>
#include <utility>

namespace kiln::detail {

static std::shared_ptr<const std::string> &innermost() {
  thread_local std::shared_ptr<const std::string> graph;
  return graph;
}

GraphScope::GraphScope(std::shared_ptr<const std::string> graph)
    : outer(std::exchange(innermost(), std::move(graph))) {}

GraphScope::~GraphScope() { innermost() = std::move(outer); }

const std::shared_ptr<const std::string> &GraphScope::current() { return innermost(); }

void checkGraph(Node &node, std::string_view operation, const std::source_location &where) {
  node.graph = GraphScope::current();
  for (const std::shared_ptr<Node> &operand : node.operands)
    if (operand->graph && operand->graph != node.graph)
      throw TypeError(fmt::format("[{}] {} is part of graph \"{}\", which is not the one entered "
                                  "here{}",
                                  operation, operand->type().str(), *operand->graph,
                                  atLocation(where)));
}

} // namespace kiln::detail
