#pragma once

#include "frontend/Node.h"

#include <span>

namespace kiln::detail {

/// Makes the contents of these nodes: all pending work below them as one graph, through the cache
/// and the compiler. `operation` and `where` are those of the read.
/// Errors: TypeError if a node belongs to a graph that is being traced; whatever the compiler and
/// the kernels report.
void evaluate(std::span<const std::shared_ptr<Node>> nodes, std::string_view operation,
              const std::source_location &where);

/// Gives a node its contents. Its operands go, and with them what only it needed.
void commit(const std::shared_ptr<Node> &node, std::shared_ptr<const runtime::Buffer> buffer);

} // namespace kiln::detail
