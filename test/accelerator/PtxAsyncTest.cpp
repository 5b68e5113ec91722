/// The interpreter's barriers in shared memory, bulk copies and warpgroups: what they do, and what
/// it refuses.
#include "accelerator/PtxBody.h"
#include "standin/ptx/Numbers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

using namespace standin::ptx;
using testing::HasSubstr;

namespace {

void runHopper(Bytes &memory, const std::string &body, unsigned threads = 1,
               bool isReversed = false) {
  runBody(memory, body, threads, 1, 16384, isReversed, "sm_90a");
}
std::string errorOfHopper(const std::string &body, unsigned threads = 1) {
  Bytes memory;
  return errorOf([&] { runHopper(memory, body, threads); });
}

/// `text` without the first `part`, which must be there.
std::string without(std::string text, const std::string &part) {
  std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.erase(at, part.size());
}

/// Thread 0 makes an mbarrier for so many arrivals at byte 4088 of shared memory; %r2 is `tile`.
std::string barrierFor(int arrivals) {
  return fmt::format(R"(
    mov.u32 %r2, tile;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $L_made;
    mbarrier.init.shared::cta.b64 [%r2+4088], {};
    fence.proxy.async.shared::cta;
  $L_made:
    bar.sync 0;)",
                     arrivals);
}
/// Waits for the phase of that parity; `name` is unique.
std::string waitFor(int parity, const std::string &name) {
  return fmt::format(R"(
  $L_{0}:
    mbarrier.try_wait.parity.shared::cta.b64 %p9, [%r2+4088], {1};
    @!%p9 bra $L_{0};)",
                     name, parity);
}

TEST(PtxArrivals, threadsWaitForThePhase) {
  // Warp 1 writes and arrives, in two phases; warp 0 reads.
  const std::string body = barrierFor(32) + R"(
    setp.lt.u32 %p2, %r1, 32;
    mad.lo.s32 %r3, %r1, 4, %r2;
    @%p2 bra $L_reader;
    st.shared.u32 [%r3], %r1;
    mbarrier.arrive.shared::cta.b64 %rd5, [%r2+4088];
  $L_writes:
    mbarrier.test_wait.shared::cta.b64 %p3, [%r2+4088], %rd5;
    @!%p3 bra $L_writes;
    add.s32 %r4, %r1, 100;
    st.shared.u32 [%r3+128], %r4;
    mbarrier.arrive.release.cta.shared::cta.b64 _, [%r2+4088], 1;
    bra $L_end;
  $L_reader:)" + waitFor(0, "first") +
                           R"(
    ld.shared.u32 %r4, [%r3+128];)" +
                           waitFor(1, "second") + R"(
    ld.shared.u32 %r5, [%r3+256];
    mad.wide.u32 %rd2, %r1, 8, %rd1;
    st.global.v2.u32 [%rd2], {%r4, %r5};
  $L_end:)";
  for (bool isReversed : {false, true}) {
    Bytes memory;
    runHopper(memory, body, 64, isReversed);
    for (uint32_t i = 0; i < 32; ++i) {
      EXPECT_EQ(memory.at<uint32_t>(i * 2), 32 + i);
      EXPECT_EQ(memory.at<uint32_t>(i * 2 + 1), 132 + i);
    }
  }
  Bytes memory;
  runHopper(memory, without(body, waitFor(1, "second")), 64);
  EXPECT_EQ(memory.at<uint32_t>(1), 0xFFFFFFFFu); // nobody has written yet
}

TEST(PtxArrivals, mistakesAreRefused) {
  EXPECT_THAT(errorOfHopper(barrierFor(2) + "mbarrier.arrive.shared.b64 _, [%r2+4080];"),
              HasSubstr("no mbarrier was initialised at 4080"));
  EXPECT_THAT(errorOfHopper(barrierFor(2) + "mbarrier.arrive.shared.b64 _, [%r2+4088], 3;"),
              HasSubstr("3 arrivals on an mbarrier that waits for 2"));
  EXPECT_THAT(errorOfHopper(barrierFor(2) + "mbarrier.arrive.shared.b64 _, [%r2+4088];" +
                            waitFor(0, "wait")),
              HasSubstr("waits for threads that do not come"));
  EXPECT_THAT(errorOfHopper("mbarrier.init.shared.b64 [tile], 0;"), HasSubstr("0 arrivals"));
}

/// 64 bytes from the memory's start to `tile`.
const std::string bulkCopy = R"(
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2+4088], 64;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 64, [%r2+4088];)";

TEST(PtxArrivals, bulkCopiesCountTheirBytes) {
  const std::string use = R"(
    ld.shared.u32 %r3, [%r2+60];
    st.global.u32 [%rd1+64], %r3;)";
  for (bool isReversed : {false, true}) {
    Bytes memory;
    memory.put<uint32_t>(15, 77);
    runHopper(memory, barrierFor(1) + bulkCopy + waitFor(0, "wait") + use, 1, isReversed);
    EXPECT_EQ(memory.at<uint32_t>(16), 77u);
  }
  EXPECT_THAT(errorOfHopper(barrierFor(1) + bulkCopy + use + waitFor(0, "wait")),
              HasSubstr("which a bulk copy writes that nobody waited for"));
  EXPECT_THAT(errorOfHopper(barrierFor(1) + bulkCopy), HasSubstr("a bulk copy that nobody waited"));
  EXPECT_THAT(errorOfHopper(without(barrierFor(1), "fence.proxy.async.shared::cta;") + bulkCopy +
                            waitFor(0, "wait")),
              HasSubstr("no fence has shown to the async proxy"));
  // Bytes that nobody expects are missing in the end: the phase does not end.
  std::string more = bulkCopy;
  more.replace(more.find("64;"), 2, "80");
  EXPECT_THAT(errorOfHopper(barrierFor(1) + more + waitFor(0, "wait")),
              HasSubstr("waits for threads that do not come"));
  std::string odd = bulkCopy;
  odd.replace(odd.find("[%rd1]"), 6, "[%rd1+8]");
  EXPECT_THAT(errorOfHopper(barrierFor(1) + odd), HasSubstr("not aligned to 16 bytes"));
}

TEST(PtxArrivals, copiesOfThreadsArrive) {
  Bytes memory;
  for (uint32_t i = 0; i < 128; ++i)
    memory.put<uint32_t>(i, i + 1);
  const std::string body = barrierFor(32) + R"(
    mad.lo.s32 %r3, %r1, 16, %r2;
    mad.wide.u32 %rd2, %r1, 16, %rd1;
    cp.async.cg.shared.global [%r3], [%rd2], 16;
    cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r2+4088];
    ld.shared.u32 %r4, [%r3];)" +
                           waitFor(0, "wait") + R"(
    ld.shared.u32 %r5, [%r3];
    mad.wide.u32 %rd2, %r1, 8, %rd1;
    st.global.v2.u32 [%rd2+512], {%r4, %r5};)";
  runHopper(memory, body, 32);
  for (uint32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(memory.at<uint32_t>(128 + i * 2), 0xFFFFFFFFu);
    EXPECT_EQ(memory.at<uint32_t>(129 + i * 2), i * 4 + 1);
  }
}

TEST(PtxArrivals, oneThreadIsElected) {
  Bytes memory;
  runHopper(memory, R"(
    elect.sync %r3|%p1, -1;
    selp.b32 %r4, 1, 0, %p1;
    mad.wide.u32 %rd2, %r1, 8, %rd1;
    st.global.v2.u32 [%rd2], {%r3, %r4};)",
            32);
  uint32_t leader = memory.at<uint32_t>(0), elected = 0;
  for (uint32_t i = 0; i < 32; ++i) {
    EXPECT_EQ(memory.at<uint32_t>(i * 2), leader);
    EXPECT_EQ(memory.at<uint32_t>(i * 2 + 1), i == leader ? 1u : 0u);
    elected += memory.at<uint32_t>(i * 2 + 1);
  }
  EXPECT_EQ(elected, 1u);
}

/// How a test lays out the operands of wgmma, rows of K: in rows of so many bytes whose chunks of
/// 16 trade places, or (16) in blocks of 8 rows by 16 bytes.
struct Layout {
  int rowBytes;
  int mode; // of the descriptor
  int place(int row, int byte, int rows) const {
    int chunk = byte / 16;
    if (rowBytes == 16) // blocks lie below one another first
      return chunk * rows * 16 + row * 16 + byte % 16;
    // In 128 bytes lie 8 chunks: of one row, two or four.
    int line = row * rowBytes / 128, lineChunk = row * rowBytes % 128 / 16 + chunk;
    int swap = line % 8 & (rowBytes / 16 - 1);
    return line * 128 + (lineChunk ^ swap) * 16 + byte % 16;
  }
  /// From one block of 8 rows to the next, and from one of 16 bytes to the next.
  int stride() const { return rowBytes * 8; }
  int leading(int rows) const { return rowBytes == 16 ? rows * 16 : 16; }
};

constexpr int columns = 16;

int elementOfA(int row, int k) { return row * 3 % 7 - k % 5; }
int elementOfB(int k, int column) { return k % 4 - column * 2 % 3; }

/// A [64, K] at byte 0 and B [16, K] behind it, each row `rowBytes`, copied to dynamic shared
/// memory and multiplied 16 (8) at a time; sums to byte 12288.
std::string product(const Layout &layout, Type type, int k, const std::string &name) {
  const int bytes = bitsOf(type) / 8, bytesOfA = 64 * k * bytes, bytesOfB = columns * k * bytes;
  auto descriptor = [&](const char *to, int offset, int rows) {
    return fmt::format(R"(
    add.u32 %r5, %r3, {1};
    shr.u32 %r5, %r5, 4;
    or.b32 %r5, %r5, {2};
    mov.b64 {0}, {{%r5, {3}}};)",
                       to, offset, layout.leading(rows) / 16 << 16,
                       layout.stride() / 16 | layout.mode << 30);
  };
  std::string text = barrierFor(1) +
                     fmt::format(R"(
    mov.u32 %r3, dynamic;
    @%p1 bra $L_copied;
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2+4088], {0};
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r3], [%rd1], {0}, [%r2+4088];
  $L_copied:)",
                                 bytesOfA + bytesOfB) +
                     waitFor(0, "wait") + "\n    setp.eq.u32 %p3, 0, 0;\n" + R"(
    mov.f32 %f1, 0f3F800000; mov.f32 %f2, %f1; mov.f32 %f3, %f1; mov.f32 %f4, %f1;
    mov.f32 %f5, %f1; mov.f32 %f6, %f1; mov.f32 %f7, %f1; mov.f32 %f8, %f1;
    wgmma.fence.sync.aligned;)";
  const int step = 32 / bytes;
  for (int first = 0; first < k; first += step) {
    int offset = layout.rowBytes == 16 ? first * bytes * 64 : first * bytes;
    int offsetOfB = layout.rowBytes == 16 ? first * bytes * columns : first * bytes;
    text += descriptor("%rd10", offset, 64) + descriptor("%rd11", bytesOfA + offsetOfB, columns) +
            fmt::format(R"(
    wgmma.mma_async.sync.aligned.m64n{0}k{1}.f32.{2}.{2} {{%f1, %f2, %f3, %f4, %f5, %f6, %f7, %f8}}, %rd10, %rd11, %p3, 1, -1{3};)",
                        columns, step, name, bytes == 2 ? ", 0, 0" : "");
  }
  return text + R"(
    wgmma.commit_group.sync.aligned;
    wgmma.wait_group.sync.aligned 0;
    shr.u32 %r6, %r1, 5;
    bfe.u32 %r7, %r1, 2, 3;
    mad.lo.s32 %r6, %r6, 16, %r7;
    and.b32 %r7, %r1, 3;
    shl.b32 %r6, %r6, 6;
    mad.lo.s32 %r6, %r7, 8, %r6;
    cvt.u64.u32 %rd5, %r6;
    add.s64 %rd5, %rd5, %rd1;
    st.global.v2.f32 [%rd5+12288], {%f1, %f2};
    st.global.v2.f32 [%rd5+12800], {%f3, %f4};
    st.global.v2.f32 [%rd5+12320], {%f5, %f6};
    st.global.v2.f32 [%rd5+12832], {%f7, %f8};)";
}

void fillOperands(Bytes &memory, const Layout &layout, Type type, int k) {
  const int bytes = bitsOf(type) / 8;
  auto put = [&](int at, int value) {
    uint64_t bits = fromDouble(value, type == Type::tf32 ? Type::f32 : type);
    std::memcpy(memory.bytes.data() + at, &bits, static_cast<std::size_t>(bytes));
  };
  for (int e = 0; e < k; ++e) {
    for (int row = 0; row < 64; ++row)
      put(layout.place(row, e * bytes, 64), elementOfA(row, e));
    for (int column = 0; column < columns; ++column)
      put(64 * k * bytes + layout.place(column, e * bytes, columns), elementOfB(e, column));
  }
}

TEST(PtxWarpgroup, multipliesInEveryLayout) {
  for (auto [name, type] :
       {std::pair("bf16", Type::bf16), {"f16", Type::f16}, {"tf32", Type::tf32}})
    for (const Layout &layout : {Layout{16, 0}, {32, 3}, {64, 2}, {128, 1}})
      for (bool isReversed : {false, true}) {
        const int bytes = bitsOf(type) / 8,
                  k = layout.rowBytes == 16 ? 64 / bytes : layout.rowBytes / bytes;
        Bytes memory;
        fillOperands(memory, layout, type, k);
        runHopper(memory, product(layout, type, k, name), 128, isReversed);
        for (int row = 0; row < 64; ++row)
          for (int column = 0; column < columns; ++column) {
            int sum = 1;
            for (int e = 0; e < k; ++e)
              sum -= elementOfA(row, e) * elementOfB(e, column);
            ASSERT_EQ(memory.at<float>(static_cast<std::size_t>(3072 + row * columns + column)),
                      static_cast<float>(sum))
                << name << " rows of " << layout.rowBytes << " [" << row << ", " << column << "]";
          }
      }
}

TEST(PtxWarpgroup, mistakesAreRefused) {
  const std::string good = product({128, 1}, Type::bf16, 64, "bf16");
  EXPECT_EQ(errorOfHopper(good, 128), "");
  EXPECT_THAT(errorOfHopper(good, 64), HasSubstr("waits for threads that do not come"));
  EXPECT_THAT(errorOfHopper(without(good, "wgmma.fence.sync.aligned;"), 128),
              HasSubstr("no wgmma.fence"));
  EXPECT_THAT(errorOfHopper(without(good, "wgmma.wait_group.sync.aligned 0;"), 128),
              HasSubstr("a wgmma that nobody waited for"));
  EXPECT_THAT(errorOfHopper(without(good, "wgmma.commit_group.sync.aligned;"), 128),
              HasSubstr("a wgmma that nobody waited for"));
  EXPECT_THAT(errorOfHopper(without(good, waitFor(0, "wait")), 128),
              HasSubstr("which a bulk copy writes that nobody waited for"));
  auto with = [&](const std::string &before, const std::string &more) {
    std::string text = good;
    return text.insert(text.find(before), more);
  };
  // Ordinary stores need a fence of the thread that made them.
  EXPECT_THAT(errorOfHopper(with("wgmma.fence", "st.shared.u32 [%r3+16], %r1; bar.sync 0;\n"), 128),
              HasSubstr("without a fence.proxy.async"));
  EXPECT_EQ(errorOfHopper(with("wgmma.fence", "st.shared.u32 [%r3+16], 0; "
                                              "fence.proxy.async.shared::cta; bar.sync 0;\n"),
                          128),
            "");
  // Neither operands nor sums may be written before they were waited for.
  EXPECT_THAT(errorOfHopper(with("wgmma.wait_group", "st.shared.u32 [%r3+16], 0;\n"), 128),
              HasSubstr("which a wgmma reads that was not waited for"));
  EXPECT_THAT(errorOfHopper(with("wgmma.wait_group", "mov.f32 %f3, 0f0;\n"), 128),
              HasSubstr("a sum in flight was written"));
  EXPECT_THAT(errorOfHopper(with("wgmma.fence", "add.u32 %r3, %r3, 0x8000;\n"), 128),
              HasSubstr("behind the end of shared memory"));
  Bytes memory;
  EXPECT_THAT(errorOf([&] { runBody(memory, good, 128, 1, 16384, false, "sm_90"); }),
              HasSubstr("an instruction of sm_90a in a module for sm_90"));
}

TEST(PtxWarpgroup, registersMoveBetweenWarpgroups) {
  // 512 threads have 128 each.
  const std::string body = R"(
    setp.ge.u32 %p1, %r1, 256;
    @%p1 bra $L_more;
    setmaxnreg.dec.sync.aligned.u32 40;
    bra $L_end;
  $L_more:
    setmaxnreg.inc.sync.aligned.u32 216;
  $L_end:)";
  EXPECT_EQ(errorOfHopper(body, 512), "");
  EXPECT_THAT(errorOfHopper(without(body, "setmaxnreg.dec.sync.aligned.u32 40;"), 512),
              HasSubstr("waits for threads that do not come"));
  EXPECT_THAT(errorOfHopper("setmaxnreg.dec.sync.aligned.u32 44;", 128), HasSubstr("44 registers"));
  EXPECT_THAT(errorOfHopper("setmaxnreg.inc.sync.aligned.u32 64;", 512),
              HasSubstr("64 registers, and there are 128"));
}

} // namespace
