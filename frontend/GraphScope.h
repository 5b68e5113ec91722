#pragma once

#include "frontend/Node.h"

#include <memory>
#include <string>

namespace kiln::detail {

/// The Graph that operations of this thread are recorded in while the scope lives; null: none, as
/// while a module is compiled. Scopes nest.
class GraphScope {
public:
  explicit GraphScope(std::shared_ptr<const std::string> graph);
  ~GraphScope();
  GraphScope(const GraphScope &) = delete;
  GraphScope &operator=(const GraphScope &) = delete;

  /// The innermost graph of this thread, or null.
  static const std::shared_ptr<const std::string> &current();

private:
  std::shared_ptr<const std::string> outer;
};

/// Puts a node that is about to be recorded into the current graph.
/// Errors: TypeError if an operand is part of another graph.
void checkGraph(Node &node, std::string_view operation, const std::source_location &where);

} // namespace kiln::detail
