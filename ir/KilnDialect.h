#pragma once

/// The kiln dialect: attributes, traits and operations (KilnOps.td, docs/spec.md).

#include "ir/Traits.h"
#include "kiln/Dim.h"
#include "kiln/Shape.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace kiln::ir {
namespace detail {
struct DimsAttrStorage;
}

/// Whether a value may have this type: a ranked tensor of a kiln dtype with known dims.
bool isKilnTensor(mlir::Type type);

// Names of attributes on functions and their arguments.
inline constexpr llvm::StringLiteral kernelAttrName = "kiln.kernel";
inline constexpr llvm::StringLiteral roleAttrName = "kiln.role";     // "argument" or "weight"
inline constexpr llvm::StringLiteral nameAttrName = "kiln.name";     // for messages
inline constexpr llvm::StringLiteral deviceAttrName = "kiln.device"; // "gpu:0"; absent: CPU(0)
inline constexpr llvm::StringLiteral constraintsAttrName = "kiln.constraints"; // of the module
/// Of the module: how many devices run the program at the same time; absent: 1.
inline constexpr llvm::StringLiteral ranksAttrName = "kiln.ranks";
/// Of a weight: the axis along which it is split over the ranks.
inline constexpr llvm::StringLiteral shardAttrName = "kiln.shard";
/// Of a weight that is split already: its size along that axis as a whole.
inline constexpr llvm::StringLiteral wholeAttrName = "kiln.whole";
} // namespace kiln::ir

#include "ir/KilnDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "ir/KilnAttributes.h.inc"
#define GET_OP_CLASSES
#include "ir/KilnOps.h.inc"
