#pragma once

#include "passes/cpu/KernelBuilder.h"

/// What only accelerators have, as operations of the gpu and nvvm dialects. All numbers are i64.
namespace kiln::passes::device {

enum class Axis { x, y, z };

/// An empty `gpu.module @name` at the end of the module, with the chip as its target where code may
/// have what only that one has ("sm_90a").
mlir::Operation *createModule(mlir::ModuleOp module, llvm::StringRef name, llvm::StringRef chip);
/// Makes a function of the module one that can be launched, with blocks of so many threads.
/// `blocks`, if not 0: the least number that a multiprocessor's registers must be enough for; else
/// ptxas looks for a number by itself, and stores registers for it where that is hardly one more.
void markKernel(mlir::LLVM::LLVMFuncOp function, int64_t threads, int64_t blocks = 0);

/// Of this thread within its block, at most `threads`; of its block.
mlir::Value threadId(FunctionEmitter &f);
mlir::Value blockId(FunctionEmitter &f, Axis axis);
mlir::Value gridSize(FunctionEmitter &f, Axis axis);

/// All threads of the block wait for each other; what they wrote to shared memory is seen.
void barrier(FunctionEmitter &f);
/// An array in the shared memory of the block, uninitialised and aligned to 16 bytes: its generic
/// address. Of one `name` there is one in the module.
mlir::Value sharedArray(FunctionEmitter &f, llvm::StringRef name, int64_t bytes);
/// The value that the thread of this warp whose number differs in the bits `mask` gives: an integer
/// or float of at most 64 bits.
mlir::Value shuffleXor(FunctionEmitter &f, mlir::Value value, int32_t mask);

} // namespace kiln::passes::device
