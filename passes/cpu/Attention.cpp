/// Attention without a stored score matrix: online softmax over blocks of `productBlock` keys.
///
/// A task is a head and a block of its queries. For each key block it packs k (transposed) and v
/// into panels, then, for a few queries at a time, whose scores stay in L1: scores by the
/// microkernel, scale, mask and softmax in place, and their product with the panels of v added to
/// the output rows. Blocks of keys are summed in order and have a fixed size, so a result does not
/// depend on the number of queries, heads or threads.
///
/// Scores count in powers of two: log2(e) is in the factor that scales them.
///
/// Operands may be anything that ElementEmitter computes; behind the attention, elementwise
/// operations of the result's shape (KernelForms.h).

#include "ir/KilnDialect.h"
#include "passes/cpu/AttentionKeys.h"
#include "passes/cpu/AttentionShape.h"
#include "passes/cpu/AttentionSoftmax.h"
#include "passes/cpu/KernelForms.h"
#include "passes/cpu/Kernels.h"
#include "passes/cpu/MicrokernelPairs.h"
#include "passes/cpu/MicrokernelTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numbers>

using namespace mlir;

namespace kiln::passes {
namespace {

/// Queries of a task, and those whose scores are kept at once.
struct QueryBlocks {
  /// Enough that packing k and v (about 1 cycle an element) is little beside the two products
  /// (queries / 16 cycles an element); their copy takes 160 KiB.
  int64_t most;
  /// 24 rows of 256 scores take 26 KiB, within L1.
  int64_t atOnce;
};
constexpr QueryBlocks forRegisters{144, 24}, forTiles{160, 32};
/// Multiplications below which threads are not asked for help (LinearGrid.cpp); softmax counts too.
constexpr int64_t leastParallelWork = 1 << 16;
static_assert(forRegisters.most % forRegisters.atOnce == 0 &&
              forRegisters.atOnce % rowGranule == 0);
static_assert(forTiles.most % forTiles.atOnce == 0 && forTiles.atOnce % (2 * tileRowGranule) == 0);

class AttentionKernel : AttentionShape {
public:
  AttentionKernel(ModuleLowering &lowering, Kernel &kernel)
      : AttentionShape(cast<ir::AttentionOp>(kernel.anchor)), lowering(lowering), kernel(kernel),
        op(cast<ir::AttentionOp>(kernel.anchor)), format(chooseFormat()), width(format.panelWidth),
        queryBlocks(format.unit == ProductUnit::tiles ? forTiles : forRegisters) {
    ofValues = format;
    ofValues.wholeSteps = false; // k of it are keys
    depth = q.shape[-1];
    columns = v.shape[-1];
    depthBlocks = depth.isStatic()
                      ? Dim(std::max<int64_t>(1, (depth.value() + productBlock - 1) / productBlock))
                      : (depth + (productBlock - 1)) / productBlock + 1;
    paddedColumns = (columns + (width - 1)) / width * width;
  }

  void emit() {
    lowering.requireScratch(layout());
    emitBody();
    emitLauncher();
  }

private:
  enum Extra : unsigned { rowsPerBlock, blocksPerHead };

  /// Operands in parts have no place in scratch memory.
  ProductFormat chooseFormat() {
    ModuleLowering withoutParts = lowering;
    if (q.dtype == DType::float32 && lowering.precision == Precision::high)
      withoutParts.precision = Precision::highest;
    return chooseProduct(withoutParts, q.dtype, q.shape[-1]);
  }

  Location loc() { return op.getLoc(); }

  // Scratch memory: queries, scores, outputs, largest scores, sums, panels of k, panels of v; for
  // products in pairs the scores as bfloat16 as well.
  int64_t queryStride() const {
    return queryBlocks.most * format.rowStride;
  } // between depth blocks
  int64_t statisticsBytes() const { return (queryBlocks.most * 4 + 63) / 64 * 64; }
  Dim queryBytes() const { return depthBlocks * (queryStride() * format.rowBytes()); }
  int64_t scoreBytes() const { return queryBlocks.atOnce * rowStride * 4; }
  Dim outputBytes() const { return paddedColumns * (queryBlocks.most * 4); }
  int64_t weightBytes() const {
    return format.inPairs() ? queryBlocks.atOnce * format.rowStride * 2 : 0;
  }
  Dim keyBytes() const { return (depth + 1) * (productBlock * format.rowBytes()); }
  Dim valueBytes() const { return paddedColumns * (productBlock * format.rowBytes()); }
  Dim layout() const {
    return queryBytes() + scoreBytes() + outputBytes() + 2 * statisticsBytes() + weightBytes() +
           keyBytes() + valueBytes();
  }

  void emitLauncher() {
    auto f = FunctionEmitter::launcher(lowering, loc(), kernel.name);
    emitIndexChecks(f, kernel.body());
    Value one = f.constant(1), granule = f.constant(format.granule);
    Value count = f.dimValue(queries);
    Value blocks = f.max(one, f.ceilDiv(count, f.constant(queryBlocks.most)));
    Value perBlock = f.mul(f.max(one, f.ceilDiv(f.ceilDiv(count, blocks), granule)), granule);
    blocks = f.ceilDiv(count, perBlock);
    Value groups = emitNumElements(f, outer);
    Value scoreCount = f.mul(f.mul(groups, count), f.dimValue(keys));
    Value work = f.mul(scoreCount, f.dimValue(depth + columns));
    f.runTasks(kernel.name, f.mul(groups, blocks), {perBlock, blocks},
               f.lessThan(f.constant(leastParallelWork), work));
    f.finish();
  }

  /// Where a row of q, of k or v, or of the result lies: `lead` are the batch coordinates.
  Coords place(ArrayRef<Value> batch, Value head, Value row, Value column, Value mask) const {
    Coords at;
    at.index.append(batch.begin(), batch.end());
    at.index.resize(batch.size() + 2);
    at.index[headAxis] = head;
    at.index[rowAxis] = row;
    at.index.push_back(column);
    at.laneAxis = int64_t(at.index.size()) - 1;
    at.mask = mask;
    return at;
  }

  /// Rows of an operand, by row number within `firstRow`.
  RowSource rowsOf(FunctionEmitter &f, Value tensor, ArrayRef<Value> batch, Value head,
                   Value firstRow, Value firstColumn) {
    return [=, this, &f](Value row) -> RowReader {
      Value tensorRow = f.add(firstRow, row);
      prefetchNextHead(f, tensor, place(batch, head, tensorRow, f.constant(0), {}));
      return [=, this, &f](Value column, Value mask) {
        ElementEmitter elements(f);
        elements.provideArguments(kernel.body());
        Value at = firstColumn ? f.add(firstColumn, column) : column;
        return elements.emit(tensor, place(batch, head, tensorRow, at, mask));
      };
    };
  }

  /// Where the rows of heads lie side by side, the next task is the next head's: its part of a row
  /// is fetched while this one's is read. The processor does not see it coming, as rows of one head
  /// lie far apart.
  void prefetchNextHead(FunctionEmitter &f, Value tensor, const Coords &at) {
    constexpr int64_t lineBytes = 64, mostLines = 4;
    auto argument = dyn_cast<BlockArgument>(tensor);
    TensorType type = ElementEmitter::typeOf(tensor);
    if (!argument || op.getLayout() != "bshd" || !type.shape[-1].isStatic())
      return;
    Value position = f.constant(0);
    for (int64_t axis = 0; axis < type.rank(); ++axis)
      position = f.add(f.mul(position, f.dimValue(type.shape[axis])), at.index[axis]);
    const int64_t bytes = type.shape[-1].value() * sizeBytes(type.dtype);
    Value next =
        f.offsetBytes(f.offset(f.buffer(argument.getArgNumber()), position, sizeBytes(type.dtype)),
                      f.constant(bytes));
    // To read, level 2 (LLVM numbers its levels from 3 down), data.
    for (int64_t line = 0; line < std::min(bytes, mostLines * lineBytes); line += lineBytes)
      LLVM::Prefetch::create(f.b, f.offsetBytes(next, f.constant(line)), 0, 2, 1);
  }

  void emitBody() {
    auto f = FunctionEmitter::body(lowering, loc(), kernel.name);
    Value q = f.scratch();
    Value s = f.offsetBytes(q, f.dimValue(queryBytes()));
    Value out = f.offsetBytes(s, f.constant(scoreBytes()));
    Value largest = f.offsetBytes(out, f.dimValue(outputBytes()));
    Value sums = f.offsetBytes(largest, f.constant(statisticsBytes()));
    Value weights = f.offsetBytes(sums, f.constant(statisticsBytes()));
    Value keyPanels = f.offsetBytes(weights, f.constant(weightBytes()));
    Value valuePanels = f.offsetBytes(keyPanels, f.dimValue(keyBytes()));
    Value perBlock = f.extra(rowsPerBlock), blocks = f.extra(blocksPerHead);
    Value keyCount = f.dimValue(keys), padded = f.dimValue(paddedColumns);
    Value group = f.div(f.dimValue(heads), f.dimValue(k.shape[headAxis]));

    emitProductsBegin(f, format);
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      SmallVector<Value> index = emitRowCoords(f, outer, f.div(task, blocks));
      Value head = index.back(), keyHead = f.div(head, group);
      ArrayRef<Value> batch = ArrayRef<Value>(index).drop_back();
      Value firstRow = f.mul(f.rem(task, blocks), perBlock);
      Value rows = f.min(perBlock, f.sub(f.dimValue(queries), firstRow));

      emitPackRows(f, format, q, rows, f.dimValue(depth), isWholeVectors(f, depth), queryStride(),
                   rowsOf(f, op.getQ(), batch, head, firstRow, {}));
      emitStart(f, rows, largest, sums, out, padded, keyCount);
      f.loop(f.constant(0), keyCount, f.constant(productBlock), [&](Value firstKey) {
        Value count = f.min(f.constant(productBlock), f.sub(keyCount, firstKey));
        emitPackKeys(f, format, depth, keyPanels, count,
                     rowsOf(f, op.getK(), batch, keyHead, firstKey, {}));
        packValues(f, valuePanels, batch, keyHead, firstKey, count);
        f.loop(f.constant(0), rows, f.constant(queryBlocks.atOnce), [&](Value tile) {
          Value tileRows = f.min(f.constant(queryBlocks.atOnce), f.sub(rows, tile));
          emitScores(f, f.offset(q, f.mul(tile, format.rowStride), format.rowBytes()), keyPanels, s,
                     count, tileRows);
          auto rowAt = [&](Value inTile, Value row) {
            return SoftmaxRow{.scores = f.offset(s, f.mul(inTile, rowStride), 4),
                              .count = count,
                              .largest = f.offset(largest, row, 4),
                              .sum = f.offset(sums, row, 4),
                              .output = f.offset(out, f.mul(row, padded), 4),
                              .outputColumns = padded};
          };
          f.loop(f.constant(0), tileRows, f.constant(1), [&](Value inTile) {
            Value row = f.add(tile, inTile);
            emitLargest(f, index, f.add(firstRow, row), firstKey, rowAt(inTile, row));
          });
          f.loop(f.constant(0), tileRows, f.constant(1), [&](Value inTile) {
            SoftmaxRow row = rowAt(inTile, f.add(tile, inTile));
            Value to = f.offset(weights, f.mul(inTile, format.rowStride), 2);
            emitSoftmaxWeights(f, row, format.inPairs(), [&](Value values, Value column) {
              // Whole vectors: there is room behind the last one.
              if (format.inPairs())
                f.store(emitToBFloat16(f, values), f.offset(to, column, 2));
              else
                f.store(values, f.offset(row.scores, column, 4));
            });
            if (format.inPairs()) // the second half of an odd last pair
              f.store(arith::ConstantIntOp::create(f.b, f.b.getI16Type(), 0),
                      f.offset(to, count, 2));
          });
          f.loop(f.constant(0), padded, f.constant(width), [&](Value column) {
            emitProduct(f, ofValues, DType::float32,
                        {.a = format.inPairs() ? weights : s,
                         .b = f.offset(valuePanels, f.mul(column, productBlock), format.rowBytes()),
                         .c = f.offset(out, f.add(f.mul(tile, padded), column), 4),
                         .k = count,
                         .strideC = padded,
                         .accumulate = firstKey,
                         .rows = tileRows},
                        halfColumns());
          });
        });
      });
      emitResults(f, batch, head, firstRow, rows, sums, out, padded);
    });
    emitProductsEnd(f, format);
    f.finish();
  }

  void emitStart(FunctionEmitter &f, Value rows, Value largest, Value sums, Value out, Value padded,
                 Value keyCount) {
    Value zero = f.constantF32(0);
    Value lowest = f.constantF32(-std::numeric_limits<float>::infinity());
    f.loop(f.constant(0), rows, f.constant(1), [&](Value row) {
      f.store(lowest, f.offset(largest, row, 4));
      f.store(zero, f.offset(sums, row, 4));
    });
    // Else the first product writes the outputs, all columns that are read.
    f.ifThen(f.equal(keyCount, f.constant(0)), [&] {
      f.loop(f.constant(0), f.mul(rows, padded), f.constant(f.lanes()),
             [&](Value at) { f.store(f.splat(zero), f.offset(out, at, 4)); });
    });
  }

  /// Whether each panel of v has columns in its first half alone.
  bool halfColumns() const {
    return columns.isStatic() && columns.value() > 0 && columns.value() <= width / 2;
  }

  /// v as panels [productBlock][width] of columns, one behind the other.
  void packValues(FunctionEmitter &f, Value panels, ArrayRef<Value> batch, Value head,
                  Value firstKey, Value count) {
    Value total = f.dimValue(columns);
    f.loop(f.constant(0), total, f.constant(width), [&](Value column) {
      emitPackPanel(f, format, f.offset(panels, f.mul(column, productBlock), format.rowBytes()),
                    count, f.min(f.constant(width), f.sub(total, column)),
                    rowsOf(f, op.getV(), batch, head, firstKey, column));
    });
  }

  void emitScores(FunctionEmitter &f, Value q, Value keyPanels, Value s, Value count,
                  Value tileRows) {
    Value depthValue = f.dimValue(depth);
    f.loop(f.constant(0), count, f.constant(width), [&](Value key) {
      Value panel = f.offset(
          keyPanels, f.mul(f.div(key, f.constant(width)), format.panelElements(f, depthValue)),
          format.rowBytes());
      // At least once: without depth the scores are 0.
      f.loop(f.constant(0), f.max(f.constant(1), depthValue), f.constant(productBlock),
             [&](Value first) {
               Value block = f.div(first, f.constant(productBlock));
               emitProduct(f, format, DType::float32,
                           {.a = f.offset(q, f.mul(block, queryStride()), format.rowBytes()),
                            .b = f.offset(panel, f.mul(first, width), format.rowBytes()),
                            .c = f.offset(s, key, 4),
                            .k = f.min(f.constant(productBlock), f.sub(depthValue, first)),
                            .strideC = f.constant(rowStride),
                            .accumulate = block,
                            .rows = tileRows});
             });
    });
  }

  void emitLargest(FunctionEmitter &f, ArrayRef<Value> lead, Value query, Value firstKey,
                   const SoftmaxRow &row) {
    const double scale = op.getScale().convertToDouble() * std::numbers::log2e;
    Value scales = f.splat(f.constantF32(float(scale)));
    Value mask = op.getMask();
    Value lowest = f.splat(f.constantF32(-std::numeric_limits<float>::infinity()));
    Value isFirst = f.equal(firstKey, f.constant(0));
    emitSoftmaxLargest(f, row, isFirst, [&](Value values, Value column, Value lanesOn) -> Value {
      values = arith::MulFOp::create(f.b, values, scales);
      if (!mask)
        return values;
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      Coords at;
      at.index.append(lead.begin(), lead.end());
      at.index.append({query, f.add(firstKey, column)});
      at.laneAxis = int64_t(at.index.size()) - 1;
      at.mask = lanesOn;
      TensorType type = ElementEmitter::typeOf(mask);
      Value term = elements.emit(mask, broadcastCoords(f, type, scores, at));
      if (!isa<VectorType>(term.getType())) // the same for all keys
        term = f.splat(term);
      if (type.dtype == DType::boolean)
        return arith::SelectOp::create(f.b, term, values, lowest);
      return arith::AddFOp::create(f.b, values, emitInPowersOfTwo(f, term));
    });
  }

  /// Divides by the sums and stores, after whatever is behind the attention.
  void emitResults(FunctionEmitter &f, ArrayRef<Value> batch, Value head, Value firstRow,
                   Value rows, Value sums, Value out, Value padded) {
    TensorType type = ElementEmitter::typeOf(op.getResult());
    const bool wholeVectors = isWholeVectors(f, columns);
    f.loop(f.constant(0), rows, f.constant(1), [&](Value row) {
      // A query that attends to nothing: its sum and its outputs are 0.
      Value sum = f.load(f.f32(), f.offset(sums, row, 4));
      Value nothing = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, sum, f.constantF32(0));
      Value divisor = arith::SelectOp::create(f.b, nothing, f.constantF32(1), sum);
      Value share = f.splat(arith::DivFOp::create(f.b, f.constantF32(1), divisor));
      Value from = f.offset(out, f.mul(row, padded), 4);
      emitColumns(f, f.dimValue(columns), wholeVectors, [&](Value column, Value mask) {
        Value value =
            arith::MulFOp::create(f.b, f.load(f.vec(f.f32()), f.offset(from, column, 4)), share);
        value = emitRoundedSums(f, format, value, type.dtype);
        ElementEmitter elements(f);
        elements.provideArguments(kernel.body());
        elements.provide(op.getResult(), [=](const Coords &) { return value; });
        Coords at = place(batch, head, f.add(firstRow, row), column, mask);
        emitStores(f, kernel, elements, at);
      });
    });
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  ir::AttentionOp op;
  ProductFormat format, ofValues; // of scores, and of the product with v
  int64_t width;
  QueryBlocks queryBlocks;
  Dim depth, columns, depthBlocks, paddedColumns;
};

} // namespace

LogicalResult emitAttentionKernel(ModuleLowering &lowering, Kernel &kernel) {
  auto error = [&] { return kernel.anchor->emitOpError(); };
  for (Value operand : kernel.anchor->getOperands().take_front(3))
    if (ElementEmitter::typeOf(operand).dtype == DType::float64)
      return error() << "of float64 has no kernel for the CPU";
  if (failed(checkElementwiseBehind(kernel.body(), kernel.anchor, error)))
    return failure();
  AttentionKernel(lowering, kernel).emit();
  return success();
}

} // namespace kiln::passes
