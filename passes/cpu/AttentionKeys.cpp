#include "passes/cpu/AttentionKeys.h"

#include "passes/cpu/MicrokernelPairs.h"
#include "passes/cpu/Transpose.h"
#include "passes/cpu/VectorParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {

/// Elements of k at two neighbouring columns each, as words; zeros where `mask` is off.
static Value pairsOf(FunctionEmitter &f, Value values, Value mask) {
  if (mask) {
    Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(f.f32())));
    values = arith::SelectOp::create(f.b, mask, values, zero);
  }
  return LLVM::BitcastOp::create(f.b, VectorType::get({f.lanes() / 2}, f.b.getI32Type()),
                                 emitToBFloat16(f, values));
}

/// Where a key's column begins in the panels of k.
static Value keyColumn(FunctionEmitter &f, const ProductFormat &format, const Dim &depth,
                       Value panels, Value key) {
  Value panel =
      f.mul(f.div(key, f.constant(format.panelWidth)), format.panelElements(f, f.dimValue(depth)));
  return f.offset(f.offset(panels, panel, format.rowBytes()),
                  f.rem(key, f.constant(format.panelWidth)), 4);
}

/// As many keys as a vector has lanes, of whole vectors: transposed in registers.
static void packTogether(FunctionEmitter &f, const ProductFormat &format, const Dim &depth,
                         Value to, Value key, const RowSource &source) {
  const int64_t lanes = f.lanes(), step = format.inPairs() ? 2 : 1;
  SmallVector<RowReader> rows;
  for (int64_t i = 0; i < lanes; ++i)
    rows.push_back(source(f.add(key, i)));
  // Columns that make vectors of words: of pairs two vectors, but for the last one of an odd
  // number.
  auto pack = [&](Value column, bool half) {
    SmallVector<Value> words;
    for (const RowReader &read : rows) {
      Value values = read(column, {});
      if (format.inPairs()) {
        values = pairsOf(f, values, {});
        Value next = half ? values : pairsOf(f, read(f.add(column, lanes), {}), {});
        values = emitJoined(f, values, next);
      }
      words.push_back(values);
    }
    emitTranspose(f, words);
    Value start = f.offset(to, f.mul(f.div(column, f.constant(step)), format.panelWidth), 4);
    for (int64_t word = 0; word < (half ? lanes / 2 : lanes); ++word)
      f.store(words[word], f.offsetBytes(start, f.constant(word * format.panelWidth * 4)));
  };
  const int64_t whole = depth.value() / (lanes * step) * (lanes * step);
  f.loop(f.constant(0), f.constant(whole), f.constant(lanes * step),
         [&](Value column) { pack(column, false); });
  if (whole < depth.value())
    pack(f.constant(whole), true);
}

void emitPackKeys(FunctionEmitter &f, const ProductFormat &format, const Dim &depth, Value panels,
                  Value count, const RowSource &source) {
  Value first = f.constant(0);
  if (isWholeVectors(f, depth)) {
    first = f.mul(f.div(count, f.constant(f.lanes())), f.lanes());
    f.loop(f.constant(0), first, f.constant(f.lanes()), [&](Value key) {
      packTogether(f, format, depth, keyColumn(f, format, depth, panels, key), key, source);
    });
  }
  Value depthValue = f.dimValue(depth);
  // A step: what lies side by side in a row of k and in a column of a panel.
  const int64_t step = format.inPairs() ? 2 : 1;
  f.loop(first, count, f.constant(1), [&](Value key) {
    Value to = keyColumn(f, format, depth, panels, key);
    RowReader read = source(key);
    emitColumns(f, depthValue, isWholeVectors(f, depth), [&](Value column, Value mask) {
      Value values = read(column, mask);
      if (format.inPairs())
        values = pairsOf(f, values, mask);
      Value start = f.offset(to, f.mul(f.div(column, f.constant(step)), format.panelWidth), 4);
      auto storeLane = [&](int64_t lane) {
        f.store(vector::ExtractOp::create(f.b, values, lane),
                f.offsetBytes(start, f.constant(lane * format.panelWidth * 4)));
      };
      for (int64_t lane = 0; lane < f.lanes() / step; ++lane) {
        if (!mask)
          storeLane(lane);
        else
          f.ifThen(f.lessThan(f.add(column, lane * step), depthValue), [&] { storeLane(lane); });
      }
    });
  });
}

} // namespace kiln::passes
