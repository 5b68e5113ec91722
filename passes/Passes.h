#pragma once

#include "kiln/Precision.h"
#include "passes/cpu/CpuTarget.h"

#include "mlir/Pass/Pass.h"

#include <memory>

namespace kiln::passes {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// The lowering for a target that is not one of the named levels.
std::unique_ptr<mlir::Pass> createLowerToCpuPass(const CpuTarget &target,
                                                 bool int8Activations = false,
                                                 Precision precision = Precision::highest);

} // namespace kiln::passes
