/// The kernel of `kiln.linear` on an accelerator: see KernelForms.h for what it may hold.
///
/// A block makes a tile of one result, or of those that are needed together: the product
/// (ProductTile.h), then everything elementwise behind it, on the tile in shared memory. Rows of x
/// that lie in memory, also such as a gather picks, are copied straight into the product; others
/// are computed on the way there. A layer_norm behind it is a function of its own, on the rows just
/// written. Weights lie as [N, K].
#include "ir/KilnDialect.h"
#include "passes/cpu/KernelForms.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/LinearOperands.h"
#include "passes/gpu/RowAnchor.h"
#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Large tiles read each operand the fewest times; small ones make more blocks.
constexpr TileShape largeTile{128, 128, 2, 4}, smallTile{64, 64, 2, 2};
/// Large tiles as soon as there are so many of them: most of the multiprocessors of a large device
/// (A100: 108, H100: 132).
constexpr int64_t leastLargeTiles = 96;

/// One function that makes tiles, and how many there are along the columns of all its results.
struct TileFunction {
  int64_t number, columnTiles;
};

class LinearKernel {
public:
  LinearKernel(ModuleLowering &lowering, Kernel &kernel, LinearForm form)
      : lowering(lowering), kernel(kernel), form(std::move(form)),
        linear(cast<ir::LinearOp>(kernel.anchor)), operands(kernel, linear) {
    checks = indexChecks(lowering, kernel.body());
  }

  void emit() {
    operands.packWeights();
    struct Launch {
      TileFunction small;
      std::optional<TileFunction> large;
    };
    SmallVector<Launch> launches;
    for (ArrayRef<LinearForm::Group> groups : together()) {
      std::string number = launches.empty() ? "" : "_" + std::to_string(launches.size());
      Launch launch{emitTiles(groups, smallTile, "_64" + number), std::nullopt};
      // Tiles of several products would not fit into shared memory.
      bool isWide = llvm::any_of(groups, [&](const LinearForm::Group &group) {
        return columnsOf(group) >= largeTile.columns;
      });
      bool isTall = !operands.rows.isStatic() || operands.rows.value() > smallTile.rows;
      if (groups[0].weights.size() == 1 && isWide && isTall)
        launch.large = emitTiles(groups, largeTile, "_128" + number);
      launches.push_back(launch);
    }
    std::optional<RowFunction> norm;
    if (form.norm) {
      RowAnchor anchor(kernel, form.norm);
      anchor.stores.clear();
      for (const LinearForm::Store &store : form.normStores)
        anchor.stores.emplace_back(store.value, store.output);
      anchor.operandAt = form.normInput;
      norm = emitRowFunction(lowering, anchor, "_norm", /*checks=*/{});
    }

    FunctionEmitter f = FunctionEmitter::launcher(lowering, linear.getLoc(), kernel.name);
    Value rows = f.dimValue(operands.rows), one = f.constant(1);
    if (Value nothing = emitReadsNothing(f, checks))
      rows = arith::SelectOp::create(f.b, nothing, f.constant(0), rows);
    else
      f.returnIf(f.equal(rows, f.constant(0)), /*status=*/0);
    auto tiles = [&](const TileFunction &function, const TileShape &shape) {
      Value tall = f.max(f.ceilDiv(rows, f.constant(shape.rows)), one);
      return f.mul(tall, function.columnTiles);
    };
    for (const Launch &launch : launches) {
      auto runSmall = [&] {
        emitLaunch(f, kernel, launch.small.number, tiles(launch.small, smallTile), {}, {}, rows);
      };
      if (!launch.large) {
        runSmall();
        continue;
      }
      Value large = tiles(*launch.large, largeTile);
      f.ifThen(f.lessThan(large, f.constant(leastLargeTiles)), runSmall,
               [&] { emitLaunch(f, kernel, launch.large->number, large, {}, {}, rows); });
    }
    if (norm)
      f.ifThen(f.lessThan(f.constant(0), rows), [&] {
        Value blocks = f.ceilDiv(rows, f.constant(norm->rowsPerBlock));
        emitLaunch(f, kernel, norm->number, blocks, {}, {}, rows);
      });
    f.finish();
  }

private:
  int64_t columnsOf(const LinearForm::Group &group) {
    return ElementEmitter::typeOf(linear.getResult(group.weights[0])).shape[-1].value();
  }
  static int64_t tilesOf(int64_t columns, const TileShape &shape) {
    return (columns + shape.columns - 1) / shape.columns;
  }

  /// Groups of results that one function makes: all, where each tile is of one product.
  SmallVector<ArrayRef<LinearForm::Group>> together() {
    ArrayRef<LinearForm::Group> groups = form.groups;
    auto dtypeOf = [](Value weight) { return ElementEmitter::typeOf(weight).dtype; };
    const bool alike = llvm::all_equal(llvm::map_range(linear.getWeights(), dtypeOf));
    if (alike && llvm::all_of(groups, [](const auto &group) { return group.weights.size() == 1; }))
      return {groups};
    SmallVector<ArrayRef<LinearForm::Group>> single;
    for (size_t i = 0; i < groups.size(); ++i)
      single.push_back(groups.slice(i, 1));
    return single;
  }

  TileFunction emitTiles(ArrayRef<LinearForm::Group> groups, const TileShape &shape,
                         const std::string &suffix) {
    ProductTile tile({operands.dtype, lowering.precision}, shape);
    const int64_t products = groups[0].weights.size();
    // One product's tile takes the place of the stages that it is made of.
    const int64_t resultsAt = products == 1 ? 0 : tile.stageBytes();
    DeviceLaunch launch;
    launch.threads = shape.threads();
    launch.blocks = shape.blocks();
    launch.sharedBytes = std::max(tile.stageBytes(), resultsAt + products * tile.resultBytes());
    launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
    launch.lanes = 4;
    for (const LinearForm::Group &group : groups)
      if (columnsOf(group) % launch.lanes)
        launch.lanes = 1;
    DeviceBody body = startDeviceBody(lowering, kernel, suffix, launch);
    FunctionEmitter &f = body.f;
    emitDeviceChecks(f, kernel.body(), checks, emitGlobalThread(f, launch.threads),
                     emitGlobalThreads(f, launch.threads));

    Value thread = device::threadId(f), rows = f.extras[0];
    Value tallTiles = f.max(f.ceilDiv(rows, f.constant(shape.rows)), f.constant(1));
    Value block = device::blockId(f, device::Axis::x);
    Value firstRow = f.mul(f.rem(block, tallTiles), shape.rows);
    Value columnTile = f.div(block, tallTiles);
    // Which of the groups it is.
    Value group = f.constant(0), firstTile = f.constant(0);
    Value columns = f.constant(columnsOf(groups[0]));
    int64_t start = tilesOf(columnsOf(groups[0]), shape);
    SmallVector<Value> weights;
    for (unsigned index : groups[0].weights)
      weights.push_back(operands.weight(f, index));
    for (size_t i = 1; i < groups.size(); ++i) {
      Value isBehind = f.lessThan(f.constant(start - 1), columnTile);
      auto choose = [&](Value chosen, Value other) -> Value {
        return arith::SelectOp::create(f.b, isBehind, chosen, other);
      };
      group = choose(f.constant(i), group);
      firstTile = choose(f.constant(start), firstTile);
      columns = choose(f.constant(columnsOf(groups[i])), columns);
      weights[0] = choose(operands.weight(f, groups[i].weights[0]), weights[0]);
      start += tilesOf(columnsOf(groups[i]), shape);
    }
    Value firstColumn = f.mul(f.sub(columnTile, firstTile), shape.columns);

    Value shared = device::dynamicShared(f);
    auto results = [&](int64_t slot) {
      return device::sharedOffset(f, shared, f.constant(resultsAt + slot * tile.resultBytes()));
    };
    for (int64_t slot = 0; slot < products; ++slot) {
      TileOperand a = operands.x(f, firstRow, rows);
      TileOperand b =
          operands.weightRows(f, groups[0].weights[slot], weights[slot], firstColumn, columns);
      SmallVector<Value> sums = tile.emit(f, thread, shared, a, b, f.constant(operands.depth));
      tile.store(f, thread, sums, results(slot));
    }
    device::barrier(f);
    for (auto [i, members] : llvm::enumerate(groups)) {
      auto behind = [&, members = members] {
        emitBehind(f, members, tile, shape, thread, firstRow, firstColumn, results);
      };
      if (groups.size() == 1)
        behind();
      else
        f.ifThen(f.equal(group, f.constant(i)), behind);
    }
    finishDeviceBody(f, kernel);
    return {body.number, start};
  }

  /// What follows the product, vector by vector of the tile.
  void emitBehind(FunctionEmitter &f, const LinearForm::Group &group, const ProductTile &tile,
                  const TileShape &shape, Value thread, Value firstRow, Value firstColumn,
                  llvm::function_ref<Value(int64_t)> results) {
    const int64_t vectors = shape.columns / f.lanes(), columns = columnsOf(group);
    f.loop(thread, f.constant(shape.rows * vectors), f.constant(shape.threads()), [&](Value item) {
      Value row = f.div(item, f.constant(vectors));
      Value column = f.mul(f.rem(item, f.constant(vectors)), f.lanes());
      Value matrixRow = f.add(firstRow, row), matrixColumn = f.add(firstColumn, column);
      Value inside = arith::AndIOp::create(f.b, f.lessThan(matrixRow, f.extras[0]),
                                           f.lessThan(matrixColumn, f.constant(columns)));
      f.ifThen(inside, [&] {
        ElementEmitter elements(f);
        elements.provideArguments(kernel.body());
        Value place = f.mul(f.add(f.mul(row, tile.resultStride()), column), 4);
        for (auto [slot, index] : llvm::enumerate(group.weights)) {
          Value address = device::sharedOffset(f, results(slot), place);
          elements.provide(linear.getResult(index),
                           [this, &f, &elements, index = index, address](const Coords &at) {
                             return linearResult(f, elements, index, address, at);
                           });
        }
        Coords at;
        at.index = emitRowCoords(f, operands.leading, matrixRow);
        at.index.push_back(matrixColumn);
        if (f.lanes() > 1)
          at.laneAxis = operands.leading.size();
        storeAll(f, elements, group.stores, matrixRow, columns, at);
      });
    });
  }

  /// Sum and bias, rounded to the result's dtype.
  Value linearResult(FunctionEmitter &f, ElementEmitter &elements, unsigned index, Value address,
                     const Coords &at) {
    Value value = f.load(at.isVector() ? Type(f.vec(f.f32())) : f.f32(), address);
    if (!linear.getBiases().empty()) {
      Coords column;
      column.index = {at.index.back()};
      column.laneAxis = at.isVector() ? 0 : -1;
      value = arith::AddFOp::create(f.b, value, elements.emit(linear.getBiases()[index], column));
    }
    return roundTo(f, value, ElementEmitter::typeOf(linear.getResult(index)).dtype);
  }

  /// All values first: a value may be read from where another is stored.
  void storeAll(FunctionEmitter &f, ElementEmitter &elements, ArrayRef<LinearForm::Store> stores,
                Value row, int64_t columns, const Coords &at) {
    SmallVector<Value> values;
    for (const LinearForm::Store &store : stores)
      values.push_back(elements.emit(store.value, at));
    Value position = f.add(f.mul(row, columns), at.index.back());
    for (auto [store, value] : llvm::zip(stores, values)) {
      DType dtype = ElementEmitter::typeOf(store.value).dtype;
      Value output = f.buffer(kernel.numOperands() + store.output);
      elements.storeAt(value, dtype, f.offset(output, position, sizeBytes(dtype)), /*mask=*/{});
    }
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  LinearForm form;
  ir::LinearOp linear;
  LinearOperands operands;
  SmallVector<IndexCheck> checks;
};

} // namespace

LogicalResult emitDeviceLinear(ModuleLowering &lowering, Kernel &kernel) {
  if (hasPackedWeights(kernel.anchor))
    return kernel.anchor->emitOpError("with weights that stay packed has no lowering for an "
                                      "accelerator yet");
  FailureOr<LinearForm> form =
      analyseLinear(kernel.body(), kernel.anchor, [&] { return kernel.anchor->emitOpError(); });
  if (failed(form))
    return failure();
  LinearKernel(lowering, kernel, std::move(*form)).emit();
  return success();
}

} // namespace kiln::passes
