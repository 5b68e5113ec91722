#include "kiln/kiln.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

TEST(TakeAlongAxis, EachIndexOfItsOwn) {
  Tensor x = Tensor::constant({{1, 2, 3}, {4, 5, 6}});
  Tensor at = takeAlongAxis(x, Tensor::constant({{2, 0}, {1, 1}}), 1);
  EXPECT_EQ(at.shape(), (Shape{2, 2}));
  EXPECT_THAT(at.toVector<int>(), ElementsAre(3, 1, 5, 5));
  EXPECT_THAT(takeAlongAxis(x, Tensor::constant({{1, 0, 1}}), 0).toVector<int>(),
              ElementsAre(4, 2, 6));
  // One row of indices for all rows, one row for all rows of indices.
  EXPECT_THAT(takeAlongAxis(x, Tensor::constant({{2}}), 1).toVector<int>(), ElementsAre(3, 6));
  EXPECT_THAT(
      takeAlongAxis(x.slice({Slice(0, 1)}), Tensor::constant({{2}, {0}}), 1).toVector<int>(),
      ElementsAre(3, 1));
  EXPECT_THROW(takeAlongAxis(x, Tensor::constant({0}), 1), ValueError);
  EXPECT_THROW(takeAlongAxis(x, Tensor::constant({{0}, {0}, {0}}), 1), ValueError);
  EXPECT_THROW(takeAlongAxis(x, Tensor::constant({{0.f}, {0.f}}), 1), ValueError);
  auto outside = [&] { takeAlongAxis(x, Tensor::constant({{0, 1}, {3, 0}}), 1).realize(); };
  EXPECT_THAT(outside,
              ThrowsMessage<IndexError>(HasSubstr("index 3 at position 2 is out of range [0, 3)")));
}

TEST(Scatter, ElementsAlongAnAxis) {
  Tensor x = Tensor::constant({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
  Tensor updates = Tensor::constant({{10.f, 20.f}, {30.f, 40.f}});
  Tensor indices = Tensor::constant({{2, 2}, {0, 2}});
  EXPECT_THAT(scatter(x, updates, indices).toVector<float>(), ElementsAre(1, 2, 20, 30, 5, 40));
  EXPECT_THAT(scatterAdd(x, updates, indices).toVector<float>(), ElementsAre(1, 2, 33, 34, 5, 46));
  EXPECT_THAT(scatterMul(x, updates, indices, 1).toVector<float>(),
              ElementsAre(1, 2, 600, 120, 5, 240));
  EXPECT_THAT(scatterMax(x, -updates, indices).toVector<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(scatterMin(x, -updates, indices).toVector<float>(),
              ElementsAre(1, 2, -20, -30, 5, -40));
  // Along the first axis, fewer columns than x has.
  EXPECT_THAT(scatter(x, updates, Tensor::constant({{1, 1}, {0, 1}}), 0).toVector<float>(),
              ElementsAre(30, 2, 3, 10, 40, 6));
  EXPECT_THAT(x.toVector<float>(), ElementsAre(1, 2, 3, 4, 5, 6)); // values do not change
}

TEST(Scatter, Mistakes) {
  Tensor x = Tensor::zeros({2, 3}), updates = Tensor::ones({2, 2});
  Tensor indices = Tensor::zeros({2, 2}, DType::int64);
  EXPECT_THROW(scatter(x, updates, indices, 2), IndexError);
  EXPECT_THROW(scatter(x, updates, Tensor::zeros({2, 1}, DType::int64)), ValueError);
  EXPECT_THROW(scatter(x, updates, updates), ValueError);
  EXPECT_THROW(scatter(x, updates.cast(DType::float64), indices), TypeError);
  EXPECT_THROW(scatter(x, Tensor::ones({3, 2}), Tensor::zeros({3, 2}, DType::int64)), ValueError);
  EXPECT_THROW(scatterAdd(x.cast(DType::boolean), updates.cast(DType::boolean), indices),
               TypeError);
  auto outside = [&] { scatterAdd(x, updates, Tensor::constant({{0, 1}, {-1, 0}})).realize(); };
  EXPECT_THAT(outside, ThrowsMessage<IndexError>(
                           HasSubstr("index -1 at position 2 is out of range [0, 3)")));
}

TEST(ScatterNd, RowsAndElements) {
  Tensor x = Tensor::zeros({3, 2}, DType::int32);
  Tensor rows = Tensor::constant({{1, 2}, {3, 4}, {5, 6}});
  Tensor at = Tensor::constant({{2}, {0}, {2}});
  EXPECT_THAT(scatterNd(x, rows, at).toVector<int>(), ElementsAre(3, 4, 0, 0, 5, 6));
  EXPECT_THAT(scatterNdAdd(x, rows, at).toVector<int>(), ElementsAre(3, 4, 0, 0, 6, 8));
  EXPECT_THAT(scatterNdMax(x, -rows, at).toVector<int>(), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(scatterNdMin(x, -rows, at).toVector<int>(), ElementsAre(-3, -4, 0, 0, -5, -6));
  EXPECT_THAT(scatterNdMul(x + 1, rows, at).toVector<int>(), ElementsAre(3, 4, 1, 1, 5, 12));
  // Single elements; a batch of indices.
  Tensor elements = Tensor::constant({{{0, 1}, {2, 0}}});
  EXPECT_THAT(scatterNd(x, Tensor::constant({{7, 8}}), elements).toVector<int>(),
              ElementsAre(0, 7, 0, 0, 8, 0));
  EXPECT_THROW(scatterNd(x, rows, elements), ValueError);
  EXPECT_THROW(scatterNd(x, rows, Tensor::constant({{0, 0, 0}})), ValueError);
  EXPECT_THROW(scatterNd(x, rows, at.cast(DType::float32)), ValueError);
  auto row = [&] { scatterNd(x, rows, Tensor::constant({{0}, {3}, {1}})).realize(); };
  EXPECT_THAT(row, ThrowsMessage<IndexError>(HasSubstr("index 3 at position 1 is out of range [0, "
                                                       "3)")));
  auto element = [&] { // inside as a flat index
    scatterNd(x, Tensor::constant({{7, 8}}), Tensor::constant({{{0, 1}, {1, 2}}})).realize();
  };
  EXPECT_THAT(element, ThrowsMessage<IndexError>(HasSubstr("index 2 at position 1 is out of range "
                                                           "[0, 2)")));
}

TEST(MaskedScatter, InOrder) {
  Tensor x = Tensor::zeros({2, 3}, DType::int32);
  Tensor mask = Tensor::constant({{true, false, true}, {false, true, false}});
  Tensor updates = Tensor::constant({1, 2, 3, 4});
  EXPECT_THAT(maskedScatter(x, mask, updates).toVector<int>(), ElementsAre(1, 0, 2, 0, 3, 0));
  Tensor column = Tensor::constant({{true}, {false}});
  EXPECT_THAT(maskedScatter(x, column, updates).toVector<int>(), ElementsAre(1, 2, 3, 0, 0, 0));
  Tensor none = Tensor::full({2, 3}, false, DType::boolean);
  EXPECT_THAT(maskedScatter(x, none, Tensor::zeros({0}, DType::int32)).toVector<int>(),
              ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THROW(maskedScatter(x, mask, Tensor::constant({1, 2})).realize(), IndexError);
  EXPECT_THROW(maskedScatter(x, x, updates), TypeError);
  EXPECT_THROW(maskedScatter(x, mask, Tensor::constant({1.f})), TypeError);
  EXPECT_THROW(maskedScatter(x, Tensor::full({4, 2, 3}, true, DType::boolean), updates),
               ValueError);
}

struct CountsNonzero : nn::Module<CountsNonzero> {
  Tensor operator()(const Tensor &x) const { return nonzero(x); }
};

TEST(Nonzero, Coordinates) {
  Tensor x = Tensor::constant({{0.f, 2.f, -0.f}, {std::nanf(""), 0.f, -1.f}});
  Tensor at = nonzero(x);
  EXPECT_EQ(at.shape(), (Shape{3, 2}));
  EXPECT_THAT(at.toVector<int64_t>(), ElementsAre(0, 1, 1, 0, 1, 2));
  EXPECT_EQ(Tensor::zeros({4}).nonzero().shape(), (Shape{0, 1}));
  EXPECT_EQ(nonzero(Tensor::constant(true)).shape(), (Shape{1, 0}));
  EXPECT_EQ(nonzero(Tensor::zeros({0, 5, 2})).shape(), (Shape{0, 3}));
  auto traced = [] { CountsNonzero().compile(TensorType(DType::float32, {"n"})); };
  EXPECT_THAT(traced, ThrowsMessage<TypeError>(HasSubstr("[nonzero] the contents depend on an "
                                                         "argument of a model that is being "
                                                         "traced")));
}

TEST(Indexed, NewSizesCompileNothing) {
  auto work = [](int64_t rows, int64_t columns, int64_t count) {
    Tensor x = random::uniform({rows, columns});
    Tensor at = Tensor::zeros({count}, DType::int64);
    Tensor places = Tensor::zeros({rows, count}, DType::int64);
    Tensor updates = random::uniform({rows, count});
    realize(scatterNdAdd(x, random::uniform({count, columns}), at.unsqueeze(-1)),
            scatter(x, updates, places, 1), takeAlongAxis(x, places, 1),
            maskedScatter(x, x > 0.5f, x));
  };
  work(3, 70, 5);
  uint64_t before = runtimeStats().compiles;
  for (int64_t size : {2, 7, 11})
    work(size, size + 3, 2 * size);
  EXPECT_EQ(runtimeStats().compiles, before);
}

struct Places : nn::Module<Places> {
  std::vector<Tensor> operator()(const Tensor &x, const Tensor &updates,
                                 const Tensor &indices) const {
    return {scatter(x, updates, indices), scatterAdd(x, updates, indices),
            takeAlongAxis(x, indices, 1), scatterNdAdd(x, x, indices.slice({Slice(), Slice(0, 1)})),
            maskedScatter(x, x > 0.5f, x)};
  }
};

TEST(Indexed, CompiledWithNamedSizes) {
  auto compiled = Places().compile(TensorType(DType::float32, {"n", "m"}),
                                   TensorType(DType::float32, {"n", "k"}),
                                   TensorType(DType::int64, {"n", "k"}));
  for (auto [n, m, k] : {std::array<int64_t, 3>{3, 4, 7}, {5, 6, 1}, {1, 1, 2}}) {
    Tensor x = random::uniform({n, m}), updates = random::uniform({n, k});
    Tensor indices = Tensor::arange(0, n * k).reshape({n, k}) % std::min(n, m);
    auto eager = Places()(x, updates, indices), fast = compiled(x, updates, indices);
    for (std::size_t i = 0; i < eager.size(); ++i) {
      EXPECT_EQ(fast[i].shape(), eager[i].shape());
      EXPECT_EQ(fast[i].toVector<float>(), eager[i].toVector<float>());
    }
  }
  EXPECT_THROW(compiled(Tensor::ones({3, 4}), Tensor::ones({3, 1}),
                        Tensor::constant<int64_t>({{0}, {1}, {4}})),
               IndexError);
}

} // namespace
