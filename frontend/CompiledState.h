#pragma once

#include "frontend/CompileGraph.h"
#include "frontend/Locations.h"
#include "kiln/Compile.h"
#include "runtime/Executable.h"

namespace kiln::detail {

/// What a CompiledModel is a handle on.
struct CompiledState {
  std::shared_ptr<const runtime::BoundModel> bound;
  std::size_t numArguments = 0, numResults = 0;
  CompileStats stats;
  std::string name;    // of the model
  Locations locations; // of the graph's nodes
  ir::Graph graph;     // for `ir`
  runtime::CompileRequest request;
};

} // namespace kiln::detail
