#include "passes/gpu/DeviceKernel.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {

KernelEmitter findDeviceEmitter(Operation *anchor) {
  if (!anchor)
    return emitDeviceLoop;
  static const llvm::StringMap<KernelEmitter> table = {};
  return table.lookup(anchor->getName().getStringRef());
}

} // namespace kiln::passes
