// Kernels around an argsort. Elements become keys, unsigned integers in the order that is asked
// for, so that all dtypes and both directions are sorted by the same code: rows of a few results by
// insertion into a short list, others digit by digit.
#include "ir/KilnDialect.h"
#include "passes/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <numeric>

using namespace mlir;

namespace kiln::passes {
namespace {

// Results of a row that are kept in a list while its elements come by (in the frame, 1 KiB).
constexpr int64_t listSize = 64;
// Keys that are made at a time before they go through the list.
constexpr int64_t chunk = 256;
constexpr int64_t digitBits = 8, digits = int64_t(1) << digitBits;
// Elements that make it worth waking a thread: sorting takes some 10 ns for each.
constexpr int64_t parallelElements = 4096;

struct Argsort {
  ModuleLowering &lowering;
  Kernel &kernel;
  ir::ArgsortOp op = cast<ir::ArgsortOp>(kernel.anchor);
  TensorType type = ElementEmitter::typeOf(op.getX());
  int64_t axis = static_cast<int64_t>(op.getAxis());
  Dim size = type.shape[axis], count = op.getCount().getDims()[0];
  bool isWide = sizeBytes(type.dtype) == 8;
  int64_t keyBytes = isWide ? 8 : 4;

  /// Arrays of a body, in its frame or its scratch memory.
  struct Arrays {
    Value chunkKeys, listKeys, listPlaces, histogram;
  };

  bool alwaysLists() const {
    auto isFew = [](const Dim &dim) { return dim.isStatic() && dim.value() <= listSize; };
    return isFew(count) || isFew(size);
  }
  Type keyType(FunctionEmitter &f) { return f.b.getIntegerType(keyBytes * 8); }
  Value keyAt(FunctionEmitter &f, Value keys, Value i) { return f.offset(keys, i, keyBytes); }
  static Value placeAt(FunctionEmitter &f, Value places, Value i) { return f.offset(places, i, 8); }
  static Value below(FunctionEmitter &f, Value x, Value y) {
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult, x, y);
  }

  Value toKeys(FunctionEmitter &f, Value values);
  Value keysOf(FunctionEmitter &f, ArrayRef<Value> index, Value position, Value mask);
  void fillList(FunctionEmitter &f, ArrayRef<Value> index, const Arrays &arrays);
  Value insert(FunctionEmitter &f, const Arrays &arrays, Value filled, Value capacity, Value key,
               Value place);
  Value sortDigits(FunctionEmitter &f, ArrayRef<Value> index, const Arrays &arrays);
  Value sortRow(FunctionEmitter &f, ArrayRef<Value> index, const Arrays &arrays);
  void writeRow(FunctionEmitter &f, ArrayRef<Value> outputs, ArrayRef<Value> index, Value places);
  LogicalResult emit();
};

/// Vectors of values in their compute type as keys.
Value Argsort::toKeys(FunctionEmitter &f, Value values) {
  unsigned bits = keyBytes * 8;
  Type type = f.vec(keyType(f));
  auto all = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(f.b, DenseElementsAttr::get(cast<ShapedType>(type), value));
  };
  Value ones = all(APInt::getAllOnes(bits)), keys;
  if (isFloat(this->type.dtype)) {
    // Negative numbers upside down, positive ones above them; -0 as 0; NaNs on top.
    Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(values.getType()));
    Value isZero = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, values, zero);
    Value isNan = arith::CmpFOp::create(f.b, arith::CmpFPredicate::UNO, values, values);
    Value clean = arith::SelectOp::create(f.b, isZero, zero, values);
    Value word = arith::BitcastOp::create(f.b, type, clean);
    Value spread = arith::ShRSIOp::create(f.b, word, all(APInt(bits, bits - 1)));
    Value sign = all(APInt::getSignMask(bits));
    keys = arith::XOrIOp::create(f.b, word, arith::OrIOp::create(f.b, spread, sign));
    keys = arith::SelectOp::create(f.b, isNan, ones, keys);
  } else if (isSigned(this->type.dtype)) {
    keys = emitCast(f, values, this->type.dtype, isWide ? DType::int64 : DType::int32);
    APInt least(bits, uint64_t(1) << (8 * sizeBytes(this->type.dtype) - 1)); // without its sign
    keys = arith::AddIOp::create(f.b, keys, all(least));
  } else {
    keys = emitCast(f, values, this->type.dtype, isWide ? DType::uint64 : DType::uint32);
  }
  return op.getDescending() ? Value(arith::XOrIOp::create(f.b, keys, ones)) : keys;
}

/// The keys of the row at `index` from `position` on.
Value Argsort::keysOf(FunctionEmitter &f, ArrayRef<Value> index, Value position, Value mask) {
  ElementEmitter inputs(f);
  inputs.provideArguments(kernel.body());
  Coords at;
  at.index.assign(index.begin(), index.end());
  at.index[axis] = position;
  at.laneAxis = axis;
  at.mask = mask;
  return toKeys(f, inputs.emit(op.getX(), at));
}

/// Puts a key into the list behind all that are not greater; a full list loses its last. Gives the
/// number of keys then in the list.
Value Argsort::insert(FunctionEmitter &f, const Arrays &arrays, Value filled, Value capacity,
                      Value key, Value place) {
  Value one = f.constant(1), zero = f.constant(0);
  auto before = [&](Value i) { return f.max(f.sub(i, one), zero); };
  auto hole = scf::WhileOp::create(
      f.b, TypeRange{f.i64()}, ValueRange{f.min(filled, f.sub(capacity, one))},
      [&](OpBuilder &, Location, ValueRange at) {
        Value last = f.load(keyType(f), keyAt(f, arrays.listKeys, before(at[0])));
        Value moves = arith::AndIOp::create(f.b, f.lessThan(zero, at[0]), below(f, key, last));
        scf::ConditionOp::create(f.b, moves, at);
      },
      [&](OpBuilder &, Location, ValueRange at) {
        Value from = before(at[0]);
        f.store(f.load(keyType(f), keyAt(f, arrays.listKeys, from)),
                keyAt(f, arrays.listKeys, at[0]));
        f.store(f.load(f.i64(), placeAt(f, arrays.listPlaces, from)),
                placeAt(f, arrays.listPlaces, at[0]));
        scf::YieldOp::create(f.b, from);
      });
  f.store(key, keyAt(f, arrays.listKeys, hole.getResult(0)));
  f.store(place, placeAt(f, arrays.listPlaces, hole.getResult(0)));
  return f.min(f.add(filled, one), capacity);
}

/// The first `count` places of a row's order, in the list.
void Argsort::fillList(FunctionEmitter &f, ArrayRef<Value> index, const Arrays &arrays) {
  Value elements = f.dimValue(size), capacity = f.dimValue(count);
  Value worst = keyAt(f, arrays.listKeys, f.sub(capacity, f.constant(1)));
  f.fold(f.constant(0), elements, f.constant(chunk), f.constant(0),
         [&](Value first, ValueRange carried) {
           Value number = f.min(f.sub(elements, first), f.constant(chunk));
           f.vectorLoop(number, [&](Value i, Value mask) {
             f.store(keysOf(f, index, f.add(first, i), mask), keyAt(f, arrays.chunkKeys, i));
           });
           return f.fold(
               f.constant(0), number, f.constant(1), carried[0],
               [&](Value i, ValueRange filled) -> SmallVector<Value> {
                 Value key = f.load(keyType(f), keyAt(f, arrays.chunkKeys, i));
                 Value enters = arith::OrIOp::create(f.b, f.lessThan(filled[0], capacity),
                                                     below(f, key, f.load(keyType(f), worst)));
                 auto branch = scf::IfOp::create(f.b, f.i64(), enters, /*withElseRegion=*/true);
                 OpBuilder::InsertionGuard guard(f.b);
                 f.b.setInsertionPointToStart(&branch.getThenRegion().front());
                 scf::YieldOp::create(f.b,
                                      insert(f, arrays, filled[0], capacity, key, f.add(first, i)));
                 f.b.setInsertionPointToStart(&branch.getElseRegion().front());
                 scf::YieldOp::create(f.b, filled[0]);
                 return {branch.getResult(0)};
               });
         });
}

/// All places of a row in order, in scratch memory: by each digit of the keys, from the lowest one,
/// elements of equal digits staying in their order.
Value Argsort::sortDigits(FunctionEmitter &f, ArrayRef<Value> index, const Arrays &arrays) {
  Value elements = f.dimValue(size), zero = f.constant(0), one = f.constant(1);
  Value places = f.scratch();
  Value otherPlaces = placeAt(f, places, elements);
  Value keys = placeAt(f, otherPlaces, elements), otherKeys = keyAt(f, keys, elements);
  SmallVector<int64_t> ids(f.lanes());
  std::iota(ids.begin(), ids.end(), 0);
  Value lanes = arith::ConstantOp::create(f.b, f.b.getI64VectorAttr(ids));
  f.vectorLoop(elements, [&](Value i, Value mask) {
    f.maskedStore(keysOf(f, index, i, mask), keyAt(f, keys, i), mask);
    f.maskedStore(arith::AddIOp::create(f.b, f.splat(i), lanes), placeAt(f, places, i), mask);
  });

  // Integers have digits of their own dtype only; 16-bit floats are keys of float32.
  int64_t passes = isFloat(type.dtype) ? keyBytes : sizeBytes(type.dtype);
  auto sorted = f.fold(
      zero, f.constant(passes), one, {keys, places, otherKeys, otherPlaces},
      [&](Value pass, ValueRange carried) -> SmallVector<Value> {
        Value shift = f.mul(pass, digitBits);
        auto digitSlot = [&](Value key) {
          Value wide = isWide ? key : Value(arith::ExtUIOp::create(f.b, f.i64(), key));
          Value digit = arith::AndIOp::create(f.b, arith::ShRUIOp::create(f.b, wide, shift),
                                              f.constant(digits - 1));
          return placeAt(f, arrays.histogram, digit);
        };
        auto keyOf = [&](Value i) { return f.load(keyType(f), keyAt(f, carried[0], i)); };
        Value none = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(f.i64())));
        f.loop(zero, f.constant(digits), f.constant(f.lanes()),
               [&](Value i) { f.store(none, placeAt(f, arrays.histogram, i)); });
        f.loop(zero, elements, one, [&](Value i) {
          Value slot = digitSlot(keyOf(i));
          f.store(f.add(f.load(f.i64(), slot), one), slot);
        });
        // A digit that all keys have in common changes nothing.
        Value common = f.equal(f.load(f.i64(), digitSlot(keyOf(zero))), elements);
        auto branch = scf::IfOp::create(f.b, carried.getTypes(), common, /*withElseRegion=*/true);
        OpBuilder::InsertionGuard guard(f.b);
        f.b.setInsertionPointToStart(&branch.getThenRegion().front());
        scf::YieldOp::create(f.b, carried);
        f.b.setInsertionPointToStart(&branch.getElseRegion().front());
        f.fold(zero, f.constant(digits), one, zero,
               [&](Value i, ValueRange before) -> SmallVector<Value> {
                 Value slot = placeAt(f, arrays.histogram, i);
                 Value after = f.add(before[0], f.load(f.i64(), slot));
                 f.store(before[0], slot);
                 return {after};
               });
        f.loop(zero, elements, one, [&](Value i) {
          Value key = keyOf(i), slot = digitSlot(key), to = f.load(f.i64(), slot);
          f.store(f.add(to, one), slot);
          f.store(key, keyAt(f, carried[2], to));
          f.store(f.load(f.i64(), placeAt(f, carried[1], i)), placeAt(f, carried[3], to));
        });
        scf::YieldOp::create(f.b, ValueRange{carried[2], carried[3], carried[0], carried[1]});
        return SmallVector<Value>(branch.getResults().begin(), branch.getResults().end());
      });
  return sorted[1];
}

/// Where the first `count` places of the row's order are.
Value Argsort::sortRow(FunctionEmitter &f, ArrayRef<Value> index, const Arrays &arrays) {
  if (alwaysLists()) {
    fillList(f, index, arrays);
    return arrays.listPlaces;
  }
  Value isShort = f.lessThan(f.dimValue(size), f.constant(listSize + 1));
  auto branch = scf::IfOp::create(f.b, f.ptr(), isShort, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToStart(&branch.getThenRegion().front());
  fillList(f, index, arrays);
  scf::YieldOp::create(f.b, arrays.listPlaces);
  f.b.setInsertionPointToStart(&branch.getElseRegion().front());
  scf::YieldOp::create(f.b, sortDigits(f, index, arrays));
  return branch.getResult(0);
}

void Argsort::writeRow(FunctionEmitter &f, ArrayRef<Value> outputs, ArrayRef<Value> index,
                       Value places) {
  auto write = [&](Value i, Value mask, int64_t laneAxis) {
    Coords at;
    at.index.assign(index.begin(), index.end());
    at.index[axis] = i;
    at.laneAxis = laneAxis;
    at.mask = mask;
    ElementEmitter elements(f);
    elements.provideArguments(kernel.body());
    elements.provide(op.getResult(), [&](const Coords &) {
      Value from = placeAt(f, places, i);
      return laneAxis < 0 ? f.load(f.i64(), from) : f.maskedLoad(f.vec(f.i64()), from, mask);
    });
    storeResults(f, elements, kernel, outputs, at);
  };
  if (axis == type.rank() - 1)
    f.vectorLoop(f.dimValue(count), [&](Value i, Value mask) { write(i, mask, axis); });
  else
    f.loop(f.constant(0), f.dimValue(count), f.constant(1), [&](Value i) { write(i, {}, -1); });
}

LogicalResult Argsort::emit() {
  TensorType resultType = ElementEmitter::typeOf(op.getResult());
  for (Value result : kernel.terminator()->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == resultType.shape))
      return kernel.function.emitError("a row kernel's results must have its anchor's shape");
  SmallVector<Dim> outer(type.shape.begin(), type.shape.end());
  outer[axis] = 1;
  {
    FunctionEmitter f = FunctionEmitter::body(lowering, op.getLoc(), kernel.name);
    SmallVector<Value> outputs = outputBuffers(f, kernel);
    Arrays arrays = {f.stackArray(keyType(f), chunk),
                     f.stackArray(keyType(f), listSize),
                     f.stackArray(f.i64(), listSize),
                     {}};
    if (!alwaysLists())
      arrays.histogram = f.stackArray(f.i64(), digits);
    f.loop(f.begin, f.end, f.constant(1), [&](Value row) {
      SmallVector<Value> index = emitRowCoords(f, outer, row);
      writeRow(f, outputs, index, sortRow(f, index, arrays));
    });
    f.finish();
  }
  if (!alwaysLists()) // keys and places, twice
    lowering.requireScratch((size * Dim(2 * (keyBytes + 8)) + Dim(63)) / Dim(64) * Dim(64));
  FunctionEmitter f = FunctionEmitter::launcher(lowering, op.getLoc(), kernel.name);
  emitIndexChecks(f, kernel.body());
  f.returnIf(f.equal(emitNumElements(f, resultType.shape.vec()), f.constant(0)), /*status=*/0);
  Value total = emitNumElements(f, type.shape.vec());
  f.runTasks(kernel.name, emitNumElements(f, outer), {},
             f.lessThan(f.constant(parallelElements), total));
  f.finish();
  return success();
}

} // namespace

LogicalResult emitArgsortKernel(ModuleLowering &lowering, Kernel &kernel) {
  return Argsort{lowering, kernel}.emit();
}

} // namespace kiln::passes
