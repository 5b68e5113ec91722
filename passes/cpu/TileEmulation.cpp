/// AMX's tile instructions as functions over memory: registers of 1 KiB, one behind the other, the
/// shapes of tiles read from the configuration. After the operations in Intel SDM volume 2.

#include "passes/cpu/TileOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr int64_t tileBytes = TileOps::rows * TileOps::rowBytes;

struct Emulation {
  FunctionEmitter &caller;

  FunctionEmitter helper(StringRef name, ArrayRef<Type> types) {
    SmallVector<Type> all = {caller.ptr()};
    llvm::append_range(all, types);
    return FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), name, all);
  }
  static Value argument(FunctionEmitter &f, unsigned index) {
    return f.function.getArgument(index);
  }
  static Value config(FunctionEmitter &f, Value tile, int64_t at, int64_t bytes) {
    Value base = LLVM::AddressOfOp::create(f.b, f.ptr(), tileConfigName);
    Value place = f.offsetBytes(base, f.add(f.mul(tile, bytes), at));
    Value stored = f.load(f.b.getIntegerType(unsigned(8 * bytes)), place);
    return arith::ExtUIOp::create(f.b, f.i64(), stored);
  }
  static Value rowBytesOf(FunctionEmitter &f, Value tile) { return config(f, tile, 16, 2); }
  static Value rowsOf(FunctionEmitter &f, Value tile) { return config(f, tile, 48, 1); }
  static Value rowOf(FunctionEmitter &f, Value tile, Value row) {
    return f.offsetBytes(argument(f, 0),
                         f.add(f.mul(tile, tileBytes), f.mul(row, TileOps::rowBytes)));
  }

  /// All words of a tile: those of its shape, and those beyond.
  static void forWords(FunctionEmitter &f, Value tile,
                       llvm::function_ref<void(Value row, Value byte, Value inside)> body) {
    Value rows = rowsOf(f, tile), rowBytes = rowBytesOf(f, tile);
    f.loop(f.constant(0), f.constant(TileOps::rows), f.constant(1), [&](Value row) {
      f.loop(f.constant(0), f.constant(TileOps::rowBytes), f.constant(4), [&](Value byte) {
        Value inside =
            arith::AndIOp::create(f.b, f.lessThan(row, rows), f.lessThan(byte, rowBytes));
        body(row, byte, inside);
      });
    });
  }

  void emitZero() {
    FunctionEmitter f = helper("tiles.tilezero", {caller.i64()});
    Value tile = argument(f, 1), zero = arith::ConstantIntOp::create(f.b, 0, 32);
    forWords(f, tile, [&](Value row, Value byte, Value) {
      f.store(zero, f.offsetBytes(rowOf(f, tile, row), byte));
    });
    f.finish();
  }

  void emitLoad() {
    FunctionEmitter f = helper("tiles.tileloadd64", {caller.i64(), caller.ptr(), caller.i64()});
    Value tile = argument(f, 1), zero = arith::ConstantIntOp::create(f.b, 0, 32);
    forWords(f, tile, [&](Value row, Value byte, Value inside) {
      Value to = f.offsetBytes(rowOf(f, tile, row), byte);
      f.ifThen(
          inside,
          [&] {
            Value from = f.offsetBytes(argument(f, 2), f.add(f.mul(row, argument(f, 3)), byte));
            f.store(f.load(f.b.getI32Type(), from), to);
          },
          [&] { f.store(zero, to); });
    });
    f.finish();
  }

  void emitStore() {
    FunctionEmitter f = helper("tiles.tilestored64", {caller.i64(), caller.ptr(), caller.i64()});
    Value tile = argument(f, 1);
    forWords(f, tile, [&](Value row, Value byte, Value inside) {
      f.ifThen(inside, [&] {
        Value word = f.load(f.b.getI32Type(), f.offsetBytes(rowOf(f, tile, row), byte));
        f.store(word, f.offsetBytes(argument(f, 2), f.add(f.mul(row, argument(f, 3)), byte)));
      });
    });
    f.finish();
  }

  /// Numbers too small for the normal form as zeros.
  static Value flush(FunctionEmitter &f, Value x) {
    auto type = cast<VectorType>(x.getType());
    auto words = type.clone(f.b.getI32Type());
    auto splat = [&](uint32_t value) -> Value {
      return arith::ConstantOp::create(f.b, DenseElementsAttr::get(words, APInt(32, value)));
    };
    Value bits = arith::BitcastOp::create(f.b, words, x);
    Value exponent = arith::AndIOp::create(f.b, bits, splat(0x7f800000));
    Value tiny = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, exponent, splat(0));
    Value sign = arith::AndIOp::create(f.b, bits, splat(0x80000000));
    return arith::BitcastOp::create(f.b, type, arith::SelectOp::create(f.b, tiny, sign, bits));
  }

  /// sums.row[m] += over k of x[m][2 k] * y[k][n][0] (even), and x[m][2 k + 1] * y[k][n][1] (odd):
  /// two chains of multiply-adds, then their sum, then that of the sums.
  void emitDot() {
    FunctionEmitter f = helper("tiles.tdpbf16ps", {caller.i64(), caller.i64(), caller.i64()});
    Value c = argument(f, 1), x = argument(f, 2), y = argument(f, 3);
    auto words = f.vec(f.b.getI32Type()), floats = f.vec(f.f32());
    auto half = [&](Value pairs, bool odd) -> Value {
      APInt constant(32, odd ? 0xffff0000 : 16);
      Value by = arith::ConstantOp::create(f.b, DenseElementsAttr::get(words, constant));
      Value bits = odd ? Value(arith::AndIOp::create(f.b, pairs, by))
                       : Value(arith::ShLIOp::create(f.b, pairs, by));
      return flush(f, arith::BitcastOp::create(f.b, floats, bits));
    };
    Value steps = f.div(rowBytesOf(f, x), f.constant(4));
    Value on = f.prefixMask(f.div(rowBytesOf(f, c), f.constant(4)));
    Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(floats));
    f.loop(f.constant(0), rowsOf(f, c), f.constant(1), [&](Value m) {
      auto sums = f.fold(
          f.constant(0), steps, f.constant(1), {zero, zero}, [&](Value k, ValueRange carried) {
            Value pair = f.splat(f.load(f.b.getI32Type(), f.offset(rowOf(f, x, m), k, 4)));
            Value row = f.load(words, rowOf(f, y, k));
            SmallVector<Value> next;
            for (bool odd : {false, true})
              next.push_back(
                  flush(f, f.multiplyAdd(half(pair, odd), half(row, odd), carried[odd ? 1 : 0])));
            return next;
          });
      Value both = flush(f, arith::AddFOp::create(f.b, sums[0], sums[1]));
      Value before = flush(f, f.load(floats, rowOf(f, c, m)));
      f.maskedStore(flush(f, arith::AddFOp::create(f.b, before, both)), rowOf(f, c, m), on);
    });
    f.finish();
  }
};

} // namespace

void emitTileEmulation(FunctionEmitter &caller) {
  if (caller.lowering.module.lookupSymbol("tiles.tilezero"))
    return;
  Emulation emulation{caller};
  emulation.emitZero();
  emulation.emitLoad();
  emulation.emitStore();
  emulation.emitDot();
}

} // namespace kiln::passes
