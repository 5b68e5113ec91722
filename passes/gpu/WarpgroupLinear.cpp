#include "passes/gpu/WarpgroupLinear.h"

#include "passes/gpu/AsyncOps.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/WarpgroupTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

/// As soon as there are so many tiles, about half of the multiprocessors of a large device (H100:
/// 132), each of which would else have two tiles of half the size; how much faster wgmma is than
/// those is not measured.
static constexpr int64_t leastTiles = 72;
/// More rows than one of the smallest tiles has.
static constexpr int64_t leastRows = 65;

bool WarpgroupLinear::suits(Groups groups) {
  const size_t products = groups[0].weights.size();
  const TileShape shape = WarpgroupTile::shapeOf(products);
  const bool isHalf = operands.dtype == DType::bfloat16 || operands.dtype == DType::float16;
  if (!device::hasWarpgroups(lowering) || !isHalf || hasPackedWeights(linear) || products > 2 ||
      operands.depth < WarpgroupTile::depth)
    return false;
  const int64_t wide = tiles.wideTilesOf(groups, shape);
  // Tiles of which two fifths are padding are no faster than smaller ones.
  if (tiles.columnsOf(groups) * 5 < wide * shape.columns * 3)
    return false;
  if (!operands.rows.isStatic())
    return true;
  const int64_t rows = operands.rows.value(), tall = (rows + shape.rows - 1) / shape.rows;
  return rows >= leastRows && tall * wide >= leastTiles;
}

int64_t WarpgroupLinear::emit(Groups groups, const std::string &suffix,
                              ArrayRef<IndexCheck> checks) {
  const TileShape shape = WarpgroupTile::shapeOf(groups[0].weights.size());
  const WarpgroupTile tile(operands.dtype);
  DeviceLaunch launch;
  launch.threads = WarpgroupTile::threads;
  launch.blocks = 1;
  launch.sharedBytes = tile.sharedBytes();
  launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
  launch.lanes = tiles.lanesOf(groups);
  DeviceBody body = startDeviceBody(lowering, kernel, suffix, launch);
  FunctionEmitter &f = body.f;
  emitDeviceChecks(f, kernel.body(), checks, emitGlobalThread(f, launch.threads),
                   emitGlobalThreads(f, launch.threads));
  Value rows = f.extras[0], block = device::blockId(f, device::Axis::x);
  Value number = WarpgroupTile::tileOf(f, block, LinearTiles::tallTilesOf(f, shape, rows),
                                       tiles.wideTilesOf(groups, shape));
  LinearTiles::Place place = tiles.find(f, groups, shape, number, rows);
  SmallVector<Value> weights;
  for (Value weight : place.weights)
    weights.push_back(operands.weightTile(f, weight, place.firstColumn));
  const int64_t stride = ProductTile({operands.dtype}, WarpgroupTile::shape).resultStride();
  tile.emit(
      f, [&] { return operands.x(f, place.firstRow, rows); }, weights,
      WarpgroupTile::stepsOf(operands.depth),
      [&](Value thread, Value results) {
        tiles.emit(f, groups, place, shape, thread, f.constant(shape.threads()),
                   LinearTiles::inShared(f, results, shape.columns * 4, stride)); // side by side
      });
  finishDeviceBody(f, kernel);
  return body.number;
}

void WarpgroupLinear::launch(FunctionEmitter &f, Groups groups, int64_t function, Value rows,
                             llvm::function_ref<void()> otherwise) {
  const TileShape shape = WarpgroupTile::shapeOf(groups[0].weights.size());
  Value count = tiles.tilesOf(f, groups, shape, rows);
  Value isSmall = arith::OrIOp::create(f.b, f.lessThan(count, f.constant(leastTiles)),
                                       f.lessThan(rows, f.constant(leastRows)));
  f.ifThen(isSmall, otherwise, [&] { emitLaunch(f, kernel, function, count, {}, {}, rows); });
}

} // namespace kiln::passes
