// Reductions and softmax along another axis than the last one: a thread goes along the axis for one
// column, or for a vector of neighbouring ones.
#include "passes/gpu/RowAnchor.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

class ColumnKernel {
public:
  ColumnKernel(ModuleLowering &lowering, Kernel &kernel)
      : lowering(lowering), kernel(kernel), anchor(kernel),
        outer(anchor.type.shape.begin(), anchor.type.shape.end()) {
    outer[anchor.axis] = 1;
    lanes = anchor.byIndex() ? 1 : chooseDeviceLanes(kernel, outer.back(), /*flat=*/false);
    outer.back() = outer.back() / Dim(lanes);
    checks = indexChecks(lowering, kernel.body());
  }

  void emit() {
    DeviceLaunch launch;
    launch.lanes = lanes;
    launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
    DeviceBody body = startDeviceBody(lowering, kernel, "", launch);
    FunctionEmitter &f = body.f;
    Value thread = emitGlobalThread(f, deviceBlockThreads);
    emitDeviceChecks(f, kernel.body(), checks, thread, emitGlobalThreads(f, deviceBlockThreads));
    f.ifThen(f.lessThan(thread, f.extras[0]), [&] {
      index = emitRowCoords(f, outer, thread);
      index.back() = f.mul(index.back(), lanes);
      if (anchor.byIndex())
        return emitExtremumIndex(f);
      emitColumn(f);
    });
    finishDeviceBody(f, kernel);
    emitRowLauncher(lowering, kernel, body.number, checks, outer, deviceBlockThreads);
  }

private:
  Coords at(Value position) const {
    Coords coords;
    coords.index = index;
    coords.index[anchor.axis] = position;
    if (lanes > 1)
      coords.laneAxis = anchor.type.rank() - 1;
    return coords;
  }
  Value read(FunctionEmitter &f, Value position) { return anchor.read(f, at(position)); }
  Value reduce(FunctionEmitter &f, Reduction reduction, llvm::function_ref<Value(Value)> element) {
    DType dtype = anchor.type.dtype;
    return f.fold(f.constant(0), f.dimValue(anchor.type.shape[anchor.axis]), f.constant(1),
                  emitNeutral(f, reduction, dtype, lanes > 1),
                  [&](Value position, ValueRange carried) -> SmallVector<Value> {
                    return {emitCombine(f, reduction, dtype, carried[0], element(position))};
                  })[0];
  }

  void emitColumn(FunctionEmitter &f) {
    auto element = [&](Value position) { return read(f, position); };
    if (auto reduction = anchor.reduction())
      return anchor.store(f, at(f.constant(0)), anchor.finish(f, reduce(f, *reduction, element)));
    Value greatest = reduce(f, Reduction::max, element); // softmax
    auto power = [&](Value position) {
      Value distance = arith::SubFOp::create(f.b, read(f, position), greatest);
      return emitElementwise(f, "exp", anchor.type.dtype, {distance});
    };
    Value sum = reduce(f, Reduction::sum, power);
    Value count = f.dimValue(anchor.type.shape[anchor.axis]);
    f.loop(f.constant(0), count, f.constant(1), [&](Value position) {
      Value quotient = arith::DivFOp::create(f.b, power(position), sum);
      anchor.store(f, at(position), roundTo(f, quotient, anchor.resultType.dtype));
    });
  }

  void emitExtremumIndex(FunctionEmitter &f) {
    Value zero = f.constant(0), count = f.dimValue(anchor.type.shape[anchor.axis]);
    auto best = f.fold(f.constant(1), count, f.constant(1), {read(f, zero), zero},
                       [&](Value position, ValueRange carried) {
                         return anchor.better(f, carried, {read(f, position), position});
                       });
    anchor.store(f, at(zero), best[1]);
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  RowAnchor anchor;
  SmallVector<Dim> outer;
  int64_t lanes = 1;
  SmallVector<IndexCheck> checks;
  SmallVector<Value> index;
};

} // namespace

void emitDeviceColumns(ModuleLowering &lowering, Kernel &kernel) {
  ColumnKernel(lowering, kernel).emit();
}

} // namespace kiln::passes
