#pragma once

#include "kiln/Precision.h"
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
  std::vector<std::string> disabledPasses;  // "kiln-fuse-epilogue", …
  bool int8Activations = false;             // of linears whose weights stay packed
  std::string chip = {};                    // of an accelerator; empty: a CPU
  Precision precision = Precision::highest; // of products of float32
  bool isEnabled(std::string_view pass) const;
};

/// "highest", "high", "bf16".
std::string_view precisionName(Precision precision);
std::optional<Precision> precisionByName(std::string_view name);

/// The passes that can be switched off.
const std::vector<std::string> &optionalPasses();

/// From the kiln dialect to kernels as loops and vectors, in order.
const std::vector<Phase> &cpuPhases();
/// The same for an accelerator: all but the last phase are those of a CPU.
const std::vector<Phase> &gpuPhases();

/// May add passes of its own behind a phase.
using AfterPhase = void (*)(mlir::OpPassManager &, const Phase &);
/// Makes the pipelines known by name: `--kiln-cpu-pipeline`, `--kiln-gpu-pipeline`.
void registerPipelines(AfterPhase afterPhase = nullptr);

} // namespace kiln::passes
