#include "kiln/kiln.h"

#include <atomic>
#include <cmath>
#include <gmock/gmock.h>
#include <numeric>
#include <thread>

using namespace kiln;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// MAX's test_tensor_compatibility.py (methods as users of PyTorch and NumPy know them), and the
/// same operations in compiled models.
namespace {

Tensor counting(const Shape &shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numElements().value()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::fromData(values, shape);
}

TEST(MaxTensorCompatibility, test_size) {
  Tensor x = counting({2, 3});
  EXPECT_EQ(x.size(0), 2);
  EXPECT_EQ(x.size(-1), 3);
  EXPECT_THROW(x.size(2), IndexError);
}

TEST(MaxTensorCompatibility, test_variadic_reshape) {
  Tensor x = counting({2, 3, 4});
  EXPECT_EQ(x.reshape(2, -1, 4).shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(x.reshape(-1, 4).shape(), (Shape{6, 4}));
  EXPECT_EQ(x.reshape(-1).shape(), (Shape{24}));
  EXPECT_EQ(x.reshape({-1}).shape(), (Shape{24}));
  EXPECT_EQ(x.reshape({24}).shape(), (Shape{24}));
  EXPECT_EQ(x.reshape(x.size(0), -1).shape(), (Shape{2, 12}));
  EXPECT_THAT([&] { x.reshape(5, -1); },
              ThrowsMessage<ValueError>(HasSubstr("TensorCompatibilityTest.cpp:")));
}

TEST(MaxTensorCompatibility, test_flatten_and_unflatten) {
  EXPECT_EQ(counting({2, 3, 4}).flatten(0, 1).shape(), (Shape{6, 4}));
  Tensor x = counting({2, 12}).unflatten(1, {4, -1});
  EXPECT_EQ(x.shape(), (Shape{2, 4, 3}));
  EXPECT_EQ(x.toVector<float>(), counting({24}).toVector<float>());
  EXPECT_EQ(counting({2, 12}).unflatten(-1, {3, 4}).shape(), (Shape{2, 3, 4}));
  EXPECT_THROW(counting({2, 12}).unflatten(1, {5, -1}), ValueError);
  EXPECT_THROW(counting({2, 12}).unflatten(1, {3, 5}), ValueError);
  EXPECT_THROW(counting({2, 12}).unflatten(1, {-1, -1}), ValueError);
}

TEST(MaxTensorCompatibility, test_unbind) {
  std::vector<Tensor> parts = counting({2, 3, 2}).unbind(1);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[1].shape(), (Shape{2, 2}));
  EXPECT_THAT(parts[1].toVector<float>(), ElementsAre(2, 3, 8, 9));
  EXPECT_EQ(unbind(counting({2, 3})).size(), 2u);
}

TEST(MaxTensorCompatibility, test_repeat) {
  Tensor x = Tensor::constant({1, 2, 3});
  Tensor y = x.repeat({4, 1, 2});
  EXPECT_EQ(y.shape(), (Shape{4, 1, 6}));
  EXPECT_THAT(y[3].toVector<int>(), ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_THROW(counting({2, 3}).repeat({2}), ValueError);
  EXPECT_THROW(x.repeat({-1}), ValueError);
}

TEST(MaxTensorCompatibility, test_repeat_interleave) {
  Tensor x = Tensor::constant({{1, 2}, {3, 4}});
  EXPECT_THAT(x.repeatInterleave(2, 1).toVector<int>(), ElementsAre(1, 1, 2, 2, 3, 3, 4, 4));
  EXPECT_THAT(x.repeatInterleave(2).toVector<int>(), ElementsAre(1, 2, 1, 2, 3, 4, 3, 4));
  EXPECT_EQ(x.repeatInterleave(0, 1).shape(), (Shape{2, 0}));
  EXPECT_TRUE(x.repeatInterleave(0, 1).toVector<int>().empty());
}

TEST(MaxTensorCompatibility, test_masked_fill) {
  Tensor x = counting({2, 3}), mask = Tensor::constant({false, true, false});
  EXPECT_THAT(x.maskedFill(mask, -INFINITY).toVector<float>(),
              ElementsAre(0, -INFINITY, 2, 3, -INFINITY, 5));
}

TEST(MaxTensorCompatibility, test_amin_amax) {
  Tensor x = counting({2, 3, 4});
  EXPECT_EQ(x.amin({1, -2 + 1}).shape(), (Shape{2}));
  EXPECT_THAT(x.amin({1, -1}).toVector<float>(), ElementsAre(0, 12));
  EXPECT_THAT(x.amax({0, 2}).toVector<float>(), ElementsAre(15, 19, 23));
  EXPECT_EQ(x.amax(1).shape(), (Shape{2, 4}));
  EXPECT_EQ(x.amax().shape(), Shape{});
  EXPECT_EQ(x.amax().item<float>(), 23);
  EXPECT_THROW(x.amin({1, -2}), ValueError); // twice the same axis
}

TEST(MaxTensorCompatibility, test_swapaxes) {
  EXPECT_EQ(counting({2, 3, 4}).swapaxes(0, -1).shape(), (Shape{4, 3, 2}));
}

TEST(MaxTensorCompatibility, test_flip_and_negative_steps) {
  Tensor x = counting({2, 3});
  EXPECT_THAT(x.flip({1}).toVector<float>(), ElementsAre(2, 1, 0, 5, 4, 3));
  EXPECT_THAT(x.flip({0, 1}).toVector<float>(), ElementsAre(5, 4, 3, 2, 1, 0));
  EXPECT_THAT(x.slice({Slice(), Slice({}, {}, -1)}).toVector<float>(),
              ElementsAre(2, 1, 0, 5, 4, 3));
  Tensor row = Tensor::arange(10);
  auto of = [&](const Slice &slice) { return row.slice({slice}).toVector<int64_t>(); };
  EXPECT_THAT(of({7, 2, -2}), ElementsAre(7, 5, 3));
  EXPECT_THAT(of({{}, {}, -4}), ElementsAre(9, 5, 1));
  EXPECT_THAT(of({-2, 5, -1}), ElementsAre(8, 7, 6));
  EXPECT_THAT(of({2, {}, -1}), ElementsAre(2, 1, 0));
  EXPECT_THAT(of({3, -9, -1}), ElementsAre(3, 2));
  EXPECT_THAT(of({3, 3, -1}), ElementsAre());
  EXPECT_THROW(of({10, {}, -1}), ValueError);
  EXPECT_THROW(of({2, 5, -1}), ValueError);
  EXPECT_THROW(of({{}, {}, 0}), ValueError);
  EXPECT_EQ(Tensor::zeros({0}).flip({0}).numElements(), 0);
  EXPECT_THROW(x.flip({1, -1}), ValueError);
  EXPECT_THROW(x.flip({2}), IndexError);
}

TEST(MaxTensorCompatibility, test_bitwise_on_ints_logical_on_bools) {
  Tensor a = Tensor::constant({12, 10}), b = Tensor::constant({10, 3});
  EXPECT_THAT((a & b).toVector<int>(), ElementsAre(8, 2));
  EXPECT_THAT((a | b).toVector<int>(), ElementsAre(14, 11));
  EXPECT_THAT((a ^ b).toVector<int>(), ElementsAre(6, 9));
  EXPECT_THAT((~a).toVector<int>(), ElementsAre(-13, -11));
  Tensor c = a;
  c &= b;
  c |= 1;
  c ^= 3;
  EXPECT_THAT(c.toVector<int>(), ElementsAre(10, 0));
  EXPECT_THAT(((a > 10) & (b > 5)).toVector<bool>(), ElementsAre(true, false));
}

TEST(MaxTensorCompatibility, test_ints_with_bfloat16) {
  Tensor half = Tensor::ones({2}, DType::bfloat16);
  for (DType dtype : {DType::int32, DType::int64}) {
    Tensor product = Tensor::full({2}, 3, dtype) * half;
    EXPECT_EQ(product.dtype(), DType::bfloat16);
    EXPECT_THAT(product.cast(DType::float32).toVector<float>(), Each(3));
  }
}

/// The same operations of symbolic sizes.
struct Composed : nn::Module<Composed> {
  KILN_FIELDS()
  std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> operator()(const Tensor &x) const {
    return {x.flip({0, 1}),
            x.slice({Slice({}, {}, -2)}),
            x.sum({0, 1}),
            x.amax(0),
            x.mean(std::nullopt),
            complexMul(x.repeat({2, 1, 1}).slice({ellipsis, Slice(0, 2)}),
                       x.slice({Slice(), Slice(0, 2)}))};
  }
};

TEST(MaxTensorCompatibility, in_a_compiled_model) {
  auto model = Composed().compile(TensorType(DType::float32, {"n", 3}, CPU()));
  for (int64_t n : {1, 2, 5, 8}) {
    Tensor x = counting({n, 3});
    auto compiled = model(x);
    auto eager = Composed()(x);
    std::apply(
        [&](const auto &...results) {
          std::apply(
              [&](const auto &...expected) {
                EXPECT_TRUE(((results.shape() == expected.shape()) && ...)) << n;
                EXPECT_TRUE(
                    ((results.template toVector<float>() == expected.template toVector<float>()) &&
                     ...))
                    << n;
              },
              eager);
        },
        compiled);
    EXPECT_EQ(std::get<0>(eager).toVector<float>().front(), static_cast<float>(3 * n - 1));
  }
}

// Threads.

TEST(TensorThreads, a_pending_tensor_is_computed_once) {
  auto lookUps = [] {
    RuntimeStats stats = runtimeStats();
    return stats.compiles + stats.memoryHits + stats.diskHits;
  };
  for (int round = 0; round < 20; ++round) {
    Tensor x = counting({64, 64}), y = tanh(matmul(x, x) * 1e-3);
    int64_t before = lookUps();
    std::atomic<int> ready = 0;
    std::vector<const float *> seen(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 8; ++i)
      threads.emplace_back([&, i] {
        for (++ready; ready < 8;)
          std::this_thread::yield();
        seen[i] = y.data<float>().data();
      });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_THAT(seen, Each(seen[0]));
    EXPECT_EQ(lookUps() - before, 1);
  }
}

TEST(TensorThreads, a_failing_tensor_fails_in_every_thread) {
  Tensor broken = gather(Tensor::ones({4}), Tensor::constant({9})) + 1;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&] {
      try {
        broken.realize();
      } catch (const IndexError &) {
        ++failures;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(failures, 6);
}

TEST(TensorThreads, overlapping_graphs) {
  // All threads share parts of what they read, in different orders.
  Tensor base = counting({32}) * 0.5;
  std::vector<Tensor> chain = {base};
  for (int i = 0; i < 12; ++i)
    chain.push_back(chain.back() + chain[chain.size() / 2]);
  std::vector<Tensor> moved;
  for (const Tensor &x : chain)
    moved.push_back(x.to(CPU(1)).to(CPU()) + 1);
  std::vector<std::vector<float>> results(8);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < moved.size(); ++i)
        moved[(i * (2 * t + 1)) % moved.size()].realize();
      results[t] = moved.back().toVector<float>();
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_THAT(results, Each(results[0]));
}

TEST(TensorThreads, defaults_are_per_thread) {
  DefaultsScope outer(DType::float64, CPU());
  DType seen = DType::int8;
  std::thread([&] {
    seen = defaults().first;
    DefaultsScope own(DType::float16);
  }).join();
  EXPECT_EQ(seen, DType::float32);
  {
    DefaultsScope inner(DType::bfloat16, CPU(1));
    EXPECT_EQ(Tensor::zeros({1}).type(), TensorType(DType::bfloat16, {1}, CPU(1)));
  }
  EXPECT_EQ(Tensor::zeros({1}).type(), TensorType(DType::float64, {1}, CPU()));
}

} // namespace
