/// The kernel of `kiln.linear`: see KernelForms.h for what it may hold and Microkernel.h for the
/// product inside.
///
/// Work is cut into blocks of rows and chunks of panels. A task copies its rows of x (computing
/// whatever comes before the linear) into scratch once, then goes over its panels: product of the
/// whole block with a panel into a strip [rows][panelWidth] that stays in L1, bias and everything
/// elementwise behind the linear on the strip, stores. So weights are read once for each block of
/// rows, and no two tasks of a row block read the same weights.
///
/// Weights that a `dequantize` makes stay packed: panels of them are decoded block by block, or not
/// at all for few rows (QuantizedLinear.h).

#include "ir/KilnDialect.h"
#include "passes/cpu/DecodedPanel.h"
#include "passes/cpu/KernelForms.h"
#include "passes/cpu/Kernels.h"
#include "passes/cpu/LinearGrid.h"
#include "passes/cpu/LinearResults.h"
#include "passes/cpu/MicrokernelPacking.h"
#include "passes/cpu/PackedBlocks.h"
#include "passes/cpu/QuantizedLinear.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

class LinearKernel {
public:
  LinearKernel(ModuleLowering &lowering, Kernel &kernel, LinearForm form)
      : lowering(lowering), kernel(kernel), form(std::move(form)),
        linear(cast<ir::LinearOp>(kernel.anchor)) {
    x = ElementEmitter::typeOf(linear.getX());
    leading = ArrayRef<Dim>(x.shape.vec()).drop_back();
    for (const Dim &dim : leading)
      rows = rows * dim;
    sizes.columns = x.shape[-1].value();
    sizes.blocks = std::max<int64_t>(1, (sizes.columns + productBlock - 1) / productBlock);
    format = hasPackedWeights(linear) ? ProductFormat{.panelWidth = panelWidth(lowering.target)}
                                      : chooseProduct(lowering, x.dtype, x.shape[-1]);
    sizes.panelWidth = format.panelWidth;
    sizes.granule = format.granule;
    if (format.unit == ProductUnit::tiles)
      sizes.evenRows = format.granule;
    for (const LinearForm::Group &group : this->form.groups) {
      sizes.panels += panelsOf(group);
      sizes.outputColumns += this->form.columnsOf(group) * int64_t(group.weights.size());
      strips = std::max<int64_t>(strips, group.weights.size());
    }
    sizes.maxRows = linearBlockRows(sizes.blocks, format, hasPackedWeights(linear));
    blockStride = sizes.maxRows * format.rowStride * format.parts;
    stripStride = sizes.maxRows * sizes.panelWidth;
    for (Value weight : linear.getWeights())
      if (auto decode = weight.getDefiningOp<ir::DequantizeOp>()) {
        packed.push_back({cast<BlockArgument>(decode.getX()).getArgNumber(),
                          *parseQuantizationEncoding(decode.getEncoding())});
        integers.sumsOf16 |= PackedBlock::scaleElements(packed.back().encoding) == 16;
      }
    integers.columns = sizes.columns;
    integers.words = lowering.int8Activations ? 1 : 3;
    mostIntegerRows = lowering.int8Activations ? sizes.maxRows : std::min(fewRows, sizes.maxRows);
  }

  void emit() {
    lowering.requireScratch(Dim(scratchBytes()));
    if (packed.empty())
      for (Value weight : linear.getWeights())
        kernel.function.setArgAttr(
            cast<BlockArgument>(weight).getArgNumber(), packingAttrName,
            StringAttr::get(weight.getContext(), linearPacking(linear, format)));
    emitProducts();
    if (form.norm)
      results().emitNorm(lowering, normName());
    emitLauncher();
  }

private:
  /// What the launcher adds to the context.
  enum Extra : unsigned { rowBlocks, chunks };

  /// A weight that stays packed.
  struct Packed {
    unsigned argument; // of the kernel
    QuantizationEncoding encoding;
  };

  // Scratch: rows of x, strips; for packed weights the decoded panel and rows of x as integers.
  int64_t stripsAt() const { return sizes.blocks * blockStride * format.rowBytes(); }
  int64_t panelAt() const { return stripsAt() + strips * stripStride * 4; }
  int64_t integersAt() const { return panelAt() + decodedPanelBytes(lowering.target); }
  int64_t scratchBytes() const {
    return packed.empty() ? panelAt() : integersAt() + mostIntegerRows * integers.bytes();
  }

  std::string normName() const { return kernel.name + ".norm"; }
  Location loc() { return linear.getLoc(); }
  LinearResults results() { return {kernel, form, format}; }
  int64_t panelsOf(const LinearForm::Group &group) {
    return (form.columnsOf(group) + sizes.panelWidth - 1) / sizes.panelWidth;
  }
  void emitLauncher() {
    auto f = FunctionEmitter::launcher(lowering, loc(), kernel.name);
    emitIndexChecks(f, kernel.body());
    Value count = f.dimValue(rows);
    LinearGrid grid = emitLinearGrid(f, sizes, count, /*wholeRows=*/form.norm != nullptr);
    f.runTasks(kernel.name, f.mul(grid.rowBlocks, grid.chunks), {grid.rowBlocks, grid.chunks},
               grid.parallel);
    if (form.norm)
      f.ifThen(f.lessThan(f.constant(1), grid.chunks),
               [&] { f.runTasks(normName(), count, {}, grid.parallel); });
    f.finish();
  }

  void emitProducts() {
    auto f = FunctionEmitter::body(lowering, loc(), kernel.name);
    Value a = f.scratch();
    Value count = f.dimValue(rows);
    Value blockCount = f.extra(rowBlocks), chunkCount = f.extra(chunks);
    emitProductsBegin(f, format);
    Value asIntegers; // an i64: whether the rows at hand are multiplied as integers
    if (!packed.empty())
      asIntegers = f.stackArray(f.i64(), 1);
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      Value block = f.div(task, chunkCount), chunk = f.rem(task, chunkCount);
      auto [firstRow, endRow] = emitRowsOfBlock(f, sizes, count, blockCount, block);
      Value blockRows = f.sub(endRow, firstRow);
      // The tasks of a row block follow each other: its rows are copied by the first of this call.
      Value fresh =
          arith::OrIOp::create(f.b, f.equal(task, f.begin), f.equal(chunk, f.constant(0)));
      f.ifThen(fresh, [&] {
        packRows(f, a, firstRow, blockRows);
        if (asIntegers)
          f.store(makeIntegers(f, a, count, blockRows), asIntegers);
      });
      auto [firstPanel, endPanel] = emitPanelsOfChunk(f, sizes, chunkCount, chunk);
      int64_t base = 0;
      for (const LinearForm::Group &group : form.groups) {
        Value from = f.max(f.constant(0), f.sub(firstPanel, f.constant(base)));
        Value to = f.min(f.constant(panelsOf(group)), f.sub(endPanel, f.constant(base)));
        Value one = f.constant(1), step = one;
        if (isJoint(group))
          step = arith::SelectOp::create(
              f.b, f.lessThan(f.constant(jointRows(lowering.target)), blockRows), one,
              f.constant(jointPanels));
        f.loop(from, to, step, [&](Value panel) {
          emitPanels(f, group, a, firstRow, blockRows, panel, f.min(f.add(panel, step), to),
                     asIntegers);
        });
        base += panelsOf(group);
      }
      if (form.norm)
        f.ifThen(f.equal(chunkCount, f.constant(1)), [&] {
          LLVM::CallOp::create(f.b, TypeRange{}, normName() + ".body",
                               ValueRange{f.context, firstRow, endRow, f.worker});
        });
    });
    emitProductsEnd(f, format);
    f.finish();
  }

  void packRows(FunctionEmitter &f, Value a, Value firstRow, Value blockRows) {
    if (Value source = linearRuns(linear))
      return packRuns(f, a, firstRow, blockRows, source);
    emitPackRows(f, format, a, blockRows, f.constant(sizes.columns), sizes.columns % f.lanes() == 0,
                 blockStride, [&](Value row) -> RowReader {
                   auto elements = std::make_shared<ElementEmitter>(f);
                   elements->provideArguments(kernel.body());
                   SmallVector<Value> lead = emitRowCoords(f, leading, f.add(firstRow, row));
                   return [this, elements, lead](Value column, Value mask) {
                     return elements->emit(linear.getX(), matrixCoords(lead, column, mask));
                   };
                 });
  }

  /// Rows that a reshape joins of several axes, from the value before it: no lane crosses the end
  /// of its last axis.
  void packRuns(FunctionEmitter &f, Value a, Value firstRow, Value blockRows, Value source) {
    Shape shape = ElementEmitter::typeOf(source).shape;
    RunShape runs;
    for (int64_t axis = int64_t(leading.size()); axis < shape.rank(); ++axis)
      runs.sizes.push_back(shape[axis].value());
    runs.blockStride = blockStride;
    emitPackRuns(f, format, a, blockRows, runs, [&](Value row) -> RunReader {
      auto elements = std::make_shared<ElementEmitter>(f);
      elements->provideArguments(kernel.body());
      SmallVector<Value> lead = emitRowCoords(f, leading, f.add(firstRow, row));
      return [elements, lead, source](ArrayRef<Value> run, Value column, Value mask) {
        SmallVector<Value> outer = lead;
        outer.append(run.begin(), run.end());
        return elements->emit(source, matrixCoords(outer, column, mask));
      };
    });
  }

  /// Rows of x as integers, where these are what is multiplied. The number of all rows decides, so
  /// that all are computed in one way. Returns an i64: whether it is so.
  Value makeIntegers(FunctionEmitter &f, Value a, Value count, Value blockRows) {
    Value result = f.stackArray(f.i64(), 1);
    f.store(f.constant(0), result);
    auto make = [&] {
      Value target = f.offsetBytes(a, f.constant(integersAt()));
      Value fits = emitIntegerRows(f, integers, a, blockStride, blockRows, target);
      f.store(arith::ExtUIOp::create(f.b, f.i64(), fits), result);
    };
    if (lowering.int8Activations)
      make();
    else
      f.ifThen(f.lessThan(count, f.constant(mostIntegerRows + 1)), make);
    return f.load(f.i64(), result);
  }

  /// Whether blocks of few rows take two panels at once.
  bool isJoint(const LinearForm::Group &group) {
    return packed.empty() && !format.inPairs() && panelsOf(group) > 1 &&
           jointRows(lowering.target) > 0 &&
           !(rows.isStatic() && rows.value() > jointRows(lowering.target));
  }

  /// A panel of each weight of a group, or two, and all that is stored of them.
  void emitPanels(FunctionEmitter &f, const LinearForm::Group &group, Value a, Value firstRow,
                  Value blockRows, Value panel, Value endPanel, Value asIntegers) {
    const int64_t width = sizes.panelWidth;
    Value strip = f.offsetBytes(a, f.constant(stripsAt()));
    for (auto [slot, index] : llvm::enumerate(group.weights)) {
      if (asIntegers) {
        Value target = f.offset(strip, f.constant(int64_t(slot) * stripStride), 4);
        emitPackedPanel(f, packed[index], form.columnsOf(group), a, blockRows, panel, asIntegers,
                        target);
        continue;
      }
      Value weight = linear.getWeights()[index];
      DType dtype = format.inPairs() ? format.rowType : ElementEmitter::typeOf(weight).dtype;
      Value source = f.offset(f.buffer(cast<BlockArgument>(weight).getArgNumber()),
                              f.mul(panel, format.panelElements(sizes.columns)), sizeBytes(dtype));
      Value target = f.offset(strip, f.constant(int64_t(slot) * stripStride), 4);
      auto inBlocks = [&](auto &&product) {
        f.loop(f.constant(0), f.constant(sizes.blocks), f.constant(1), [&](Value block) {
          Value first = f.mul(block, productBlock);
          product(ProductOperands{
              .a = f.offset(a, f.mul(block, blockStride), format.rowBytes()),
              .b = f.offset(source, f.mul(first, width), sizeBytes(dtype)),
              .c = target,
              .k = f.min(f.constant(productBlock), f.sub(f.constant(sizes.columns), first)),
              .strideC = f.constant(width),
              .accumulate = block,
              .rows = blockRows,
              .nextPartA = partStride(format, blockStride),
              .nextPartB = format.partElements(sizes.columns)});
        });
      };
      auto product = [&](bool half) {
        inBlocks([&](const ProductOperands &o) { emitProduct(f, format, dtype, o, half); });
      };
      // The last panel may have columns in its first half alone.
      const int64_t inLast = form.columnsOf(group) % width;
      const bool halfLast = inLast > 0 && inLast <= width / 2;
      auto one = [&] {
        if (halfLast && panelsOf(group) > 1)
          f.ifThen(
              f.equal(panel, f.constant(panelsOf(group) - 1)), [&] { product(true); },
              [&] { product(false); });
        else
          product(halfLast);
      };
      if (!isJoint(group)) {
        one();
        continue;
      }
      f.ifThen(
          f.lessThan(f.add(panel, 1), endPanel),
          [&] {
            inBlocks([&](const ProductOperands &o) {
              emitJointProduct(f, dtype, o, format.panelElements(sizes.columns));
            });
          },
          one);
    }
    if (!isJoint(group))
      return results().emitPanel(f, group, strip, stripStride, firstRow, blockRows, panel);
    f.loop(panel, endPanel, f.constant(1), [&](Value each) {
      Value at = f.mul(f.sub(each, panel), mostJointRows * width);
      results().emitPanel(f, group, f.offset(strip, at, 4), stripStride, firstRow, blockRows, each);
    });
  }

  /// The product with a panel of a weight that stays packed.
  void emitPackedPanel(FunctionEmitter &f, const Packed &weight, int64_t columns, Value a,
                       Value blockRows, Value panel, Value asIntegers, Value target) {
    const int64_t width = sizes.panelWidth;
    Value first = f.mul(panel, width);
    Value source = f.offsetBytes(f.buffer(weight.argument),
                                 f.mul(first, packedRowBytes(weight.encoding, sizes.columns)));
    const QuantizedOperands operands{source,
                                     f.min(f.constant(width), f.sub(f.constant(columns), first))};
    f.ifThen(
        f.equal(f.load(f.i64(), asIntegers), f.constant(1)),
        [&] {
          emitQuantizedProduct(f, weight.encoding, integers, operands,
                               f.offsetBytes(a, f.constant(integersAt())), blockRows, target);
        },
        [&] {
          Value decoded = f.offsetBytes(a, f.constant(panelAt()));
          f.loop(f.constant(0), f.constant(sizes.blocks), f.constant(1), [&](Value block) {
            emitDecodedPanel(f, weight.encoding, sizes.columns, operands, block, decoded);
            Value done = f.mul(block, productBlock);
            emitProduct(
                f, DType::float32,
                {.a = f.offset(a, f.mul(block, blockStride), 4),
                 .b = decoded,
                 .c = target,
                 .k = f.min(f.constant(productBlock), f.sub(f.constant(sizes.columns), done)),
                 .strideC = f.constant(width),
                 .accumulate = block,
                 .rows = blockRows});
          });
        });
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  LinearForm form;
  ir::LinearOp linear;
  TensorType x;
  ArrayRef<Dim> leading;
  Dim rows = 1;
  ProductFormat format;
  LinearSizes sizes;
  int64_t strips = 0, blockStride = 0, stripStride = 0; // strides in elements
  SmallVector<Packed> packed;                           // of each weight, or empty
  IntegerRows integers;
  int64_t mostIntegerRows = 0;
};

} // namespace

LogicalResult emitLinearKernel(ModuleLowering &lowering, Kernel &kernel) {
  FailureOr<LinearForm> form =
      analyseLinear(kernel.body(), kernel.anchor, [&] { return kernel.anchor->emitOpError(); });
  if (failed(form))
    return failure();
  LinearKernel(lowering, kernel, std::move(*form)).emit();
  return success();
}

} // namespace kiln::passes
