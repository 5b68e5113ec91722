/// The kernel of `kiln.linear` on an accelerator: see KernelForms.h for what it may hold.
///
/// A block makes a tile of one result, or of those that are needed together: the product
/// (ProductTile.h, of few rows ThinTile.h), then everything elementwise behind it, on the sums in
/// registers (LinearTiles.h). Where there are few tiles their k is cut in parts, whose sums
/// go to memory, where another function adds them up and does the rest. Rows of x
/// that lie in memory, also such as a gather picks, are copied straight into the product; others
/// are computed on the way there. A layer_norm behind it is a function of its own, on the rows just
/// written. Weights lie as [N, K], or packed in rows of K: then they are decoded for each tile that
/// reads them.
#include "ir/KilnDialect.h"
#include "passes/cpu/KernelForms.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/LinearTiles.h"
#include "passes/gpu/RowAnchor.h"
#include "passes/gpu/TensorOps.h"
#include "passes/gpu/ThinTile.h"
#include "passes/gpu/WarpgroupLinear.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Large tiles read each operand the fewest times; small ones make more blocks.
constexpr TileShape largeTile{128, 128, 2, 4}, smallTile{64, 64, 2, 2};
/// Large tiles as soon as there are so many of them: most of the multiprocessors of a large device
/// (A100: 108, H100: 132).
constexpr int64_t leastLargeTiles = 96;

/// Rows that a thin product takes (ThinTile.h): from 9 on tensor cores do less work in vain. Of
/// those as many at once as registers and the cache of a multiprocessor are good for; others read
/// the weights again, at the same time, so that they come from memory once.
constexpr int64_t mostThinRows = 8, thinRowsAtOnce = 4;
/// Small tiles are cut along k where they are fewer than this: two blocks for each multiprocessor
/// of a large device.
constexpr int64_t splitBlocks = 264;
/// Stages of a tile (ProductTile.h) that a part of k has at least: fewer take no longer than the
/// launch of the function that adds up the parts.
constexpr int64_t leastStages = 16;

class LinearKernel {
public:
  LinearKernel(ModuleLowering &lowering, Kernel &kernel, LinearForm form)
      : lowering(lowering), kernel(kernel), form(std::move(form)),
        linear(cast<ir::LinearOp>(kernel.anchor)), operands(kernel, linear),
        tiles(kernel, linear, operands), warpgroups(lowering, kernel, linear, operands, tiles) {
    checks = indexChecks(lowering, kernel.body());
  }

  void emit() {
    SmallVector<unsigned> inTiles;
    for (Groups groups : together())
      if (warpgroups.suits(groups))
        for (const LinearForm::Group &group : groups)
          inTiles.append(group.weights.begin(), group.weights.end());
    operands.packWeights(inTiles);
    SmallVector<Product> products;
    for (Groups groups : together())
      products.push_back(
          emitProduct(groups, products.empty() ? "" : "_" + std::to_string(products.size())));
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
    Value rows = f.dimValue(operands.rows);
    if (Value nothing = emitReadsNothing(f, checks))
      rows = arith::SelectOp::create(f.b, nothing, f.constant(0), rows);
    else
      f.returnIf(f.equal(rows, f.constant(0)), /*status=*/0);
    for (const Product &product : products)
      launch(f, product, rows);
    if (norm)
      f.ifThen(f.lessThan(f.constant(0), rows), [&] {
        Value blocks = f.ceilDiv(rows, f.constant(norm->rowsPerBlock));
        emitLaunch(f, kernel, norm->number, blocks, {}, {}, rows);
      });
    f.finish();
  }

private:
  using Groups = LinearTiles::Groups;
  /// The functions that make the results of some groups, each for other numbers of rows.
  struct Product {
    struct Thin {
      TileShape shape;
      int64_t function;
    };
    Groups groups;
    SmallVector<Thin> thin;            // by rows at once
    std::optional<int64_t> small, sum; // of small tiles, whole or parts of k; what adds those up
    std::optional<int64_t> large, warpgroups;
  };

  Product emitProduct(Groups groups, const std::string &number) {
    Product product;
    product.groups = groups;
    const int64_t least = operands.rows.isStatic() ? operands.rows.value() : 0;
    const int64_t most = operands.rows.isStatic() ? least : std::numeric_limits<int64_t>::max();
    if (operands.canBeThin() && least <= mostThinRows)
      for (int64_t rows : {int64_t(1), thinRowsAtOnce})
        if (most > 1 ? rows > 1 || least <= 1 : rows == 1)
          product.thin.push_back(emitThin(groups, rows, number));
    if (product.thin.empty() || most > mostThinRows) {
      product.small = emitTiles(groups, smallTile, "_64" + number);
      if (canSplit())
        product.sum = emitSum(groups, "_sum" + number);
    }
    // Tiles of several products would not fit into shared memory.
    const bool isWide = llvm::any_of(groups, [&](const LinearForm::Group &group) {
      return tiles.columnsOf(group) >= largeTile.columns;
    });
    if (groups[0].weights.size() == 1 && isWide && most > smallTile.rows)
      product.large = emitTiles(groups, largeTile, "_128" + number);
    if (warpgroups.suits(groups))
      product.warpgroups = warpgroups.emit(groups, "_wgmma" + number, checks);
    return product;
  }

  /// In the launcher: chooses by the number of rows.
  void launch(FunctionEmitter &f, const Product &product, Value rows) {
    auto runLarge = [&] {
      Value large = tiles.tilesOf(f, product.groups, largeTile, rows);
      f.ifThen(
          f.lessThan(large, f.constant(leastLargeTiles)), [&] { launchSmall(f, product, rows); },
          [&] { emitLaunch(f, kernel, *product.large, large, {}, {}, rows); });
    };
    auto runPlain = [&] { product.large ? runLarge() : launchSmall(f, product, rows); };
    auto runWarpgroups = [&] {
      warpgroups.launch(f, product.groups, *product.warpgroups, rows, runPlain);
    };
    auto runTiles = [&] { product.warpgroups ? runWarpgroups() : runPlain(); };
    auto runThin = [&](const Product::Thin &thin) {
      Value blocks = tiles.tilesOf(f, product.groups, thin.shape, rows);
      emitLaunch(f, kernel, thin.function, blocks, {}, {}, rows);
    };
    auto runAnyThin = [&] {
      if (product.thin.size() == 1)
        return runThin(product.thin[0]);
      f.ifThen(
          f.lessThan(f.constant(1), rows), [&] { runThin(product.thin[1]); },
          [&] { runThin(product.thin[0]); });
    };
    if (product.thin.empty())
      return runTiles();
    if (!product.small)
      return runAnyThin();
    f.ifThen(f.lessThan(f.constant(mostThinRows), rows), runTiles, runAnyThin);
  }

  void launchSmall(FunctionEmitter &f, const Product &product, Value rows) {
    Value count = tiles.tilesOf(f, product.groups, smallTile, rows);
    if (!product.sum)
      return emitLaunch(f, kernel, *product.small, count, {}, {}, rows);
    Value parts = f.min(f.div(f.constant(splitBlocks), count), f.constant(mostParts()));
    parts = f.max(parts, f.constant(1));
    Value scratch = f.scratchBase, blocks = f.mul(count, parts);
    emitLaunch(f, kernel, *product.small, blocks, {}, {}, {rows, parts, scratch});
    f.ifThen(f.lessThan(f.constant(1), parts), [&] {
      Value sums = f.mul(count, sumBlocksPerTile(product.groups));
      emitLaunch(f, kernel, *product.sum, sums, {}, {}, {rows, parts, scratch});
    });
  }

  /// Groups of results that one function makes: all, where each tile is of one product.
  SmallVector<Groups> together() {
    Groups groups = form.groups;
    const bool alike = llvm::all_of(llvm::seq<unsigned>(0, linear.getWeights().size()),
                                    [&](unsigned i) { return operands.areAlike(i, 0); });
    if (alike && llvm::all_of(groups, [](const auto &group) { return group.weights.size() == 1; }))
      return {groups};
    SmallVector<Groups> single;
    for (size_t i = 0; i < groups.size(); ++i)
      single.push_back(groups.slice(i, 1));
    return single;
  }

  ProductTile tileOf(const TileShape &shape) const {
    return ProductTile({operands.dtype, lowering.precision}, shape);
  }
  /// Into how many parts k may be cut.
  int64_t mostParts() const { return tileOf(smallTile).stagesOf(operands.depth) / leastStages; }
  bool canSplit() const { return mostParts() > 1; }
  int64_t partElements() const { return smallTile.rows * smallTile.columns; }
  int64_t sumBlocksPerTile(Groups groups) const {
    return partElements() / tiles.lanesOf(groups) / smallTile.threads();
  }
  /// Where the sums of a tile's part of k begin. The last parameters of the functions that have
  /// any: rows, parts, and where in memory they are.
  Value partAt(FunctionEmitter &f, Groups groups, Value count, Value tile, Value part,
               int64_t slot) {
    const int64_t products = groups[0].weights.size();
    Value number = f.add(f.mul(f.add(f.mul(part, products), slot), count), tile);
    return f.offset(f.extras[2], f.mul(number, partElements()), 4);
  }

  DeviceBody start(Groups groups, const std::string &suffix, const TileShape &shape,
                   int64_t sharedBytes, bool inParts, int64_t blocks = 0) {
    DeviceLaunch launch;
    launch.threads = shape.threads();
    launch.blocks = blocks;
    launch.sharedBytes = sharedBytes;
    Type i64 = IntegerType::get(lowering.module.getContext(), 64);
    launch.extras = {i64};
    if (inParts)
      launch.extras.append({i64, LLVM::LLVMPointerType::get(lowering.module.getContext())});
    launch.lanes = tiles.lanesOf(groups);
    return startDeviceBody(lowering, kernel, suffix, launch);
  }
  void emitChecks(FunctionEmitter &f, int64_t threads) {
    emitDeviceChecks(f, kernel.body(), checks, emitGlobalThread(f, threads),
                     emitGlobalThreads(f, threads));
  }

  Product::Thin emitThin(Groups groups, int64_t rowsAtOnce, const std::string &number) {
    const int64_t products = groups[0].weights.size();
    const int64_t chunk = tileOf(smallTile).chunkElements();
    ThinTile tile(rowsAtOnce, chunk, operands.depth, tiles.columnsOf(groups));
    const TileShape shape = tile.shape();
    const std::string suffix = "_thin" + std::to_string(rowsAtOnce) + number;
    // Places in the tiles of several products want more registers than ptxas takes by itself.
    const int64_t blocks = products > 1 && warpgroups.suits(groups) ? 2 : 0;
    DeviceBody body = start(groups, suffix, shape,
                            products * tile.resultBytes() + tile.partialBytes(), false, blocks);
    FunctionEmitter &f = body.f;
    emitChecks(f, shape.threads());
    Value rows = f.extras[0], thread = device::threadId(f), shared = device::dynamicShared(f);
    Value partial = device::sharedOffset(f, shared, f.constant(products * tile.resultBytes()));
    LinearTiles::Place place =
        tiles.find(f, groups, shape, device::blockId(f, device::Axis::x), rows);
    // The same for all threads of a block, so that all of them meet at its barriers.
    f.ifThen(f.lessThan(place.firstRow, rows), [&] {
      for (int64_t slot = 0; slot < products; ++slot) {
        TileOperand a = operands.x(f, place.firstRow, rows);
        TileOperand b = operands.weightRows(f, groups[0].weights[slot], place.weights[slot],
                                            place.firstColumn, place.columns);
        Value results = device::sharedOffset(f, shared, f.constant(slot * tile.resultBytes()));
        tile.emit(f, thread, a, f.sub(rows, place.firstRow), b,
                  f.sub(place.columns, place.firstColumn), partial, results);
      }
      tiles.emit(f, groups, place, shape, thread, f.constant(shape.threads()),
                 LinearTiles::inShared(f, shared, tile.resultBytes(), shape.columns));
    });
    finishDeviceBody(f, kernel);
    return {shape, body.number};
  }

  int64_t emitTiles(Groups groups, const TileShape &shape, const std::string &suffix) {
    ProductTile tile = tileOf(shape);
    const int64_t products = groups[0].weights.size();
    const bool inParts = shape.rows == smallTile.rows && canSplit();
    // What follows works on the sums where they are, in vectors of four; on single ones, which are
    // no neighbours, and on those of several products in parts, for which registers are too few, in
    // shared memory: one product's in the place of the stages that it is made of.
    const bool inRegisters = tiles.lanesOf(groups) == ProductTile::four &&
                             (products == 1 || (products == 2 && !tile.inParts()));
    const int64_t resultsAt = products == 1 ? 0 : tile.stageBytes();
    const int64_t resultBytes = inRegisters ? 0 : resultsAt + products * tile.resultBytes();
    DeviceBody body = start(groups, suffix, shape, std::max(tile.stageBytes(), resultBytes),
                            inParts, tile.blocks());
    FunctionEmitter &f = body.f;
    emitChecks(f, shape.threads());
    Value thread = device::threadId(f), rows = f.extras[0], shared = device::dynamicShared(f);
    Value block = device::blockId(f, device::Axis::x), number = block, part, isWhole;
    Value count = tiles.tilesOf(f, groups, shape, rows);
    ProductTile::Stages stages = tile.allStages(f, f.constant(operands.depth));
    if (inParts) {
      number = f.rem(block, count);
      part = f.div(block, count);
      Value each = f.ceilDiv(stages.end, f.extras[1]), end = stages.end;
      stages.begin = f.mul(part, each);
      stages.end = f.min(f.add(stages.begin, each), end);
      isWhole = f.equal(f.extras[1], f.constant(1));
    }
    LinearTiles::Place place = tiles.find(f, groups, shape, number, rows);
    auto whole = [&](llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
      inParts ? f.ifThen(isWhole, then, otherwise) : then();
    };
    auto keepPart = [&](int64_t slot, ValueRange sums) {
      Value at = partAt(f, groups, count, number, part, slot);
      tile.forEachPair(f, thread, sums, [&](Value row, Value column, Value pair) {
        f.store(pair, f.offset(at, f.add(f.mul(row, shape.columns), column), 4));
      });
    };
    Value results = device::sharedOffset(f, shared, f.constant(resultsAt));
    SmallVector<SmallVector<Value>> all;
    for (int64_t slot = 0; slot < products; ++slot) {
      TileOperand a = operands.x(f, place.firstRow, rows);
      TileOperand b = operands.weightRows(f, groups[0].weights[slot], place.weights[slot],
                                          place.firstColumn, place.columns);
      all.push_back(tile.emit(f, thread, shared, a, b, stages));
      Value at = f.constant(slot * tile.resultBytes());
      if (!inRegisters)
        whole([&] { tile.store(f, thread, all[slot], device::sharedOffset(f, results, at)); },
              [&] { keepPart(slot, all[slot]); });
    }
    auto behind = [&] {
      if (inRegisters)
        return tiles.emit(f, groups, place, tile, thread, all);
      device::barrier(f);
      tiles.emit(f, groups, place, shape, thread, f.constant(shape.threads()),
                 LinearTiles::inShared(f, results, tile.resultBytes(), tile.resultStride()));
    };
    whole(behind, [&] {
      for (int64_t slot = 0; inRegisters && slot < products; ++slot)
        keepPart(slot, all[slot]);
    });
    finishDeviceBody(f, kernel);
    return body.number;
  }

  /// Adds up the parts of k, in order, a vector in each thread, and does what follows.
  int64_t emitSum(Groups groups, const std::string &suffix) {
    const TileShape &shape = smallTile;
    lowering.requireScratch(splitBlocks * int64_t(groups[0].weights.size()) * partElements() * 4);
    DeviceBody body = start(groups, suffix, shape, /*sharedBytes=*/0, /*inParts=*/true);
    FunctionEmitter &f = body.f;
    Value block = device::blockId(f, device::Axis::x), rows = f.extras[0];
    const int64_t blocks = sumBlocksPerTile(groups);
    Value tile = f.div(block, f.constant(blocks)), piece = f.rem(block, f.constant(blocks));
    Value count = tiles.tilesOf(f, groups, shape, rows);
    LinearTiles::Place place = tiles.find(f, groups, shape, tile, rows);
    Value first = f.add(f.mul(piece, shape.threads()), device::threadId(f));
    tiles.emit(f, groups, place, shape, first, f.constant(partElements()),
               [&](int64_t slot, Value row, Value column) {
                 Value position = f.add(f.mul(row, shape.columns), column);
                 Type type = f.lanes() > 1 ? Type(f.vec(f.f32())) : f.f32();
                 auto load = [&](Value part) {
                   Value from = partAt(f, groups, count, tile, part, slot);
                   return f.load(type, f.offset(from, position, 4));
                 };
                 return f.fold(f.constant(1), f.extras[1], f.constant(1), load(f.constant(0)),
                               [&](Value part, ValueRange sum) -> SmallVector<Value> {
                                 return {arith::AddFOp::create(f.b, sum[0], load(part))};
                               })[0];
               });
    finishDeviceBody(f, kernel);
    return body.number;
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  LinearForm form;
  ir::LinearOp linear;
  LinearOperands operands;
  LinearTiles tiles;
  WarpgroupLinear warpgroups;
  SmallVector<IndexCheck> checks;
};

} // namespace

LogicalResult emitDeviceLinear(ModuleLowering &lowering, Kernel &kernel) {
  FailureOr<LinearForm> form =
      analyseLinear(kernel.body(), kernel.anchor, [&] { return kernel.anchor->emitOpError(); });
  if (failed(form))
    return failure();
  LinearKernel(lowering, kernel, std::move(*form)).emit();
  return success();
}

} // namespace kiln::passes
