#pragma once

#include "passes/Pipelines.h"

namespace kiln {

/// --kiln-print-phases: with a pipeline, prints the IR after each named phase to standard error.
void registerPrintPhases();

/// Where the option is given, adds a pass that prints.
void printAfterPhase(mlir::OpPassManager &passes, const passes::Phase &phase);

} // namespace kiln
