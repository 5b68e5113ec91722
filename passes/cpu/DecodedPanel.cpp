#include "passes/cpu/DecodedPanel.h"

#include "passes/cpu/PackedBlocks.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Encoding = QuantizationEncoding;

/// Elements between the rows that are decoded before they are turned: a block and a cache line.
constexpr int64_t decodedStride = productBlock + 16;

/// The transpose of lanes() vectors.
SmallVector<Value> transposed(FunctionEmitter &f, SmallVector<Value> rows) {
  const auto lanes = static_cast<int64_t>(rows.size());
  SmallVector<int64_t> low, high, lowPairs, highPairs;
  for (int64_t i = 0; i < lanes; i += 4) {
    low.append({i, lanes + i, i + 1, lanes + i + 1});
    high.append({i + 2, lanes + i + 2, i + 3, lanes + i + 3});
    lowPairs.append({i, i + 1, lanes + i, lanes + i + 1});
    highPairs.append({i + 2, i + 3, lanes + i + 2, lanes + i + 3});
  }
  // 4 x 4 within each quarter of 128 bits: then vector 4g + j holds, in quarter q, column 4q + j of
  // the rows 4g to 4g + 3.
  for (int64_t g = 0; g < lanes; g += 4) {
    Value a = emitShuffle(f, rows[g], rows[g + 1], low);
    Value b = emitShuffle(f, rows[g], rows[g + 1], high);
    Value c = emitShuffle(f, rows[g + 2], rows[g + 3], low);
    Value d = emitShuffle(f, rows[g + 2], rows[g + 3], high);
    rows[g] = emitShuffle(f, a, c, lowPairs);
    rows[g + 1] = emitShuffle(f, a, c, highPairs);
    rows[g + 2] = emitShuffle(f, b, d, lowPairs);
    rows[g + 3] = emitShuffle(f, b, d, highPairs);
  }
  // Quarters, for each j: quarter q of vector g and quarter g of vector q change places.
  for (int64_t distance = 1; distance < lanes / 4; distance *= 2)
    for (int64_t g = 0; g < lanes / 4; ++g) {
      if (g & distance)
        continue;
      SmallVector<int64_t> first, second;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        bool isUpper = (lane / 4) & distance;
        first.push_back(isUpper ? lanes + lane - 4 * distance : lane);
        second.push_back(isUpper ? lanes + lane : lane + 4 * distance);
      }
      for (int64_t j = 0; j < 4; ++j) {
        Value &x = rows[4 * g + j], &y = rows[4 * (g + distance) + j];
        Value upper = emitShuffle(f, x, y, second);
        x = emitShuffle(f, x, y, first);
        y = upper;
      }
    }
  return rows;
}

/// `@name(packed, rowBytes, columns, blocks, panel)`: `blocks` blocks of the encoding, at most
/// productBlock elements.
void emitPanelDecoder(FunctionEmitter &caller, StringRef name, Encoding encoding) {
  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), name, {p, i, i, i, p});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value packed = argument(0), rowBytes = argument(1), columns = argument(2), blocks = argument(3);
  Value panel = argument(4);
  const int64_t lanes = f.lanes(), width = panelWidth(f.lowering.target);
  const int64_t elements = blockElements(encoding);
  Value decoded = f.offset(panel, f.constant(productBlock * width), 4);
  f.loop(f.constant(0), f.constant(2), f.constant(1), [&](Value tile) {
    Value firstColumn = f.mul(tile, lanes);
    f.loop(f.constant(0), f.constant(lanes), f.constant(1), [&](Value row) {
      Value column = f.min(f.add(firstColumn, row), f.sub(columns, f.constant(1)));
      Value source = f.offsetBytes(packed, f.mul(column, rowBytes));
      Value target = f.offset(decoded, f.mul(row, decodedStride), 4);
      f.loop(f.constant(0), blocks, f.constant(1), [&](Value block) {
        PackedBlock unpack(f, encoding, f.offsetBytes(source, f.mul(block, blockBytes(encoding))));
        Value to = f.offset(target, f.mul(block, elements), 4);
        Value scales = unpack.scales(), mins = unpack.mins();
        for (int64_t group = 0; group < elements / 32; ++group)
          for (int64_t first = 0; first < 32; first += lanes)
            f.store(unpack.values(scales, mins, group, first),
                    f.offset(to, f.constant(group * 32 + first), 4));
      });
    });
    f.loop(f.constant(0), f.mul(blocks, elements), f.constant(lanes), [&](Value k) {
      SmallVector<Value> rows;
      for (int64_t row = 0; row < lanes; ++row)
        rows.push_back(f.load(f.vec(f.f32()), f.offset(decoded, f.add(k, row * decodedStride), 4)));
      rows = transposed(f, std::move(rows));
      Value to = f.offset(panel, f.add(f.mul(k, width), firstColumn), 4);
      for (int64_t row = 0; row < lanes; ++row)
        f.store(rows[row], f.offset(to, f.constant(row * width), 4));
    });
  });
  f.finish();
}

} // namespace

int64_t decodedPanelBytes(const CpuTarget &target) {
  return (productBlock * panelWidth(target) + target.lanes() * decodedStride) * 4;
}

void emitDecodedPanel(FunctionEmitter &f, Encoding encoding, int64_t columns,
                      const QuantizedOperands &weights, Value block, Value panel) {
  std::string name = "decode." + std::string(kiln::name(encoding));
  if (!f.lowering.module.lookupSymbol(name))
    emitPanelDecoder(f, name, encoding);
  const int64_t perBlock = productBlock / blockElements(encoding);
  Value first = f.mul(block, perBlock);
  Value blocks =
      f.min(f.constant(perBlock), f.sub(f.constant(columns / blockElements(encoding)), first));
  f.call(name, {f.offsetBytes(weights.packed, f.mul(first, blockBytes(encoding))),
                f.constant(packedRowBytes(encoding, columns)), weights.columns, blocks, panel});
}

} // namespace kiln::passes
