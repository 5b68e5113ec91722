#pragma once

#include "frontend/CompileGraph.h"
#include "kiln/Compile.h"
#include "runtime/Executable.h"

namespace kiln::detail {

/// What a CompiledModel is a handle on.
struct CompiledState {
  std::shared_ptr<const runtime::BoundModel> bound;
  std::size_t numArguments = 0, numResults = 0;
  CompileStats stats;
  ir::Graph graph; // for `ir`
  runtime::CompileRequest request;
};

} // namespace kiln::detail
