// What small calls cost. Not run by default:
//   kiln-unit-tests --gtest_also_run_disabled_tests --gtest_filter='CallSpeed*'
#include "kiln/kiln.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace kiln;

namespace {

/// Median time of one call, microseconds, of 2,000.
template <class Call> double medianUs(Call call) {
  std::vector<double> times;
  for (int i = 0; i < 2000; ++i) {
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

} // namespace
