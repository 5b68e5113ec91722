#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <vector>

namespace kiln::codegen {

/// On functions that may run more than once in a call of the entry.
inline constexpr llvm::StringLiteral repeatedAttribute = "kiln-repeated";

/// Cuts a module of the LLVM dialect into parts of about equal size that can be compiled apart.
/// Each declares the functions of others that it calls or names; constants are repeated where they
/// are used. Only the module decides how many parts there are. The functions are moved out of it,
/// and those that others than the entry use get the attribute `repeatedAttribute`. None for a
/// module that is too small for two parts: it stays as it is.
std::vector<mlir::OwningOpRef<mlir::ModuleOp>> splitModule(mlir::ModuleOp module,
                                                           llvm::StringRef entry);

} // namespace kiln::codegen
