//===- Machine.cpp - What the machine can do ----------------------------------===//

#include "Machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <immintrin.h>

#include <fmt/format.h>

#include "Bandwidth.h"
#include "runtime/cpu/HostCpu.h"

namespace kiln::tools {

namespace {
using Clock = std::chrono::steady_clock;
using runtime::CpuFeature;

/// What a thread does again and again, and how many operations or bytes that are.
struct Work {
  std::function<void(int64_t thread)> run;
  double amount = 0;
};

constexpr int64_t rounds = 200'000; // of a loop of peaks: some 0.2 ms
constexpr int chains = 12;          // independent: as many as there are registers for in AVX2

/// Keeps the compiler from leaving out what nobody reads. A macro: functions of one instruction set
/// are not inlined into those of another.
#define KEEP(value) asm volatile("" : "+v"(value))

__attribute__((target("avx512f"))) void multiplyAdd512(int64_t) {
  __m512 sums[chains], x = _mm512_set1_ps(1e-3f);
  for (__m512 &sum : sums)
    sum = x;
  for (int64_t i = 0; i < rounds; ++i)
    for (auto &sum : sums) {
      sum = _mm512_fmadd_ps(x, x, sum);
      KEEP(sum);
    }
}

__attribute__((target("avx2,fma"))) void multiplyAdd256(int64_t) {
  __m256 sums[chains], x = _mm256_set1_ps(1e-3f);
  for (__m256 &sum : sums)
    sum = x;
  for (int64_t i = 0; i < rounds; ++i)
    for (auto &sum : sums) {
      sum = _mm256_fmadd_ps(x, x, sum);
      KEEP(sum);
    }
}

__attribute__((target("avx512f,avx512bf16"))) void dotBf16(int64_t) {
  __m512 sums[chains], ones = _mm512_set1_ps(1e-3f);
  __m512bh x = (__m512bh)ones;
  for (__m512 &sum : sums)
    sum = ones;
  for (int64_t i = 0; i < rounds; ++i)
    for (auto &sum : sums) {
      sum = _mm512_dpbf16_ps(sum, x, x);
      KEEP(sum);
    }
}

/// Reads `bytes` (a multiple of 512).
__attribute__((target("avx512f"))) void read512(const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 512)
#pragma GCC unroll 8
    for (int c = 0; c < 8; ++c) {
      __m512i value = _mm512_load_si512(from + i + c * 64);
      KEEP(value);
    }
}
__attribute__((target("avx2"))) void read256(const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 256)
#pragma GCC unroll 8
    for (int c = 0; c < 8; ++c) {
      __m256i value = _mm256_load_si256(reinterpret_cast<const __m256i *>(from + i + c * 32));
      KEEP(value);
    }
}
void read128(const char *from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 128)
#pragma GCC unroll 8
    for (int c = 0; c < 8; ++c) {
      __m128i value = _mm_load_si128(reinterpret_cast<const __m128i *>(from + i + c * 16));
      KEEP(value);
    }
}

/// Amount a second of so many threads at once, the best of several measurements: others use the
/// machine, too.
double best(const Work &work, int64_t threads) {
  constexpr int measurements = 15;
  double most = 0;
  for (int i = 0; i < measurements; ++i) {
    std::atomic<int64_t> waiting{threads};
    std::atomic<int64_t> startNs{0};
    auto body = [&](int64_t thread) {
      work.run(thread); // warm: frequency, caches
      if (--waiting == 0)
        startNs = Clock::now().time_since_epoch().count();
      while (startNs == 0)
        _mm_pause();
      for (int repeat = 0; repeat < 4; ++repeat)
        work.run(thread);
    };
    std::vector<std::thread> others;
    for (int64_t thread = 1; thread < threads; ++thread)
      others.emplace_back(body, thread);
    body(0);
    for (std::thread &other : others)
      other.join();
    const Clock::duration spent(Clock::now().time_since_epoch().count() - startNs);
    most = std::max(most, work.amount * 4 * static_cast<double>(threads) /
                              std::chrono::duration<double>(spent).count());
  }
  return most;
}

/// As Linux tells it: of the highest level that the first processor has.
int64_t lastCacheBytes() {
  int64_t bytes = 4 << 20; // where nothing is told
  for (int index = 0; index < 8; ++index) {
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", index));
    int64_t kib = 0;
    if (file >> kib) // "32768K"
      bytes = std::max(bytes, kib << 10);
  }
  return bytes;
}

double readSpeed(int64_t bytesEach, int64_t threads) {
  const auto features = runtime::hostCpuFeatures();
  std::vector<char *> blocks;
  for (int64_t i = 0; i < threads; ++i) {
    blocks.push_back(static_cast<char *>(std::aligned_alloc(4096, bytesEach)));
    std::fill_n(blocks.back(), bytesEach, char(1));
  }
  auto read = features.has(CpuFeature::avx512f) ? read512
              : features.has(CpuFeature::avx2)  ? read256
                                                : read128;
  const int64_t repeats = std::max<int64_t>(1, (8 << 20) / bytesEach);
  Work work{[&](int64_t thread) {
              for (int64_t i = 0; i < repeats; ++i)
                read(blocks[static_cast<size_t>(thread)], bytesEach);
            },
            static_cast<double>(bytesEach * repeats)};
  const double speed = best(work, threads);
  for (char *block : blocks)
    std::free(block);
  return speed;
}
} // namespace

double Machine::flopsOf(DType dtype) const {
  return dtype == DType::bfloat16  ? std::max(flops, bf16Flops)
         : dtype == DType::float64 ? flops / 2
                                   : flops;
}

double Machine::bandwidthFor(double bytes) const {
  constexpr double nearBytes = 512 << 10; // of a thread's own cache
  if (bytes <= nearBytes * static_cast<double>(threads))
    return nearCache;
  return bytes <= static_cast<double>(lastCacheBytes) ? lastCache : memory;
}

Machine measureMachine(int64_t threads) {
  const auto features = runtime::hostCpuFeatures();
  Machine machine;
  machine.threads = threads;
  Work product;
  if (features.has(CpuFeature::avx512f)) {
    machine.fmaWidth = "AVX-512";
    product = {multiplyAdd512, 2.0 * 16 * chains * rounds};
  } else if (features.has(CpuFeature::fma)) {
    machine.fmaWidth = "AVX2";
    product = {multiplyAdd256, 2.0 * 8 * chains * rounds};
  }
  if (product.run) {
    machine.flopsOne = best(product, 1);
    machine.flops = best(product, threads);
  }
  if (features.has(CpuFeature::avx512bf16)) {
    const Work dot{dotBf16, 4.0 * 16 * chains * rounds};
    machine.bf16FlopsOne = best(dot, 1);
    machine.bf16Flops = best(dot, threads);
  }
  for (const int64_t count : {int64_t{1}, threads}) {
    const Bandwidth memory(count);
    double &speed = count == 1 ? machine.memoryOne : machine.memory;
    for (int i = 0; i < 7; ++i)
      speed = std::max(speed, memory.measure());
  }
  machine.memory = std::max(machine.memory, machine.memoryOne);
  machine.lastCacheBytes = lastCacheBytes();
  machine.nearCache = readSpeed(256 << 10, threads);
  machine.lastCache = readSpeed(machine.lastCacheBytes / 2 / threads / 4096 * 4096, threads);
  return machine;
}

std::string describe(const Machine &machine) {
  std::string text = fmt::format("{} threads\n", machine.threads);
  auto line = [&](const std::string &what, double one, double all, const char *unit) {
    text += fmt::format("{:<34} {:>8.1f} {}{}\n", what, all * 1e-9, unit,
                        one > 0 ? fmt::format(", one thread {:.1f}", one * 1e-9) : "");
  };
  if (machine.flops > 0)
    line("float32 multiply-adds, " + machine.fmaWidth, machine.flopsOne, machine.flops, "GFLOP/s");
  if (machine.bf16Flops > 0)
    line("bfloat16 products, vdpbf16ps", machine.bf16FlopsOne, machine.bf16Flops, "GFLOP/s");
  line("memory (512 MiB)", machine.memoryOne, machine.memory, "GB/s");
  line(fmt::format("last cache ({:.0f} of {:.0f} MiB)",
                   static_cast<double>(machine.lastCacheBytes) / 2 / (1 << 20),
                   static_cast<double>(machine.lastCacheBytes) / (1 << 20)),
       0, machine.lastCache, "GB/s");
  line("near cache (256 KiB a thread)", 0, machine.nearCache, "GB/s");
  return text;
}

} // namespace kiln::tools
