#pragma once

#include "passes/cpu/KernelBuilder.h"

/// What Hopper (sm_90, with wgmma sm_90a) has for copies and products that run beside the threads,
/// as inline PTX. Addresses in shared memory are pointers of address space 3.
namespace kiln::passes::device {

/// Whether the module's functions are for a chip that has wgmma.
bool hasWarpgroups(const ModuleLowering &lowering);

/// Makes 8 bytes of shared memory an mbarrier: phases that end when `count` arrivals have come and
/// the bytes that were announced. Then fenceAsync and a barrier.
void initArrivals(FunctionEmitter &f, mlir::Value barrier, int64_t count);
void arrive(FunctionEmitter &f, mlir::Value barrier);
/// An arrival that announces bytes of copies.
void arriveAndExpect(FunctionEmitter &f, mlir::Value barrier, int64_t bytes);
/// Waits until the phase of that parity (i64: 0 or 1) has ended. "The phase before the first" has
/// parity 1.
void waitForPhase(FunctionEmitter &f, mlir::Value barrier, mlir::Value parity);

/// Begins to copy `bytes`, a multiple of 16, which are counted on a barrier: one thread does.
void copyBulk(FunctionEmitter &f, mlir::Value shared, mlir::Value global, int64_t bytes,
              mlir::Value barrier);
/// What this thread wrote to shared memory is seen by bulk copies and by wgmma, once other threads
/// know that it was here.
void fenceAsync(FunctionEmitter &f);

/// The threads of a warp wait for each other; those (`threads`) that come to barrier `number`.
void syncWarp(FunctionEmitter &f);
void syncSome(FunctionEmitter &f, int64_t number, int64_t threads);
/// Registers of this warpgroup's threads from here on; fewer, or as many more as others gave away.
/// The function must say how many blocks a multiprocessor shall hold (markKernel).
void setRegisters(FunctionEmitter &f, int64_t count, bool isMore);

/// A matrix in shared memory as wgmma reads it: rows of 128 bytes of k, whose chunks of 16 lie
/// where their number xor the row's says; `address` (aligned to 1024 bytes) is its first row's.
mlir::Value matrixDescriptor(FunctionEmitter &f, mlir::Value address);
/// An address as a number (i32).
mlir::Value sharedAddress(FunctionEmitter &f, mlir::Value address);

/// Inline PTX with side effects; `result` may be null.
mlir::Value inlinePtx(FunctionEmitter &f, llvm::StringRef text, llvm::StringRef constraints,
                      mlir::ValueRange operands, mlir::Type result = {});

} // namespace kiln::passes::device
