#pragma once

#include "passes/cpu/CpuTarget.h"

#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
}

namespace kiln::passes {

/// A named stretch of a pipeline: what `model.ir("fuse")`, `--kiln-print-phases` and `--timing`
/// speak of.
struct Phase {
  std::string name;
  void (*build)(mlir::OpPassManager &, const struct PipelineOptions &);
};

struct PipelineOptions {
  CpuTarget cpu;
  std::vector<std::string> disabledPasses; // "kiln-fuse-epilogue", …
  bool isEnabled(std::string_view pass) const;
};

/// From the kiln dialect to kernels as loops and vectors, in order.
const std::vector<Phase> &cpuPhases();

/// Makes the pipelines known by name: `--kiln-cpu-pipeline`.
void registerPipelines();

} // namespace kiln::passes
