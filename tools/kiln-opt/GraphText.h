#pragma once

#include <string>

namespace mlir {
class ModuleOp;
}

namespace kiln {

/// The program of a module, from `@main` on, as text for Graphviz: operations, edges with types, a
/// cluster for each fusion and each kernel. Kernels and subgraphs with several callers are drawn
/// once, apart, with a number. Errors: an empty string if there is no function `@main` of one
/// block.
std::string graphText(mlir::ModuleOp module);

/// A string of Graphviz: `text` in quotes, such that it is shown as it is. Line breaks stay; other
/// control characters and bytes that are no UTF-8 are replaced.
std::string quoteForDot(const std::string &text);

} // namespace kiln
