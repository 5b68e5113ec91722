#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;

namespace {

using Function = std::function<Tensor(const std::vector<Tensor> &)>;

/// Operations on the accelerator, executed from their PTX, against the same on the CPU.
class OperationsTest : public testing::Test {
protected:
  OperationsTest() : scope(DType::float32, CPU()) { random::seed(7); }
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
    standin::machine().isReversed = false;
  }

  static Tensor draw(const Shape &shape, DType dtype = DType::float32) {
    return random::uniform(shape, -1, 1, DType::float32, CPU()).cast(dtype);
  }

  /// `tolerance`: relative to the largest result; 0: equal.
  static void compare(const std::vector<Tensor> &inputs, double tolerance,
                      const Function &function) {
    auto values = [](const Tensor &tensor) {
      return tensor.to(CPU()).cast(DType::float32).toVector<float>();
    };
    std::vector<float> expected = values(function(inputs));
    double largest = 0;
    for (float one : expected)
      largest = std::max(largest, std::fabs(static_cast<double>(one)));
    ASSERT_TRUE(std::isfinite(largest) && largest > 0);
    std::vector<Tensor> there;
    for (const Tensor &input : inputs)
      there.push_back(input.to(Accelerator()));
    int64_t launches = standin::calls("cuLaunchKernel");
    for (bool isReversed : {false, true}) {
      standin::machine().isReversed = isReversed;
      std::vector<float> got = values(function(there));
      ASSERT_THAT(standin::violations(), testing::IsEmpty());
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], tolerance * largest)
            << "element " << i << (isReversed ? ", reversed" : "");
    }
    EXPECT_GT(standin::calls("cuLaunchKernel"), launches);
  }

  DefaultsScope scope;
};

/// Results of 16 bits are rounded once, and so are attention's weights.
constexpr double floatTolerance = 1e-5, halfTolerance = 2e-3, bfloatTolerance = 1.6e-2;

struct Precision {
  DType dtype;
  double tolerance;
};
constexpr Precision precisions[] = {{DType::float32, floatTolerance},
                                    {DType::float16, halfTolerance},
                                    {DType::bfloat16, bfloatTolerance}};

TEST_F(OperationsTest, attention) {
  for (auto [dtype, tolerance] : precisions) {
    SCOPED_TRACE(shortName(dtype));
    for (auto [queries, keys, width] : {std::array<int64_t, 3>{5, 5, 16}, {70, 67, 20}}) {
      Tensor q = draw({1, 2, queries, width}, dtype), k = draw({1, 2, keys, width}, dtype),
             v = draw({1, 2, keys, width}, dtype);
      compare({q, k, v}, tolerance, [](auto &x) { return attention(x[0], x[1], x[2]); });
    }
  }
}

TEST_F(OperationsTest, attentionOfGroupedHeadsOfAnOddSize) {
  Tensor q = draw({2, 4, 3, 7}), k = draw({2, 2, 9, 7}), v = draw({2, 2, 9, 5});
  compare({q, k, v}, floatTolerance, [](auto &x) { return attention(x[0], x[1], x[2], {}, 0.3); });
}

// Wider than the registers of a block hold: products and a softmax.
TEST_F(OperationsTest, attentionOfWideRows) {
  for (auto [dtype, tolerance] : precisions) {
    SCOPED_TRACE(shortName(dtype));
    Tensor q = draw({1, 4, 3, 260}, dtype), k = draw({1, 2, 5, 260}, dtype),
           v = draw({1, 2, 5, 130}, dtype), mask = draw({3, 5}) > 0.25;
    compare({q, k, v}, tolerance, [](auto &x) { return attention(x[0], x[1], x[2]); });
    compare({q, k, v, mask}, tolerance, [](auto &x) { return attention(x[0], x[1], x[2], x[3]); });
  }
}

TEST_F(OperationsTest, attentionOfMaskedRows) {
  const int64_t size = 66; // of keys more than a block takes at once
  Tensor q = draw({1, 2, size, 8}), k = draw({1, 2, size, 8}), v = draw({1, 2, size, 8});
  auto masked = [](auto &x) { return attention(x[0], x[1], x[2], x[3]); };
  compare({q, k, v, nn::causalMask(size)}, floatTolerance, masked);
  compare({q, k, v, draw({size, size})}, floatTolerance, masked);
  // Row i attends to nothing where i % 3 is 0, else to the first i keys.
  Tensor row = Tensor::arange(0, size).cast(DType::int64).reshape({size, 1});
  Tensor column = Tensor::arange(0, size).cast(DType::int64).reshape({1, size});
  Tensor some = (column < row) & (row % 3 != 0);
  compare({q, k, v, some}, floatTolerance, masked);
  Tensor there = attention(q.to(Accelerator()), k.to(Accelerator()), v.to(Accelerator()),
                           some.to(Accelerator()));
  EXPECT_EQ(there[0][0][3].to(CPU()).toVector<float>(), std::vector<float>(8, 0));
}

// By CUDA's library, which need not be installed where nothing else of CUDA is.
TEST_F(OperationsTest, functionsOfFloat64) {
  const Tensor x = draw({5, 7}, DType::float64) * 4;
  const Tensor y = draw({5, 7}, DType::float64) * 3;
  const std::pair<const char *, Function> functions[] = {
      {"exp", [](auto &in) { return exp(in[0]); }},
      {"log", [](auto &in) { return log(abs(in[0])); }},
      {"log1p", [](auto &in) { return log1p(abs(in[0])); }},
      {"tanh", [](auto &in) { return tanh(in[0]); }},
      {"erf", [](auto &in) { return erf(in[0]); }},
      {"sin", [](auto &in) { return sin(in[0]); }},
      {"cos", [](auto &in) { return cos(in[0]); }},
      {"pow", [](auto &in) { return pow(abs(in[0]), in[1]); }},
      {"mod", [](auto &in) { return in[0] % in[1]; }},
      {"sigmoid", [](auto &in) { return sigmoid(in[0]); }},
      {"silu", [](auto &in) { return silu(in[0]); }},
      {"gelu", [](auto &in) { return gelu(in[0]); }},
      {"softmax", [](auto &in) { return softmax(in[0]); }},
      {"attention", [](auto &in) {
         Tensor q = in[0].reshape({1, 5, 7}), k = in[1].reshape({1, 5, 7});
         return attention(q, k, q);
       }}};
  for (const auto &[name, function] : functions) {
    SCOPED_TRACE(name);
    try {
      const Tensor here = function({x, y});
      const Tensor there = function({x.to(Accelerator()), y.to(Accelerator())}).to(CPU());
      EXPECT_EQ(there.dtype(), DType::float64);
      const std::vector<double> expected = here.toVector<double>(), got = there.toVector<double>();
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_NEAR(got[i], expected[i], 1e-14 * std::max(1.0, std::fabs(expected[i]))) << i;
    } catch (const CompileError &error) {
      if (std::string(error.what()).find("needs libdevice") == std::string::npos)
        throw;
      GTEST_SKIP() << error.what();
    }
  }
}

TEST_F(OperationsTest, convolution) {
  for (auto [dtype, tolerance] : precisions) {
    SCOPED_TRACE(shortName(dtype));
    Tensor image = draw({2, 9, 7, 3}, dtype), filter = draw({3, 3, 3, 5}, dtype);
    compare({image, filter}, tolerance,
            [](auto &x) { return conv2d(x[0], x[1], {.stride = 2, .padding = 1}); });
  }
  Tensor image = draw({1, 8, 8, 4}), filter = draw({3, 3, 2, 6});
  compare({image, filter}, floatTolerance,
          [](auto &x) { return conv2d(x[0], x[1], {.dilation = 2, .groups = 2}); });
}

TEST_F(OperationsTest, matmulOfBatches) {
  for (auto [dtype, tolerance] : precisions) {
    SCOPED_TRACE(shortName(dtype));
    compare({draw({3, 2, 17, 33}, dtype), draw({2, 33, 9}, dtype)}, tolerance,
            [](auto &x) { return matmul(x[0], x[1]); });
  }
  Tensor wide = draw({40, 70}).reshape({1, 40, 70});
  compare({draw({2, 66, 40}), wide}, floatTolerance, [](auto &x) { return matmul(x[0], x[1]); });
  compare({draw({2, 5, 40}), draw({2, 6, 40})}, floatTolerance,
          [](auto &x) { return matmul(x[0], x[1].transpose(-1, -2)); });
}

// The second operand as it lies in memory, computed on the way, and transposed; rows in whole 16
// bytes and not.
TEST_F(OperationsTest, matmulOfOperandsOfAllKinds) {
  for (auto [dtype, tolerance] : precisions) {
    SCOPED_TRACE(shortName(dtype));
    for (auto [rows, depth, columns] :
         {std::array<int64_t, 3>{66, 72, 80}, {70, 24, 23}, {5, 37, 8}}) {
      SCOPED_TRACE(testing::Message() << rows << "x" << depth << "x" << columns);
      Tensor x = draw({2, rows, depth}, dtype), y = draw({2, depth, columns}, dtype);
      compare({x, y}, tolerance, [](auto &x) { return matmul(x[0], x[1]); });
      compare({x, y}, tolerance, [](auto &x) { return matmul(x[0] * 2, -x[1]) + 1; });
      compare({x, y[1]}, tolerance, [](auto &x) { return matmul(x[0], x[1]); });
      compare({x[0], y}, tolerance, [](auto &x) { return matmul(x[0], x[1]); });
      compare({x, y.transpose(1, 2).cast(DType::float32)}, tolerance,
              [dtype = dtype](auto &x) { return matmul(x[0], x[1].cast(dtype).transpose(1, 2)); });
    }
  }
}

TEST_F(OperationsTest, infinitiesInProducts) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Tensor x = Tensor::constant({0.0f, 0.5f, -infinity}).reshape({1, 3}).to(Accelerator());
  Tensor y = Tensor::constant({1.0f, 2.0f, 3.0f}).reshape({3, 1}).to(Accelerator());
  EXPECT_EQ(matmul(x, y).to(CPU()).toVector<float>(), (std::vector<float>{-infinity}));
}

TEST_F(OperationsTest, cumsum) {
  Tensor x = draw({3, 300});
  compare({x}, floatTolerance, [](auto &x) { return kiln::cumsum(x[0]); });
  compare({x}, floatTolerance, [](auto &x) { return kiln::cumsum(x[0], 0, true, true); });
}

TEST_F(OperationsTest, argsort) {
  Tensor x = (draw({3, 130}) * 20).cast(DType::int32); // equal ones among them
  compare({x}, 0, [](auto &x) { return kiln::argsort(x[0]); });
  compare({x.cast(DType::float32)}, 0, [](auto &x) { return kiln::argsort(x[0], -1, true); });
}

TEST_F(OperationsTest, scatter) {
  Tensor x = draw({4, 5}), updates = draw({4, 3});
  Tensor indices = Tensor::constant({4, 0, 4, 1, 1, 1, 0, 2, 3, 3, 4, 0})
                       .cast(DType::int64)
                       .reshape({4, 3}); // the same ones twice and three times
  compare({x, updates, indices}, 0, [](auto &x) { return kiln::scatter(x[0], x[1], x[2]); });
  compare({x, updates, indices}, floatTolerance,
          [](auto &x) { return scatterAdd(x[0], x[1], x[2]); });
}

TEST_F(OperationsTest, badIndices) {
  auto message = [](Device device) {
    Tensor table = Tensor::arange(0, 30, 1, DType::float32, device).reshape({10, 3});
    Tensor indices = Tensor::constant({int64_t{9}, int64_t{-11}, int64_t{12}}).to(device);
    try {
      gather(table, indices).realize();
    } catch (const IndexError &error) {
      std::string text = error.what();
      return text.substr(0, text.find(" (at"));
    }
    return std::string("no error");
  };
  std::string expected = message(CPU());
  EXPECT_THAT(expected, testing::HasSubstr("position 1"));
  EXPECT_EQ(message(Accelerator()), expected);
}

TEST_F(OperationsTest, reversedAlongANamedDim) {
  Graph graph("reversed");
  CompiledGraph compiled = [&] {
    auto inGraph = graph.enter();
    Tensor x = graph.input(TensorType(DType::float32, {"n", 2}, Accelerator()));
    graph.output(x.slice({Slice({}, {}, -1)}));
    return graph.compile();
  }();
  Tensor x = Tensor::arange(0, 6, 1, DType::float32, CPU()).reshape({3, 2}).to(Accelerator());
  EXPECT_EQ(compiled(std::vector<Tensor>{x})[0].to(CPU()).toVector<float>(),
            (std::vector<float>{4, 5, 2, 3, 0, 1}));
}

} // namespace
