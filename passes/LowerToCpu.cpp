#include "passes/LowerModule.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_LOWERTOCPUPASS
#include "passes/Passes.h.inc"

namespace {

void emitCopy(FunctionEmitter &f, Value from, Value to, Value bytes) {
  VectorType type = f.vec(f.b.getI8Type());
  f.vectorLoop(bytes, [&](Value position, Value mask) {
    Value data = f.maskedLoad(type, f.offsetBytes(from, position), mask);
    f.maskedStore(data, f.offsetBytes(to, position), mask);
  });
}

struct LowerToCpuPass : impl::LowerToCpuPassBase<LowerToCpuPass> {
  using LowerToCpuPassBase::LowerToCpuPassBase;
  LowerToCpuPass(const CpuTarget &cpu, bool int8, Precision precision) : given(cpu) {
    int8Activations = int8;
    this->precision = std::string(precisionName(precision));
  }

  std::optional<CpuTarget> given; // instead of the option

  void runOnOperation() override {
    std::optional<CpuTarget> cpu = given ? given : CpuTarget::byName(target);
    if (!cpu) {
      getOperation().emitError("unknown target \"")
          << target << "\": expected x86-64, x86-64-v3 or x86-64-v4";
      return signalPassFailure();
    }
    std::optional<Precision> wanted = precisionOption(getOperation(), precision);
    if (!wanted)
      return signalPassFailure();
    ModuleLowering lowering;
    lowering.module = getOperation();
    lowering.target = *cpu;
    lowering.int8Activations = int8Activations;
    lowering.precision = *wanted;
    Backend backend{"the CPU", findKernelEmitter, hasElementwiseLowering, emitCopy};
    if (failed(lowerModule(lowering, backend)))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createLowerToCpuPass(const CpuTarget &target, bool int8Activations,
                                           Precision precision) {
  return std::make_unique<LowerToCpuPass>(target, int8Activations, precision);
}

} // namespace kiln::passes
