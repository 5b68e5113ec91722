#pragma once

#include "mlir/IR/Operation.h"

#include <string>

/// What the nodes of a drawn graph say.
namespace kiln {

/// At most `longest` characters; of a longer text the middle goes.
std::string shorten(llvm::StringRef text, size_t longest);
/// `[batch, 2] f32`.
std::string typeLabel(mlir::Type type);
/// `1e-12`, `[1, 2, 3, ...]`.
std::string constantLabel(mlir::Attribute value);
/// `softmax` and its attributes, a line each.
std::string operationLabel(mlir::Operation *op);

/// The operation that tells what a kernel is (docs/architecture.md), null for a loop of elementwise
/// operations, views and gathers alone.
mlir::Operation *findAnchor(mlir::Block &body);

} // namespace kiln
