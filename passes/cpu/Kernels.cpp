#include "passes/cpu/Kernels.h"

#include "ir/KilnDialect.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {

KernelEmitter findKernelEmitter(Operation *anchor) {
  if (!anchor)
    return emitLoopKernel;
  static const llvm::StringMap<KernelEmitter> table = {
      {"kiln.linear", emitLinearKernel},   {"kiln.attention", emitAttentionKernel},
      {"kiln.matmul", emitMatmulKernel},   {"kiln.layer_norm", emitRowKernel},
      {"kiln.softmax", emitRowKernel},     {"kiln.sum", emitRowKernel},
      {"kiln.mean", emitRowKernel},        {"kiln.prod", emitRowKernel},
      {"kiln.max", emitRowKernel},         {"kiln.min", emitRowKernel},
      {"kiln.argmax", emitRowKernel},      {"kiln.argmin", emitRowKernel},
      {"kiln.cumsum", emitCumsumKernel},   {"kiln.argsort", emitArgsortKernel},
      {"kiln.scatter", emitScatterKernel}, {"kiln.scatter_elements", emitScatterKernel},
  };
  return table.lookup(anchor->getName().getStringRef());
}

SmallVector<Value> outputBuffers(FunctionEmitter &f, Kernel &kernel) {
  SmallVector<Value> outputs;
  for (unsigned i = 0; i < kernel.terminator()->getNumOperands(); ++i)
    outputs.push_back(f.buffer(kernel.numOperands() + i));
  return outputs;
}

void storeResults(FunctionEmitter &f, ElementEmitter &elements, Kernel &kernel,
                  ArrayRef<Value> outputs, const Coords &at) {
  for (auto [result, output] : llvm::zip(kernel.terminator()->getOperands(), outputs)) {
    TensorType type = ElementEmitter::typeOf(result);
    Value position = f.constant(0);
    for (int64_t i = 0; i < type.rank(); ++i)
      position = f.add(f.mul(position, f.dimValue(type.shape[i])), at.index[i]);
    elements.storeAt(elements.emit(result, at), type.dtype,
                     f.offset(output, position, sizeBytes(type.dtype)), at.mask);
  }
}

} // namespace kiln::passes
