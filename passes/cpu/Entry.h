#pragma once

#include "passes/cpu/KernelBuilder.h"

#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <string>
#include <vector>

namespace kiln::passes {

/// What an artifact's entry does. Places are numbers: the entry's buffers but for the workspace
/// first, in order, then the spots in the workspace.
struct EntryPlan {
  /// The launch of a kernel, or a collective.
  struct Step {
    std::string launcher;                  // empty: a collective
    mlir::Operation *collective = nullptr; // null: a launch
    llvm::SmallVector<unsigned> places;    // operands, then results
  };
  struct Copy {
    unsigned from = 0, to = 0; // places
    Dim bytes;
  };
  unsigned buffers = 0;
  Dim workspaceBytes = 0;   // scratch memory lies behind them
  std::vector<Dim> spots;   // bytes from the start of the workspace
  std::vector<Step> steps;  // in order
  std::vector<Copy> copies; // at the end

  /// The place of a spot, which it adds if it is new.
  unsigned spot(const Dim &offset);
};

/// Emits `@kiln_entry`: a loop over a constant table of steps, so that its code grows with the
/// distinct kernels, not with the launches. Before each step it tells KilnRuntime::launching.
void emitEntry(ModuleLowering &lowering, mlir::Location loc, const EntryPlan &plan,
               void (*emitCopy)(FunctionEmitter &f, mlir::Value from, mlir::Value to,
                                mlir::Value bytes));

} // namespace kiln::passes
