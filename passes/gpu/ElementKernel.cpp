// Anchors whose results are made one by one: simple and the same for any order of threads, where
// nothing is known to need more speed.
#include "passes/gpu/ElementKernel.h"

#include "ir/KilnDialect.h"
#include "passes/gpu/RowAnchor.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace kiln::passes {

void emitPerElement(ModuleLowering &lowering, Kernel &kernel, ArrayRef<Dim> shape,
                    llvm::function_ref<void(FunctionEmitter &, SmallVector<Value>)> work) {
  SmallVector<IndexCheck> checks = indexChecks(lowering, kernel.body());
  DeviceLaunch launch;
  launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
  DeviceBody body = startDeviceBody(lowering, kernel, "", launch);
  FunctionEmitter &f = body.f;
  Value thread = emitGlobalThread(f, deviceBlockThreads);
  emitDeviceChecks(f, kernel.body(), checks, thread, emitGlobalThreads(f, deviceBlockThreads));
  f.ifThen(f.lessThan(thread, f.extras[0]), [&] { work(f, emitRowCoords(f, shape, thread)); });
  finishDeviceBody(f, kernel);
  emitRowLauncher(lowering, kernel, body.number, checks, shape, deviceBlockThreads);
}

void storeAnchor(FunctionEmitter &f, Kernel &kernel, ArrayRef<Value> at, Value value) {
  ElementEmitter elements(f);
  elements.provideArguments(kernel.body());
  elements.provide(kernel.anchor->getResult(0), [value](const Coords &) { return value; });
  Coords coords;
  coords.index.append(at.begin(), at.end());
  storeResults(f, elements, kernel, outputBuffers(f, kernel), coords);
}

Value readElement(FunctionEmitter &f, Kernel &kernel, Value tensor, ArrayRef<Value> at) {
  ElementEmitter elements(f);
  elements.provideArguments(kernel.body());
  Coords coords;
  coords.index.append(at.begin(), at.end());
  return elements.emit(tensor, coords);
}

namespace {

LogicalResult checkShapes(Kernel &kernel) {
  Shape shape = ElementEmitter::typeOf(kernel.anchor->getResult(0)).shape;
  for (Value result : kernel.terminator()->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == shape))
      return kernel.function.emitError("a kernel's results must have its anchor's shape");
  return success();
}

Value zeroOf(FunctionEmitter &f, DType dtype) {
  return arith::ConstantOp::create(f.b, f.b.getZeroAttr(computeType(f, dtype)));
}

} // namespace

/// A thread goes along the axis. Floats are summed in float64, as on a CPU.
LogicalResult emitDeviceCumsum(ModuleLowering &lowering, Kernel &kernel) {
  if (failed(checkShapes(kernel)))
    return failure();
  auto op = cast<ir::CumsumOp>(kernel.anchor);
  TensorType type = ElementEmitter::typeOf(op.getX());
  const auto axis = static_cast<int64_t>(op.getAxis());
  DType total = isFloat(type.dtype) ? DType::float64 : type.dtype;
  SmallVector<Dim> outer(type.shape.begin(), type.shape.end());
  outer[axis] = 1;
  emitPerElement(lowering, kernel, outer, [&](FunctionEmitter &f, SmallVector<Value> at) {
    Value count = f.dimValue(type.shape[axis]);
    f.fold(f.constant(0), count, f.constant(1), zeroOf(f, total),
           [&](Value i, ValueRange before) -> SmallVector<Value> {
             at[axis] = op.getReverse() ? f.sub(f.sub(count, f.constant(1)), i) : i;
             Value x = emitCast(f, readElement(f, kernel, op.getX(), at), type.dtype, total);
             Value after = emitElementwise(f, "add", total, {before[0], x});
             Value stored = op.getExclusive() ? before[0] : after;
             if (total != type.dtype)
               stored = emitCast(f, stored, total, type.dtype);
             storeAnchor(f, kernel, at, stored);
             return {after};
           });
  });
  return success();
}

/// A thread for each element counts how many come before it: that is its place.
LogicalResult emitDeviceArgsort(ModuleLowering &lowering, Kernel &kernel) {
  auto op = cast<ir::ArgsortOp>(kernel.anchor);
  TensorType type = ElementEmitter::typeOf(op.getX());
  const auto axis = static_cast<int64_t>(op.getAxis());
  if (failed(checkShapes(kernel)))
    return failure();
  Dim count = ElementEmitter::typeOf(op.getResult()).shape[axis];
  emitPerElement(
      lowering, kernel, type.shape.vec(), [&](FunctionEmitter &f, SmallVector<Value> at) {
        Value mine = at[axis], x = readElement(f, kernel, op.getX(), at);
        auto is = [&](StringRef name, Value a, Value b) {
          return emitElementwise(f, name, type.dtype, {a, b});
        };
        auto isNan = [&](Value a) { return emitElementwise(f, "is_nan", type.dtype, {a}); };
        auto both = [&](Value a, Value b) -> Value { return arith::AndIOp::create(f.b, a, b); };
        auto either = [&](Value a, Value b) -> Value { return arith::OrIOp::create(f.b, a, b); };
        Value place = f.fold(f.constant(0), f.dimValue(type.shape[axis]), f.constant(1),
                             f.constant(0), [&](Value i, ValueRange carried) -> SmallVector<Value> {
                               at[axis] = i;
                               Value y = readElement(f, kernel, op.getX(), at);
                               // NaNs are equal, and greater than all else.
                               Value smaller = op.getDescending() ? x : y,
                                     larger = op.getDescending() ? y : x;
                               Value first = is("lt", smaller, larger), equal = is("eq", y, x);
                               if (isFloat(type.dtype)) {
                                 Value notNan = arith::XOrIOp::create(
                                     f.b, isNan(smaller), arith::ConstantIntOp::create(f.b, 1, 1));
                                 first = either(first, both(isNan(larger), notNan));
                                 equal = either(equal, both(isNan(x), isNan(y)));
                               }
                               first = either(first, both(equal, f.lessThan(i, mine)));
                               Value one = arith::ExtUIOp::create(f.b, f.i64(), first);
                               return {f.add(carried[0], one)};
                             })[0];
        f.ifThen(f.lessThan(place, f.dimValue(count)), [&] {
          at[axis] = place;
          storeAnchor(f, kernel, at, mine);
        });
      });
  return success();
}

/// A thread for each element of the result goes through all updates in order.
LogicalResult emitDeviceScatter(ModuleLowering &lowering, Kernel &kernel) {
  if (failed(checkShapes(kernel)))
    return failure();
  Operation *op = kernel.anchor;
  Value x = op->getOperand(0), indices = op->getOperand(1), updates = op->getOperand(2);
  TensorType type = ElementEmitter::typeOf(x), indexType = ElementEmitter::typeOf(indices);
  const bool byElement = isa<ir::ScatterElementsOp>(op);
  const int64_t axis = byElement ? op->getAttrOfType<IntegerAttr>("axis").getInt() : 0;
  StringRef reduction = op->getAttrOfType<StringAttr>("reduction").getValue();
  StringRef combine = llvm::StringSwitch<StringRef>(reduction)
                          .Case("none", "")
                          .Case("max", "maximum")
                          .Case("min", "minimum")
                          .Default(reduction);
  emitPerElement(
      lowering, kernel, type.shape.vec(), [&](FunctionEmitter &f, SmallVector<Value> at) {
        Value mine = at[axis], start = readElement(f, kernel, x, at);
        // Of scatter_elements the updates along the axis, at the same other coordinates, as far as
        // there are any.
        Value reached = arith::ConstantIntOp::create(f.b, 1, 1);
        if (byElement)
          for (int64_t other = 0; other < type.rank(); ++other)
            if (other != axis)
              reached = arith::AndIOp::create(
                  f.b, reached, f.lessThan(at[other], f.dimValue(indexType.shape[other])));
        Value count =
            arith::SelectOp::create(f.b, reached, f.dimValue(indexType.shape[axis]), f.constant(0));
        Value result = f.fold(
            f.constant(0), count, f.constant(1), start,
            [&](Value i, ValueRange carried) -> SmallVector<Value> {
              SmallVector<Value> place = at;
              place[axis] = i;
              SmallVector<Value> indexAt = byElement ? place : SmallVector<Value>{i};
              Value index = toIndex(f, readElement(f, kernel, indices, indexAt), indexType.dtype);
              Value next = readElement(f, kernel, updates, place);
              if (!combine.empty())
                next = roundTo(f, emitElementwise(f, combine, type.dtype, {carried[0], next}),
                               type.dtype);
              return {arith::SelectOp::create(f.b, f.equal(index, mine), next, carried[0])};
            })[0];
        storeAnchor(f, kernel, at, result);
      });
  return success();
}

/// Products of dtypes that tensor cores do not multiply: a thread sums up each element, k in order.
void emitPlainMatmul(ModuleLowering &lowering, Kernel &kernel) {
  auto op = cast<ir::MatmulOp>(kernel.anchor);
  TensorType type = ElementEmitter::typeOf(op.getResult());
  TensorType xType = ElementEmitter::typeOf(op.getX()), yType = ElementEmitter::typeOf(op.getY());
  emitPerElement(
      lowering, kernel, type.shape.vec(), [&](FunctionEmitter &f, SmallVector<Value> at) {
        auto operand = [&](const TensorType &from, Value row, Value column) {
          Coords whole;
          whole.index.assign(at.begin(), at.end() - 2);
          whole.index.append({row, column});
          std::vector<Dim> full(type.shape.begin(), type.shape.end() - 2);
          full.insert(full.end(), from.shape.end() - 2, from.shape.end());
          return broadcastCoords(f, from, {from.dtype, Shape(full)}, whole).index;
        };
        Value row = at[at.size() - 2], column = at.back();
        Value sum = f.fold(f.constant(0), f.dimValue(xType.shape[-1]), f.constant(1),
                           zeroOf(f, type.dtype), [&](Value k, ValueRange carried) {
                             Value x = readElement(f, kernel, op.getX(), operand(xType, row, k));
                             Value y = readElement(f, kernel, op.getY(), operand(yType, k, column));
                             Value product = emitElementwise(f, "mul", type.dtype, {x, y});
                             return SmallVector<Value>{
                                 emitElementwise(f, "add", type.dtype, {carried[0], product})};
                           })[0];
        storeAnchor(f, kernel, at, sum);
      });
}

} // namespace kiln::passes
