#include "passes/cpu/LinearGrid.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Bytes of a block of x: beside it, L2 (1 MiB) holds the panels that stream through.
constexpr int64_t blockBytes = 640 * 1024;
/// The same where a panel of the weights is decoded for each block: that costs as much as ten rows
/// of products, while rows from the L3 cache keep up with these (2 bytes a cycle).
constexpr int64_t decodingBlockBytes = 2048 * 1024;
/// Beyond this a larger block saves next to nothing: the weights are read once per block, and 120
/// rows do 60 operations on each byte of them.
constexpr int64_t mostRows = 120;
/// Tiles multiply eight times as fast as AVX-512 does.
constexpr int64_t mostTileRows = 256;
/// Tasks for each thread: enough to share evenly, and threads are slowed by strangers.
constexpr int64_t tasksPerThread = 8;
/// The same where columns are too few for that and row blocks get shorter than they need be.
constexpr int64_t leastTasksPerThread = 4;
/// Tasks of whole rows have at least as many rows as keep the weights, read once for each task,
/// within the bandwidth of the outer caches (36 rows: 2 bytes a cycle), and three times the tasks,
/// as they cannot be cut further.
constexpr int64_t leastWholeRows = 36, wholeRowFactor = 3;
/// Columns of a chunk, at least: each chunk may copy its rows of x anew, at about 0.15 cycles an
/// element, while the product takes 1/16 to 1/32 cycle for each element and column.
constexpr int64_t leastChunkColumns = 64;
/// Multiplications (about 3 microseconds of them) below which handing out tasks costs more than it
/// gives; a row counts as at least 8, as products of few rows wait for memory.
constexpr int64_t leastParallelWork = 1 << 17;

} // namespace

int64_t linearBlockRows(int64_t blocks, const ProductFormat &format, bool decodes) {
  int64_t bytes = decodes ? decodingBlockBytes : blockBytes;
  int64_t rows = bytes / (blocks * format.rowStride * format.parts * format.rowBytes());
  rows = std::min(rows, format.unit == ProductUnit::tiles ? mostTileRows : mostRows);
  return std::max(format.granule, rows / format.granule * format.granule);
}

LinearGrid emitLinearGrid(FunctionEmitter &f, const LinearSizes &sizes, Value rows,
                          bool wholeRows) {
  LinearGrid grid;
  Value one = f.constant(1);
  Value threads = f.threadCount();
  Value several = f.lessThan(one, threads);
  auto choose = [&](Value condition, Value x, Value y) -> Value {
    return arith::SelectOp::create(f.b, condition, x, y);
  };
  // Threads get equal numbers of tasks, which are equally long.
  auto forAllThreads = [&](Value count) { return f.mul(f.ceilDiv(count, threads), threads); };
  Value wanted = choose(several, f.mul(threads, tasksPerThread), one);

  grid.rowBlocks = f.max(one, f.ceilDiv(rows, f.constant(sizes.maxRows)));
  Value whole; // tasks are row blocks with all of N
  if (wholeRows) {
    whole = arith::AndIOp::create(f.b, several,
                                  f.lessThan(f.mul(wanted, leastWholeRows), f.add(rows, one)));
    Value blocks = f.min(f.div(rows, f.constant(leastWholeRows)), f.mul(wanted, wholeRowFactor));
    grid.rowBlocks = choose(whole, f.max(grid.rowBlocks, blocks), grid.rowBlocks);
  }
  const int64_t most = std::max<int64_t>(
      1, sizes.panels / std::max<int64_t>(1, leastChunkColumns / sizes.panelWidth));
  Value least = f.ceilDiv(f.mul(threads, leastTasksPerThread), f.constant(most));
  grid.rowBlocks = choose(several, f.max(grid.rowBlocks, least), grid.rowBlocks);
  // Where rows alone make enough tasks: an equal number for each thread.
  Value granules = f.max(one, f.ceilDiv(rows, f.constant(sizes.granule)));
  grid.rowBlocks =
      choose(f.lessThan(grid.rowBlocks, wanted), grid.rowBlocks, forAllThreads(grid.rowBlocks));
  grid.rowBlocks = f.min(grid.rowBlocks, granules);

  Value mostForAll = f.mul(f.div(f.constant(most), threads), threads);
  mostForAll = choose(f.lessThan(f.constant(0), mostForAll), mostForAll, f.constant(most));
  Value uneven = f.lessThan(f.constant(0), f.rem(grid.rowBlocks, threads));
  Value chunks = f.ceilDiv(wanted, grid.rowBlocks);
  chunks =
      choose(uneven, f.min(forAllThreads(chunks), mostForAll), f.min(chunks, f.constant(most)));
  if (wholeRows)
    chunks = choose(whole, one, chunks);
  grid.chunks = f.max(one, chunks);

  Value work = f.mul(f.max(rows, f.constant(8)), sizes.outputColumns * sizes.columns);
  grid.parallel = f.lessThan(f.constant(leastParallelWork), work);
  return grid;
}

Part emitRowsOfBlock(FunctionEmitter &f, const LinearSizes &sizes, Value rows, Value rowBlocks,
                     Value block) {
  Value granules = f.ceilDiv(rows, f.constant(sizes.evenRows));
  auto start = [&](Value index) {
    return f.min(rows, f.mul(f.div(f.mul(index, granules), rowBlocks), sizes.evenRows));
  };
  return {start(block), start(f.add(block, 1))};
}

Part emitPanelsOfChunk(FunctionEmitter &f, const LinearSizes &sizes, Value chunks, Value chunk) {
  auto start = [&](Value index) { return f.div(f.mul(index, sizes.panels), chunks); };
  return {start(chunk), start(f.add(chunk, 1))};
}

} // namespace kiln::passes
