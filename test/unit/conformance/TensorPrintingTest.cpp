#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <limits>
#include <numeric>
#include <sstream>

using namespace kiln;

/// MAX's integration/tensor/test_tensor_repr.py, and the rules behind it.
namespace {

std::string print(const Tensor &tensor) {
  std::ostringstream text;
  text << tensor;
  return text.str();
}

/// What is printed between "Tensor(" and ", dtype=".
std::string data(const Tensor &tensor) {
  std::string all = print(tensor);
  return all.substr(7, all.rfind(", dtype=") - 7);
}

/// 1, 2, 3, … in a shape.
Tensor counting(const Shape &shape) {
  std::vector<int32_t> values(static_cast<std::size_t>(shape.numElements().value()));
  std::iota(values.begin(), values.end(), 1);
  return Tensor::fromData(values, shape);
}

TEST(MaxTensorRepr, test_repr_scalar) {
  EXPECT_EQ(print(Tensor::constant(42.5f)), "Tensor(42.5, dtype=float32, device=cpu:0)");
}

TEST(MaxTensorRepr, test_repr_1d) {
  EXPECT_EQ(print(Tensor::constant({1.0f, 2.0f, 3.0f})),
            "Tensor([1 2 3], dtype=float32, device=cpu:0)");
}

TEST(MaxTensorRepr, test_repr_1d_int) {
  EXPECT_EQ(print(Tensor::constant({10, 20, 30})), "Tensor([10 20 30], dtype=int32, device=cpu:0)");
  EXPECT_EQ(print(Tensor::constant({1000000L, 2000000L, 3000000L})),
            "Tensor([1000000 2000000 3000000], dtype=int64, device=cpu:0)");
  EXPECT_EQ(data(Tensor::constant({{0, 1}, {2, 0}})), "[0 1\n 2 0]");
}

TEST(MaxTensorRepr, test_repr_2d) {
  EXPECT_EQ(data(Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}})), "[1 2\n 3 4]");
  EXPECT_EQ(data(counting({3, 3})), "[1 2 3\n 4 5 6\n 7 8 9]");
}

TEST(MaxTensorRepr, test_repr_3d) {
  EXPECT_EQ(data(counting({2, 2, 2})), "[1 2 | 5 6\n 3 4 | 7 8]");
  EXPECT_EQ(data(counting({2, 2, 3})), "[ 1  2  3 |  7  8  9\n  4  5  6 | 10 11 12]");
}

TEST(MaxTensorRepr, test_repr_bool) {
  EXPECT_EQ(data(Tensor::full({2, 2}, true, DType::boolean)), "[True True\n True True]");
  EXPECT_EQ(data(Tensor::constant({{true, false}, {false, true}})), "[ True False\n False  True]");
}

TEST(MaxTensorRepr, test_repr_empty) {
  EXPECT_EQ(data(Tensor::zeros({0})), "[]");
  EXPECT_EQ(data(Tensor::zeros({3, 0, 2})), "[]");
}

TEST(MaxTensorRepr, test_repr_significant_digits) {
  EXPECT_EQ(data(Tensor::constant({1.2345f, 2.5f, 100.0f})), "[1.235   2.5   100]");
}

TEST(MaxTensorRepr, test_repr_negative) {
  EXPECT_EQ(data(Tensor::constant({{-1, 2}, {3, -4}})), "[-1  2\n  3 -4]");
}

TEST(MaxTensorRepr, test_summarize) {
  EXPECT_EQ(data(Tensor::arange(1000)).find("..."), std::string::npos);
  EXPECT_EQ(data(Tensor::arange(1001)), "[   0    1    2 ...  998  999 1000]");
  EXPECT_EQ(data(Tensor::arange(0, 1200).reshape({2, 600})),
            "[   0    1    2 ...  597  598  599\n  600  601  602 ... 1197 1198 1199]");
  std::string rows = data(Tensor::arange(0, 1200).reshape({600, 2}));
  EXPECT_EQ(rows, "[   0    1\n    2    3\n    4    5\n ...\n 1194 1195\n 1196 1197\n 1198 1199]");
}

TEST(MaxTensorRepr, test_unrealized) {
  // Reading computes what is pending; only what a graph records has no contents to show.
  Tensor pending = Tensor::ones({2}) + 1;
  EXPECT_EQ(data(pending), "[2 2]");
  EXPECT_TRUE(pending.isRealized());
  Graph graph("print");
  auto scope = graph.enter();
  Tensor x = graph.input(TensorType(DType::float32, {"batch", 2}, CPU()));
  EXPECT_EQ(print(x), "Tensor(<unrealized>, shape=[batch, 2], dtype=float32, device=cpu:0)");
  EXPECT_EQ(print(x * 2), print(x));
  EXPECT_EQ(print(Tensor()), "Tensor(<empty>)");
}

TEST(MaxTensorRepr, test_basic_ops_of_the_documentation) {
  Tensor x = Tensor::constant({{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}});
  EXPECT_EQ(data(x.sum(0)), "[5 7 9]");
  EXPECT_EQ(x.sum(0).shape(), (Shape{1, 3}));
  EXPECT_EQ(data(x.sum(1)), "[ 6\n 15]");
  EXPECT_EQ(x.sum(1).shape(), (Shape{2, 1}));
  EXPECT_EQ(data(x.mean(0)), "[2.5 3.5 4.5]");
}

TEST(MaxTensorRepr, rule_special_numbers) {
  float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(data(Tensor::constant({inf, -inf, nan, -0.0f})), "[ inf -inf  nan   -0]");
  EXPECT_EQ(data(Tensor::constant({1e-30f, 1e30f, 12345.0f, 0.00012345f})),
            "[    1e-30     1e+30 1.234e+04 0.0001234]");
  EXPECT_EQ(data(Tensor::constant({1e300, 5e-324})), "[    1e+300 4.941e-324]");
}

TEST(MaxTensorRepr, rule_all_dtypes) {
  EXPECT_EQ(data(Tensor::constant({int8_t{-128}, int8_t{127}})), "[-128  127]");
  EXPECT_EQ(data(Tensor::constant({uint8_t{0}, uint8_t{255}})), "[  0 255]");
  EXPECT_EQ(data(Tensor::constant({int16_t{-32768}, int16_t{7}})), "[-32768      7]");
  EXPECT_EQ(data(Tensor::constant({uint16_t{65535}})), "[65535]");
  EXPECT_EQ(data(Tensor::constant({uint32_t{4294967295u}})), "[4294967295]");
  EXPECT_EQ(data(Tensor::constant({std::numeric_limits<int64_t>::min()})),
            "[-9223372036854775808]");
  EXPECT_EQ(data(Tensor::constant({std::numeric_limits<uint64_t>::max()})),
            "[18446744073709551615]");
  EXPECT_EQ(print(Tensor::constant({1.5f, 0.1f}, DType::float16)),
            "Tensor([    1.5 0.09998], dtype=float16, device=cpu:0)");
  EXPECT_EQ(print(Tensor::constant({1.5f, 0.1f}, DType::bfloat16)),
            "Tensor([   1.5 0.1001], dtype=bfloat16, device=cpu:0)");
}

TEST(MaxTensorRepr, rule_further_dims_tile) {
  // Odd ones beyond a matrix stand beside each other, even ones below.
  EXPECT_EQ(data(counting({2, 2, 1, 2})), "[1 2 | 3 4\n \n 5 6 | 7 8]");
  EXPECT_EQ(data(counting({2, 1, 2, 1, 2})), "[1 2 | 3 4 : 5 6 | 7 8]");
  EXPECT_EQ(data(counting({2, 2, 1, 1, 2})), "[1 2 : 5 6\n     :    \n 3 4 : 7 8]");
  EXPECT_EQ(data(counting({2, 1, 1, 1, 1, 2})), "[1 2\n ---\n 3 4]");
}

TEST(MaxTensorRepr, rule_errors_of_the_contents_are_thrown) {
  Tensor broken = gather(Tensor::ones({4}), Tensor::constant({9}));
  std::ostringstream text;
  EXPECT_THROW(text << broken, IndexError);
  EXPECT_EQ(text.str(), "");
}

} // namespace
