#include "kiln/kiln.h"

#include <cmath>
#include <functional>
#include <gmock/gmock.h>
#include <numeric>

using namespace kiln;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// MAX's test_tensor_elemwise.py (reductions, views), test_tensor_matmul.py, test_functional_*.py.
namespace {

void expectReal(const Tensor &x, const Shape &shape, DType dtype = DType::float32) {
  EXPECT_EQ(x.shape(), shape);
  EXPECT_EQ(x.dtype(), dtype);
  EXPECT_TRUE(x.realize().isRealized());
}

Tensor counting(const Shape &shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numElements().value()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::fromData(values, shape);
}

// Reductions.

TEST(MaxTensorReductions, test_sum_and_prod) {
  Tensor x = Tensor::constant({{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}});
  expectReal(x.sum(-1), {2, 1});
  EXPECT_THAT(x.sum(-1).toVector<float>(), ElementsAre(6, 15));
  expectReal(x.prod(-1), {2, 1});
  EXPECT_THAT(x.prod().toVector<float>(), ElementsAre(6, 120));
}

TEST(MaxTensorReductions, test_axis_none) {
  Tensor x = Tensor::constant({{1.2f, 3.5f, 2.1f}, {2.3f, 1.9f, 4.2f}});
  expectReal(x.max(std::nullopt), {1});
  EXPECT_EQ(x.max(std::nullopt).item<float>(), 4.2f);
  EXPECT_EQ(min(x, std::nullopt).item<float>(), 1.2f);
  EXPECT_EQ(x.argmax(std::nullopt).shape(), Shape{1});
  EXPECT_EQ(x.argmax(std::nullopt).item<int64_t>(), 5);
  EXPECT_EQ(x.argmin(std::nullopt).item<int64_t>(), 0);
  Tensor y = Tensor::constant({{2.0f, 4.0f, 6.0f}, {8.0f, 10.0f, 12.0f}});
  EXPECT_EQ(y.mean(std::nullopt).item<float>(), 7);
  EXPECT_EQ(mean(y, std::nullopt).shape(), Shape{1});
  EXPECT_EQ(y.sum(std::nullopt).item<float>(), 42);
  EXPECT_EQ(Tensor::constant(3.0f).max(std::nullopt).shape(), Shape{1});
}

TEST(MaxTensorReductions, test_along_an_axis) {
  Tensor x = counting({10, 10});
  expectReal(argmax(x), {10, 1}, DType::int64);
  expectReal(argmin(x), {10, 1}, DType::int64);
  expectReal(mean(x), {10, 1});
  expectReal(prod(x), {10, 1});
  expectReal(sum(x), {10, 1});
  EXPECT_THAT(argmax(x, 0).toVector<int64_t>(), Each(9));
  EXPECT_THROW(sum(x, 2), IndexError);
  EXPECT_THROW(sum(x, -3), IndexError);
}

TEST(MaxTensorReductions, over_several_axes) {
  Tensor x = counting({2, 3, 4});
  expectReal(x.sum({0, 2}), {1, 3, 1});
  EXPECT_THAT(x.sum({0, 2}).toVector<float>(), ElementsAre(60, 92, 124));
  EXPECT_THAT(x.mean({-1, 0}).toVector<float>(), ElementsAre(7.5f, 11.5f, 15.5f));
  EXPECT_THAT(max(x, {1, 2}).toVector<float>(), ElementsAre(11, 23));
  EXPECT_THAT(min(x, {0, 1}).toVector<float>(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT((x + 1).prod({0, 1}).toVector<float>(),
              ElementsAre(208845, 665280, 1514205, 2949120));
  EXPECT_THROW(x.sum({0, 0}), ValueError);
  EXPECT_THROW(x.sum({0, 3}), IndexError);
}

TEST(MaxTensorReductions, nan_and_infinities) {
  Tensor x = Tensor::constant({{1.0f, NAN, 3.0f, NAN}, {INFINITY, 2.0f, -INFINITY, 0.0f}});
  std::vector<float> greatest = x.max().toVector<float>(), least = x.min().toVector<float>();
  EXPECT_TRUE(std::isnan(greatest[0]));
  EXPECT_TRUE(std::isnan(least[0]));
  EXPECT_EQ(greatest[1], INFINITY);
  EXPECT_EQ(least[1], -INFINITY);
  EXPECT_THAT(x.argmax().toVector<int64_t>(), ElementsAre(1, 0)); // the first NaN wins
  EXPECT_THAT(x.argmin().toVector<int64_t>(), ElementsAre(1, 2));
  EXPECT_THAT(isNan(x.sum()).toVector<bool>(), Each(true));
}

TEST(MaxTensorReductions, empty_and_long) {
  EXPECT_THAT(Tensor::zeros({2, 0}).sum().toVector<float>(), ElementsAre(0, 0));
  EXPECT_THAT(Tensor::zeros({2, 0}).prod().toVector<float>(), ElementsAre(1, 1));
  EXPECT_THROW(Tensor::zeros({2, 0}).max(), ValueError);
  EXPECT_EQ(Tensor::zeros({0, 3}).max().shape(), (Shape{0, 1}));
  Tensor ones = Tensor::ones({100000}, DType::float32);
  EXPECT_EQ(ones.sum().item<float>(), 100000);
  EXPECT_EQ(Tensor::ones({300}, DType::int8).sum().item<int8_t>(), static_cast<int8_t>(300 & 255));
}

// Views.

TEST(MaxTensorViews, test_squeeze_and_unsqueeze) {
  expectReal(counting({4, 1, 6}).squeeze(1), {4, 6});
  expectReal(counting({4, 6}).unsqueeze(-1), {4, 6, 1});
  expectReal(counting({4, 6}).unsqueeze(0), {1, 4, 6});
  EXPECT_THROW(counting({4, 6}).squeeze(0), ValueError);
}

TEST(MaxTensorViews, test_split) {
  auto sizes = [](const std::vector<Tensor> &parts) {
    std::vector<int64_t> result;
    for (const Tensor &part : parts)
      result.push_back(part.shape()[0].value());
    return result;
  };
  Tensor x = counting({10, 4});
  EXPECT_THAT(sizes(x.split(3)), ElementsAre(3, 3, 3, 1));
  EXPECT_THAT(sizes(x.split({2, 3, 5})), ElementsAre(2, 3, 5));
  EXPECT_EQ(x.split({2, 3, 5})[2].toVector<float>().front(), 20);
  EXPECT_THROW(x.split({2, 3}), ValueError);
  EXPECT_THROW(x.split({-1, 11}), ValueError);
  EXPECT_THROW(x.split(0), ValueError);
  EXPECT_THAT(sizes(x.chunk(3)), ElementsAre(4, 4, 2));
  EXPECT_THAT(sizes(x.chunk(20)), ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(sizes(Tensor::zeros({0, 2}).chunk(3)), ElementsAre(0, 0, 0));
  EXPECT_THROW(x.chunk(0), ValueError);
}

TEST(MaxTensorViews, test_reshape_permute_transpose_cast) {
  Tensor x = counting({4, 6});
  expectReal(x.reshape({6, 4}), {6, 4});
  expectReal(x.cast(DType::int64), {4, 6}, DType::int64);
  expectReal(counting({2, 3, 4}).permute({2, 0, 1}), {4, 2, 3});
  expectReal(x.transpose(0, 1), {6, 4});
  expectReal(x.T(), {6, 4});
  EXPECT_THAT(counting({2, 3}).T().toVector<float>(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THROW(x.permute({0, 0}), ValueError);
  EXPECT_THROW(x.permute({0}), ValueError);
  EXPECT_THROW(x.transpose(0, 2), IndexError);
}

TEST(MaxTensorViews, test_slice) {
  Tensor x = counting({4, 6});
  Tensor part = x.slice({Slice(0, 2), Slice(1, 4)});
  expectReal(part, {2, 3});
  EXPECT_THAT(part.toVector<float>(), ElementsAre(1, 2, 3, 7, 8, 9));
  Tensor hidden = Tensor::ones({2, 4, 8});
  for (const Tensor &row : {hidden.slice({Slice(), -1}), hidden.slice({Slice(), -2})}) {
    expectReal(row, {2, 8});
    EXPECT_THAT(row.toVector<float>(), Each(1));
  }
  expectReal(hidden[-1], {4, 8});
  EXPECT_THAT(hidden[-1].toVector<float>(), Each(1));
}

TEST(MaxTensorViews, views_of_what_is_there_share_its_memory) {
  Tensor x = counting({4, 6});
  const float *memory = x.data<float>().data();
  for (const Tensor &view : {x.reshape({3, 8}), x.flatten(), x.unsqueeze(1), x.reshape({-1, 2})}) {
    EXPECT_TRUE(view.isRealized());
    EXPECT_EQ(view.data<float>().data(), memory);
  }
  EXPECT_EQ(x[2].data<float>().data(), memory + 12);
  EXPECT_EQ(x.slice({Slice(1, 3)}).data<float>().data(), memory + 6);
  EXPECT_EQ(x.slice({3, Slice(2, 4)}).data<float>().data(), memory + 20);
  EXPECT_EQ(x.split(2)[1].data<float>().data(), memory + 12);
  EXPECT_FALSE(x.slice({Slice(), Slice(0, 2)}).isRealized()); // not dense
  EXPECT_FALSE(x.slice({Slice(0, 4, 2)}).isRealized());
  EXPECT_EQ(x.slice({Slice(4, 4)}).numElements(), 0);
  // A view keeps the memory, and is an operand as any other.
  Tensor row = x[1];
  x = Tensor();
  EXPECT_THAT((row + 1).toVector<float>(), ElementsAre(7, 8, 9, 10, 11, 12));
  EXPECT_THAT(matmul(row, Tensor::ones({6, 2})).toVector<float>(), ElementsAre(51, 51));
}

TEST(MaxTensorViews, test_matmul) {
  expectReal(matmul(counting({4, 3}), counting({3, 6})), {4, 6});
  EXPECT_THAT(matmul(counting({2, 2}), counting({2, 2})).toVector<float>(),
              ElementsAre(2, 3, 6, 11));
}

// Functions.

TEST(MaxFunctional, test_broadcast_to) {
  expectReal(counting({3, 1}).broadcastTo({3, 4}), {3, 4});
  expectReal(counting({3, 4}).broadcastTo({2, 3, 4}), {2, 3, 4});
  EXPECT_THAT([] { counting({4, 6}).broadcastTo({3, 6}); },
              ThrowsMessage<ValueError>(
                  testing::ContainsRegex("input dimension.*must be either 1 or equal")));
}

TEST(MaxFunctional, test_concat_and_stack) {
  Tensor x = counting({4, 6});
  expectReal(concat({x, x}, 0), {8, 6});
  expectReal(concat({x, x}, -1), {4, 12});
  expectReal(stack({x, x}), {2, 4, 6});
  expectReal(stack({x, x}, -1), {4, 6, 2});
  EXPECT_THAT(stack({Tensor::constant(1), Tensor::constant(2)}).toVector<int>(), ElementsAre(1, 2));
  EXPECT_THROW(concat({}), ValueError);
  EXPECT_THROW(concat({x, counting({4, 5})}), ValueError);
  EXPECT_THROW(stack({x, counting({6, 4})}), ValueError);
  EXPECT_THROW(concat({x, x}, 2), IndexError);
}

TEST(MaxFunctional, test_complex_mul) {
  Tensor x = Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}});     // 1 + 2i, 3 + 4i
  Tensor y = Tensor::constant({{{1.0f, 0.0f}}, {{0.0f, 1.0f}}}); // 1, i
  Tensor z = complexMul(x, y);
  expectReal(z, {2, 2, 2});
  EXPECT_THAT(z.toVector<float>(), ElementsAre(1, 2, 3, 4, -2, 1, -4, 3));
  EXPECT_THROW(complexMul(counting({2, 3}), counting({2, 3})), ValueError);
}

TEST(MaxFunctional, test_chunk_flatten_outer_tile_pad) {
  Tensor x = counting({4, 6});
  EXPECT_EQ(chunk(x, 2).size(), 2u);
  expectReal(chunk(x, 2, 1)[1], {4, 3});
  expectReal(x.flatten(), {24});
  expectReal(outer(counting({3}), counting({2})), {3, 2});
  EXPECT_THAT(outer(counting({3}), counting({2})).toVector<float>(), ElementsAre(0, 0, 0, 1, 0, 2));
  expectReal(tile(x, {2, 1}), {8, 6});
  EXPECT_THAT(tile(Tensor::constant({1, 2}), {2}).toVector<int>(), ElementsAre(1, 2, 1, 2));
  EXPECT_EQ(tile(x, {0, 1}).shape(), (Shape{0, 6}));
  EXPECT_THROW(tile(x, {2}), ValueError);
  expectReal(pad(x, {1, 0, 0, 2}), {5, 8});
  EXPECT_THAT(pad(Tensor::constant({1, 2}), {1, 1}, 9).toVector<int>(), ElementsAre(9, 1, 2, 9));
}

TEST(MaxFunctional, test_gather) {
  Tensor table = counting({3, 2}), indices = Tensor::constant({{0, 2}, {1, 1}});
  expectReal(gather(table, indices), {2, 2, 2});
  EXPECT_THAT(gather(table, indices, 1 - 1).toVector<float>(), ElementsAre(0, 1, 4, 5, 2, 3, 2, 3));
  expectReal(gatherNd(table, indices.slice({Slice(), newAxis, Slice(1, 2)})), {2, 1, 2});
  EXPECT_THAT(gatherNd(table, Tensor::constant({{2, 1}, {0, 0}})).toVector<float>(),
              ElementsAre(5, 0));
}

TEST(MaxFunctional, test_band_part) {
  Tensor x = Tensor::ones({3, 3});
  EXPECT_THAT(bandPart(x, std::nullopt, 0).toVector<float>(),
              ElementsAre(1, 0, 0, 1, 1, 0, 1, 1, 1));
  EXPECT_THAT(bandPart(x, std::nullopt, 0, true).toVector<float>(),
              ElementsAre(0, 1, 1, 0, 0, 1, 0, 0, 0));
}

TEST(MaxFunctional, test_hann_window) {
  expectReal(hannWindow(8), {8});
  std::vector<float> periodic = hannWindow(8).toVector<float>(),
                     symmetric = hannWindow(9, false).toVector<float>();
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(periodic[i], 0.5 - 0.5 * std::cos(2 * M_PI * static_cast<double>(i) / 8), 1e-7);
    EXPECT_EQ(periodic[i], symmetric[i]);
  }
  EXPECT_NEAR(symmetric[8], 0, 1e-7);
  EXPECT_EQ(hannWindow(0).numElements(), 0);
  EXPECT_THAT(hannWindow(1).toVector<float>(), ElementsAre(1));
  EXPECT_EQ(hannWindow(4, true, DType::float64).dtype(), DType::float64);
  EXPECT_THROW(hannWindow(-1), ValueError);
  EXPECT_THROW(hannWindow(4, true, DType::int32), TypeError);
}

TEST(MaxFunctional, test_layer_norm) {
  Tensor x = counting({2, 4});
  expectReal(layerNorm(x, Tensor::ones({4}), Tensor::zeros({4})), {2, 4});
  EXPECT_NEAR(layerNorm(x).toVector<float>()[0], -1.341635, 1e-5);
}

// Branches and loops.

TEST(MaxFunctionalControlFlow, test_cond) {
  auto choose = [](bool value) {
    return cond(
        Tensor::constant(value), [] { return Tensor::constant(42); },
        [] { return Tensor::constant(0); });
  };
  EXPECT_EQ(choose(true).item<int>(), 42);
  EXPECT_EQ(choose(false).item<int>(), 0);
  Tensor x = Tensor::ones({4});
  Tensor doubled = cond((x.sum() > 3).squeeze(0), [&] { return x * 2; }, [&] { return x * 3; });
  EXPECT_THAT(doubled.toVector<float>(), Each(2));
  int calls = 0;
  cond(Tensor::constant(true), [&] { ++calls; }, [&] { calls += 10; });
  EXPECT_EQ(calls, 1);
  auto [a, b] = cond(
      Tensor::constant(false), [] { return std::tuple{Tensor::constant(1), Tensor::constant(2)}; },
      [] { return std::tuple{Tensor::constant(3), Tensor::constant(4)}; });
  EXPECT_EQ(a.item<int>() + b.item<int>(), 7);
}

TEST(MaxFunctionalControlFlow, test_cond_mistakes) {
  auto branch = [] { return Tensor::constant(1); };
  EXPECT_THROW(cond(Tensor::constant(1), branch, branch), TypeError);
  EXPECT_THROW(cond(Tensor::full({2}, true, DType::boolean), branch, branch), TypeError);
  EXPECT_THROW(cond(Tensor(), branch, branch), TypeError);
}

struct Chooser : nn::Module<Chooser> {
  KILN_FIELDS()
  Tensor operator()(const Tensor &x) const {
    return cond(x.sum(std::nullopt) > 0, [&] { return x * 2; }, [&] { return x - 1; });
  }
};

TEST(MaxFunctionalControlFlow, test_cond_in_a_compiled_model) {
  auto model = Chooser().compile(TensorType(DType::float32, {"n"}, CPU()));
  EXPECT_THAT(model(Tensor::constant({1.0f, 2.0f})).toVector<float>(), ElementsAre(2, 4));
  EXPECT_THAT(model(Tensor::constant({1.0f, -2.0f, 0.0f})).toVector<float>(),
              ElementsAre(0, -3, -1));
}

TEST(MaxFunctionalControlFlow, test_while_loop) {
  Tensor x = whileLoop(
      Tensor::constant(0), [](const Tensor &t) { return t < 10; },
      [](const Tensor &t) { return t + 1; });
  EXPECT_EQ(x.item<int>(), 10);
  auto [a, b] = whileLoop(
      std::tuple{Tensor::constant(0), Tensor::constant(0)},
      [](const Tensor &t, const Tensor &) { return t < 10; },
      [](const Tensor &t, const Tensor &u) { return std::tuple{t + 1, u + 2}; });
  EXPECT_EQ(a.item<int>(), 10);
  EXPECT_EQ(b.item<int>(), 20);
}

TEST(MaxFunctionalControlFlow, test_while_loop_in_a_graph) {
  Graph graph("loop");
  auto scope = graph.enter();
  Tensor x = graph.input(TensorType(DType::float32, {}, CPU()));
  EXPECT_THAT(
      [&] {
        whileLoop(x, [](const Tensor &t) { return t < 10; }, [](const Tensor &t) { return t + 1; });
      },
      ThrowsMessage<TypeError>(HasSubstr("compile the body")));
}

} // namespace
