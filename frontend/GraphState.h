#pragma once

#include "frontend/Node.h"

#include <memory>
#include <string>
#include <vector>

namespace kiln::detail {

/// What a Graph is a handle on.
struct GraphState {
  std::shared_ptr<const std::string> name;
  std::vector<std::shared_ptr<Node>> inputs, outputs;
};

} // namespace kiln::detail
