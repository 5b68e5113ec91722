#pragma once

#include "passes/cpu/Kernels.h"

namespace kiln::passes {

/// Threads of a block where nothing speaks for another number: eight warps, so that a
/// multiprocessor of 2,048 threads holds eight blocks.
inline constexpr int64_t deviceBlockThreads = 256;

/// How a device function is launched.
struct DeviceLaunch {
  int64_t threads = deviceBlockThreads; // of a block
  int64_t sharedBytes = 0;              // dynamic
  llvm::SmallVector<mlir::Type> extras; // of the last parameters; empty: none
  int64_t lanes = 1;
  int64_t blocks = 0; // see markKernel
};

/// Starts a device function of a kernel: buffers are the kernel's operands and results. Its number
/// in the artifact is `number`.
struct DeviceBody {
  FunctionEmitter f;
  int64_t number;
};
DeviceBody startDeviceBody(ModuleLowering &lowering, Kernel &kernel, llvm::StringRef suffix,
                           const DeviceLaunch &launch);
/// Ends it: with its return, and attributes by what it does with its buffers.
void finishDeviceBody(FunctionEmitter &f, Kernel &kernel);

/// In a kernel's launcher: runs device function `number` on so many blocks (i64; y and z may be
/// null for 1), with values for its last parameters.
void emitLaunch(FunctionEmitter &launcher, Kernel &kernel, int64_t number, mlir::Value gridX,
                mlir::Value gridY, mlir::Value gridZ, mlir::ValueRange extras);

/// In a device function: checks the kernel's indices, each once, spread over all threads of the
/// grid, of which this is number `thread`.
void emitDeviceChecks(FunctionEmitter &f, mlir::Block &kernelBody,
                      mlir::ArrayRef<IndexCheck> checks, mlir::Value thread, mlir::Value threads);
/// In a launcher: whether (i1) a kernel with these checks must do nothing else, for there is no row
/// that it could read in the place of a bad one; null where it has no checks.
mlir::Value emitReadsNothing(FunctionEmitter &launcher, mlir::ArrayRef<IndexCheck> checks);

/// `make()`, of `type`, where the condition (i1) holds, else zero.
mlir::Value emitOrZero(FunctionEmitter &f, mlir::Type type, mlir::Value condition,
                       llvm::function_ref<mlir::Value()> make);

/// The number of this thread among those of all blocks along x, and how many there are.
mlir::Value emitGlobalThread(FunctionEmitter &f, int64_t blockThreads);
mlir::Value emitGlobalThreads(FunctionEmitter &f, int64_t blockThreads);

/// How many elements of a row, of `columns`, a thread takes at once: as many as make 16 bytes of
/// the widest dtype of the kernel, where rows are made of so many and what is read is in the order
/// of what is written; else 1.
int64_t chooseDeviceLanes(Kernel &kernel, const Dim &columns, bool flat);

mlir::LogicalResult emitDeviceLoop(ModuleLowering &lowering, Kernel &kernel);      // LoopKernel.cpp
mlir::LogicalResult emitDeviceRows(ModuleLowering &lowering, Kernel &kernel);      // RowKernel.cpp
mlir::LogicalResult emitDeviceAttention(ModuleLowering &lowering, Kernel &kernel); // Attention.cpp
mlir::LogicalResult emitDeviceMatmul(ModuleLowering &lowering, Kernel &kernel);    // Matmul.cpp
mlir::LogicalResult emitDeviceCumsum(ModuleLowering &lowering, Kernel &kernel); // ElementKernel.cpp
mlir::LogicalResult emitDeviceArgsort(ModuleLowering &lowering, Kernel &kernel);
mlir::LogicalResult emitDeviceScatter(ModuleLowering &lowering, Kernel &kernel);
void emitPlainMatmul(ModuleLowering &lowering, Kernel &kernel);
mlir::LogicalResult emitDeviceLinear(ModuleLowering &lowering, Kernel &kernel); // Linear.cpp

/// The emitter for an anchor on an accelerator; null if there is none.
KernelEmitter findDeviceEmitter(mlir::Operation *anchor);

} // namespace kiln::passes
