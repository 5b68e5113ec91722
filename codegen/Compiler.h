#pragma once

#include "ir/Graph.h"
#include "runtime/Artifact.h"
#include "runtime/Assembly.h"
#include "runtime/Interpretation.h"

/// The compiler's doors. libkiln finds them with dlsym in libkiln-compiler; they never throw.
extern "C" {

__attribute__((visibility("default"))) void
kilnCompile(const kiln::ir::Graph &graph, const kiln::runtime::CompileRequest &request,
            kiln::runtime::CompileResult &result);

/// Runs the graph in the interpreter (ir/Interpreter.h).
__attribute__((visibility("default"))) void
kilnInterpret(const kiln::ir::Graph &graph, const kiln::runtime::InterpretRequest &request,
              kiln::runtime::InterpretResult &result);

/// Reads a module in the kiln dialect (codegen/Parse.cpp). `file`: its name, for messages. `error`:
/// the first one, with line and column; empty if there is none.
__attribute__((visibility("default"))) void kilnParse(const std::string &text,
                                                      const std::string &file,
                                                      kiln::ir::Graph &graph, std::string &error);

/// Makes an object file of assembly text for x86-64 Linux (codegen/Assemble.cpp).
__attribute__((visibility("default"))) void kilnAssemble(const std::string &assembly,
                                                         kiln::runtime::AssembleResult &result);
}
