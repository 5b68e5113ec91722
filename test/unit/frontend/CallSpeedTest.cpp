// What calls cost. Not run by default:
//   kiln-unit-tests --gtest_also_run_disabled_tests --gtest_filter='CallSpeed*'
#include "kiln/kiln.h"
#include "runtime/Guards.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace kiln;

namespace {

/// Median time of one call, microseconds.
template <class Call> double medianUs(Call call, int calls = 2000) {
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    auto start = std::chrono::steady_clock::now();
    call();
    std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    times.push_back(spent.count());
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

TEST(CallSpeed, DISABLED_SmallLinear) {
  nn::Linear linear(8, 8);
  auto model = linear.compile(TensorType(DType::float32, {"batch", 8}));
  Tensor x = random::uniform({1, 8});
  x.realize();
  model(x);
  linear(x).realize();
  int64_t compiles = runtimeStats().compiles;
  std::printf("Linear(8, 8) of one row: compiled %.2f us, eager %.1f us\n",
              medianUs([&] { return model(x); }), medianUs([&] { linear(x).realize(); }));
  EXPECT_EQ(runtimeStats().compiles, compiles);
}

/// The guards of a call alone, as its runtime sees it.
TEST(CallSpeed, DISABLED_Guards) {
  TensorType type(DType::float32, {"batch", "seq", 4});
  runtime::Artifact artifact;
  artifact.symbols = {"batch", "seq"};
  artifact.constraints = {Dim("batch").between(1, 1024), Dim("seq").multipleOf(8)};
  for (int i = 0; i < 4; ++i)
    artifact.inputs.push_back({false, "", type, {}});
  runtime::Guards guards(artifact);
  runtime::TensorValue value{TensorType(DType::float32, {2, 8, 4}),
                             runtime::Buffer::allocate(2 * 8 * 4 * 4)};
  const runtime::TensorValue *inputs[] = {&value, &value, &value, &value};
  int64_t symbols[2];
  constexpr int calls = 100; // in one measurement: a single one is below the clock's step
  double us = medianUs([&] {
    for (int i = 0; i < calls; ++i)
      guards.checkCall(inputs, symbols, nullptr);
  });
  std::printf("guards of four inputs, two symbols, two constraints: %.3f us\n", us / calls);
  EXPECT_EQ(symbols[1], 8);
}

struct Lookup : nn::Module<Lookup> {
  nn::Embedding embedding{30522, {.dim = 384}};
  nn::Linear linear{384, 1536};
  KILN_FIELDS(embedding, linear)
  Tensor operator()(const Tensor &tokens) const { return gelu(linear(embedding(tokens))); }
};

TEST(CallSpeed, DISABLED_FoldedTable) {
  Lookup module;
  TensorType type(DType::int64, {"batch", "seq"});
  auto plain = module.compile(type);
  auto folded = module.compile(CompileOptions{.foldTables = true}, type);
  ASSERT_EQ(folded.stats().foldedTables, 1);
  std::printf("Embedding(30522, 384), Linear(384, 1536), GELU: the folded table holds %.1f MB (the "
              "two weights: %.1f MB), made in %.2f s\n",
              double(folded.stats().foldedBytes) / 1e6, (30522 + 1536) * 384 * 4 / 1e6,
              folded.stats().foldSeconds);
  for (int64_t batch : {1, 8}) {
    Tensor tokens = random::uniform({batch, 128}, 0, 30521).cast(DType::int64);
    tokens.realize();
    double ratio[9];
    double usual = 0, once = 0;
    for (double &r : ratio) {
      usual = medianUs([&] { return plain(tokens); }, 50);
      once = medianUs([&] { return folded(tokens); }, 50);
      r = usual / once;
    }
    std::nth_element(ratio, ratio + 4, ratio + 9);
    std::printf("%ldx128: as it stands %.1f us, folded %.1f us, ratio %.1f\n", long(batch), usual,
                once, ratio[4]);
  }
}

} // namespace
