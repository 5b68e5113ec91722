#include "kiln/kiln.h"

#include <cmath>
#include <gmock/gmock.h>
#include <random>

// MAX's tests/graph/ops: what types operations give and refuse, on types drawn at random.

using namespace kiln;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

constexpr DType allDTypes[] = {DType::boolean, DType::int8,    DType::int16,    DType::int32,
                               DType::int64,   DType::uint8,   DType::uint16,   DType::uint32,
                               DType::uint64,  DType::float16, DType::bfloat16, DType::float32,
                               DType::float64};

/// Types at random, and a graph to put inputs of them into.
class TypeRules : public testing::Test {
protected:
  Tensor input(DType dtype, const Shape &shape, Device device = CPU()) {
    return graph.input(TensorType(dtype, shape, device));
  }
  Tensor input(const Shape &shape) { return input(DType::float32, shape); }
  int64_t below(int64_t end) { return static_cast<int64_t>(random() % static_cast<uint64_t>(end)); }
  DType anyDType() { return allDTypes[below(std::size(allDTypes))]; }
  DType number() { return allDTypes[1 + below(std::size(allDTypes) - 1)]; }
  /// A size, a name or an expression of an input's names: inputs have no expressions.
  Dim dim() {
    static const char *const names[] = {"a", "b", "c"};
    return below(2) ? Dim(below(5)) : Dim(names[below(3)]);
  }
  Shape shape(int64_t most = 4, int64_t least = 0) {
    std::vector<Dim> dims;
    for (int64_t rank = least + below(most - least + 1); rank > 0; --rank)
      dims.push_back(dim());
    return Shape(std::move(dims));
  }
  /// Two shapes that broadcast, and what they broadcast to.
  std::array<Shape, 3> broadcastable() {
    std::vector<Dim> result = shape().vec(), x = result, y = result;
    for (std::size_t i = 0; i < result.size(); ++i)
      if (int64_t kind = below(3); kind < 2)
        (kind ? x : y)[i] = 1;
    std::vector<Dim> &shorter = below(2) ? x : y;
    std::size_t dropped = 0;
    const std::vector<Dim> &longer = &shorter == &x ? y : x;
    for (; dropped < shorter.size() && longer[dropped] == result[dropped] && below(2); ++dropped)
      ;
    shorter.erase(shorter.begin(), shorter.begin() + static_cast<std::ptrdiff_t>(dropped));
    return {Shape(x), Shape(y), Shape(result)};
  }

  std::mt19937 random{17};
  Graph graph{"types"};
  Graph::Scope scope = graph.enter();
};

constexpr int rounds = 200;

// test_matmul.py

using MaxMatmul = TypeRules;

TEST_F(MaxMatmul, test_matmul_static) {
  EXPECT_EQ(matmul(input({2, 3}), input({3, 2})).shape(), (Shape{2, 2}));
}
TEST_F(MaxMatmul, test_matmul_vectors) {
  EXPECT_EQ(matmul(input({2, 3}), input({3})).shape(), (Shape{2}));
  EXPECT_EQ(matmul(input({3}), input({3, 2})).shape(), (Shape{2}));
  EXPECT_EQ(matmul(input({3}), input({3})).shape(), (Shape{}));
}
TEST_F(MaxMatmul, test_matmul_scalar) {
  Tensor scalar = input({}), x = input({2, 3});
  EXPECT_THROW(matmul(scalar, x), ValueError);
  EXPECT_THROW(matmul(x, scalar), ValueError);
  EXPECT_THROW(matmul(scalar, scalar), ValueError);
}
TEST_F(MaxMatmul, test_matmul_inner_dims_differ) {
  EXPECT_THAT([&] { matmul(input({2, 3}), input({2, 3})); },
              ThrowsMessage<ValueError>(
                  AllOf(HasSubstr("[matmul]"), HasSubstr("[2, 3] f32"), HasSubstr("inner"))));
  EXPECT_THROW(matmul(input({"M", "K"}), input({"J", "N"})), ValueError);
}
TEST_F(MaxMatmul, test_matmul_symbolic) {
  EXPECT_EQ(matmul(input({"M", "K"}), input({"K", "N"})).shape(), (Shape{"M", "N"}));
}
TEST_F(MaxMatmul, test_matmul_batches) {
  EXPECT_EQ(matmul(input({1, 3, 4}), input({2, 4, 5})).shape(), (Shape{2, 3, 5}));
  EXPECT_EQ(matmul(input({"A", 1, "B", "C"}), input({"D", "C", "E"})).shape(),
            (Shape{"A", "D", "B", "E"}));
}
TEST_F(MaxMatmul, test_matmul_promotes) {
  EXPECT_EQ(matmul(input(DType::float32, {2, 3}), input(DType::float64, {3, 2})).dtype(),
            DType::float64);
}
TEST_F(MaxMatmul, test_matmul_different_devices) {
  EXPECT_THAT([&] { matmul(input({2, 3}), input(DType::float32, {3, 2}, CPU(1))); },
              ThrowsMessage<ValueError>(HasSubstr("same device")));
}
TEST_F(MaxMatmul, test_matmul_valid) {
  for (int i = 0; i < rounds; ++i) {
    auto [x, y, batch] = broadcastable();
    Dim m = dim(), k = dim(), n = dim();
    auto with = [](const Shape &front, const Dim &a, const Dim &b) {
      std::vector<Dim> dims = front.vec();
      dims.insert(dims.end(), {a, b});
      return Shape(std::move(dims));
    };
    DType dtype = number();
    Tensor product = matmul(input(dtype, with(x, m, k)), input(dtype, with(y, k, n)));
    ASSERT_EQ(product.type(), TensorType(dtype, with(batch, m, n), CPU()));
  }
}

// test_gather.py

using MaxGather = TypeRules;

TEST_F(MaxGather, test_gather_type) {
  EXPECT_EQ(gather(input({5, 10}), input(DType::int64, {5}), -1).shape(), (Shape{5, 5}));
  for (int i = 0; i < rounds; ++i) {
    Shape table = shape(4, 1), indices = shape(3);
    int64_t axis = below(table.rank());
    std::vector<Dim> expected(table.begin(), table.begin() + axis);
    expected.insert(expected.end(), indices.begin(), indices.end());
    expected.insert(expected.end(), table.begin() + axis + 1, table.end());
    DType dtype = anyDType(), index = below(2) ? DType::int32 : DType::uint64;
    Tensor x = input(dtype, table), at = input(index, indices);
    ASSERT_EQ(gather(x, at, axis).type(), TensorType(dtype, Shape(expected), CPU()));
    ASSERT_EQ(gather(x, at, axis - table.rank()).shape(), Shape(expected));
  }
}
TEST_F(MaxGather, test_gather_bad_axis) {
  for (int64_t axis : {2, -3, 100})
    EXPECT_THROW(gather(input({5, 10}), input(DType::int64, {5}), axis), IndexError);
}
TEST_F(MaxGather, test_gather_different_devices) {
  EXPECT_THAT([&] { gather(input({5, 10}), input(DType::int64, {5}, CPU(1))); },
              ThrowsMessage<ValueError>(HasSubstr("same device")));
}
TEST_F(MaxGather, test_gather_float_indices) {
  EXPECT_THROW(gather(input({5, 10}), input(DType::float32, {5})), ValueError);
}

TEST(MaxGatherRun, test_gather_out_of_range) { // integration/graph/test_gather.py
  Graph graph("gather");
  {
    auto scope = graph.enter();
    Tensor table = graph.input(TensorType(DType::int32, {3, 2}, CPU()));
    Tensor indices = graph.input(TensorType(DType::int32, {"n", 1}, CPU()));
    graph.output(gather(table, indices));
  }
  auto run = graph.compile();
  Tensor table = Tensor::constant({{0, 1}, {2, 3}, {4, 5}});
  Tensor rows = run(table, Tensor::constant({{0}, {1}, {2}, {1}, {1}}));
  EXPECT_EQ(rows.shape(), (Shape{5, 1, 2}));
  EXPECT_THAT(rows.toVector<int32_t>(), ElementsAre(0, 1, 2, 3, 4, 5, 2, 3, 2, 3));
  for (int32_t bad : {3, 4, -1})
    EXPECT_THAT([&] { run(table, Tensor::constant({{0}, {bad}})); },
                ThrowsMessage<IndexError>(
                    AllOf(HasSubstr(std::to_string(bad)), HasSubstr("TypeRulesTest.cpp"))));
}

// test_slice.py

using MaxSlice = TypeRules;

TEST_F(MaxSlice, test_slice_basic) {
  Tensor x = input(DType::int32, {1, 2, 3, 4, 5});
  EXPECT_EQ(x.slice({Slice(), 1, ellipsis, 3}).shape(), (Shape{1, 3, 4}));
}
TEST_F(MaxSlice, test_slice_none_dims) {
  Tensor x = input({"dim0", "dim1"});
  EXPECT_EQ(x.slice({Slice(), newAxis, Slice()}).shape(), (Shape{"dim0", 1, "dim1"}));
  EXPECT_EQ(x.slice({newAxis, ellipsis, newAxis}).shape(), (Shape{1, "dim0", "dim1", 1}));
  EXPECT_EQ(x.slice({ellipsis, newAxis}).shape(), (Shape{"dim0", "dim1", 1}));
}
TEST_F(MaxSlice, test_slice_int_dims) {
  Tensor x = input({"dim0", "dim1", "dim2"});
  EXPECT_EQ(x[1].shape(), (Shape{"dim1", "dim2"}));
  EXPECT_EQ(x.slice({Slice(), 1}).shape(), (Shape{"dim0", "dim2"}));
  EXPECT_EQ(x.slice({Slice(), Slice(), 1}).shape(), (Shape{"dim0", "dim1"}));
  EXPECT_EQ(x.slice({1, 1}).shape(), (Shape{"dim2"}));
  EXPECT_EQ(x.slice({1, Slice(), 1}).shape(), (Shape{"dim1"}));
  EXPECT_EQ(x.slice({1, 1, 1}).shape(), (Shape{}));
  EXPECT_EQ(x.slice({ellipsis, 1}).shape(), (Shape{"dim0", "dim1"}));
  EXPECT_EQ(x.slice({1, ellipsis}).shape(), (Shape{"dim1", "dim2"}));
  EXPECT_EQ(x.slice({Slice(), -1}).shape(), (Shape{"dim0", "dim2"}));
}
TEST_F(MaxSlice, test_slice_symbolic_tensor) {
  Tensor x = input({"dim0", "dim1", "dim2"});
  Dim n("dim0");
  EXPECT_EQ(x.slice({Slice(1)}).shape()[0], n - 1);
  EXPECT_EQ(x.slice({Slice({}, -1)}).shape()[0], n - 1);
  EXPECT_EQ(x.slice({Slice({}, {}, 2)}).shape()[0], (n + 1) / 2);
  EXPECT_EQ(x.slice({ellipsis, Slice(1)}).shape()[2], Dim("dim2") - 1);
}
TEST_F(MaxSlice, test_slice_static_dims) {
  for (int i = 0; i < rounds; ++i) {
    std::vector<Index> index;
    std::vector<Dim> sizes, expected;
    for (int64_t rank = 1 + below(4); rank > 0; --rank) {
      int64_t n = 1 + below(9), start = below(n), stop = start + 1 + below(n - start);
      int64_t step = 1 + below(n);
      sizes.push_back(n);
      expected.push_back((stop - start + step - 1) / step);
      // Counted from the front or from the end.
      Dim from = below(2) ? start : start - n, to = below(2) || stop == n ? stop : stop - n;
      index.push_back(Slice(from, to, step));
    }
    ASSERT_EQ(input(Shape(sizes)).slice(index).shape(), Shape(expected));
  }
}
TEST_F(MaxSlice, test_slice_valid_ints) {
  for (int i = 0; i < rounds; ++i) {
    std::vector<Index> index;
    std::vector<Dim> dims, expected;
    for (int64_t rank = 1 + below(4); rank > 0; --rank) {
      Dim n = dim();
      if (n == Dim(0))
        n = 1;
      dims.push_back(n);
      if (below(2)) {
        index.push_back(Slice());
        expected.push_back(n);
      } else {
        int64_t end = n.isStatic() ? n.value() : INT64_MAX;
        int64_t at = below(2) ? below(end) : -1 - below(end);
        index.push_back(at);
      }
    }
    ASSERT_EQ(input(Shape(dims)).slice(index).shape(), Shape(expected));
  }
}
TEST_F(MaxSlice, test_slice_invalid_start_stop) {
  EXPECT_THAT([&] { input({"dim0"}).slice({Slice(2, 1)}); },
              ThrowsMessage<ValueError>(HasSubstr("start and stop should be increasing")));
  EXPECT_THROW(input({5}).slice({Slice(4, 2)}), ValueError);
}
TEST_F(MaxSlice, test_slice_out_of_range) {
  EXPECT_THAT(
      [&] { input({7, 3}).slice({Slice(), Slice(0, 1024)}); },
      ThrowsMessage<ValueError>(HasSubstr("stop index 1024 out of range for dimension size 3")));
  EXPECT_THROW(input({7, 3}).slice({Slice(), 3}), IndexError);
  EXPECT_THROW(input({7, 3}).slice({1, 2, 3}), IndexError);
}
TEST_F(MaxSlice, test_slice_empty) {
  EXPECT_EQ(input({0}).slice({Slice(0, 0)}).shape(), (Shape{0}));
}
TEST_F(MaxSlice, test_slice_dim_overflow) {
  Dim start = INT64_C(-6618538577426847335);
  EXPECT_THROW(input({1}).slice({Slice(start, {}, INT64_C(3019951631318595876))}), ValueError);
  EXPECT_THAT([&] { input({"n"}).slice({Slice(Dim("n") * INT64_MAX - 1, Dim("n") * -2)}); },
              ThrowsMessage<ValueError>(HasSubstr("overflow")));
}

// test_broadcast_to.py and what elementwise operations make of it

using MaxBroadcastTo = TypeRules;

TEST_F(MaxBroadcastTo, test_broadcast_to) {
  for (int i = 0; i < rounds; ++i) {
    auto [x, y, result] = broadcastable();
    DType dtype = anyDType();
    ASSERT_EQ(input(dtype, x).broadcastTo(result).type(), TensorType(dtype, result, CPU()));
    ASSERT_EQ(input(dtype, y).broadcastTo(result).shape(), result);
  }
}
TEST_F(MaxBroadcastTo, test_broadcast_to_invalid) {
  EXPECT_THAT([&] { input({6}).broadcastTo({6, 7}); },
              ThrowsMessage<ValueError>(
                  HasSubstr("input dimension at index 0 (6) must be either 1 or equal to "
                            "corresponding output dimension at index 1 (7)")));
  EXPECT_THAT([&] { input({"D0", 3}).broadcastTo({5, "D2", 3}); },
              ThrowsMessage<ValueError>(
                  HasSubstr("input dimension at index 0 (D0) must be either 1 or equal to "
                            "corresponding output dimension at index 1 (D2)")));
  EXPECT_THROW(input({2, 3}).broadcastTo({3}), ValueError);
  EXPECT_THROW(input({1}).broadcastTo({-2}), TypeError);
}

using MaxElementwise = TypeRules;

TEST_F(MaxElementwise, test_binary_broadcasts) {
  for (int i = 0; i < rounds; ++i) {
    auto [x, y, result] = broadcastable();
    DType dtype = number();
    Tensor a = input(dtype, x), b = input(dtype, y);
    ASSERT_EQ((a + b).type(), TensorType(dtype, result, CPU()));
    ASSERT_EQ((b * a).type(), TensorType(dtype, result, CPU()));
    ASSERT_EQ((a < b).type(), TensorType(DType::boolean, result, CPU()));
    ASSERT_EQ(maximum(b, a).shape(), result);
  }
}
TEST_F(MaxElementwise, test_binary_promotes) {
  for (DType a : allDTypes)
    for (DType b : allDTypes) {
      Tensor x = input(a, {2}), y = input(b, {2});
      try {
        DType expected = promote(a, b);
        EXPECT_EQ((x == y).dtype(), DType::boolean);
        if (expected != DType::boolean) {
          EXPECT_EQ((x + y).dtype(), expected) << name(a) << " " << name(b);
          EXPECT_EQ((y + x).dtype(), expected);
        }
      } catch (const TypeError &) { // no integer holds uint64 and a signed one
        EXPECT_TRUE(a == DType::uint64 || b == DType::uint64) << name(a) << " " << name(b);
        EXPECT_THROW(x + y, TypeError);
      }
    }
}
TEST_F(MaxElementwise, test_different_devices) {
  Tensor x = input({2}), y = input(DType::float32, {2}, CPU(1));
  auto message = HasSubstr("same device");
  EXPECT_THAT([&] { x / y; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { concat({x, y}); }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { where(x > 0, x, y); }, ThrowsMessage<ValueError>(message));
}

// test_argmax.py, test_min_max.py

using MaxReduction = TypeRules;

TEST_F(MaxReduction, test_argmax_argmin) {
  for (int i = 0; i < rounds; ++i) {
    Shape of = shape(4, 1);
    int64_t axis = below(of.rank());
    std::vector<Dim> dims = of.vec();
    if (dims[static_cast<std::size_t>(axis)] == Dim(0))
      dims[static_cast<std::size_t>(axis)] = 1; // no element, no greatest one
    Tensor x = input(number(), Shape(dims));
    dims[static_cast<std::size_t>(axis)] = 1;
    TensorType expected(DType::int64, Shape(dims), CPU());
    ASSERT_EQ(argmax(x, axis).type(), expected);
    ASSERT_EQ(argmin(x, axis - x.rank()).type(), expected);
    ASSERT_EQ(max(x, axis).type(), TensorType(x.dtype(), Shape(dims), CPU()));
    ASSERT_EQ(sum(x, axis).shape(), Shape(dims));
  }
}
TEST_F(MaxReduction, test_argmax_bad_axis) {
  Tensor x = input({2, 3});
  for (int64_t axis : {2, -3}) {
    EXPECT_THROW(argmax(x, axis), IndexError);
    EXPECT_THROW(argmin(x, axis), IndexError);
    EXPECT_THROW(sum(x, axis), IndexError);
  }
}
template <class T>
concept HasTwoOperandMax = requires(const T &x, const T &y) { kiln::max(x, y, int64_t(0)); };
TEST_F(MaxReduction, test_max_of_two_with_an_axis) {
  static_assert(!HasTwoOperandMax<Tensor>); // maximum and max are two functions
  EXPECT_EQ(maximum(input({2, 3}), input({3})).shape(), (Shape{2, 3}));
}

// Weak scalars: tests/graph/ops/test_elementwise.py

using MaxWeakScalar = TypeRules;

TEST_F(MaxWeakScalar, test_float_into_int) {
  auto message = HasSubstr("Unsafe cast");
  for (DType dtype : allDTypes)
    if (!isFloat(dtype) && dtype != DType::boolean) {
      Tensor x = input(dtype, {2});
      EXPECT_THAT([&] { x + 1.5; }, ThrowsMessage<ValueError>(message));
      EXPECT_THAT([&] { 1.5 * x; }, ThrowsMessage<ValueError>(message));
    }
}
TEST_F(MaxWeakScalar, test_int_out_of_range) {
  auto message = HasSubstr("Unsafe cast");
  EXPECT_THAT([&] { input(DType::int8, {2}) + 128; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { input(DType::uint8, {2}) - -1; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { (void)(input(DType::int32, {2}) < (int64_t(1) << 40)); },
              ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { input(DType::float16, {2}) * 1e6; }, ThrowsMessage<ValueError>(message));
}
TEST_F(MaxWeakScalar, test_int_in_range) {
  for (DType dtype : allDTypes)
    if (dtype != DType::boolean) {
      EXPECT_EQ((input(dtype, {2}) + 100).dtype(), dtype);
      EXPECT_EQ((7 - input(dtype, {2})).dtype(), dtype);
    }
  EXPECT_EQ((input(DType::int8, {2}) + 127).dtype(), DType::int8);
  EXPECT_EQ((input(DType::uint64, {2}) + UINT64_MAX).dtype(), DType::uint64);
  EXPECT_EQ((input(DType::bfloat16, {2}) * 1.5).dtype(), DType::bfloat16);
}

// elementwise/test_div.py

using MaxDiv = TypeRules;

TEST_F(MaxDiv, test_div__same_type) {
  for (DType dtype : allDTypes) {
    if (dtype == DType::boolean)
      continue;
    Tensor x = input(dtype, {"n", 2});
    DType expected = isFloat(dtype) ? dtype : DType::float32;
    EXPECT_EQ((x / x).type(), TensorType(expected, {"n", 2}, CPU()));
    EXPECT_EQ((x / 2).dtype(), expected);
  }
}
TEST_F(MaxDiv, test_floordiv__same_type__operator) {
  for (DType dtype : allDTypes) {
    if (dtype == DType::boolean)
      continue;
    Tensor x = input(dtype, {"n", 2});
    EXPECT_EQ(floorDiv(x, x).type(), x.type());
    EXPECT_EQ(floorDiv(x, 2).type(), x.type());
    EXPECT_EQ(floorDiv(2, x).type(), x.type());
  }
}

/// x / y and floor(x / y) as the language has them, eagerly and compiled.
template <class T> void expectDivision(std::vector<std::pair<T, T>> cases, double tolerance) {
  DType dtype = dtypeOf<T>();
  Graph graph("div_and_floor");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(TensorType(dtype, {"n"}, CPU()));
    Tensor y = graph.input(TensorType(dtype, {"n"}, CPU()));
    graph.output(x / y, floorDiv(x, y));
  }
  std::vector<T> left, right;
  for (auto [x, y] : cases) {
    left.push_back(x);
    right.push_back(y);
  }
  Shape shape{left.size()};
  Tensor x = Tensor::fromData(left, shape), y = Tensor::fromData(right, shape);
  GraphResults compiled = graph.compile()(x, y);
  for (auto &[quotients, floors] :
       {std::pair(compiled[0], compiled[1]), std::pair(x / y, floorDiv(x, y))})
    for (std::size_t i = 0; i < cases.size(); ++i) {
      double exact = static_cast<double>(left[i]) / static_cast<double>(right[i]);
      double quotient = quotients.cast(DType::float64).template toVector<double>()[i];
      EXPECT_NEAR(quotient, exact, tolerance * std::abs(exact)) << left[i] << " / " << right[i];
      T floor = floors.template toVector<T>()[i];
      if constexpr (std::is_integral_v<T>) {
        if (left[i] == std::numeric_limits<T>::min() && right[i] == -1)
          EXPECT_EQ(floor, left[i]) << "wraps around: 2^63 is no int64";
        else
          EXPECT_EQ(floor, static_cast<T>(std::floor(exact))) << left[i] << " // " << right[i];
      } else {
        EXPECT_EQ(static_cast<double>(floor), std::floor(exact)) << left[i] << " // " << right[i];
      }
    }
}

TEST(MaxDivRun, test_div_and_floordiv_match_python) {
  expectDivision<int32_t>({{7, 3}, {7, -3}, {-7, 3}, {-7, -3}, {1, 2}, {0, 5}}, 1e-6);
  expectDivision<int64_t>({{15, 4}, {INT64_MIN, -1}}, 1e-6); // float32: / is rounded to it
  expectDivision<float>({{7.5f, 2.5f}, {1.0f, 3.0f}, {-0.0f, 3.0f}}, 1e-6);
  expectDivision<double>({{7, 3}, {1, 3}}, 1e-12);
}

TEST(MaxIndex, test_int_index_of_int_tensor) { // modular/modular#6440
  Tensor x = Tensor::constant({{1, 2, 3}, {4, 5, 6}});
  EXPECT_THAT(x[0].toVector<int32_t>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(x[-1].toVector<int32_t>(), ElementsAre(4, 5, 6));
  Graph graph("index");
  {
    auto scope = graph.enter();
    graph.output(graph.input(TensorType(DType::int32, {2, 3}, CPU()))[0]);
  }
  EXPECT_THAT(graph.compile()(x)[0].toVector<int32_t>(), ElementsAre(1, 2, 3));
}

// tests/graph/ops/test_layer_norm.py

using MaxLayerNormType = TypeRules;

TEST_F(MaxLayerNormType, test_layer_norm_type) {
  for (int i = 0; i < rounds; ++i) {
    Shape of = shape(4, 1);
    DType dtype = below(2) ? DType::float32 : DType::bfloat16;
    Tensor x = input(dtype, of), weight = input(dtype, {of[-1]});
    ASSERT_EQ(layerNorm(x, weight, weight, 1e-5).type(), x.type());
  }
  Tensor x = input({2, 3}), wrong = input({4});
  EXPECT_THAT([&] { layerNorm(x, wrong, wrong); },
              ThrowsMessage<ValueError>(HasSubstr("does not match dimension of reduction")));
  EXPECT_THAT([&] { layerNorm(x, 0.0); },
              ThrowsMessage<ValueError>(HasSubstr("epsilon must be positive")));
}

} // namespace
