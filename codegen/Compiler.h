#pragma once

#include "ir/Graph.h"
#include "runtime/Artifact.h"

/// The compiler's one door. libkiln finds it with dlsym in libkiln-compiler; it never throws.
extern "C" __attribute__((visibility("default"))) void
kilnCompile(const kiln::ir::Graph &graph, const kiln::runtime::CompileRequest &request,
            kiln::runtime::CompileResult &result);
