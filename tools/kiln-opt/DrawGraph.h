#pragma once

#include "passes/Pipelines.h"

#include <string>

namespace mlir {
class DialectRegistry;
}

namespace kiln {

/// --kiln-graph FILE: draws the program after the passes of the command line; --kiln-graph-phase:
/// with a pipeline, after that phase of it.
void registerDrawGraph();

/// Whether the command line, which has been parsed, asks for a drawing.
bool wantsGraph();

/// Draws behind the phase that --kiln-graph-phase names.
void drawAfterPhase(mlir::OpPassManager &passes, const passes::Phase &phase);

/// What MlirOptMain does, and the drawing. Errors: false, after saying on standard error what is
/// wrong: the file's ending, a phase that is none, Graphviz that is missing or fails, a module
/// without `@main`.
bool optimizeAndDraw(const std::string &inputFile, const std::string &outputFile,
                     mlir::DialectRegistry &registry);

} // namespace kiln
