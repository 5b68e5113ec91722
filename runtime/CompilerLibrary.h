#pragma once

#include "runtime/Artifact.h"
#include "runtime/Assembly.h"
#include "runtime/Interpretation.h"

#include <string>

namespace kiln::ir {
struct Graph;
}

/// libkiln-compiler, which carries MLIR and LLVM: loaded when first needed and kept.
namespace kiln::runtime {

/// Compiles. Thread-safe. Errors of the graph are in the result; CompileError if the library is
/// not there or is not Kiln's.
CompileResult compileGraph(const ir::Graph &graph, const CompileRequest &request);

/// Runs the graph in the interpreter, the oracle of what programs mean: slow. Thread-safe. Errors
/// of the graph and of its inputs are in the result; CompileError as of compileGraph.
InterpretResult interpretGraph(const ir::Graph &graph, const InterpretRequest &request);

/// Puts a module in the kiln dialect, such as `ir("import")` prints, into an empty graph. `file`:
/// its name, for messages. Thread-safe. Errors: ValueError "encoder.mlir:3:7: …"; CompileError as
/// of compileGraph.
void parseGraph(const std::string &text, const std::string &file, ir::Graph &graph);

/// Makes an object file of assembly text. Thread-safe. Errors of the text are in the result;
/// CompileError as of compileGraph.
AssembleResult assembleText(const std::string &assembly);

/// Gives back what compiling has left in memory: what malloc keeps, and the pages of the compiler's
/// code, which come back from its file when they are used again. Some 40 MB, for some milliseconds
/// now and at the next compile.
void releaseCompilerMemory() noexcept;

/// Where the compiler is looked for: $KILN_COMPILER_LIBRARY, else beside libkiln.
std::string compilerLibraryPath();
bool isCompilerLoaded();

/// What tells this compiler from any other, for cache keys: the version and the library file's
/// build id (else its size and time). Reads the file's first pages; does not load it.
std::string compilerIdentity();

} // namespace kiln::runtime
