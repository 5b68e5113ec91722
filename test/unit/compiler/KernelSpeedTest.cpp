// Speed of kernels against what the machine can do. Not run by default:
//   kiln-compiler-unit-tests --gtest_also_run_disabled_tests --gtest_filter='*KernelSpeed*'
#include "KernelHarness.h"
#include "KernelText.h"
#include "runtime/ThreadPool.h"

#include <cmath>
#include <cstdio>
#include <immintrin.h>
#include <sstream>
#include <sys/mman.h>
#include <time.h>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

/// The wall clock; for one thread its own time, which leaves out what other programs took.
double seconds(bool ownTime = false) {
  timespec time;
  clock_gettime(ownTime ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

/// GFLOP/s of one core with independent multiply-adds in registers: for 0.02 s.
__attribute__((target("avx512f"))) double peak512() {
  __m512 sums[12], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
  for (auto &sum : sums)
    sum = y;
  double start = seconds(true);
  constexpr int rounds = 200000;
  for (int i = 0; i < rounds; ++i)
    for (auto &sum : sums) {
      sum = _mm512_fmadd_ps(sum, x, y);
      asm volatile("" : "+v"(sum));
    }
  return rounds * 12. * 32 / (seconds(true) - start) / 1e9;
}
__attribute__((target("avx2,fma"))) double peak256() {
  __m256 sums[10], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
  for (auto &sum : sums)
    sum = y;
  double start = seconds(true);
  constexpr int rounds = 400000;
  for (int i = 0; i < rounds; ++i)
    for (auto &sum : sums) {
      sum = _mm256_fmadd_ps(sum, x, y);
      asm volatile("" : "+x"(sum));
    }
  return rounds * 10. * 16 / (seconds(true) - start) / 1e9;
}
/// The same of pairs of bfloat16.
__attribute__((target("avx512f,avx512bf16"))) double peakPairs() {
  __m512 sums[12];
  for (auto &sum : sums)
    sum = _mm512_set1_ps(1e-3f);
  __m512bh x = _mm512_cvtne2ps_pbh(sums[0], sums[1]);
  double start = seconds(true);
  constexpr int rounds = 200000;
  for (int i = 0; i < rounds; ++i)
    for (auto &sum : sums) {
      sum = _mm512_dpbf16_ps(sum, x, x);
      asm volatile("" : "+v"(sum));
    }
  return rounds * 12. * 64 / (seconds(true) - start) / 1e9;
}
double peak(const Target &target, bool inPairs = false) {
  if (inPairs)
    return peakPairs();
  return target.avx512 ? peak512() : target.fma ? peak256() : 0;
}

/// A copy in memory of the kind that the runtime gives out: huge pages for large blocks.
class Block {
public:
  explicit Block(size_t size) : size(size) {
    constexpr size_t page = size_t{2} << 20;
    data = static_cast<std::byte *>(std::aligned_alloc(page, (size + page - 1) / page * page));
    if (size >= page)
      madvise(data, size, MADV_HUGEPAGE);
  }
  explicit Block(const Data &from) : Block(from.bytes.size()) {
    std::copy(from.bytes.begin(), from.bytes.end(), data);
  }
  Block(Block &&other) : data(std::exchange(other.data, nullptr)), size(other.size) {}
  ~Block() { std::free(data); }

  std::byte *data;
  size_t size;
};

/// Seconds of one call, the best of many, warm.
double bestTime(CompiledKernel &kernel, const std::vector<Data> &inputs, std::vector<Data> &outputs,
                const std::vector<int64_t> &dims, int threads, double budget = 0.3) {
  std::vector<Data> packed = kernel.pack(inputs);
  std::vector<Block> blocks;
  std::vector<void *> buffers;
  for (const std::vector<Data> &list : {packed, outputs})
    for (const Data &data : list)
      buffers.push_back(blocks.emplace_back(data).data);
  Block scratch(kernel.scratchBytes(dims) * threads + 64);
  TestRuntime runtime(threads, &kernel);
  runtime.parallelFor = [](const KilnRuntime *self, int64_t tasks, KilnBody body, void *context) {
    runtime::ThreadPool::instance().parallelFor(tasks, body, context, self->threads);
  };
  double best = 1e9;
  for (double start = seconds(); seconds() - start < budget;) {
    double before = seconds(threads == 1);
    kernel.call(runtime, buffers.data(), dims.data(), {scratch.data, scratch.size});
    best = std::min(best, seconds(threads == 1) - before);
  }
  return best;
}

struct Case {
  int64_t m, k, n;
};

/// Of a text as "64x768x3072 12x256x256".
std::vector<Case> parseCases(const std::string &text) {
  std::istringstream words(text);
  std::vector<Case> result;
  char x;
  for (Case c; words >> c.m >> x >> c.k >> x >> c.n;)
    result.push_back(c);
  return result;
}

/// $KILN_SPEED_SHAPES, or the usual ones.
std::vector<Case> cases() {
  const char *text = std::getenv("KILN_SPEED_SHAPES");
  return parseCases(text ? text
                         : "512x768x3072 512x3072x768 1024x384x1536 128x384x384 64x768x3072 "
                           "8x768x3072 1x768x3072");
}

class KernelSpeedOf : public testing::TestWithParam<std::tuple<Target, std::string>> {};

TEST_P(KernelSpeedOf, DISABLED_linear) {
  const auto &[target, dtype] = GetParam();
  for (Case c : cases()) {
    CompiledKernel kernel(plainLinear(dtype.c_str(), c.n, c.k), target);
    DType d = *parseDType(dtype);
    std::vector<Data> inputs = {Data::random(d, {c.m, c.k}, 1), Data::random(d, {c.n, c.k}, 2),
                                Data::random(d, {c.n}, 3)};
    std::vector<Data> outputs = {Data(d, {c.m, c.n})};
    for (int threads : {1, 2}) {
      const bool inPairs = target.forPasses().bf16 && dtype == "bf16";
      double before = peak(target, inPairs);
      double time = bestTime(kernel, inputs, outputs, {c.m}, threads);
      double top = std::max(before, peak(target, inPairs)) * threads;
      double flops = 2. * c.m * c.k * c.n / time / 1e9;
      double bytes = double(c.k * c.n * sizeBytes(d)) / time / 1e9;
      std::printf("%-10s %-4s %4ldx%ldx%ld, %d threads: %7.0f us, %6.1f GFLOP/s (%3.0f %% of "
                  "peak %.0f), weights at %.1f GB/s; compiled in %.1f ms\n",
                  target.name.c_str(), dtype.c_str(), c.m, c.k, c.n, threads, time * 1e6, flops,
                  100 * flops / top, top, bytes, kernel.compileMs);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelSpeedOf,
                         testing::Combine(testing::ValuesIn(productTargets()),
                                          testing::Values("f32", "bf16")),
                         [](const auto &info) {
                           return targetTestName(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param);
                         });

/// The part of each number that bfloat16 holds; takes it away.
Data takePart(Data &numbers) {
  Data part(DType::bfloat16, numbers.shape), wide(DType::float32, numbers.shape);
  for (int64_t i = 0; i < numbers.size(); ++i) {
    part.set(i, numbers[i]);
    wide.set(i, part[i]);
    numbers.set(i, numbers[i] - part[i]);
  }
  return wide;
}

// Float32 as the sum of three parts of bfloat16: the six products that matter, against one by
// multiply-adds. docs/decisions/0007-float32-products.md.
TEST(KernelSpeed, DISABLED_threeParts) {
  Target target = llvm::cantFail(Target::host());
  if (!target.forPasses().bf16)
    GTEST_SKIP() << "this CPU has no products of bfloat16";
  for (Case c : cases()) {
    CompiledKernel whole(plainLinear("f32", c.n, c.k), target);
    CompiledKernel narrow(plainLinear("f32", c.n, c.k), target, Precision::bf16);
    Data x = Data::random(DType::float32, {c.m, c.k}, 1);
    Data w = Data::random(DType::float32, {c.n, c.k}, 2), bias(DType::float32, {c.n});
    std::vector<double> exact(c.m * c.n);
    for (int64_t i = 0; i < std::min<int64_t>(c.m, 8); ++i)
      for (int64_t j = 0; j < c.n; ++j)
        for (int64_t p = 0; p < c.k; ++p)
          exact[i * c.n + j] += x[i * c.k + p] * w[j * c.k + p];
    auto error = [&](auto &&result) { // of the first rows, relative to the largest value
      double largest = 0, worst = 0;
      for (int64_t i = 0; i < std::min<int64_t>(c.m, 8) * c.n; ++i) {
        largest = std::max(largest, std::abs(exact[i]));
        worst = std::max(worst, std::abs(result(i) - exact[i]));
      }
      return worst / largest;
    };
    std::vector<Data> out = {Data(DType::float32, {c.m, c.n})};
    double wholeTime = bestTime(whole, {x, w, bias}, out, {c.m}, 1);
    whole.run({x, w, bias}, out, {c.m}, 1);
    double wholeError = error([&](int64_t i) { return out[0][i]; });
    std::vector<Data> xs, ws;
    for (int part = 0; part < 3; ++part) {
      xs.push_back(takePart(x));
      ws.push_back(takePart(w));
    }
    double time = 0;
    std::vector<float> sums(c.m * c.n);
    for (auto [a, b] : {std::pair{1, 1}, {0, 2}, {2, 0}, {0, 1}, {1, 0}, {0, 0}}) {
      time += bestTime(narrow, {xs[a], ws[b], bias}, out, {c.m}, 1, 0.1);
      narrow.run({xs[a], ws[b], bias}, out, {c.m}, 1);
      for (int64_t i = 0; i < c.m * c.n; ++i)
        sums[i] += float(out[0][i]);
    }
    std::printf("%ldx%ldx%ld: multiply-adds %.0f us, error %.1e; six products of parts, without "
                "splitting and adding up: %.0f us (%.2f times), error %.1e\n",
                c.m, c.k, c.n, wholeTime * 1e6, wholeError, time * 1e6, time / wholeTime,
                error([&](int64_t i) { return double(sums[i]); }));
  }
}

// The kernels of a sentence encoder: hidden 384, 12 heads of 32, 1536 in the middle.
class KernelSpeed : public testing::TestWithParam<Target> {};

TEST_P(KernelSpeed, DISABLED_encoder) {
  const Target &target = GetParam();
  const std::string row = tensorType("f32", {"b", "s", "384"});
  const std::string wide = tensorType("f32", {"b", "s", "1536"});
  const std::string heads = tensorType("f32", {"b", "s", "12", "32"});
  std::vector<std::pair<std::string, std::string>> kernels;
  std::vector<std::vector<std::vector<int64_t>>> shapes; // -1: batch, -2: length
  {
    KernelText t;
    std::string in = t.argument(row);
    std::vector<std::string> w, b;
    for (int i = 0; i < 3; ++i) {
      w.push_back(t.argument(tensorType("f32", {"384", "384"})));
      b.push_back(t.argument(tensorType("f32", {"384"})));
    }
    kernels.emplace_back("q, k, v", t.finish(t.linear(in, w, b, {row, row, row})));
    shapes.push_back({{-1, -2, 384},
                      {384, 384},
                      {384},
                      {384, 384},
                      {384},
                      {384, 384},
                      {384},
                      {},
                      {-1, -2, 384},
                      {-1, -2, 384},
                      {-1, -2, 384}});
  }
  {
    KernelText t;
    std::vector<std::string> in = {t.argument(heads), t.argument(heads), t.argument(heads),
                                   t.argument(tensorType("i1", {"b", "1", "1", "s"}))};
    kernels.emplace_back("attention", t.finish({t.op("attention", in, heads,
                                                     "scale = 0.1767 : f64, layout = \"bshd\"")}));
    shapes.push_back({{-1, -2, 12, 32},
                      {-1, -2, 12, 32},
                      {-1, -2, 12, 32},
                      {-1, 1, 1, -2},
                      {},
                      {-1, -2, 12, 32}});
  }
  for (bool norm : {false, true}) {
    KernelText t;
    const std::string k = norm ? "1536" : "384", n = norm ? "384" : "1536";
    const std::string result = norm ? row : wide;
    std::string in = t.argument(norm ? wide : row), w = t.argument(tensorType("f32", {n, k}));
    std::string b = t.argument(tensorType("f32", {n}));
    std::vector<std::string> y = {};
    if (!norm) {
      y = {t.op("gelu", {t.linear(in, {w}, {b}, {result})[0]}, result)};
      shapes.push_back({{-1, -2, 384}, {1536, 384}, {1536}, {}, {-1, -2, 1536}});
    } else {
      std::string other = t.argument(row), g = t.argument(tensorType("f32", {"384"}));
      std::string h = t.argument(tensorType("f32", {"384"}));
      std::string z = t.op("add", {t.linear(in, {w}, {b}, {result})[0], other}, row);
      y = {t.op("layer_norm", {z, g, h}, row, "epsilon = 1.0e-12 : f64")};
      shapes.push_back(
          {{-1, -2, 1536}, {384, 1536}, {384}, {-1, -2, 384}, {384}, {384}, {}, {-1, -2, 384}});
    }
    kernels.emplace_back(norm ? "linear, add, layer_norm" : "linear, gelu", t.finish(y));
  }
  const double flops[] = {2. * 384 * 384 * 3, 0, 2. * 384 * 1536, 2. * 384 * 1536};
  for (size_t which = 0; which < kernels.size(); ++which) {
    CompiledKernel kernel(kernels[which].second, target);
    for (auto [batch, length] : {std::pair<int64_t, int64_t>{1, 16}, {1, 128}, {8, 128}}) {
      std::vector<Data> inputs, outputs;
      bool isOutput = false;
      for (std::vector<int64_t> shape : shapes[which]) {
        if (shape.empty()) {
          isOutput = true;
          continue;
        }
        for (int64_t &size : shape)
          size = size == -1 ? batch : size == -2 ? length : size;
        bool mask = shape.size() == 4 && shape[1] == 1;
        Data data = mask ? Data::randomIntegers(DType::boolean, shape, 1, 1, 2)
                         : Data::random(DType::float32, shape, 1);
        (isOutput ? outputs : inputs).push_back(std::move(data));
      }
      double work =
          flops[which] ? flops[which] * batch * length : 4. * batch * length * length * 384;
      double top = peak(target);
      for (int threads : {1, 2}) {
        double time = bestTime(kernel, inputs, outputs, {batch, length}, threads, 0.2);
        std::printf("%-10s %-24s %2ldx%-3ld %d threads: %7.1f us, %6.1f GFLOP/s (%3.0f %% of peak "
                    "%.0f); compiled in %.1f ms\n",
                    target.name.c_str(), kernels[which].first.c_str(), batch, length, threads,
                    time * 1e6, work / time / 1e9, 100 * work / time / 1e9 / top / threads, top,
                    kernel.compileMs);
      }
    }
  }
}

/// Sizes beside each other: what each costs per operation against the cheaper of its neighbours.
/// Rows: with weights from the last cache (9 MiB), from the nearest one of each core (1 MiB for
/// both), and from memory (256 MiB).
TEST_P(KernelSpeed, DISABLED_sizes) {
  const Target &target = GetParam();
  auto rows = [](const char *shape) {
    std::string group;
    for (int row = 1; row <= 13; ++row)
      group += std::to_string(row) + shape + " ";
    return group;
  };
  const std::string fewRows[] = {rows("x768x3072"), rows("x256x1024"), rows("x4096x16384"),
                                 "512x768x6 512x768x7 512x768x8"};
  const std::string groups[] = {
      "511x768x3072 512x768x3072 513x768x3072", "99999x384x384 100000x384x384 100001x384x384",
      "512x768x999 512x768x1000 512x768x1001 512x768x1024", "512x6x768 512x7x768 512x8x768",
      "512x999x768 512x1000x768 512x1001x768 512x1024x768"};
  std::vector<std::pair<std::string, std::string>> all; // dtype, group
  for (const std::string &group : fewRows)
    all.emplace_back("f32", group);
  for (const std::string &group : groups)
    all.emplace_back("f32", group);
  if (target.forPasses().bf16)
    for (const std::string &group : fewRows)
      all.emplace_back("bf16", group);
  for (const auto &[dtype, group] : all) {
    struct Timed {
      Case c;
      double flops, bytes, time;
    };
    std::vector<Timed> row;
    const DType d = *parseDType(dtype);
    for (Case c : parseCases(group)) {
      CompiledKernel kernel(plainLinear(dtype.c_str(), c.n, c.k), target);
      std::vector<Data> inputs = {Data::random(d, {c.m, c.k}, 1), Data::random(d, {c.n, c.k}, 2),
                                  Data::random(d, {c.n}, 3)};
      std::vector<Data> outputs = {Data(d, {c.m, c.n})};
      row.push_back({c, 2. * c.m * c.k * c.n,
                     double(sizeBytes(d)) * (c.m * c.k + c.n * c.k + c.m * c.n),
                     bestTime(kernel, inputs, outputs, {c.m}, 2)});
    }
    for (size_t i = 0; i < row.size(); ++i) {
      auto cost = [&](size_t of) { return row[of].time / row[of].flops; };
      double neighbour = std::numeric_limits<double>::infinity();
      if (i > 0)
        neighbour = cost(i - 1);
      if (i + 1 < row.size())
        neighbour = std::min(neighbour, cost(i + 1));
      const auto &[c, flops, bytes, time] = row[i];
      std::printf("%-10s %-4s %6ldx%4ldx%-5ld %9.0f us, %6.1f GFLOP/s, %6.1f GB/s, %4.2f of its "
                  "neighbour's time per operation\n",
                  target.name.c_str(), dtype.c_str(), c.m, c.k, c.n, time * 1e6, flops / time / 1e9,
                  bytes / time / 1e9, cost(i) / neighbour);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelSpeed, testing::ValuesIn(productTargets()),
                         [](const auto &info) { return targetTestName(info.param); });

} // namespace
