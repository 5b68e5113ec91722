#include "passes/cpu/Kernels.h"

#include "ir/KilnDialect.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {

KernelEmitter findKernelEmitter(Operation *anchor) {
  if (!anchor)
    return emitLoopKernel;
  static const llvm::StringMap<KernelEmitter> table = {
      {"kiln.linear", emitLinearKernel}, {"kiln.attention", emitAttentionKernel},
      {"kiln.matmul", emitMatmulKernel}, {"kiln.layer_norm", emitRowKernel},
      {"kiln.softmax", emitRowKernel},   {"kiln.sum", emitRowKernel},
      {"kiln.mean", emitRowKernel},      {"kiln.prod", emitRowKernel},
      {"kiln.max", emitRowKernel},       {"kiln.min", emitRowKernel},
      {"kiln.argmax", emitRowKernel},    {"kiln.argmin", emitRowKernel},
  };
  return table.lookup(anchor->getName().getStringRef());
}

} // namespace kiln::passes
