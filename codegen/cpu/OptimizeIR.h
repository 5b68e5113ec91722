#pragma once

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace kiln::codegen {

/// Runs the LLVM IR passes that pay for kernels: code that is already blocked and vectorised needs
/// its addresses and invariants cleaned up, not to be transformed again. No vectorisers, no
/// unrolling, no inlining but of `alwaysinline` functions, no pass that makes library calls out of
/// loops.
void optimizeIR(llvm::Module &module, llvm::TargetMachine &machine);

} // namespace kiln::codegen
