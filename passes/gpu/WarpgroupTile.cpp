#include "passes/gpu/WarpgroupTile.h"

#include "passes/gpu/AsyncOps.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr int64_t warp = 32, warpgroup = 128;
/// wgmma's pattern of 8 rows of 128 bytes begins at a multiple of its size.
constexpr int64_t patternBytes = 1024;
/// Stages that are being copied when a thread says that one before them has arrived: cp.async is
/// waited for, and fenced, by the thread that copied.
constexpr int64_t behindCopies = 2;
/// Of a multiprocessor's 65,536 registers: for each thread that copies, or computes what lies
/// behind x, and for each that multiplies (128 of them are sums).
constexpr int64_t copyRegisters = 104, multiplyRegisters = 200;
constexpr int64_t kOfInstruction = 16;

} // namespace

/// Where the stages and their barriers lie.
struct WarpgroupTile::Ring {
  Value base;
  Value stage(FunctionEmitter &f, Value number) const {
    return device::sharedOffset(f, base, f.mul(number, stageBytes));
  }
  Value arrived(FunctionEmitter &f, Value number) const { // at the stage
    return device::sharedOffset(f, base, f.add(f.mul(number, 8), stages * stageBytes));
  }
  Value isRead(FunctionEmitter &f, Value number) const {
    return device::sharedOffset(f, base, f.add(f.mul(number, 8), stages * (stageBytes + 8)));
  }
};

Value WarpgroupTile::tileOf(FunctionEmitter &f, Value block, Value tall, int64_t wide) {
  // Bands of so many tiles above each other, each band column by column.
  constexpr int64_t band = 16;
  Value bandTiles = f.constant(band * wide);
  Value first = f.mul(f.div(block, bandTiles), band);
  Value height = f.min(f.sub(tall, first), f.constant(band));
  Value inBand = f.rem(block, bandTiles);
  Value row = f.add(first, f.rem(inBand, height));
  return f.add(f.mul(f.div(inBand, height), tall), row);
}

int64_t WarpgroupTile::sharedBytes() const {
  const int64_t used = stages * (stageBytes + 16);
  static_assert(shape.rows * (shape.columns + 8) * 4 <= stages * stageBytes, "results fit");
  return used + patternBytes; // the base is rounded up
}

void WarpgroupTile::emit(FunctionEmitter &f, llvm::function_ref<TileOperand()> x, ValueRange weights,
                         int64_t steps, llvm::function_ref<void(Value, Value)> behind) const {
  Value thread = device::threadId(f);
  Value dynamic = device::dynamicShared(f);
  Value address = arith::ExtUIOp::create(f.b, f.i64(), device::sharedAddress(f, dynamic));
  Value over = f.rem(address, f.constant(patternBytes));
  Value toPattern = f.rem(f.sub(f.constant(patternBytes), over), f.constant(patternBytes));
  Ring ring{device::sharedOffset(f, dynamic, toPattern)};
  f.ifThen(f.equal(thread, f.constant(0)), [&] {
    for (int64_t stage = 0; stage < stages; ++stage) {
      // What announces the bulk copies, and each warp that copies; each warp that multiplies.
      device::initArrivals(f, ring.arrived(f, f.constant(stage)), 1 + copyThreads / warp);
      device::initArrivals(f, ring.isRead(f, f.constant(stage)), shape.threads() / warp);
    }
    device::fenceAsync(f);
  });
  device::barrier(f);
  f.ifThen(
      f.lessThan(thread, f.constant(copyThreads)),
      [&] {
        device::setRegisters(f, copyRegisters, /*isMore=*/false);
        emitCopies(f, ring, thread, x(), weights, steps);
      },
      [&] {
        device::setRegisters(f, multiplyRegisters, /*isMore=*/true);
        Value number = f.sub(thread, f.constant(copyThreads));
        Value sums = emitProducts(f, ring, number, steps);
        constexpr int64_t barrierOfResults = 1;
        device::syncSome(f, barrierOfResults, shape.threads()); // all have read the stages
        store(f, number, sums, ring.base);
        device::syncSome(f, barrierOfResults, shape.threads());
        behind(number, ring.base);
      });
}

void WarpgroupTile::emitCopies(FunctionEmitter &f, const Ring &ring, Value thread,
                               const TileOperand &x, ValueRange weights, int64_t steps) const {
  constexpr int64_t chunks = rowBytes / ProductTile::chunkBytes, rowsAtOnce = copyThreads / chunks;
  auto number = [&](int64_t value) { return f.constant(value); };
  Value chunk = f.rem(thread, number(chunks)), firstRow = f.div(thread, number(chunks));
  // Rows that are `rowsAtOnce` apart trade chunks alike.
  Value place = arith::XOrIOp::create(f.b, chunk, f.rem(firstRow, number(chunks)));
  Value offset = f.add(f.mul(firstRow, rowBytes), f.mul(place, ProductTile::chunkBytes));
  SmallVector<SmallVector<Value>> prepared;
  for (int64_t row = 0; row < shape.rows; row += rowsAtOnce)
    prepared.push_back(x.prepare(f.add(firstRow, row)));
  Value isFirst = f.equal(thread, number(0)),
        isLeader = f.equal(f.rem(thread, number(warp)), number(0));
  f.loop(number(0), number(steps + behindCopies), number(1), [&](Value step) {
    f.ifThen(f.lessThan(step, number(steps)), [&] {
      Value stage = f.rem(step, number(stages));
      Value parity = f.rem(f.add(f.div(step, number(stages)), 1), number(2));
      device::waitForPhase(f, ring.isRead(f, stage), parity);
      Value to = ring.stage(f, stage);
      f.ifThen(isFirst, [&] {
        Value arrived = ring.arrived(f, stage);
        device::arriveAndExpect(f, arrived, weightBytes);
        const int64_t bytes = weightBytes / static_cast<int64_t>(weights.size());
        for (auto [i, weight] : llvm::enumerate(weights))
          device::copyBulk(f, device::sharedOffset(f, to, number(xBytes + i * bytes)),
                           f.offsetBytes(weight, f.mul(step, weightBytes)), bytes, arrived);
      });
      Value column = f.mul(f.add(f.mul(step, chunks), chunk), depth / chunks);
      for (auto [i, row] : llvm::enumerate(prepared))
        x.load(row, column, device::sharedOffset(f, to, f.add(offset, i * rowsAtOnce * rowBytes)));
    });
    device::commitCopies(f);
    device::waitForCopies(f, behindCopies);
    device::fenceAsync(f);
    device::syncWarp(f);
    Value copied = f.sub(step, number(behindCopies));
    Value isCopied = f.lessThan(number(-1), copied);
    f.ifThen(arith::AndIOp::create(f.b, isLeader, isCopied),
             [&] { device::arrive(f, ring.arrived(f, f.rem(copied, number(stages)))); });
  });
}

/// One piece of PTX, since nothing else may touch the sums while they are in flight: a wgmma of the
/// next stage is begun before that of the last one is waited for.
Value WarpgroupTile::emitProducts(FunctionEmitter &f, const Ring &ring, Value thread,
                                  int64_t steps) const {
  constexpr int64_t sums = 64 * shape.columns / warpgroup;
  const std::string type = dtype == DType::bfloat16 ? "bf16" : "f16";
  std::string registers;
  for (int64_t i = 0; i < sums; ++i)
    registers += (i ? ", $" : "$") + std::to_string(i);
  auto operand = [&](int64_t i) { return "$" + std::to_string(sums + i); };
  const std::string x = operand(0), weights = operand(1), barriers = operand(2),
                    leader = operand(3);
  std::string text = "{\n"
                     ".reg .pred ended, adds, more, releases;\n"
                     ".reg .b32 step, stage, parity, arrived, before;\n"
                     ".reg .b64 a, b;\n"
                     "mov.b32 step, 0;\nmov.b32 stage, 0;\nmov.b32 parity, 0;\n"
                     "mov.b32 before, 0;\n"
                     "KILN_STEP_${:uid}:\n"
                     "mad.lo.s32 arrived, stage, 8, " +
                     barriers +
                     ";\n"
                     "KILN_ARRIVED_${:uid}:\n"
                     "mbarrier.try_wait.parity.shared::cta.b64 ended, [arrived], parity;\n"
                     "@!ended bra KILN_ARRIVED_${:uid};\n";
  // Descriptors count in 16 bytes.
  auto stageOf = [&](const char *name, const std::string &first) {
    return std::string("mad.wide.u32 ") + name + ", stage, " + std::to_string(stageBytes / 16) +
           ", " + first + ";\n";
  };
  text += stageOf("a", x) + stageOf("b", weights);
  text += "setp.ne.b32 adds, step, 0;\nsetp.ne.b32 releases, " + leader +
          ", 0;\nand.pred releases, releases, adds;\nwgmma.fence.sync.aligned;\n";
  const std::string instruction = "wgmma.mma_async.sync.aligned.m64n" +
                                  std::to_string(shape.columns) + "k" +
                                  std::to_string(kOfInstruction) + ".f32." + type + "." + type;
  constexpr int64_t bytesOfInstruction = kOfInstruction * 2;
  for (int64_t at = 0; at < rowBytes; at += bytesOfInstruction) {
    if (at == bytesOfInstruction)
      text += "setp.eq.b32 adds, step, step;\n";
    if (at)
      for (const char *name : {"a", "b"})
        text += std::string("add.s64 ") + name + ", " + name + ", " +
                std::to_string(bytesOfInstruction / 16) + ";\n";
    text += instruction + " {" + registers + "}, a, b, adds, 1, 1, 0, 0;\n";
  }
  text += "wgmma.commit_group.sync.aligned;\n"
          "wgmma.wait_group.sync.aligned 1;\n" // of the stage before
          "@releases mbarrier.arrive.shared::cta.b64 _, [before];\n"
          "add.s32 before, arrived, " +
          std::to_string(stages * 8) +
          ";\n"
          "add.s32 stage, stage, 1;\n"
          "setp.eq.s32 more, stage, " +
          std::to_string(stages) +
          ";\n"
          "@more mov.b32 stage, 0;\n"
          "@more xor.b32 parity, parity, 1;\n"
          "add.s32 step, step, 1;\n"
          "setp.lt.s32 more, step, " +
          std::to_string(steps) +
          ";\n"
          "@more bra KILN_STEP_${:uid};\n"
          "wgmma.wait_group.sync.aligned 0;\n}";

  std::string constraints;
  for (int64_t i = 0; i < sums; ++i)
    constraints += "=&f,";
  constraints += "l,l,r,r,~{memory}";
  Value first = ring.stage(f, f.constant(0));
  Value half = f.mul(f.div(thread, f.constant(warpgroup)), 64 * rowBytes);
  Value isLeader = arith::ExtUIOp::create(f.b, f.b.getI32Type(),
                                          f.equal(f.rem(thread, f.constant(warp)), f.constant(0)));
  Value descriptorOfX = device::matrixDescriptor(f, device::sharedOffset(f, first, half));
  Value descriptorOfWeights =
      device::matrixDescriptor(f, device::sharedOffset(f, first, f.constant(xBytes)));
  Value arrived = device::sharedAddress(f, ring.arrived(f, f.constant(0)));
  Type result =
      LLVM::LLVMStructType::getLiteral(f.b.getContext(), SmallVector<Type>(sums, f.f32()));
  return device::inlinePtx(f, text, constraints,
                           {descriptorOfX, descriptorOfWeights, arrived, isLeader}, result);
}

void WarpgroupTile::store(FunctionEmitter &f, Value thread, Value sums, Value shared) const {
  const int64_t stride = ProductTile({dtype}, shape).resultStride();
  auto number = [&](int64_t value) { return f.constant(value); };
  // Warps have 16 rows each; of them threads 4 i to 4 i + 3 have rows i and i + 8.
  Value lane = f.rem(thread, number(warp));
  Value row = f.add(f.mul(f.div(thread, number(warp)), 16), f.div(lane, number(4)));
  Value column = f.mul(f.rem(lane, number(4)), 2);
  Value first = f.add(f.mul(row, stride), column);
  auto pair = VectorType::get({2}, f.f32());
  auto sum = [&](int64_t i) -> Value { return LLVM::ExtractValueOp::create(f.b, sums, i); };
  for (int64_t n = 0; n < shape.columns / 8; ++n)
    for (int64_t half = 0; half < 2; ++half) { // rows 8 apart
      const int64_t at = half * 8 * stride + n * 8, i = n * 4 + half * 2;
      Value two = vector::FromElementsOp::create(f.b, pair, ValueRange{sum(i), sum(i + 1)});
      f.store(two, device::sharedOffset(f, shared, f.mul(f.add(first, at), 4)));
    }
}

} // namespace kiln::passes
