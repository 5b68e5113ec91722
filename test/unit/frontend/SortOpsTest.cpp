#include "kiln/kiln.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

const float nan = std::nanf("");

TEST(Cumsum, AlongAnAxis) {
  Tensor x = Tensor::constant({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
  EXPECT_THAT(cumsum(x).toVector<float>(), ElementsAre(1, 3, 6, 4, 9, 15));
  EXPECT_THAT(x.cumsum(0).toVector<float>(), ElementsAre(1, 2, 3, 5, 7, 9));
  EXPECT_THAT(cumsum(x, -1, /*exclusive=*/true).toVector<float>(), ElementsAre(0, 1, 3, 0, 4, 9));
  EXPECT_THAT(cumsum(x, -1, false, /*reverse=*/true).toVector<float>(),
              ElementsAre(6, 5, 3, 15, 11, 6));
  EXPECT_THAT(cumsum(x, 1, true, true).toVector<float>(), ElementsAre(5, 3, 0, 11, 6, 0));
  EXPECT_THROW(cumsum(x, 2), IndexError);
  EXPECT_THROW(cumsum(Tensor::constant(1.f)), IndexError);
}

TEST(Cumsum, DTypes) {
  Tensor truth = Tensor::constant({true, false, true});
  EXPECT_EQ(cumsum(truth).dtype(), DType::int64);
  EXPECT_THAT(cumsum(truth).toVector<int64_t>(), ElementsAre(1, 1, 2));
  Tensor bytes = Tensor::full({3}, 100, DType::int8);
  EXPECT_THAT(cumsum(bytes).toVector<int8_t>(), ElementsAre(100, -56, 44));
  // Rounded once: 2049 is no float16, 2050 is.
  Tensor halves = Tensor::constant({2048.f, 1.f, 1.f}).cast(DType::float16);
  EXPECT_THAT(cumsum(halves).cast(DType::float32).toVector<float>(), ElementsAre(2048, 2048, 2050));
  EXPECT_EQ(cumsum(Tensor::zeros({0, 3}), 0).shape(), (Shape{0, 3}));
}

TEST(Cumsum, ManySmallNumbersStayAccurate) {
  Tensor sums = cumsum(Tensor::full({1'000'000}, 0.1f));
  // Each is the exact sum of the float 0.1, rounded.
  EXPECT_FLOAT_EQ(sums.slice({-1}).item<float>(), 1'000'000 * static_cast<double>(0.1f));
}

TEST(Argsort, NaNsLastAndEqualOnesInTheirPlaces) {
  Tensor x = Tensor::constant({2.f, nan, -0.f, 0.f, -INFINITY, 2.f, INFINITY});
  EXPECT_THAT(argsort(x).toVector<int64_t>(), ElementsAre(4, 2, 3, 0, 5, 6, 1));
  EXPECT_THAT(x.argsort(-1, /*descending=*/true).toVector<int64_t>(),
              ElementsAre(1, 6, 0, 5, 2, 3, 4));
  EXPECT_EQ(argsort(x).dtype(), DType::int64);
  EXPECT_THAT(argsort(Tensor::constant({true, false, true})).toVector<int64_t>(),
              ElementsAre(1, 0, 2));
  EXPECT_THAT(argsort(Tensor::constant({{3, 1}, {2, 2}}), 0).toVector<int64_t>(),
              ElementsAre(1, 0, 0, 1));
  EXPECT_THROW(argsort(x, 1), IndexError);
}

TEST(TopK, ValuesAndPlaces) {
  Tensor x = Tensor::constant({{1.f, 5.f, 3.f, 5.f}, {-1.f, nan, -7.f, 0.f}});
  auto [values, indices] = topK(x, 3);
  EXPECT_EQ(values.shape(), (Shape{2, 3}));
  EXPECT_THAT(indices.toVector<int64_t>(), ElementsAre(1, 3, 2, 1, 3, 0));
  EXPECT_THAT(values.toVector<float>(), ElementsAre(5, 5, 3, testing::IsNan(), 0, -1));
  auto [rows, places] = x.slice({Slice(), Slice(2)}).topK(1, 0);
  EXPECT_THAT(places.toVector<int64_t>(), ElementsAre(0, 0));
  EXPECT_THAT(rows.toVector<float>(), ElementsAre(3, 5));
  EXPECT_EQ(topK(x, 0).first.shape(), (Shape{2, 0}));
  EXPECT_EQ(topK(x, 4).second.shape(), (Shape{2, 4}));
  auto tooMany = [&] { topK(x, 5); };
  EXPECT_THAT(tooMany, ThrowsMessage<ValueError>(HasSubstr("[topK] count 5 is out of range for "
                                                           "dimension size 4")));
  EXPECT_THROW(topK(x, -1), ValueError);
  EXPECT_THROW(topK(x, 1, 2), IndexError);
}

TEST(Sort, NewSizesCompileNothing) {
  auto work = [](int64_t rows, int64_t columns) {
    Tensor x = random::uniform({rows, columns});
    Tensor sorted = takeAlongAxis(x, argsort(x), -1);
    realize(sorted, cumsum(x, 0), topK(x, 2).first);
    return sorted.toVector<float>();
  };
  work(3, 70);
  uint64_t before = runtimeStats().compiles;
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{5, 90}, {1, 3}, {40, 2}}) {
    std::vector<float> sorted = work(rows, columns);
    for (int64_t row = 0; row < rows; ++row)
      EXPECT_TRUE(
          std::is_sorted(sorted.begin() + row * columns, sorted.begin() + (row + 1) * columns));
  }
  EXPECT_EQ(runtimeStats().compiles, before);
}

struct Orders : nn::Module<Orders> {
  std::vector<Tensor> operator()(const Tensor &x) const {
    auto [values, indices] = topK(x, 2);
    return {cumsum(x, 0), argsort(x, -1).cast(DType::float32), argsort(x, 0, true).cast(x.dtype()),
            values, indices.cast(DType::float32)};
  }
};

TEST(Sort, CompiledWithNamedSizes) {
  auto compiled = Orders().compile(TensorType(DType::float32, {"n", "m"}));
  for (auto [n, m] : {std::pair<int64_t, int64_t>{3, 4}, {5, 2}, {1, 100}, {0, 2}}) {
    Tensor x = random::uniform({n, m});
    auto eager = Orders()(x), fast = compiled(x);
    for (std::size_t i = 0; i < eager.size(); ++i) {
      EXPECT_EQ(fast[i].shape(), eager[i].shape());
      EXPECT_EQ(fast[i].toVector<float>(), eager[i].toVector<float>());
    }
  }
  EXPECT_THROW(compiled(Tensor::ones({3, 1})), ValueError); // 2 of 1
}

} // namespace
