#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using Encoding = QuantizationEncoding;

namespace {

/// Products with weights that stay packed on the accelerator, executed from their PTX, against
/// those of decoded weights on the CPU.
class PackedWeightsTest : public testing::TestWithParam<Encoding> {
protected:
  PackedWeightsTest() : scope(DType::float32, CPU()) { random::seed(5); }
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive();
  }
  static nn::Linear draw(Encoding encoding, int64_t in, int64_t out) {
    return nn::Linear(quantization::quantize(random::normal({out, in}), encoding), encoding,
                      random::normal({out}));
  }
  static nn::Linear decoded(const nn::Linear &linear, Encoding encoding) {
    Tensor weight = dequantize(linear.weight, encoding);
    weight.realize();
    return nn::Linear(weight, linear.bias);
  }
  static void expectClose(const Tensor &got, const Tensor &expected, const std::string &what) {
    std::vector<float> a = got.to(CPU()).toVector<float>(), b = expected.toVector<float>();
    ASSERT_EQ(a.size(), b.size());
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      largest = std::max(largest, std::fabs(double(b[i])));
      difference = std::max(difference, std::fabs(double(a[i]) - double(b[i])));
    }
    EXPECT_LE(difference, 2e-6 * largest) << what;
  }

  DefaultsScope scope;
};
INSTANTIATE_TEST_SUITE_P(All, PackedWeightsTest,
                         testing::Values(Encoding::Q4_0, Encoding::Q8_0, Encoding::Q4_K,
                                         Encoding::Q5_K, Encoding::Q6_K),
                         [](const auto &param) { return std::string(name(param.param)); });

TEST_P(PackedWeightsTest, linear) {
  nn::Linear linear = draw(GetParam(), 512, 33);
  nn::Linear reference = decoded(linear, GetParam());
  linear.to(Accelerator());
  auto compiled = linear.compile(TensorType(DType::float32, {"rows", 512}, Accelerator()));
  for (int64_t rows : {1, 5, 20, 70}) {
    Tensor x = random::uniform({rows, 512}, -1, 1);
    expectClose(compiled(x.to(Accelerator())), reference(x), std::to_string(rows) + " rows");
  }
}

struct Heads : nn::Module<Heads> {
  nn::Linear q, k, v;
  KILN_FIELDS(q, k, v)
  std::tuple<Tensor, Tensor, Tensor> operator()(const Tensor &x) const {
    return {q(x), silu(k(x)), v(x) + x};
  }
};

// Linears of one input become one, also where each is packed in its own way.
TEST_P(PackedWeightsTest, severalOfOneInput) {
  const Encoding other = GetParam() == Encoding::Q8_0 ? Encoding::Q4_0 : Encoding::Q8_0;
  Heads heads{
      .q = draw(GetParam(), 256, 40), .k = draw(GetParam(), 256, 36), .v = draw(other, 256, 256)};
  Heads reference{.q = decoded(heads.q, GetParam()),
                  .k = decoded(heads.k, GetParam()),
                  .v = decoded(heads.v, other)};
  heads.to(Accelerator());
  auto compiled = heads.compile(TensorType(DType::float32, {"rows", 256}, Accelerator()));
  for (int64_t rows : {2, 66}) {
    Tensor x = random::uniform({rows, 256}, -1, 1);
    auto [q, k, v] = compiled(x.to(Accelerator()));
    auto [expectedQ, expectedK, expectedV] = reference(x);
    expectClose(q, expectedQ, "q");
    expectClose(k, expectedK, "k");
    expectClose(v, expectedV, "v");
  }
}

} // namespace
