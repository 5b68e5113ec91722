#pragma once

#include "kiln/Dim.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <vector>

namespace kiln::passes {

/// Where a value of an outlined `@main` lies while the entry runs.
struct Placement {
  enum class Kind : uint8_t { input, output, workspace };
  Kind kind = Kind::workspace;
  unsigned index = 0; // input: argument of main; output: operand of its return
  Dim offset = 0;     // workspace: bytes from its start, a multiple of 64
};

/// An output that no kernel writes itself.
struct OutputCopy {
  unsigned output = 0;
  mlir::Value source;
};

/// Planned by liveness over the launches in order: a value's slot is free for the next value of an
/// equal size expression (or, where both are numbers, a smaller one) after its last use. A view
/// is where its operand is.
struct MemoryPlan {
  llvm::DenseMap<mlir::Value, Placement> placements;
  std::vector<std::optional<unsigned>> outputAliases; // per output: the input that it is
  std::vector<OutputCopy> copies;
  Dim workspace = 0; // bytes, a multiple of 64
};

/// A reshape, a rebind, a packed permute, or an all_reduce of what nothing else reads: its result
/// lies where its operand does.
bool isView(mlir::Operation *op);
/// What a value is a view of: the operand of its views, or itself.
mlir::Value viewedValue(mlir::Value value);

MemoryPlan planMemory(mlir::func::FuncOp main);

/// A number of bytes rounded up to a multiple of 64, the alignment of all buffers.
Dim alignedBytes(const Dim &bytes);

} // namespace kiln::passes
