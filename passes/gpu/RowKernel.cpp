/// Kernels around a reduction, a softmax or a layer_norm along the last axis: a row for each warp,
/// or for each block where rows are long. Rows of a fixed size that fit are kept in registers, of
/// others elements are computed again for each pass. Along other axes: ColumnKernel.cpp.
#include "ir/KilnDialect.h"
#include "passes/gpu/GroupReduce.h"
#include "passes/gpu/RowAnchor.h"

#include "passes/gpu/DeviceOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Longest row of a warp, in vectors of each thread: 8 of 4 floats are 32 registers.
constexpr int64_t mostVectors = 8;
/// Threads of a block whose warps have a row each.
constexpr int64_t warpRowThreads = 128;

class RowKernel {
public:
  RowKernel(ModuleLowering &lowering, const RowAnchor &anchor, ArrayRef<IndexCheck> checks)
      : lowering(lowering), kernel(anchor.kernel), anchor(anchor), checks(checks),
        outer(anchor.type.shape.begin(), anchor.type.shape.end() - 1),
        columns(anchor.type.shape[-1]),
        lanes(anchor.byIndex() ? 1 : chooseDeviceLanes(kernel, columns, /*flat=*/false)) {
    auto vectors = [&](int64_t threads) {
      return (columns.value() + threads * lanes - 1) / (threads * lanes);
    };
    if (columns.isStatic() && vectors(warpThreads) <= mostVectors)
      threads = warpThreads;
    if (columns.isStatic() && vectors(threads) <= mostVectors)
      kept = vectors(threads);
    blockThreads = threads == warpThreads ? warpRowThreads : threads;
  }

  RowFunction emit(StringRef suffix) {
    DeviceLaunch launch;
    launch.threads = blockThreads;
    launch.lanes = lanes;
    launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
    DeviceBody body = startDeviceBody(lowering, kernel, suffix, launch);
    emitBody(body.f);
    finishDeviceBody(body.f, kernel);
    return {body.number, blockThreads / threads};
  }

private:
  void emitBody(FunctionEmitter &f) {
    Value thread = emitGlobalThread(f, blockThreads);
    emitDeviceChecks(f, kernel.body(), checks, thread, emitGlobalThreads(f, blockThreads));
    Value row = f.div(thread, f.constant(threads));
    group = {threads, f.rem(thread, f.constant(threads))};
    f.ifThen(f.lessThan(row, f.extras[0]), [&] {
      SmallVector<Value> index = emitRowCoords(f, outer, row);
      anchor.byIndex() ? emitExtremumIndex(f, index) : emitRow(f, index);
    });
  }

  Coords at(ArrayRef<Value> index, Value column) const {
    Coords coords;
    coords.index.append(index.begin(), index.end());
    coords.index.push_back(column);
    if (lanes > 1)
      coords.laneAxis = index.size();
    return coords;
  }

  /// Goes over the vectors of a row that are this thread's: `body(column, number)`, all of them
  /// unrolled where they are kept, else in a loop with number -1. What is carried comes back.
  Value overRow(FunctionEmitter &f, Value init,
                llvm::function_ref<Value(Value column, int64_t number, Value carried)> body) {
    Value first = f.mul(group.thread, lanes), count = f.dimValue(columns);
    Type type = init ? init.getType() : Type();
    if (!kept && !init) {
      f.loop(first, count, f.constant(threads * lanes),
             [&](Value column) { body(column, -1, {}); });
      return {};
    }
    if (!kept)
      return f.fold(first, count, f.constant(threads * lanes), init,
                    [&](Value column, ValueRange carried) -> SmallVector<Value> {
                      return {body(column, -1, carried[0])};
                    })[0];
    Value carried = init;
    for (int64_t number = 0; number < kept; ++number) {
      Value column = f.add(first, number * threads * lanes);
      if ((number + 1) * threads * lanes <= columns.value()) {
        carried = body(column, number, carried);
        continue;
      }
      // The last ones, which not all threads have.
      auto branch = scf::IfOp::create(f.b, type ? TypeRange(type) : TypeRange(),
                                      f.lessThan(column, count), /*withElseRegion=*/bool(init));
      OpBuilder::InsertionGuard guard(f.b);
      f.b.setInsertionPointToStart(&branch.getThenRegion().front());
      Value next = body(column, number, carried);
      if (!init)
        continue;
      scf::YieldOp::create(f.b, next);
      f.b.setInsertionPointToStart(&branch.getElseRegion().front());
      scf::YieldOp::create(f.b, carried);
      carried = branch.getResult(0);
    }
    return carried;
  }

  Value like(FunctionEmitter &f, Value scalar) { return lanes > 1 ? f.splat(scalar) : scalar; }

  /// Combines f(element) over the row, in all threads.
  Value reduce(FunctionEmitter &f, Reduction reduction,
               llvm::function_ref<Value(Value column, int64_t number)> element) {
    Value neutral = emitNeutral(f, reduction, anchor.type.dtype, lanes > 1);
    Value mine = overRow(f, neutral, [&](Value column, int64_t number, Value carried) {
      return emitCombine(f, reduction, anchor.type.dtype, carried, element(column, number));
    });
    return emitGroupReduction(f, group, reduction, anchor.type.dtype, mine);
  }

  void emitRow(FunctionEmitter &f, ArrayRef<Value> index) {
    auto read = [&](Value column) { return anchor.read(f, at(index, column)); };
    if (auto reduction = anchor.reduction()) {
      Value combined = reduce(f, *reduction, [&](Value column, int64_t) { return read(column); });
      Value result = anchor.finish(f, combined);
      f.ifThen(f.equal(group.thread, f.constant(0)), [&] {
        Coords one = at(index, f.constant(0));
        one.laneAxis = -1;
        anchor.store(f, one, result);
      });
      return;
    }
    // The row in registers; where the last vector is not this thread's, anything.
    SmallVector<Value> values(kept);
    Type type = computeType(f, anchor.type.dtype);
    if (lanes > 1)
      type = f.vec(type);
    Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(type));
    for (int64_t number = 0; number < kept; ++number)
      values[number] = readKept(f, number, zero, read);
    auto element = [&](Value column, int64_t number) {
      return number < 0 ? read(column) : values[number];
    };
    std::function<Value(Value, int64_t)> result;
    if (anchor.name == "softmax") {
      Value greatest = like(f, reduce(f, Reduction::max, element));
      auto power = [&, greatest](Value column, int64_t number) -> Value {
        Value distance = arith::SubFOp::create(f.b, element(column, number), greatest);
        return emitElementwise(f, "exp", anchor.type.dtype, {distance});
      };
      for (int64_t number = 0; number < kept; ++number)
        values[number] = power({}, number);
      auto weight = [&, power](Value column, int64_t number) {
        return number < 0 ? power(column, number) : values[number];
      };
      Value sum = like(f, reduce(f, Reduction::sum, weight));
      result = [&f, weight, sum](Value column, int64_t number) -> Value {
        return arith::DivFOp::create(f.b, weight(column, number), sum);
      };
    } else {
      result = layerNorm(f, element);
    }
    overRow(f, {}, [&](Value column, int64_t number, Value) {
      Value value = roundTo(f, result(column, number), anchor.resultType.dtype);
      anchor.store(f, at(index, column), value);
      return Value();
    });
  }

  Value readKept(FunctionEmitter &f, int64_t number, Value zero,
                 llvm::function_ref<Value(Value)> read) {
    Value column = f.add(f.mul(group.thread, lanes), number * threads * lanes);
    if ((number + 1) * threads * lanes <= columns.value())
      return read(column);
    Value has = f.lessThan(column, f.dimValue(columns));
    auto branch = scf::IfOp::create(f.b, zero.getType(), has, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToStart(&branch.getThenRegion().front());
    scf::YieldOp::create(f.b, read(column));
    f.b.setInsertionPointToStart(&branch.getElseRegion().front());
    scf::YieldOp::create(f.b, zero);
    return branch.getResult(0);
  }

  std::function<Value(Value, int64_t)> layerNorm(FunctionEmitter &f,
                                                 std::function<Value(Value, int64_t)> element) {
    Type type = computeType(f, anchor.type.dtype);
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(f.b, FloatAttr::get(type, value));
    };
    double epsilon = anchor.op->getAttrOfType<FloatAttr>("epsilon").getValueAsDouble();
    Value size = arith::SIToFPOp::create(f.b, type, f.dimValue(columns));
    Value mean = arith::DivFOp::create(f.b, reduce(f, Reduction::sum, element), size);
    Value means = like(f, mean);
    auto distance = [&f, element, means](Value column, int64_t number) -> Value {
      return arith::SubFOp::create(f.b, element(column, number), means);
    };
    Value squares = reduce(f, Reduction::sum, [&](Value column, int64_t number) -> Value {
      Value d = distance(column, number);
      return arith::MulFOp::create(f.b, d, d);
    });
    Value variance = arith::DivFOp::create(f.b, squares, size);
    Value root = LLVM::SqrtOp::create(f.b, arith::AddFOp::create(f.b, variance, number(epsilon)));
    Value scale = like(f, arith::DivFOp::create(f.b, number(1), root));
    return [this, &f, distance, scale](Value column, int64_t number) -> Value {
      Value result = arith::MulFOp::create(f.b, distance(column, number), scale);
      if (anchor.op->getNumOperands() != 3)
        return result;
      ElementEmitter inputs(f);
      inputs.provideArguments(kernel.body());
      Value weight = inputs.emit(anchor.op->getOperand(1), at({}, column));
      Value bias = inputs.emit(anchor.op->getOperand(2), at({}, column));
      return arith::AddFOp::create(f.b, arith::MulFOp::create(f.b, result, weight), bias);
    };
  }

  void emitExtremumIndex(FunctionEmitter &f, ArrayRef<Value> index) {
    Value count = f.dimValue(columns);
    auto read = [&](Value column) { return anchor.read(f, at(index, column)); };
    // Threads that have no element begin with the first one of the row.
    Value has = f.lessThan(group.thread, count);
    Value start = arith::SelectOp::create(f.b, has, group.thread, f.constant(0));
    auto best = f.fold(f.add(group.thread, threads), count, f.constant(threads),
                       {read(start), start}, [&](Value column, ValueRange carried) {
                         return anchor.better(f, carried, {read(column), column});
                       });
    best = emitGroupCombine(f, group, best,
                            [&](ValueRange x, ValueRange y) { return anchor.better(f, x, y); });
    f.ifThen(f.equal(group.thread, f.constant(0)),
             [&] { anchor.store(f, at(index, f.constant(0)), best[1]); });
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  const RowAnchor &anchor;
  ArrayRef<IndexCheck> checks;
  SmallVector<Dim> outer;
  Dim columns;
  int64_t lanes, threads = deviceBlockThreads, blockThreads;
  int64_t kept = 0; // vectors of a row that a thread keeps in registers; 0: none
  RowGroup group{};
};

} // namespace

RowFunction emitRowFunction(ModuleLowering &lowering, const RowAnchor &anchor, StringRef suffix,
                            ArrayRef<IndexCheck> checks) {
  return RowKernel(lowering, anchor, checks).emit(suffix);
}

LogicalResult emitDeviceRows(ModuleLowering &lowering, Kernel &kernel) {
  RowAnchor anchor(kernel);
  if (!isFloat(anchor.type.dtype) && anchor.keepsShape())
    return anchor.op->emitOpError("needs a float operand");
  for (Value result : kernel.terminator()->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == anchor.resultType.shape))
      return kernel.function.emitError("a row kernel's results must have its anchor's shape");
  if (anchor.axis != anchor.type.rank() - 1) {
    emitDeviceColumns(lowering, kernel);
    return success();
  }
  SmallVector<IndexCheck> checks = indexChecks(lowering, kernel.body());
  RowFunction function = emitRowFunction(lowering, anchor, "", checks);
  SmallVector<Dim> outer(anchor.type.shape.begin(), anchor.type.shape.end() - 1);
  emitRowLauncher(lowering, kernel, function.number, checks, outer, function.rowsPerBlock);
  return success();
}

} // namespace kiln::passes
