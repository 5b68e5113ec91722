#include "kiln/kiln.h"

#include <gmock/gmock.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// The message of the E that f throws.
template <class E, class F> std::string messageOf(F &&f) {
  try {
    f();
  } catch (const E &error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Tensor, IsMadeOfListsAndData) {
  Tensor nested = Tensor::constant({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(nested.shape(), (Shape{2, 3}));
  EXPECT_EQ(nested.dtype(), DType::int32);
  EXPECT_EQ(nested.numElements(), 6);
  EXPECT_THAT(nested.toVector<int32_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
  std::vector<float> values = {1, 2, 3, 4};
  Tensor copied = Tensor::fromData(std::span<const float>(values), {2, 2});
  values[0] = 9;
  EXPECT_EQ(copied.data<float>()[0], 1);
  EXPECT_EQ(Tensor::constant({true, false}).toVector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_EQ(Tensor::constant(2.5).item<double>(), 2.5);
  EXPECT_THROW(Tensor::constant({{1, 2}, {3}}), ValueError);
  EXPECT_THROW(Tensor::fromData(values, {3}), ValueError);
}

TEST(Tensor, FillsWithTheDefaultDType) {
  EXPECT_EQ(Tensor::zeros({2}).dtype(), DType::float32);
  DefaultsScope scope(DType::bfloat16, CPU());
  Tensor ones = Tensor::ones({2, 2});
  EXPECT_EQ(ones.dtype(), DType::bfloat16);
  EXPECT_EQ(static_cast<float>(ones.data<BFloat16>()[3]), 1.0f);
  EXPECT_EQ(Tensor::ones({10}, DType::uint64).toVector<uint64_t>(), std::vector<uint64_t>(10, 1));
  EXPECT_THAT(Tensor::fullLike(Tensor::constant({1, 2}), 7).toVector<int>(), ElementsAre(7, 7));
  EXPECT_THROW(Tensor::full({2}, 300, DType::uint8), ValueError);
  EXPECT_THROW(Tensor::full({2}, 1.5, DType::int32), ValueError);
}

TEST(Tensor, ARange) {
  EXPECT_THAT(Tensor::arange(5).toVector<int64_t>(), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(Tensor::arange(0, 10, 2).toVector<int64_t>(), ElementsAre(0, 2, 4, 6, 8));
  EXPECT_THAT(Tensor::arange(5, 0, -1).toVector<int64_t>(), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(Tensor::arange(0.0, 1.0, 0.25).toVector<float>(), ElementsAre(0, .25f, .5f, .75f));
  EXPECT_THAT(Tensor::arange(0, 3, 1, DType::float32).toVector<float>(), ElementsAre(0, 1, 2));
  EXPECT_EQ(Tensor::arange(3, 3).numElements(), 0);
  EXPECT_THROW(Tensor::arange(0, 3, 0), ValueError);
}

TEST(Tensor, ReadsOnlyItsOwnType) {
  Tensor x = Tensor::zeros({2});
  EXPECT_THROW(x.toVector<double>(), TypeError);
  EXPECT_THROW(x.data<int>(), TypeError);
  EXPECT_THROW(x.item<float>(), ValueError);
  EXPECT_THROW(Tensor().shape(), TypeError);
  EXPECT_THAT(messageOf<TypeError>([&] { x.toVector<double>(); }), HasSubstr("TensorTest.cpp:"));
}

TEST(Tensor, MistakesAreThrownAtOnceAndSayWhere) {
  Tensor x = Tensor::zeros({3, 4}), y = Tensor::zeros({5, 6});
  int line = __LINE__ + 1;
  std::string message = messageOf<ValueError>([&] { matmul(x, y); });
  EXPECT_EQ(message, "[matmul] inner dims differ: x [3, 4] f32, y [5, 6] f32 (at TensorTest.cpp:" +
                         std::to_string(line) + ")");
  line = __LINE__ + 1;
  message = messageOf<ValueError>([&] { x + y; });
  EXPECT_THAT(message, HasSubstr("[add] "));
  EXPECT_THAT(message, HasSubstr("(at TensorTest.cpp:" + std::to_string(line) + ")"));
  EXPECT_THROW(matmul(Tensor::constant(1.0f), x), ValueError);
  EXPECT_THAT(messageOf<ValueError>([&] { matmul(x, Tensor::zeros({3})); }),
              HasSubstr("inner dims differ: x [3, 4] f32, y [3] f32"));
  EXPECT_THROW(x[3], IndexError);
  EXPECT_THROW(sum(x, 2), Error);
  EXPECT_THROW(gelu(x, "fast"), ValueError);
  EXPECT_THROW(x.reshape({5, -1}), ValueError);
  EXPECT_THAT(messageOf<ValueError>([] { Tensor::zeros({0, 2}).reshape({-1, 0, 2}); }),
              HasSubstr("cannot infer -1 dimension when another dimension is 0"));
}

TEST(Tensor, AssigningOperatorsLeaveOtherHandlesAlone) {
  Tensor x = Tensor::constant({1.0f, 2.0f}), y = x;
  x += 1;
  x *= x;
  EXPECT_THAT(x.toVector<float>(), ElementsAre(4, 9));
  EXPECT_THAT(y.toVector<float>(), ElementsAre(1, 2));
}

TEST(Tensor, ScalarsNeverWidenAndMustFit) {
  Tensor i = Tensor::zeros({2}, DType::int8), h = Tensor::zeros({2}, DType::float16);
  EXPECT_EQ((i + 1).dtype(), DType::int8);
  EXPECT_EQ((2.0 * h).dtype(), DType::float16);
  EXPECT_EQ((1 - h).dtype(), DType::float16);
  EXPECT_THAT(messageOf<ValueError>([&] { i + 128; }), HasSubstr("Unsafe cast"));
  EXPECT_THAT(messageOf<ValueError>([&] { i * 2.0; }), HasSubstr("Unsafe cast"));
  EXPECT_THROW(Tensor::zeros({2}, DType::uint8) - -1, ValueError);
  EXPECT_THROW(h * 70000, ValueError);
  EXPECT_EQ((i / 2).dtype(), DType::float32);
  EXPECT_EQ((i < 3).dtype(), DType::boolean);
}

TEST(Tensor, PromotesAsPyTorch) {
  auto of = [](DType dtype) { return Tensor::zeros({2}, dtype); };
  EXPECT_EQ((of(DType::int32) + of(DType::float16)).dtype(), DType::float16);
  EXPECT_EQ((of(DType::int64) * of(DType::bfloat16)).dtype(), DType::bfloat16);
  EXPECT_EQ((of(DType::float16) + of(DType::bfloat16)).dtype(), DType::float32);
  EXPECT_EQ((of(DType::uint8) + of(DType::int8)).dtype(), DType::int16);
  EXPECT_EQ((of(DType::int32) / of(DType::int32)).dtype(), DType::float32);
  EXPECT_EQ(matmul(Tensor::ones({1, 2}, DType::int32), Tensor::ones({2, 1})).dtype(),
            DType::float32);
}

TEST(Tensor, ShapesOfViews) {
  Tensor x = Tensor::zeros({2, 3, 4});
  EXPECT_EQ(x.T().shape(), (Shape{2, 4, 3}));
  EXPECT_EQ(x.transpose(0, -1).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(x.permute({2, 0, 1}).shape(), (Shape{4, 2, 3}));
  EXPECT_EQ(x.reshape({-1, 3}).shape(), (Shape{8, 3}));
  EXPECT_EQ(x.unsqueeze(-1).shape(), (Shape{2, 3, 4, 1}));
  EXPECT_EQ(x.unsqueeze(0).squeeze(0).shape(), x.shape());
  EXPECT_EQ(x.flatten(0, 1).shape(), (Shape{6, 4}));
  EXPECT_EQ(Tensor::zeros({4, 1}).broadcastTo({3, 4, 2}).shape(), (Shape{3, 4, 2}));
  EXPECT_EQ(x[-1].shape(), (Shape{3, 4}));
  EXPECT_EQ(x.slice({Slice(0, 1), Slice(1, {}, 2)}).shape(), (Shape{1, 1, 4}));
  EXPECT_EQ(x.slice({Slice(), -1}).shape(), (Shape{2, 4}));
  EXPECT_EQ(x.slice({newAxis, ellipsis, Slice(-2)}).shape(), (Shape{1, 2, 3, 2}));
  EXPECT_EQ(x.sum(1).shape(), (Shape{2, 1, 4}));
  EXPECT_EQ(x.argmax().shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(x.argmax().dtype(), DType::int64);
  EXPECT_EQ(concat({x, x}, -1).shape(), (Shape{2, 3, 8}));
  EXPECT_EQ(stack({x, x}, 1).shape(), (Shape{2, 2, 3, 4}));
  EXPECT_EQ(tile(x, {1, 2, 3}).shape(), (Shape{2, 6, 12}));
  EXPECT_EQ(outer(Tensor::zeros({2}), Tensor::zeros({3})).shape(), (Shape{2, 3}));
  EXPECT_EQ(gather(x, Tensor::zeros({5, 6}, DType::int64), 1).shape(), (Shape{2, 5, 6, 4}));
  std::vector<int64_t> sizes;
  for (const Tensor &part : Tensor::zeros({10, 4}).split(3))
    sizes.push_back(part.shape()[0].value());
  EXPECT_THAT(sizes, ElementsAre(3, 3, 3, 1));
  EXPECT_EQ(x.split(std::vector<int64_t>{1, 2}, 1)[1].shape(), (Shape{2, 2, 4}));
  EXPECT_EQ(x.chunk(2, 2)[1].shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(matmul(Tensor::zeros({3}), Tensor::zeros({3, 2})).shape(), (Shape{2}));
  EXPECT_EQ(matmul(x, Tensor::zeros({4})).shape(), (Shape{2, 3}));
  EXPECT_EQ(matmul(Tensor::zeros({3}), Tensor::zeros({3})).shape(), Shape{});
}

TEST(Tensor, LongChainsAreFreedWithoutRecursion) {
  Tensor x = Tensor::zeros({3});
  for (int i = 0; i < 100'000; ++i)
    x = x + 1;
  EXPECT_FALSE(x.isRealized());
  x = Tensor(); // a recursive destructor would overflow the stack
  EXPECT_FALSE(x.defined());
}

TEST(Tensor, AnAcceleratorIsMissedWhenUsedNotWhenNamed) {
  if (acceleratorCount() > 0)
    GTEST_SKIP() << "there is an accelerator";
  Device device = Accelerator();
  EXPECT_THROW(Tensor::zeros({2}, {}, device), DeviceError);
  EXPECT_THROW(Tensor::zeros({2}).to(device), DeviceError);
}

TEST(Tensor, OperandsMustBeOnOneDevice) {
  Tensor here = Tensor::zeros({2}), there = here.to(CPU(1));
  EXPECT_EQ(there.device(), CPU(1));
  EXPECT_THAT(messageOf<ValueError>([&] { here + there; }), HasSubstr("same device"));
}

TEST(Random, TheSameSeedGivesTheSameNumbers) {
  random::seed(42);
  auto first = random::normal({100}).toVector<float>();
  auto second = random::normal({100}).toVector<float>();
  random::seed(42);
  EXPECT_EQ(random::normal({100}).toVector<float>(), first);
  EXPECT_NE(second, first);
  random::seed(123);
  EXPECT_NE(random::normal({100}).toVector<float>(), first);
}

TEST(Random, HasTheRightRangeAndMoments) {
  random::seed(1);
  double sum = 0;
  for (float value : random::uniform({100'000}, -1, 3).toVector<float>()) {
    ASSERT_GE(value, -1);
    ASSERT_LT(value, 3);
    sum += value;
  }
  EXPECT_NEAR(sum / 100'000, 1, 0.02); // five standard errors
  double squares = 0;
  sum = 0;
  for (float value : random::normal({100'001}, 2, 3).toVector<float>()) {
    sum += value;
    squares += (value - 2.0) * (value - 2.0);
  }
  EXPECT_NEAR(sum / 100'001, 2, 0.05);
  EXPECT_NEAR(squares / 100'001, 9, 0.25);
}

} // namespace
