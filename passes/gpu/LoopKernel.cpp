// Kernels without an anchor: each thread writes one element, or one vector of 16 bytes, of each
// result.
#include "ir/KilnDialect.h"
#include "passes/gpu/DeviceKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr int64_t vectorBytes = 16; // of the widest load

/// Whether neighbours along the last axis of the results are neighbours in what is read, too.
bool readsInOrder(Operation &op) {
  if (op.hasTrait<ir::KilnElementwise>())
    return true;
  int64_t last = ElementEmitter::typeOf(op.getResult(0)).rank() - 1;
  auto integers = [&](StringRef name) {
    return op.getAttrOfType<DenseI64ArrayAttr>(name).asArrayRef();
  };
  auto axis = [&] { return op.getAttrOfType<IntegerAttr>("axis").getInt(); };
  if (isa<ir::PermuteOp>(op))
    return last < 0 || integers("axes")[last] == last;
  if (isa<ir::SliceOp>(op))
    return last < 0 || integers("steps")[last] == 1;
  if (isa<ir::ConcatOp>(op))
    return axis() != last;
  if (isa<ir::GatherOp>(op))
    return axis() + ElementEmitter::typeOf(op.getOperand(1)).rank() <= last;
  return isa<ir::BroadcastToOp, ir::ReshapeOp, ir::RebindOp, ir::CastOp, ir::IotaOp, ir::SizeOp,
             ir::ConstantOp, ir::LocalSliceOp>(op);
}

/// How many elements of a row a thread takes at once: as many as make 16 bytes of the widest dtype,
/// where rows are made of so many.
int64_t chooseLanes(Kernel &kernel, const Dim &columns, bool flat) {
  int64_t bytes = 1;
  auto count = [&](Value tensor) {
    TensorType type = ElementEmitter::typeOf(tensor);
    // Of an index, one is read for all lanes.
    auto isIndex = [](OpOperand &use) {
      return isa<ir::GatherOp>(use.getOwner()) && use.getOperandNumber() == 1;
    };
    bool isIndices = !tensor.use_empty() && llvm::all_of(tensor.getUses(), isIndex);
    if (!isIndices && !(type.shape.numElements() == Dim(1)))
      bytes = std::max<int64_t>(bytes, sizeBytes(type.dtype));
  };
  llvm::for_each(kernel.body().getArguments(), count);
  llvm::for_each(kernel.terminator()->getOperands(), count);
  int64_t lanes = std::min<int64_t>(8, vectorBytes / bytes);
  if (!llvm::all_of(kernel.body().without_terminator(), readsInOrder))
    return 1;
  return flat || columns / Dim(lanes) * Dim(lanes) == columns ? lanes : 1;
}

class LoopKernel {
public:
  LoopKernel(ModuleLowering &lowering, Kernel &kernel, const Shape &shape)
      : lowering(lowering), kernel(kernel), shape(shape), flat(isFlat(kernel, shape)) {
    if (!flat && shape.rank())
      outer.append(shape.begin(), shape.end() - 1);
    columns = shape.rank() == 0 ? Dim(1) : flat ? shape.numElements() : shape[-1];
    lanes = shape.rank() == 0 ? 1 : chooseLanes(kernel, columns, flat);
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
