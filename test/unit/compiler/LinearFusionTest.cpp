// Linear kernels with something before and behind the product: KernelForms.h.
#include "KernelHarness.h"
#include "KernelText.h"

#include <cmath>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

class LinearFusionTest : public testing::TestWithParam<Target> {};

std::string f32(std::vector<std::string> dims) { return tensorType("f32", dims); }

/// x @ W.T + b in double; W [N, K].
std::vector<double> product(const Data &x, const Data &weight, const Data *bias = nullptr) {
  int64_t n = weight.shape[0], k = weight.shape[1], m = x.size() / k;
  std::vector<double> result(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = bias ? (*bias)[j] : 0;
      for (int64_t p = 0; p < k; ++p)
        sum += x[i * k + p] * weight[j * k + p];
      result[i * n + j] = sum;
    }
  return result;
}

// relu(x @ W.T + b + residual) * row + scalar, with an N that fills no panel.
TEST_P(LinearFusionTest, elementwiseBehind) {
  for (int64_t n : {48, 35}) {
    std::string N = std::to_string(n), result = f32({"m", N});
    KernelText text;
    std::string x = text.argument(f32({"m", "70"})), w = text.argument(f32({N, "70"}));
    std::string b = text.argument(f32({N})), residual = text.argument(result);
    std::string row = text.argument(f32({N})), scalar = text.argument(f32({}));
    std::string y = text.linear(x, {w}, {b}, {result})[0];
    y = text.op("add", {y, residual}, result);
    y = text.op("relu", {y}, result);
    y = text.op("mul", {y, row}, result);
    y = text.op("add", {scalar, y}, result);
    CompiledKernel kernel(text.finish({y}), GetParam());
    Data weight = Data::random(DType::float32, {n, 70}, 1),
         bias = Data::random(DType::float32, {n}, 2);
    Data rows = Data::random(DType::float32, {n}, 3), shift = Data::random(DType::float32, {}, 4);
    for (int64_t m : {1, 13, 200}) {
      Data input = Data::random(DType::float32, {m, 70}, 5);
      Data other = Data::random(DType::float32, {m, n}, 6);
      std::vector<double> expected = product(input, weight, &bias);
      for (int64_t i = 0; i < m * n; ++i)
        expected[i] = std::max(0., expected[i] + other[i]) * rows[i % n] + shift[0];
      std::vector<Data> out = {Data(DType::float32, {m, n})};
      EXPECT_EQ(kernel.run({input, weight, bias, other, rows, shift}, out, {m}, 2), 0);
      expectNearRelative(out[0], expected, 1e-6);
    }
  }
}

// Three products of one x, of different widths, the second with something behind it.
TEST_P(LinearFusionTest, severalWeights) {
  const std::vector<int64_t> widths = {40, 96, 7};
  KernelText text;
  std::string x = text.argument(f32({"b", "s", "33"}));
  std::vector<std::string> weights, biases, types;
  for (int64_t n : widths) {
    weights.push_back(text.argument(f32({std::to_string(n), "33"})));
    biases.push_back(text.argument(f32({std::to_string(n)})));
    types.push_back(f32({"b", "s", std::to_string(n)}));
  }
  std::vector<std::string> results = text.linear(x, weights, biases, types);
  results[1] = text.op("relu", {results[1]}, types[1]);
  CompiledKernel kernel(text.finish(results), GetParam());
  for (auto [batch, length] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {5, 50}}) {
    std::vector<Data> inputs = {Data::random(DType::float32, {batch, length, 33}, 1)}, out;
    for (size_t i = 0; i < widths.size(); ++i) {
      inputs.push_back(Data::random(DType::float32, {widths[i], 33}, 10 + i));
      inputs.push_back(Data::random(DType::float32, {widths[i]}, 20 + i));
      out.emplace_back(DType::float32, std::vector<int64_t>{batch, length, widths[i]});
    }
    for (int threads : {1, 3}) {
      EXPECT_EQ(kernel.run(inputs, out, {batch, length}, threads), 0);
      for (size_t i = 0; i < widths.size(); ++i) {
        std::vector<double> expected = product(inputs[0], inputs[1 + 2 * i], &inputs[2 + 2 * i]);
        if (i == 1)
          for (double &value : expected)
            value = std::max(value, 0.);
        expectNearRelative(out[i], expected, 1e-6);
      }
    }
  }
}

// relu(x @ G.T) * (x @ U.T): two results in one expression; weights [K, N].
TEST_P(LinearFusionTest, gatedUnit) {
  const int64_t n = 70, k = 300;
  std::string result = f32({"m", "70"});
  KernelText text;
  std::string x = text.argument(f32({"m", "300"}));
  std::string g = text.argument(f32({"300", "70"})), u = text.argument(f32({"300", "70"}));
  auto both = text.linear(x, {g, u}, {}, {result, result}, /*transposed=*/false);
  std::string y = text.op("mul", {text.op("relu", {both[0]}, result), both[1]}, result);
  CompiledKernel kernel(text.finish({y}), GetParam());
  Data gate = Data::random(DType::float32, {k, n}, 1, -.1, .1);
  Data up = Data::random(DType::float32, {k, n}, 2, -.1, .1);
  auto turned = [&](const Data &matrix) {
    Data other(DType::float32, {n, k});
    for (int64_t i = 0; i < n; ++i)
      for (int64_t p = 0; p < k; ++p)
        other.set(i * k + p, matrix[p * n + i]);
    return other;
  };
  for (int64_t m : {1, 6, 150}) {
    Data input = Data::random(DType::float32, {m, k}, 3);
    std::vector<double> expected = product(input, turned(gate)),
                        second = product(input, turned(up));
    for (int64_t i = 0; i < m * n; ++i)
      expected[i] = std::max(0., expected[i]) * second[i];
    std::vector<Data> out = {Data(DType::float32, {m, n})};
    EXPECT_EQ(kernel.run({input, gate, up}, out, {m}, 2), 0);
    expectNearRelative(out[0], expected, 2e-6);
  }
}

// layer_norm(x @ W.T + b + residual): the same bits as the kernel of a layer_norm alone.
TEST_P(LinearFusionTest, layerNormBehind) {
  for (int64_t n : {1, 50, 128}) {
    std::string N = std::to_string(n), result = f32({"m", N});
    KernelText text, alone;
    std::string x = text.argument(f32({"m", "64"})), w = text.argument(f32({N, "64"}));
    std::string b = text.argument(f32({N})), residual = text.argument(result);
    std::string weight = text.argument(f32({N})), bias = text.argument(f32({N}));
    std::string y = text.linear(x, {w}, {b}, {result})[0];
    std::string before = text.op("add", {y, residual}, result);
    std::string z = text.op("layer_norm", {before, weight, bias}, result, "epsilon = 1.0e-5 : f64");
    std::string norm = alone.op(
        "layer_norm", {alone.argument(result), alone.argument(f32({N})), alone.argument(f32({N}))},
        result, "epsilon = 1.0e-5 : f64");
    CompiledKernel kernel(text.finish({z}), GetParam());
    CompiledKernel withBoth(text.finish({z, before}), GetParam());
    CompiledKernel standalone(alone.finish({norm}), GetParam());
    std::vector<Data> inputs = {
        {}, Data::random(DType::float32, {n, 64}, 1), Data::random(DType::float32, {n}, 2),
        {}, Data::random(DType::float32, {n}, 3),     Data::random(DType::float32, {n}, 4)};
    for (int64_t m : {1, 2, 30, 97, 300}) {
      inputs[0] = Data::random(DType::float32, {m, 64}, 5);
      inputs[3] = Data::random(DType::float32, {m, n}, 6);
      std::vector<double> expected = product(inputs[0], inputs[1], &inputs[2]);
      for (int64_t i = 0; i < m * n; ++i)
        expected[i] += inputs[3][i];
      for (int threads : {1, 2}) {
        std::vector<Data> one = {Data(DType::float32, {m, n})};
        std::vector<Data> two = {one[0], one[0]}, lone = one;
        EXPECT_EQ(kernel.run(inputs, one, {m}, threads), 0);
        EXPECT_EQ(withBoth.run(inputs, two, {m}, threads), 0);
        expectNearRelative(two[1], expected, 1e-6);
        EXPECT_EQ(standalone.run({two[1], inputs[4], inputs[5]}, lone, {m}, 1), 0);
        EXPECT_EQ(lone[0].bytes, one[0].bytes) << m << " rows of " << n;
        EXPECT_EQ(lone[0].bytes, two[0].bytes);
      }
    }
  }
}

// gelu behind the layer_norm, and its x once more.
TEST_P(LinearFusionTest, elementwiseBehindLayerNorm) {
  std::string result = f32({"m", "48"});
  KernelText text;
  std::string x = text.argument(f32({"m", "40"})), w = text.argument(f32({"48", "40"}));
  std::string y = text.linear(x, {w}, {}, {result})[0];
  std::string z = text.op("layer_norm", {y}, result, "epsilon = 1.0e-5 : f64");
  z = text.op("add", {text.op("relu", {z}, result), y}, result);
  CompiledKernel kernel(text.finish({z}), GetParam());
  const int64_t m = 19, n = 48;
  Data input = Data::random(DType::float32, {m, 40}, 1),
       weight = Data::random(DType::float32, {n, 40}, 2);
  std::vector<double> expected = product(input, weight);
  for (int64_t i = 0; i < m; ++i) {
    double *row = expected.data() + i * n, mean = 0, variance = 0;
    for (int64_t j = 0; j < n; ++j)
      mean += row[j] / n;
    for (int64_t j = 0; j < n; ++j)
      variance += (row[j] - mean) * (row[j] - mean) / n;
    for (int64_t j = 0; j < n; ++j)
      row[j] += std::max(0., (row[j] - mean) / std::sqrt(variance + 1e-5));
  }
  for (int threads : {1, 2}) {
    std::vector<Data> out = {Data(DType::float32, {m, n})};
    EXPECT_EQ(kernel.run({input, weight}, out, {m}, threads), 0);
    expectNearRelative(out[0], expected, 2e-6);
  }
}

// Rows of a table, scaled, are read straight into the copy of x.
TEST_P(LinearFusionTest, gatheredRows) {
  std::string rows = f32({"b", "s", "37"}), result = f32({"b", "s", "64"});
  KernelText text;
  std::string table = text.argument(f32({"100", "37"}));
  std::string ids = text.argument(tensorType("i64", {"b", "s"}));
  std::string scale = text.argument(f32({"37"}));
  std::string w = text.argument(f32({"64", "37"})), b = text.argument(f32({"64"}));
  std::string x = text.op("gather", {table, ids}, rows, "axis = 0 : i64");
  x = text.op("mul", {x, scale}, rows);
  std::string y = text.linear(x, {w}, {b}, {result})[0];
  CompiledKernel kernel(text.finish({y}), GetParam());
  const int64_t batch = 3, length = 50;
  Data data = Data::random(DType::float32, {100, 37}, 1);
  Data tokens = Data::randomIntegers(DType::int64, {batch, length}, 2, 0, 100);
  Data factors = Data::random(DType::float32, {37}, 3);
  Data weight = Data::random(DType::float32, {64, 37}, 4),
       bias = Data::random(DType::float32, {64}, 5);
  Data picked(DType::float32, {batch * length, 37});
  for (int64_t i = 0; i < picked.size(); ++i)
    picked.set(i, data[int64_t(tokens[i / 37]) * 37 + i % 37] * factors[i % 37]);
  std::vector<Data> out = {Data(DType::float32, {batch, length, 64})};
  EXPECT_EQ(kernel.run({data, tokens, factors, weight, bias}, out, {batch, length}, 2), 0);
  expectNearRelative(out[0], product(picked, weight, &bias), 1e-6);

  tokens.set(77, 100);
  EXPECT_EQ(kernel.run({data, tokens, factors, weight, bias}, out, {batch, length}, 2), 1);
  ASSERT_EQ(kernel.badIndices.size(), 1u);
  EXPECT_EQ(kernel.badIndices[0], (std::array<int64_t, 3>{0, 100, 77}));
}

// Sums in float32, one rounding: half a unit in the last of 8 (11) bits, and a float32 sum's error.
TEST_P(LinearFusionTest, narrowFloats) {
  for (auto [name, tolerance] : {std::pair{"bf16", 0x1p-8}, {"f16", 0x1p-11}}) {
    const int64_t n = 70, k = 301;
    DType dtype = *parseDType(name);
    CompiledKernel kernel(plainLinear(name, n, k), GetParam());
    Data weight = Data::random(dtype, {n, k}, 1), bias = Data::random(dtype, {n}, 2);
    for (int64_t m : {1, 12, 50}) {
      Data x = Data::random(dtype, {m, k}, 3);
      std::vector<Data> out = {Data(dtype, {m, n})};
      EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, 2), 0);
      std::vector<double> expected = product(x, weight, &bias);
      for (int64_t i = 0; i < m * n; ++i)
        ASSERT_NEAR(out[0][i], expected[i], std::abs(expected[i]) * tolerance + 1e-5);
    }
  }
}

TEST_P(LinearFusionTest, refusesWhatItCannotHold) {
  auto refusal = [](const std::string &text) { return CompiledKernel(text, GetParam()).refusal; };
  std::string result = f32({"m", "8"});
  {
    KernelText text; // the weight is read twice
    std::string x = text.argument(f32({"m", "8"})), w = text.argument(f32({"8", "8"}));
    std::string y = text.linear(x, {w}, {}, {result})[0];
    y = text.op("add",
                {y, text.op("slice", {w}, f32({"1", "8"}),
                            "starts = #kiln.dims<0, 0>, stops = #kiln.dims<1, 8>, "
                            "steps = array<i64: 1, 1>")},
                result);
    EXPECT_THAT(refusal(text.finish({y})), testing::HasSubstr("comes packed"));
  }
  {
    KernelText text; // a result that has nothing to do with the linear
    std::string x = text.argument(f32({"m", "8"})), w = text.argument(f32({"8", "8"}));
    std::string y = text.linear(x, {w}, {}, {result})[0];
    EXPECT_THAT(refusal(text.finish({y, text.op("neg", {x}, f32({"m", "8"}))})),
                testing::HasSubstr("does not depend on its linear"));
  }
  {
    KernelText text; // another shape
    std::string x = text.argument(f32({"m", "8"})), w = text.argument(f32({"8", "8"}));
    std::string y = text.linear(x, {w}, {}, {result})[0];
    y = text.op("permute", {y}, f32({"8", "m"}), "axes = array<i64: 1, 0>");
    EXPECT_THAT(refusal(text.finish({y})), testing::HasSubstr("cannot follow a linear"));
  }
  {
    KernelText text; // what lies before the layer_norm is gone when the result is made
    std::string x = text.argument(f32({"m", "8"})), w = text.argument(f32({"8", "8"}));
    std::string y = text.linear(x, {w}, {}, {result})[0];
    std::string z = text.op("neg", {y}, result);
    z = text.op("layer_norm", {z}, result, "epsilon = 1.0e-5 : f64");
    EXPECT_THAT(refusal(text.finish({text.op("add", {z, y}, result)})),
                testing::HasSubstr("other than its x"));
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, LinearFusionTest, testing::ValuesIn(productTargets()),
                         [](const auto &info) { return targetTestName(info.param); });

} // namespace
