#include "passes/LowerModule.h"
#include "passes/Passes.h"
#include "passes/gpu/DeviceKernel.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/GpuTarget.h"
#include "runtime/Abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

#include <cstddef>

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_LOWERTOGPUPASS
#include "passes/Passes.h.inc"

namespace {

void emitCopy(FunctionEmitter &f, Value from, Value to, Value bytes) {
  Value copy = f.load(f.ptr(), f.offsetBytes(f.runtime, f.constant(offsetof(KilnRuntime, copy))));
  Type none = LLVM::LLVMVoidType::get(f.b.getContext());
  auto type = LLVM::LLVMFunctionType::get(none, {f.ptr(), f.ptr(), f.ptr(), f.i64()});
  LLVM::CallOp::create(f.b, type, ValueRange{copy, f.runtime, from, to, bytes});
}

struct LowerToGpuPass : impl::LowerToGpuPassBase<LowerToGpuPass> {
  using LowerToGpuPassBase::LowerToGpuPassBase;

  void runOnOperation() override {
    std::optional<CpuTarget> target = gpuTarget(chip);
    if (!target) {
      getOperation().emitError("unknown chip \"") << chip << "\": expected " << gpuChips();
      return signalPassFailure();
    }
    std::optional<Precision> wanted = precisionOption(getOperation(), precision);
    if (!wanted)
      return signalPassFailure();
    ModuleLowering lowering;
    lowering.module = getOperation();
    lowering.target = *target;
    lowering.precision = *wanted;
    lowering.deviceModule = device::createModule(lowering.module, "kernels", chip);
    Backend backend{"an accelerator", findDeviceEmitter, hasElementwiseLowering, emitCopy};
    if (failed(lowerModule(lowering, backend)))
      return signalPassFailure();
    describe(lowering);
  }

  /// What the artifact must say of the device code, with what it says of the rest.
  void describe(const ModuleLowering &lowering) {
    Builder b(&getContext());
    SmallVector<Attribute> functions;
    for (const DeviceFunction &function : lowering.deviceFunctions)
      functions.push_back(b.getDictionaryAttr({
          b.getNamedAttr("name", b.getStringAttr(function.name)),
          b.getNamedAttr("parameters", b.getI64IntegerAttr(function.parameters)),
          b.getNamedAttr("shared", b.getI64IntegerAttr(function.sharedBytes)),
          b.getNamedAttr("threads", b.getI64IntegerAttr(function.threads)),
      }));
    NamedAttrList description(getOperation()->getAttrOfType<DictionaryAttr>("kiln.artifact"));
    description.append("chip", b.getStringAttr(chip));
    description.append("device_functions", b.getArrayAttr(functions));
    getOperation()->setAttr("kiln.artifact", description.getDictionary(&getContext()));
  }
};

} // namespace
} // namespace kiln::passes
