#include "kiln/kiln.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

TEST(ComposedOps, Pad) {
  Tensor x = Tensor::constant({{1, 2}, {3, 4}});
  Tensor y = pad(x, {1, 0, 0, 2}, 9);
  EXPECT_EQ(y.shape(), (Shape{3, 4}));
  EXPECT_EQ(y.dtype(), DType::int32);
  EXPECT_THAT(y.toVector<int>(), ElementsAre(9, 9, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9));
  EXPECT_THAT(pad(x, {0, 0, 0, 0}).toVector<int>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(pad(Tensor::zeros({0}), {1, 1}, 0.5).toVector<float>(), ElementsAre(0.5f, 0.5f));
  EXPECT_THROW(pad(x, {1, 1}), ValueError);
  EXPECT_THROW(pad(x, {0, -1, 0, 0}), ValueError);
  EXPECT_THAT([&] { pad(x, {1, 0, 0, 0}, 0.5); },
              ThrowsMessage<ValueError>(HasSubstr("[pad] Unsafe cast")));
}

TEST(ComposedOps, BandPart) {
  Tensor x = Tensor::arange(1, 10).reshape({3, 3});
  EXPECT_THAT(bandPart(x, {}, 0).toVector<int64_t>(), ElementsAre(1, 0, 0, 4, 5, 0, 7, 8, 9));
  EXPECT_THAT(bandPart(x, -1, 0, true).toVector<int64_t>(), ElementsAre(0, 2, 3, 0, 0, 6, 0, 0, 0));
  EXPECT_THAT(bandPart(x, 1, 1).toVector<int64_t>(), ElementsAre(1, 2, 0, 4, 5, 6, 0, 8, 9));
  EXPECT_THAT(bandPart(x, 0, 0).toVector<int64_t>(), ElementsAre(1, 0, 0, 0, 5, 0, 0, 0, 9));
  EXPECT_THAT(bandPart(x, {}, {}).toVector<int64_t>(), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(bandPart(x, {}, {}, true).toVector<int64_t>(),
              ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0));
  Tensor wide = bandPart(Tensor::ones({2, 2, 3}, DType::boolean), 0, {});
  EXPECT_THAT(wide.toVector<bool>(), ElementsAre(1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1));
  EXPECT_THROW(bandPart(Tensor::ones({3}), 0, 0), ValueError);
}

TEST(ComposedOps, BandPartOfAnInfinityLeavesNoNaN) {
  Tensor mask = bandPart(Tensor::full({2, 2}, -INFINITY), -1, 0, true);
  EXPECT_THAT(mask.toVector<float>(), ElementsAre(0, -INFINITY, 0, 0));
}

TEST(ComposedOps, GatherNd) {
  Tensor x = Tensor::arange(0, 12).reshape({2, 3, 2});
  Tensor at = gatherNd(x, Tensor::constant({{0, 2}, {1, 0}}));
  EXPECT_EQ(at.shape(), (Shape{2, 2}));
  EXPECT_THAT(at.toVector<int64_t>(), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(gatherNd(x, Tensor::constant({{1, 2, 1}})).toVector<int64_t>(), ElementsAre(11));
  EXPECT_EQ(gatherNd(x, Tensor::constant({{{1}, {0}}})).shape(), (Shape{1, 2, 3, 2}));
  EXPECT_THROW(gatherNd(x, Tensor::constant({{0, 0, 0, 0}})), ValueError);
  EXPECT_THROW(gatherNd(x, Tensor::constant({{0.5f}})), ValueError);
}

TEST(ComposedOps, GatherNdNamesAnIndexOutside) {
  Tensor x = Tensor::arange(0, 12).reshape({2, 3, 2});
  // [0, 3] is inside the table as a flat index, but not as this one.
  for (const std::pair<int, int> &at : {std::pair{0, 3}, {2, 0}, {-1, 2}, {0, -1}}) {
    int bad = at.first < 0 || at.first > 1 ? at.first : at.second;
    auto read = [&] { gatherNd(x, Tensor::constant({{0, 0}, {at.first, at.second}})).realize(); };
    EXPECT_THAT(read, ThrowsMessage<IndexError>(HasSubstr(std::to_string(bad))));
  }
}

struct Compositions : nn::Module<Compositions> {
  std::vector<Tensor> operator()(const Tensor &x, const Tensor &indices) const {
    return {pad(x, {0, 1, 2, 0}, -1), bandPart(x, 1, 0), gatherNd(x, indices)};
  }
};

TEST(ComposedOps, CompiledWithNamedSizes) {
  auto compiled = Compositions().compile(TensorType(DType::float32, {"n", "m"}),
                                         TensorType(DType::int64, {"k", 2}));
  for (auto [n, m] : {std::pair<int64_t, int64_t>{3, 4}, {5, 2}, {1, 1}}) {
    Tensor x = random::uniform({n, m});
    Tensor indices = Tensor::constant<int64_t>({{0, 0}, {n - 1, m - 1}});
    auto eager = Compositions()(x, indices), fast = compiled(x, indices);
    ASSERT_EQ(fast.size(), eager.size());
    for (std::size_t i = 0; i < eager.size(); ++i) {
      EXPECT_EQ(fast[i].shape(), eager[i].shape());
      EXPECT_EQ(fast[i].toVector<float>(), eager[i].toVector<float>());
    }
  }
  EXPECT_THROW(compiled(random::uniform({3, 4}), Tensor::constant<int64_t>({{0, 4}})), IndexError);
}

} // namespace
