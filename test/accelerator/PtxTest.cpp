#include "accelerator/PtxBody.h"
#include "standin/ptx/Numbers.h"

#include <bit>

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace standin::ptx;

namespace {

/// The 32 bits that `body` leaves in %r2, of one thread.
uint32_t resultOf(const std::string &body) {
  Bytes memory;
  runBody(memory, body + "\n st.global.u32 [%rd1], %r2;");
  return memory.at<uint32_t>(0);
}
uint64_t result64Of(const std::string &body) {
  Bytes memory;
  runBody(memory, body + "\n st.global.u64 [%rd1], %rd2;");
  return memory.at<uint64_t>(0);
}
uint32_t bitsOfFloat(float value) { return std::bit_cast<uint32_t>(value); }

TEST(Ptx, integers) {
  EXPECT_EQ(resultOf("add.s32 %r2, 5, -7;"), static_cast<uint32_t>(-2));
  EXPECT_EQ(resultOf("mul.lo.u32 %r2, 0x10001, 0x10001;"), 0x20001u);
  EXPECT_EQ(resultOf("mul.hi.s32 %r2, -2, 3;"), 0xFFFFFFFFu);
  EXPECT_EQ(resultOf("mul.hi.u32 %r2, 0xFFFFFFFE, 3;"), 2u);
  EXPECT_EQ(resultOf("mad.lo.s32 %r2, 7, 6, -1;"), 41u);
  EXPECT_EQ(resultOf("div.s32 %r2, -7, 2;"), static_cast<uint32_t>(-3));
  EXPECT_EQ(resultOf("rem.s32 %r2, -7, 2;"), static_cast<uint32_t>(-1));
  EXPECT_EQ(resultOf("div.u32 %r2, 0xFFFFFFF9, 2;"), 0x7FFFFFFCu);
  EXPECT_EQ(resultOf("min.s32 %r2, -1, 1;"), 0xFFFFFFFFu);
  EXPECT_EQ(resultOf("min.u32 %r2, -1, 1;"), 1u);
  EXPECT_EQ(resultOf("shr.s32 %r2, -8, 1;"), static_cast<uint32_t>(-4));
  EXPECT_EQ(resultOf("shr.u32 %r2, -8, 40;"), 0u);
  EXPECT_EQ(resultOf("shl.b32 %r2, 1, 31;"), 0x80000000u);
  EXPECT_EQ(resultOf("shf.l.wrap.b32 %r2, 0x80000000, 1, 33;"), 3u);
  EXPECT_EQ(resultOf("bfe.u32 %r2, 0xABCD, 4, 8;"), 0xBCu);
  EXPECT_EQ(resultOf("bfe.s32 %r2, 0xABCD, 8, 8;"), 0xFFFFFFABu);
  EXPECT_EQ(resultOf("prmt.b32 %r2, 0x33221100, 0x77665544, 0x5410;"), 0x55441100u);
  EXPECT_EQ(resultOf("prmt.b32 %r2, 0x80, 0, 0x8;"), 0x808080FFu);
  EXPECT_EQ(resultOf("lop3.b32 %r2, 0xF0, 0xCC, 0xAA, 0x80;"), 0x80u);
  EXPECT_EQ(resultOf("popc.b32 %r2, 0xF0F0;"), 8u);
  EXPECT_EQ(resultOf("clz.b32 %r2, 1;"), 31u);
  EXPECT_EQ(result64Of("mul.wide.s32 %rd2, -2, 3;"), static_cast<uint64_t>(-6));
  EXPECT_EQ(result64Of("mad.wide.u32 %rd2, 0xFFFFFFFF, 2, 1;"), 0x1FFFFFFFFull);
  EXPECT_EQ(result64Of("mul.hi.u64 %rd2, -1, 2;"), 1u);
  EXPECT_EQ(result64Of("cvt.s64.s32 %rd2, -5;"), static_cast<uint64_t>(-5));
  EXPECT_EQ(result64Of("cvt.u64.u32 %rd2, -5;"), 0xFFFFFFFBull);
  EXPECT_EQ(resultOf("cvt.sat.s8.s32 %r2, 300;"), 127u);
}

TEST(Ptx, floats) {
  EXPECT_EQ(resultOf("add.rn.f32 %f1, 0f3F800000, 0f33800000; mov.b32 %r2, %f1;"),
            bitsOfFloat(1.0f)); // 1 + 2^-24: to even
  EXPECT_EQ(resultOf("add.rp.f32 %f1, 0f3F800000, 0f33800000; mov.b32 %r2, %f1;"), 0x3F800001u);
  // (1 + 2^-12)^2 - 1 - 2^-11 = 2^-24, which separate rounding loses
  EXPECT_EQ(resultOf("fma.rn.f32 %f1, 0f3F800800, 0f3F800800, 0fBF801000; mov.b32 %r2, %f1;"),
            bitsOfFloat(0x1p-24f));
  EXPECT_EQ(resultOf("div.rn.f32 %f1, 0f3F800000, 0f40400000; mov.b32 %r2, %f1;"),
            bitsOfFloat(1.0f / 3));
  EXPECT_EQ(resultOf("max.f32 %f1, 0f7FC00000, 0f3F800000; mov.b32 %r2, %f1;"), bitsOfFloat(1));
  EXPECT_EQ(resultOf("max.NaN.f32 %f1, 0f7FC00000, 0f3F800000; mov.b32 %r2, %f1;"), 0x7FFFFFFFu);
  EXPECT_EQ(resultOf("min.f32 %f1, 0f00000000, 0f80000000; mov.b32 %r2, %f1;"), 0x80000000u);
  EXPECT_EQ(resultOf("mul.ftz.f32 %f1, 0f00800000, 0f3F000000; mov.b32 %r2, %f1;"), 0u);
  EXPECT_EQ(resultOf("ex2.approx.f32 %f1, 0f40400000; mov.b32 %r2, %f1;"), bitsOfFloat(8));
  EXPECT_EQ(resultOf("copysign.f32 %f1, 0f80000000, 0f40400000; mov.b32 %r2, %f1;"),
            bitsOfFloat(-3));
  EXPECT_EQ(resultOf("neg.f32 %f1, 0f7FC00000; mov.b32 %r2, %f1;"), 0xFFC00000u);
}

TEST(Ptx, conversions) {
  EXPECT_EQ(resultOf("cvt.rni.s32.f32 %r2, 0f40200000;"), 2u); // 2.5
  EXPECT_EQ(resultOf("cvt.rzi.s32.f32 %r2, 0fC0200000;"), static_cast<uint32_t>(-2));
  EXPECT_EQ(resultOf("cvt.rmi.s32.f32 %r2, 0fC0200000;"), static_cast<uint32_t>(-3));
  EXPECT_EQ(resultOf("cvt.rzi.s32.f32 %r2, 0f7FC00000;"), 0u);
  EXPECT_EQ(resultOf("cvt.rzi.u32.f32 %r2, 0fBF800000;"), 0u);
  EXPECT_EQ(resultOf("cvt.rzi.s32.f32 %r2, 0f7F800000;"), 0x7FFFFFFFu);
  EXPECT_EQ(result64Of("cvt.rzi.s64.f32 %rd2, 0f7FC00000;"), uint64_t{1} << 63);
  EXPECT_EQ(resultOf("cvt.rn.f32.s32 %f1, 16777217; mov.b32 %r2, %f1;"), bitsOfFloat(16777216));
  EXPECT_EQ(resultOf("cvt.rni.f32.f32 %f1, 0f40600000; mov.b32 %r2, %f1;"), bitsOfFloat(4));
  // halves: ties to even, the first source above
  EXPECT_EQ(resultOf("cvt.rn.bf16x2.f32 %r2, 0f3F808000, 0f3F818000;"), 0x3F803F82u);
  EXPECT_EQ(resultOf("cvt.rn.f16x2.f32 %r2, 0f3F800000, 0f477FF000;"), 0x3C007C00u);
  EXPECT_EQ(resultOf("cvt.rn.f16.f32 %rs1, 0f33000001; cvt.u32.u16 %r2, %rs1;"), 1u);
  EXPECT_EQ(resultOf("mov.b16 %rs1, 0x3C00; cvt.f32.f16 %f1, %rs1; mov.b32 %r2, %f1;"),
            bitsOfFloat(1));
  EXPECT_EQ(resultOf("cvt.rna.tf32.f32 %r2, 0f3F801000;"), 0x3F802000u);
  EXPECT_EQ(resultOf("mov.b32 %r3, 0x3F803F80; fma.rn.bf16x2 %r2, %r3, %r3, %r3;"), 0x40004000u);
}

TEST(Ptx, predicatesAndBranches) {
  Bytes memory;
  runBody(memory, R"(
    setp.lt.s32 %p1|%p2, %r1, 2;
    selp.b32 %r2, 10, 20, %p1;
    @%p2 add.s32 %r2, %r2, 1;
    setp.eq.or.u32 %p3, %r1, 3, %p1;
    @!%p3 bra $L_end;
    add.s32 %r2, %r2, 100;
  $L_end:
    mad.wide.u32 %rd2, %r1, 4, %rd1;
    st.global.u32 [%rd2], %r2;)",
          4);
  EXPECT_EQ(memory.at<uint32_t>(0), 110u);
  EXPECT_EQ(memory.at<uint32_t>(1), 110u);
  EXPECT_EQ(memory.at<uint32_t>(2), 21u);
  EXPECT_EQ(memory.at<uint32_t>(3), 121u);
  EXPECT_EQ(resultOf("setp.ltu.f32 %p1, 0f7FC00000, 0f0; selp.b32 %r2, 1, 0, %p1;"), 1u);
  EXPECT_EQ(resultOf("setp.lt.f32 %p1, 0f7FC00000, 0f0; selp.b32 %r2, 1, 0, %p1;"), 0u);
  EXPECT_EQ(resultOf("setp.nan.f32 %p1, 0f7FC00000, 0f0; not.pred %p2, %p1; selp.b32 %r2, 1, 0, "
                     "%p2;"),
            0u);
}

TEST(Ptx, memoryAndVectors) {
  Bytes memory;
  for (int i = 0; i < 8; ++i)
    memory.put<uint32_t>(static_cast<std::size_t>(i), static_cast<uint32_t>(i + 1));
  runBody(memory, R"(
    ld.global.nc.v4.u32 {%r2, %r3, %r4, %r5}, [%rd1+16];
    st.global.v2.u32 [%rd1+32], {%r5, %r2};
    mov.b32 %r6, 0x00810002;
    mov.b32 {%rs1, %rs2}, %r6;
    st.global.u16 [%rd1+40], %rs2;
    st.global.u16 [%rd1+42], %rs1;
    ld.global.s8 %r7, [%rd1+40];
    st.global.u32 [%rd1+44], %r7;
    { .reg .b32 inner; mov.u32 inner, 9; st.global.u32 [%rd1+48], inner; })");
  EXPECT_EQ(memory.at<uint32_t>(8), 8u);
  EXPECT_EQ(memory.at<uint32_t>(9), 5u);
  EXPECT_EQ(memory.at<uint32_t>(10), 0x00020081u);
  EXPECT_EQ(memory.at<uint32_t>(11), 0xFFFFFF81u);
  EXPECT_EQ(memory.at<uint32_t>(12), 9u);
}

TEST(Ptx, barriersMakeSharedMemoryVisible) {
  std::string body = R"(
    mov.u32 %r2, tile;
    mad.lo.s32 %r3, %r1, 4, %r2;
    st.shared.u32 [%r3], %r1;
    bar.sync 0;
    sub.s32 %r4, 63, %r1;
    mad.lo.s32 %r3, %r4, 4, %r2;
    ld.shared.u32 %r5, [%r3];
    mad.wide.u32 %rd2, %r1, 4, %rd1;
    st.global.u32 [%rd2], %r5;)";
  for (bool isReversed : {false, true}) {
    Bytes memory;
    runBody(memory, body, 64, 1, 0, isReversed);
    for (uint32_t i = 0; i < 64; ++i)
      EXPECT_EQ(memory.at<uint32_t>(i), 63 - i);
  }
  // Without the barrier a thread reads what nobody has written.
  body.erase(body.find("bar.sync 0;"), 11);
  Bytes memory;
  runBody(memory, body, 64);
  EXPECT_EQ(memory.at<uint32_t>(0), 0xFFFFFFFFu);
}

TEST(Ptx, dynamicSharedMemoryLiesBehindTheStatic) {
  Bytes memory;
  runBody(memory, R"(
    mov.u32 %r2, dynamic;
    st.global.u32 [%rd1], %r2;
    st.shared.u32 [%r2+12], 5;
    cvt.u64.u32 %rd2, %r2;
    cvta.shared.u64 %rd3, %rd2;
    ld.u32 %r3, [%rd3+12];
    st.global.u32 [%rd1+4], %r3;)",
          1, 1, 16);
  EXPECT_EQ(memory.at<uint32_t>(0), 4096u);
  EXPECT_EQ(memory.at<uint32_t>(1), 5u);
}

TEST(Ptx, shufflesAndVotes) {
  Bytes memory;
  runBody(memory, R"(
    shfl.sync.bfly.b32 %r2|%p1, %r1, 1, 31, -1;
    shfl.sync.down.b32 %r3|%p2, %r1, 16, 31, -1;
    shfl.sync.up.b32 %r4, %r1, 1, 0, -1;
    shfl.sync.idx.b32 %r5, %r1, 3, 0x181F, -1;
    setp.lt.u32 %p3, %r1, 5;
    vote.sync.ballot.b32 %r6, %p3, -1;
    redux.sync.add.s32 %r7, %r1, -1;
    mad.wide.u32 %rd2, %r1, 32, %rd1;
    st.global.v4.u32 [%rd2], {%r2, %r3, %r4, %r5};
    st.global.v2.u32 [%rd2+16], {%r6, %r7};)",
          32);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(memory.at<uint32_t>(lane * 8), lane ^ 1);
    EXPECT_EQ(memory.at<uint32_t>(lane * 8 + 1), lane < 16 ? lane + 16 : lane);
    EXPECT_EQ(memory.at<uint32_t>(lane * 8 + 2), lane ? lane - 1 : 0);
    EXPECT_EQ(memory.at<uint32_t>(lane * 8 + 3), (lane & 24) + 3); // in groups of eight
    EXPECT_EQ(memory.at<uint32_t>(lane * 8 + 4), 31u);
    EXPECT_EQ(memory.at<uint32_t>(lane * 8 + 5), 496u);
  }
}

TEST(Ptx, atomicsAndLocks) {
  Bytes memory;
  memory.put<uint32_t>(0, 0);
  memory.put<uint32_t>(1, 0);
  memory.put<uint32_t>(2, 99);
  runBody(memory, R"(
  $L_try:
    atom.global.cas.b32 %r2, [%rd1], 0, 1;
    setp.ne.s32 %p1, %r2, 0;
    @%p1 bra $L_try;
    ld.global.u32 %r3, [%rd1+4];
    add.s32 %r3, %r3, %r1;
    st.global.u32 [%rd1+4], %r3;
    membar.gl;
    atom.global.exch.b32 %r2, [%rd1], 0;
    red.global.min.u32 [%rd1+8], %r1;)",
          64, 2);
  EXPECT_EQ(memory.at<uint32_t>(1), 2u * 63 * 64 / 2);
  EXPECT_EQ(memory.at<uint32_t>(2), 0u);
}

TEST(Ptx, asynchronousCopiesArriveWhenTheyAreWaitedFor) {
  Bytes memory;
  for (std::size_t i = 0; i < 8; ++i)
    memory.put<uint32_t>(i, static_cast<uint32_t>(i + 1));
  runBody(memory, R"(
    mov.u32 %r2, tile;
    cp.async.cg.shared.global [%r2], [%rd1], 16;
    cp.async.commit_group;
    cp.async.ca.shared.global [%r2+16], [%rd1+16], 16, 8;
    cp.async.commit_group;
    ld.shared.u32 %r3, [%r2];
    cp.async.wait_group 1;
    ld.shared.u32 %r4, [%r2];
    ld.shared.u32 %r5, [%r2+16];
    cp.async.wait_group 0;
    ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [%r2+16];
    st.global.v4.u32 [%rd1+64], {%r3, %r4, %r5, %r6};
    st.global.v4.u32 [%rd1+80], {%r7, %r8, %r9, %r9};)");
  EXPECT_EQ(memory.at<uint32_t>(16), 0xFFFFFFFFu);
  EXPECT_EQ(memory.at<uint32_t>(17), 1u);
  EXPECT_EQ(memory.at<uint32_t>(18), 0xFFFFFFFFu);
  EXPECT_EQ(memory.at<uint32_t>(19), 5u);
  EXPECT_EQ(memory.at<uint32_t>(20), 6u);
  EXPECT_EQ(memory.at<uint32_t>(21), 0u); // beyond the 8 bytes
}

/// What a warp computes of A [16, k] and B [k, 8] in memory, by ldmatrix and mma, as kernels do it.
TEST(Ptx, matricesOfHalves) {
  for (const char *type : {"f16", "bf16"})
    for (bool isTransposed : {false, true}) {
      Bytes memory;
      Type element = typeNamed(type);
      auto a = [](int row, int column) { return row * 3 % 7 - column % 5; };
      auto b = [](int row, int column) { return row % 4 - column * 2 % 3; };
      for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 16; ++column)
          memory.put<uint16_t>(static_cast<std::size_t>(row * 16 + column),
                               static_cast<uint16_t>(fromDouble(a(row, column), element)));
      // B at byte 512: rows of 8 (transposed when loaded), or its transpose [8, 16]
      for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column)
          memory.put<uint16_t>(
              static_cast<std::size_t>(256 + (isTransposed ? row * 8 + column : column * 16 + row)),
              static_cast<uint16_t>(fromDouble(b(row, column), element)));
      runBody(memory,
              fmt::format(R"(
    mov.u32 %r2, tile;
    mad.lo.s32 %r3, %r1, 16, %r2;
    mad.wide.u32 %rd2, %r1, 16, %rd1;
    ld.global.v4.u32 {{%r10, %r11, %r12, %r13}}, [%rd2];
    st.shared.v4.u32 [%r3], {{%r10, %r11, %r12, %r13}};
    ld.global.v4.u32 {{%r10, %r11, %r12, %r13}}, [%rd2+512];
    st.shared.v4.u32 [%r3+512], {{%r10, %r11, %r12, %r13}};
    bar.sync 0;
    and.b32 %r4, %r1, 15;
    shr.u32 %r5, %r1, 4;
    mad.lo.s32 %r6, %r4, 32, %r2;
    mad.lo.s32 %r6, %r5, 16, %r6;
    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%r20, %r21, %r22, %r23}}, [%r6];
    {}
    mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f0; mov.f32 %f3, 0f0; mov.f32 %f4, 0f0;
    mma.sync.aligned.m16n8k16.row.col.f32.{}.{}.f32 {{%f5, %f6, %f7, %f8}}, {{%r20, %r21, %r22, %r23}}, {{%r24, %r25}}, {{%f1, %f2, %f3, %f4}};
    shr.u32 %r7, %r1, 2;
    and.b32 %r8, %r1, 3;
    mad.lo.s32 %r9, %r7, 8, 0;
    mad.lo.s32 %r9, %r8, 2, %r9;
    mad.wide.u32 %rd3, %r9, 4, %rd1;
    st.global.v2.f32 [%rd3+2048], {{%f5, %f6}};
    st.global.v2.f32 [%rd3+2304], {{%f7, %f8}};)",
                          isTransposed ? R"(
    mad.lo.s32 %r6, %r4, 16, %r2;
    ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r24, %r25}, [%r6+512];)"
                                       : R"(
    and.b32 %r14, %r1, 7;
    bfe.u32 %r15, %r1, 3, 1;
    mad.lo.s32 %r6, %r14, 32, %r2;
    mad.lo.s32 %r6, %r15, 16, %r6;
    ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r24, %r25}, [%r6+512];)",
                          type, type),
              32);
      for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
          int sum = row < 8 && column % 2 == 0 ? 1 : 0; // what %f1 added
          for (int k = 0; k < 16; ++k)
            sum += a(row, k) * b(k, column);
          EXPECT_EQ(memory.at<float>(static_cast<std::size_t>(512 + row * 8 + column)),
                    static_cast<float>(sum))
              << type << isTransposed << " [" << row << ", " << column << "]";
        }
    }
}

TEST(Ptx, matricesOfTf32) {
  Bytes memory;
  // a0 (g, t), a1 (g + 8, t), a2 (g, t + 4), a3; b0 (t, g), b1 (t + 4, g)
  runBody(memory, R"(
    shr.u32 %r2, %r1, 2;
    and.b32 %r3, %r1, 3;
    cvt.rn.f32.u32 %f1, %r2;
    cvt.rn.f32.u32 %f2, %r3;
    fma.rn.f32 %f3, %f1, 0f41200000, %f2;
    add.f32 %f4, %f3, 0f42A00000;
    add.f32 %f5, %f3, 0f40800000;
    add.f32 %f6, %f4, 0f40800000;
    mov.b32 %r4, %f3; mov.b32 %r5, %f4; mov.b32 %r6, %f5; mov.b32 %r7, %f6;
    setp.eq.u32 %p1, %r2, %r3;
    selp.b32 %r8, 0x3F800000, 0, %p1;
    add.u32 %r10, %r3, 4;
    setp.eq.u32 %p2, %r2, %r10;
    selp.b32 %r9, 0x3F800000, 0, %p2;
    mov.f32 %f9, 0f0;
    mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f10, %f11, %f12, %f13}, {%r4, %r5, %r6, %r7}, {%r8, %r9}, {%f9, %f9, %f9, %f9};
    mad.wide.u32 %rd2, %r1, 16, %rd1;
    st.global.v4.f32 [%rd2], {%f10, %f11, %f12, %f13};)",
          32);
  // B is the identity: C[row, column] = A[row, column] = 10 * row + column.
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t reg = 0; reg < 4; ++reg) {
      std::size_t row = lane / 4 + reg / 2 * 8, column = lane % 4 * 2 + reg % 2;
      EXPECT_EQ(memory.at<float>(lane * 4 + reg), static_cast<float>(10 * row + column));
    }
}

TEST(Ptx, mistakesAreRefused) {
  Bytes memory;
  EXPECT_NE(
      errorOf([&] { runBody(memory, "st.global.u32 [%rd1+16384], 1;"); }).find("of no allocation"),
      std::string::npos);
  EXPECT_NE(errorOf([&] { runBody(memory, "st.global.u32 [%rd1+2], 1;"); }).find("not aligned"),
            std::string::npos);
  EXPECT_NE(errorOf([&] {
              runBody(memory, "ld.shared.u32 %r2, [tile+4096];");
            }).find("of shared memory of 4096 bytes"),
            std::string::npos);
  std::string unknown = errorOf([&] { runBody(memory, "tcgen05.alloc.sync.aligned;"); });
  EXPECT_NE(unknown.find("does not know"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("tcgen05.alloc.sync.aligned"), std::string::npos) << unknown;
  EXPECT_NE(errorOf([&] {
              runBody(memory,
                      "setp.eq.u32 %p1, %r1, 0; @%p1 bar.sync 0; @%p1 ret; shfl.sync.idx.b32 "
                      "%r2, %r1, 0, 31, -1;",
                      32);
            }).find("waits for threads that do not come"),
            std::string::npos);
  EXPECT_NE(errorOf([&] { runBody(memory, "mov.u32 %r2, %nothing;"); }).find("unknown register"),
            std::string::npos);
  EXPECT_NE(errorOf([&] { runBody(memory, "", 2000); }).find("2000 threads"), std::string::npos);
}

} // namespace
