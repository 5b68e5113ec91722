#include "SymbolicDimsTesting.h"

#include "kiln/DimSum.h"

#include <gmock/gmock.h>

// MAX's tests/graph/ops/test_rebind.py, ops/test_reshape.py and
// integration/tensor/test_from_dim.py, and concat.

using namespace kiln;
using kiln::testing::floats;
using kiln::testing::printed;
using kiln::testing::Traced;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

namespace {

// tests/graph/ops/test_rebind.py

TEST(MaxRebind, test_rebind_to_existing_names) {
  Graph graph("names");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"a"})), y = graph.input(floats({"b"}));
    Tensor same = y.rebind({"a"});
    EXPECT_EQ(same.shape(), (Shape{"a"}));
    EXPECT_THROW(x + y, ValueError);
    graph.output(x + same);
  }
  auto run = graph.compile();
  Tensor sum = run(Tensor::ones({3}), Tensor::ones({3}));
  EXPECT_THAT(sum.toVector<float>(), ElementsAre(2, 2, 2));
  EXPECT_THAT([&] { run(Tensor::ones({3}), Tensor::ones({4})); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("[rebind] rebind shape check failed"),
                                              HasSubstr("a is 3"), HasSubstr("b is 4"))));
}
TEST(MaxRebind, test_rebind_to_constants) {
  Graph graph("constants");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"batch", "dim"}));
    graph.output(x.rebind({"batch", 6}).reshape({"batch", 2, 3}));
  }
  auto run = graph.compile();
  EXPECT_EQ(Tensor(run(Tensor::ones({5, 6}))).shape(), (Shape{5, 2, 3}));
  EXPECT_THROW(run(Tensor::ones({5, 7})), ValueError);
}
TEST(MaxRebind, test_rebind_to_new_names) {
  Graph graph("new");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"n", 4})), y = graph.input(floats({"k"}));
    // The new name is a size as any other from here on, and binds in later rebinds.
    Tensor flat = x.reshape({-1}).rebind({"length"});
    Tensor other = y.rebind({"length"});
    graph.output(flat + other, Tensor::full({"length"}, 2, DType::float32, CPU()),
                 fromDim("length"));
  }
  auto run = graph.compile();
  GraphResults results = run(Tensor::ones({3, 4}), Tensor::ones({12}));
  EXPECT_EQ(results[0].toVector<float>(), std::vector<float>(12, 2));
  EXPECT_EQ(results[1].shape(), (Shape{12}));
  EXPECT_EQ(results[2].item<int64_t>(), 12);
  EXPECT_THROW(run(Tensor::ones({3, 4}), Tensor::ones({11})), ValueError);
}
TEST(MaxRebind, test_rebind_to_expression) {
  Traced traced({"dim"});
  EXPECT_EQ(rebind(traced.x, {Dim("dim") / 2 * 2}).shape(), (Shape{Dim("dim") / 2 * 2}));
  EXPECT_EQ(ops::rebind(traced.x, {"dim"}).shape(), (Shape{"dim"}));
}
TEST(MaxRebind, test_rebind_wrong_rank) {
  Traced traced({"batch", "dim"});
  EXPECT_THAT([&] { traced.x.rebind({"batch"}); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("[rebind]"), HasSubstr("rank 1"),
                                              HasSubstr("[batch, dim] f32"))));
  EXPECT_THROW(Tensor::ones({2, 3}).rebind({2}), ValueError);
}
TEST(Rebind, WhatCannotHoldIsAnErrorAtOnce) {
  Tensor x = Tensor::ones({2, 3});
  EXPECT_EQ(x.rebind({"a", "b"}).shape(), (Shape{2, 3})); // sizes are known: names go
  EXPECT_EQ(x.rebind({"a", Dim("a") + 1}).shape(), (Shape{2, 3}));
  EXPECT_THROW(x.rebind({"a", "a"}), ValueError);
  EXPECT_THROW(x.rebind({"a", Dim("c") + 1}), ValueError);
  Traced traced({"n", 4});
  EXPECT_THROW(traced.x.rebind({"n", 5}), ValueError);
  EXPECT_THROW(traced.x.rebind({Dim("n") + 1, 4}), ValueError);
}
TEST(Rebind, IsFusedAndCostsNoKernel) {
  Graph graph("fused");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"a"})), y = graph.input(floats({"b"}));
    graph.output((x * 2).rebind({"b"}) + y, x.rebind({"b"}));
  }
  auto run = graph.compile();
  EXPECT_EQ(run.stats().kernels.size(), 1u);
  GraphResults results = run(Tensor::ones({3}), Tensor::ones({3}));
  EXPECT_THAT(results[0].toVector<float>(), ElementsAre(3, 3, 3));
  EXPECT_THAT(results[1].toVector<float>(), ElementsAre(1, 1, 1));
}

// tests/graph/ops/test_reshape.py

TEST(MaxReshape, test_reshape_infers_static) {
  Traced traced({6, 5});
  EXPECT_EQ(traced.x.reshape({2, -1}).shape(), (Shape{2, 15}));
}
TEST(MaxReshape, test_reshape_infers_symbolic) {
  Traced traced({"batch", "channels"});
  EXPECT_EQ(traced.x.reshape({"channels", -1}).shape(), (Shape{"channels", "batch"}));
}
TEST(MaxReshape, test_reshape_neg_one_alone) {
  Traced traced({"batch", 4});
  EXPECT_EQ(traced.x.reshape({-1, 4}).shape(), (Shape{"batch", 4}));
  EXPECT_EQ(traced.x.reshape({-1}).shape(), (Shape{Dim("batch") * 4}));
}
TEST(MaxReshape, test_reshape_algebraic_without_rebind) {
  Graph graph("algebraic");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"a", "b", 16})), y = graph.input(floats({"c", 16}));
    Tensor rows = concat({x.reshape({-1, 16}), y}, 0); // [(a * b) + c, 16]
    Dim count = Dim("a") * Dim("b") + Dim("c");
    EXPECT_EQ(rows.shape(), (Shape{count, 16}));
    Tensor split = rows.reshape({-1, 4, 4});
    EXPECT_EQ(split.shape(), (Shape{count, 4, 4}));
    graph.output(split);
  }
  auto run = graph.compile();
  EXPECT_EQ(Tensor(run(Tensor::ones({2, 3, 16}), Tensor::ones({5, 16}))).shape(),
            (Shape{11, 4, 4}));
}
TEST(MaxReshape, test_reshape_floordiv_without_rebind_fails) {
  Traced traced({"n_patches", 4});
  auto says = AllOf(HasSubstr("[reshape]"), HasSubstr("x [n_patches, 4] f32 on cpu:0"),
                    HasSubstr("rebind"), HasSubstr("SymbolicShapesTest.cpp"));
  EXPECT_THAT([&] { traced.x.reshape({Dim("n_patches") / 4, 16}); },
              ThrowsMessage<ValueError>(says));
  EXPECT_THAT([&] { traced.x.reshape({Dim("n_patches") / 4, -1}); },
              ThrowsMessage<ValueError>(says));
  EXPECT_EQ(
      traced.x.rebind({Dim("n_patches") / 4 * 4, 4}).reshape({Dim("n_patches") / 4, -1}).shape(),
      (Shape{Dim("n_patches") / 4, 16}));
}
TEST(MaxReshape, test_reshape_neg_one_with_zero) {
  Traced traced({0, 2});
  EXPECT_THAT([&] { traced.x.reshape({-1, 0, 2}); },
              ThrowsMessage<ValueError>(
                  HasSubstr("cannot infer -1 dimension when another dimension is 0")));
  EXPECT_EQ(traced.x.reshape({2, 0}).shape(), (Shape{2, 0}));
}
TEST(MaxReshape, test_reshape_moves_dims) {
  Traced traced({"a", 1, "b", 0});
  EXPECT_EQ(traced.x.reshape({0, "b", "a"}).shape(), (Shape{0, "b", "a"}));
  Traced other({"a", 3, "b"});
  EXPECT_EQ(other.x.reshape({"b", 3, "a"}).shape(), (Shape{"b", 3, "a"}));
  EXPECT_EQ(other.x.reshape({1, "a", 1, 3, "b", 1}).shape(), (Shape{1, "a", 1, 3, "b", 1}));
  EXPECT_EQ(other.x.reshape({1, "a", 3, "b"}).squeeze(0).shape(), other.x.shape());
}

// integration/tensor/test_from_dim.py

/// A model of x [batch, seq].
template <class F> struct Sized : nn::Module<Sized<F>> {
  F f;
  explicit Sized(F f) : f(std::move(f)) {}
  void visitFields(nn::detail::FieldVisitor &) {}
  void describe(nn::Description &) const {}
  Tensor operator()(const Tensor &x) const { return f(x); }
};

TEST(MaxFromDim, test_from_symbolic_dim) {
  auto model = Sized([](const Tensor &x) {
                 Tensor size = Tensor::fromDim(x.shape()[0]);
                 EXPECT_EQ(size.type(), TensorType(DType::int64, {}, CPU()));
                 return size;
               }).compile(floats({"batch", "seq"}));
  EXPECT_EQ(model(Tensor::ones({5, 8})).item<int64_t>(), 5);
  EXPECT_EQ(model(Tensor::ones({0, 8})).item<int64_t>(), 0);
}
TEST(MaxFromDim, test_from_algebraic_dim) {
  auto model = Sized([](const Tensor &x) {
                 return fromDim(x.shape()[0] * x.shape()[1]);
               }).compile(floats({"batch", "seq"}));
  EXPECT_EQ(model(Tensor::ones({5, 3})).item<int64_t>(), 15);
}
TEST(MaxFromDim, test_from_static_dim) {
  EXPECT_EQ(fromDim(7).item<int64_t>(), 7);
  EXPECT_EQ(fromDim(7).type(), TensorType(DType::int64, {}, CPU()));
  auto model = Sized([](const Tensor &) { return fromDim(7); }).compile(floats({"n"}));
  EXPECT_EQ(model(Tensor::ones({1})).item<int64_t>(), 7);
}
TEST(MaxFromDim, test_from_dim_in_condition) {
  auto model = Sized([](const Tensor &x) {
                 return where(fromDim(x.shape()[0]) <= 2, x * 2, x * 4);
               }).compile(floats({"batch"}));
  EXPECT_THAT(model(Tensor::ones({1})).toVector<float>(), ElementsAre(2));
  EXPECT_THAT(model(Tensor::ones({5})).toVector<float>(), ElementsAre(4, 4, 4, 4, 4));
}
TEST(MaxFromDim, test_eager_symbolic_raises) {
  EXPECT_THAT([] { fromDim(Dim("batch")); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("[fromDim]"), HasSubstr("eager mode"),
                                              HasSubstr("SymbolicShapesTest.cpp"))));
}
TEST(MaxFromDim, test_eager_algebraic_raises) {
  EXPECT_THAT([] { fromDim(Dim("batch") * 2); },
              ThrowsMessage<ValueError>(HasSubstr("eager mode")));
}
TEST(FromDim, ANameThatNoArgumentHasIsAnError) {
  EXPECT_THAT(
      [] { Sized([](const Tensor &x) { return x + fromDim("other"); }).compile(floats({"n"})); },
      ThrowsMessage<ValueError>(
          AllOf(HasSubstr("symbolic dimension \"other\" is no dim of an argument"),
                HasSubstr("SymbolicShapesTest.cpp"))));
  EXPECT_THROW(Sized([](const Tensor &x) {
                 return x.sum(0) + Tensor::ones({"other"}, DType::float32, CPU());
               }).compile(floats({"n"})),
               ValueError);
}

TEST(Dims, SizesMakeTensorsWithinATrace) {
  auto model =
      Sized([](const Tensor &x) {
        Dim batch = x.shape()[0], seq = x.shape()[1];
        Tensor mask = Tensor::full({seq, seq}, 1, DType::float32, CPU());
        Tensor places = Tensor::arange(0, batch * seq, 1, DType::float32, CPU());
        Tensor mean = x.sum(1) / fromDim(seq);
        return matmul(x + places.reshape({batch, seq}), mask) + mean.broadcastTo({batch, seq});
      }).compile(floats({"batch", "seq"}));
  Tensor y = model(Tensor::ones({2, 3}));
  EXPECT_THAT(y.toVector<float>(), ElementsAre(7, 7, 7, 16, 16, 16));
  EXPECT_EQ(model(Tensor::ones({0, 3})).shape(), (Shape{0, 3}));
}

// concat

TEST(MaxConcat, test_concat_symbolic_sizes) {
  Graph graph("concat");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"a", 4})), y = graph.input(floats({"b", 4}));
    Tensor z = concat({x, y, x}, 0);
    EXPECT_EQ(z.shape(), (Shape{Dim("a") * 2 + Dim("b"), 4}));
    graph.output(z);
  }
  Tensor z = graph.compile()(Tensor::ones({2, 4}), Tensor::zeros({1, 4}));
  EXPECT_EQ(z.shape(), (Shape{5, 4}));
  EXPECT_EQ(z.sum(0).sum(1).item<float>(), 16);
}
TEST(MaxConcat, test_concat_different_devices) {
  Tensor x = Tensor::ones({2}, DType::float32, CPU()),
         y = Tensor::ones({2}, DType::float32, CPU(1));
  EXPECT_THAT([&] { concat({x, y}); }, ThrowsMessage<ValueError>(HasSubstr("same device")));
}
TEST(Concat, HundredsOfSymbolicPartsAreOneSum) {
  std::vector<Dim> names;
  for (int i = 0; i < 1000; ++i)
    names.push_back(Dim("d" + std::to_string(i % 500)));
  Dim sum = sumOfDims(names), expected;
  for (const Dim &name : names)
    expected = expected + name;
  EXPECT_EQ(sum, expected);
  EXPECT_EQ(Dim::parse(sum.str()), sum);
  EXPECT_EQ(sumOfDims({}), 0);
  EXPECT_EQ(sumOfDims({"x"}), Dim("x"));
}

} // namespace
