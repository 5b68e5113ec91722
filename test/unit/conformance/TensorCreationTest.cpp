#include "kiln/kiln.h"

#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <sstream>

using namespace kiln;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// MAX's test_arange.py, test_random.py and the creations of test_tensor_repr.py.
namespace {

TEST(MaxArange, test_range_like) {
  Tensor like = Tensor::zeros({3, 4, 5}, DType::float32), range = Tensor::rangeLike(like);
  EXPECT_EQ(range.type(), like.type());
  std::vector<float> values = range.toVector<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(values[i], static_cast<float>(i % 5));
  EXPECT_THROW(Tensor::rangeLike(Tensor::constant(1)), ValueError);
}

TEST(MaxArange, test_arange) {
  EXPECT_THAT(Tensor::arange(10).toVector<int64_t>(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(Tensor::arange(5, 10).toVector<int64_t>(), ElementsAre(5, 6, 7, 8, 9));
  EXPECT_THAT(Tensor::arange(0, 10, 2).toVector<int64_t>(), ElementsAre(0, 2, 4, 6, 8));
}

TEST(MaxArange, test_arange_float) {
  EXPECT_THAT(Tensor::arange(0.0, 1.0, 0.25).toVector<float>(), ElementsAre(0, 0.25f, 0.5f, 0.75f));
  EXPECT_THAT(Tensor::arange(0.5, 3.5, 1.0).toVector<float>(), ElementsAre(0.5f, 1.5f, 2.5f));
}

TEST(MaxArange, test_arange_negative_step) {
  EXPECT_THAT(Tensor::arange(5, 0, -1).toVector<int64_t>(), ElementsAre(5, 4, 3, 2, 1));
}

TEST(MaxArange, test_arange_default_dtype) {
  DefaultsScope scope(DType::float64, CPU());
  EXPECT_EQ(Tensor::arange(0.0, 1.0, 0.5).dtype(), DType::float64);
  EXPECT_EQ(Tensor::arange(3).dtype(), DType::int64); // whole bounds: whatever the default is
}

TEST(MaxArange, numbers_that_do_not_fit) {
  EXPECT_EQ(Tensor::arange(0, 256, 1, DType::uint8).toVector<uint8_t>().back(), 255);
  EXPECT_THAT([] { Tensor::arange(0, 257, 1, DType::uint8); },
              ThrowsMessage<ValueError>(HasSubstr("overflow u8")));
  EXPECT_THAT([] { Tensor::arange(-1, 3, 1, DType::uint8); },
              ThrowsMessage<ValueError>(HasSubstr("overflow u8")));
  EXPECT_THAT(Tensor::arange(0.0, 2.5, 1.0, DType::int32).toVector<int32_t>(),
              ElementsAre(0, 1, 2));
  EXPECT_THROW(Tensor::arange(0.5, 3.0, 1.0, DType::int32), ValueError);
  EXPECT_THROW(Tensor::arange(0, 2, 1, DType::boolean), TypeError);
  EXPECT_THROW(Tensor::arange(0, 2, 0), ValueError);
}

TEST(MaxAssertAllClose, test_assert_all_close) {
  EXPECT_FALSE(allClose(Tensor::arange(2, 12), Tensor::arange(10)));
  EXPECT_TRUE(allClose(Tensor::arange(10), Tensor::arange(10)));
}

TEST(MaxTensorCreation, test_defaults_and_like) {
  {
    DefaultsScope scope(DType::bfloat16, CPU());
    EXPECT_EQ(Tensor::ones({2}).dtype(), DType::bfloat16);
  }
  Tensor x = Tensor::ones({4, 6}, DType::float32);
  for (auto [like, value] : {std::pair(Tensor::zerosLike(x), 0.0f),
                             {Tensor::onesLike(x), 1.0f},
                             {Tensor::fullLike(x, 42.0), 42.0f}}) {
    EXPECT_TRUE(like.isRealized());
    EXPECT_EQ(like.type(), x.type());
    EXPECT_THAT(like.toVector<float>(), Each(value));
  }
}

TEST(MaxRandom, test_two_calls_differ) {
  EXPECT_NE(random::normal({20}).toVector<float>(), random::normal({20}).toVector<float>());
  EXPECT_NE(random::uniform({20}).toVector<float>(), random::uniform({20}).toVector<float>());
}

TEST(MaxRandom, test_normal_uint8) {
  random::seed(3);
  Tensor x = random::normal({100}, 100, 1000, DType::uint8);
  std::ostringstream text;
  text << x;
  EXPECT_THAT(text.str(), HasSubstr("dtype=uint8"));
  // As a cast: what does not fit is the nearest that does.
  std::vector<uint8_t> values = x.toVector<uint8_t>();
  EXPECT_GT(std::count(values.begin(), values.end(), 0), 20);
  EXPECT_GT(std::count(values.begin(), values.end(), 255), 20);
}

TEST(MaxRandom, test_set_seed) {
  auto draw = [](uint64_t seed) {
    random::seed(seed);
    return random::normal({50}).toVector<float>();
  };
  std::vector<float> first = draw(42);
  EXPECT_EQ(draw(42), first);
  EXPECT_NE(draw(123), first);
  EXPECT_EQ(random::seed(), 123u);
}

/// The greatest distance between the distribution of `values` and `cumulative`, times the root of
/// their number: Kolmogorov's statistic. Above 1.95 one time in a thousand; the seed is fixed.
template <class Cumulative> double kolmogorov(std::vector<double> values, Cumulative cumulative) {
  std::sort(values.begin(), values.end());
  auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double expected = cumulative(values[i]), at = static_cast<double>(i) / n;
    distance = std::max({distance, expected - at, at + 1 / n - expected});
  }
  return distance * std::sqrt(n);
}

TEST(MaxRandom, distributions) {
  random::seed(7);
  for (int round = 0; round < 3; ++round) {
    EXPECT_LT(kolmogorov(random::uniform({50000}, -2, 3, DType::float64).toVector<double>(),
                         [](double x) { return (x + 2) / 5; }),
              1.95);
    EXPECT_LT(kolmogorov(random::normal({50000}, 1, 2, DType::float64).toVector<double>(),
                         [](double x) { return 0.5 * std::erfc(-(x - 1) / (2 * std::sqrt(2.0))); }),
              1.95);
  }
  // Neighbours do not know of each other: of 50,000 pairs the correlation is within 4.5 sigma.
  std::vector<double> x = random::normal({100000}, 0, 1, DType::float64).toVector<double>();
  for (std::size_t lag : {1u, 2u, 8192u}) {
    double sum = 0;
    for (std::size_t i = 0; i + lag < x.size(); ++i)
      sum += x[i] * x[i + lag];
    EXPECT_LT(std::abs(sum) / std::sqrt(static_cast<double>(x.size())), 4.5) << lag;
  }
}

TEST(MaxRandom, moments_of_every_float_dtype) {
  random::seed(11);
  for (DType dtype : {DType::float16, DType::bfloat16, DType::float32, DType::float64}) {
    Tensor x = random::uniform({20000}, 0, 1, dtype).cast(DType::float64);
    EXPECT_NEAR(x.mean(std::nullopt).item<double>(), 0.5, 0.01) << dtype; // 5 sigma
    EXPECT_LT(x.max(std::nullopt).item<double>(), 1) << dtype;
    EXPECT_GE(x.min(std::nullopt).item<double>(), 0) << dtype;
    Tensor y = random::normal({20000}, 0, 1, dtype).cast(DType::float64);
    EXPECT_NEAR((y * y).mean(std::nullopt).item<double>(), 1, 0.05) << dtype;
  }
}

TEST(MaxRandom, equal_on_every_number_of_threads) {
  int64_t before = threadCount();
  std::vector<std::vector<float>> results;
  for (int64_t threads : {1, 2, 3, 7}) {
    setThreadCount(threads);
    random::seed(5);
    results.push_back(random::normal({50001}).toVector<float>());
  }
  setThreadCount(before);
  EXPECT_THAT(results, Each(results.front()));
}

TEST(MaxRandom, mistakes) {
  EXPECT_THROW(random::uniform({2}, 1, 0), ValueError);
  EXPECT_THROW(random::normal({2}, 0, -1), ValueError);
  EXPECT_THROW(random::normal({2}, INFINITY), ValueError);
  EXPECT_THROW(random::uniform({Dim("n")}), TypeError);
}

} // namespace
