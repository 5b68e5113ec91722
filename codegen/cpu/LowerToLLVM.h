#pragma once

#include <memory>

namespace mlir {
class DialectRegistry;
class OpPassManager;
class Pass;
} // namespace mlir

namespace kiln::codegen {

/// Lowers a module of kernels to the LLVM dialect in one dialect conversion (compile time counts: a
/// pass each for scf, cf, arith, vector, index, ub and func would walk and legalise everything
/// again).
///
/// Takes: func.func and func.call, scf.for/if/while/index_switch/execute_region, cf, arith, index,
/// ub, vector ops on vectors of rank 0 and 1 that need no memory (fma, broadcast, extract, insert,
/// shuffle, reduction, step, bitcast, print is refused), vector ops on vectors of rank 2 as far as
/// MLIR lowers them to arrays, and the LLVM dialect as it is: loads, stores and address arithmetic
/// are written in it (llvm.load with an explicit alignment: without one LLVM assumes the alignment
/// of the whole vector). memref, tensor and math ops are refused with MLIR's diagnostics. `index`
/// becomes i64.
std::unique_ptr<mlir::Pass> createLowerToLLVMPass();

/// Appends the above to a pipeline over builtin.module.
void addLowerToLLVM(mlir::OpPassManager &passes);

/// Adds what `emitObject` needs to know to a registry: the translation of the builtin and LLVM
/// dialects.
void registerLLVMTranslation(mlir::DialectRegistry &registry);

} // namespace kiln::codegen
