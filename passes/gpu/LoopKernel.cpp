// Kernels without an anchor: each thread writes one element, or one vector of 16 bytes, of each
// result.
#include "ir/KilnDialect.h"
#include "passes/gpu/DeviceKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

class LoopKernel {
public:
  LoopKernel(ModuleLowering &lowering, Kernel &kernel, const Shape &shape)
      : lowering(lowering), kernel(kernel), shape(shape), flat(isFlat(kernel, shape)) {
    if (!flat && shape.rank())
      outer.append(shape.begin(), shape.end() - 1);
    columns = shape.rank() == 0 ? Dim(1) : flat ? shape.numElements() : shape[-1];
    lanes = shape.rank() == 0 ? 1 : chooseDeviceLanes(kernel, columns, flat);
    checks = indexChecks(lowering, kernel.body());
  }

  void run() {
    DeviceLaunch launch;
    launch.lanes = lanes;
    launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
    DeviceBody body = startDeviceBody(lowering, kernel, "", launch);
    emitBody(body.f);
    finishDeviceBody(body.f, kernel);

    FunctionEmitter f = FunctionEmitter::launcher(lowering, kernel.function.getLoc(), kernel.name);
    Value vectors = f.ceilDiv(f.dimValue(columns), f.constant(lanes));
    Value tasks = f.mul(emitNumElements(f, outer), vectors);
    if (Value nothing = emitReadsNothing(f, checks))
      tasks = arith::SelectOp::create(f.b, nothing, f.constant(0), tasks);
    else
      f.returnIf(f.equal(tasks, f.constant(0)), /*status=*/0);
    Value blocks = f.max(f.ceilDiv(tasks, f.constant(deviceBlockThreads)), f.constant(1));
    emitLaunch(f, kernel, body.number, blocks, {}, {}, tasks);
    f.finish();
  }

private:
  void emitBody(FunctionEmitter &f) {
    Value thread = emitGlobalThread(f, deviceBlockThreads);
    emitDeviceChecks(f, kernel.body(), checks, thread, emitGlobalThreads(f, deviceBlockThreads));
    f.ifThen(f.lessThan(thread, f.extras[0]), [&] {
      if (flat && lanes > 1)
        return emitFlat(f, thread);
      Value vectors = f.div(f.dimValue(columns), f.constant(lanes));
      Value row = outer.empty() ? f.constant(0) : f.div(thread, vectors);
      Value column = f.mul(outer.empty() ? thread : f.rem(thread, vectors), lanes);
      emitElements(f, row, column, lanes > 1);
    });
  }

  /// The last vector of a flat kernel may be a part of one.
  void emitFlat(FunctionEmitter &f, Value thread) {
    Value first = f.mul(thread, lanes), count = f.dimValue(columns);
    if (columns.isStatic() && columns.value() % lanes == 0)
      return emitElements(f, f.constant(0), first, /*vector=*/true);
    Value end = f.add(first, lanes);
    f.ifThen(
        f.lessThan(count, end),
        [&] {
          f.loop(first, count, f.constant(1), [&](Value position) {
            emitElements(f, f.constant(0), position, /*vector=*/false);
          });
        },
        [&] { emitElements(f, f.constant(0), first, /*vector=*/true); });
  }

  void emitElements(FunctionEmitter &f, Value row, Value column, bool vector) {
    ElementEmitter elements(f);
    if (flat)
      provideFlat(elements, f, kernel);
    else
      elements.provideArguments(kernel.body());
    Coords at;
    if (flat)
      at.index.assign(shape.rank(), f.constant(0));
    else if (shape.rank()) {
      at.index = emitRowCoords(f, outer, row);
      at.index.push_back({});
    }
    if (shape.rank())
      at.index.back() = column;
    if (vector)
      at.laneAxis = shape.rank() - 1;
    Value position = outer.empty() ? column : f.add(f.mul(row, f.dimValue(columns)), column);
    for (auto [i, result] : llvm::enumerate(kernel.terminator()->getOperands())) {
      DType dtype = ElementEmitter::typeOf(result).dtype;
      Value output = f.buffer(kernel.numOperands() + i);
      elements.storeAt(elements.emit(result, at), dtype,
                       f.offset(output, position, sizeBytes(dtype)), /*mask=*/{});
    }
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  Shape shape;
  bool flat;
  SmallVector<Dim> outer;
  Dim columns = 1;
  int64_t lanes = 1;
  SmallVector<IndexCheck> checks;
};

} // namespace

LogicalResult emitDeviceLoop(ModuleLowering &lowering, Kernel &kernel) {
  Operation *terminator = kernel.terminator();
  Shape shape = ElementEmitter::typeOf(terminator->getOperand(0)).shape;
  for (Value result : terminator->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == shape))
      return kernel.function.emitError("results of a loop kernel differ in shape");
  LoopKernel(lowering, kernel, shape).run();
  return success();
}

} // namespace kiln::passes
