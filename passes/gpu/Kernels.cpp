#include "passes/gpu/DeviceKernel.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {

KernelEmitter findDeviceEmitter(Operation *anchor) {
  if (!anchor)
    return emitDeviceLoop;
  static const llvm::StringMap<KernelEmitter> table = {
      {"kiln.linear", emitDeviceLinear},
      {"kiln.attention", emitDeviceAttention},
      {"kiln.matmul", emitDeviceMatmul},
      {"kiln.cumsum", emitDeviceCumsum},
      {"kiln.argsort", emitDeviceArgsort},
      {"kiln.scatter", emitDeviceScatter},
      {"kiln.scatter_elements", emitDeviceScatter},
      {"kiln.layer_norm", emitDeviceRows},
      {"kiln.softmax", emitDeviceRows},
      {"kiln.sum", emitDeviceRows},
      {"kiln.mean", emitDeviceRows},
      {"kiln.prod", emitDeviceRows},
      {"kiln.max", emitDeviceRows},
      {"kiln.min", emitDeviceRows},
      {"kiln.argmax", emitDeviceRows},
      {"kiln.argmin", emitDeviceRows},
  };
  return table.lookup(anchor->getName().getStringRef());
}

} // namespace kiln::passes
