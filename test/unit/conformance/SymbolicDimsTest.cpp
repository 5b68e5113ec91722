#include "kiln/DimSum.h"
#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <random>
#include <sstream>

// MAX's tests/graph/test_dim.py, test_type.py, ops/test_rebind.py, ops/test_reshape.py,
// integration/graph/test_symbolic_dimension_*.py, integration/tensor/test_from_dim.py and
// integration/c/SymbolicDimensionTest.cpp.

using namespace kiln;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

TensorType floats(const Shape &shape) { return TensorType(DType::float32, shape, CPU()); }

/// A graph of one input of that shape, entered.
struct Traced {
  explicit Traced(const Shape &shape) : graph("traced"), scope(graph.enter()) {
    x = graph.input(floats(shape));
  }
  Graph graph;
  Graph::Scope scope;
  Tensor x;
};

template <class T> std::string printed(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

// tests/graph/test_dim.py: TestStaticDimAlgebraNoContext

TEST(MaxDim, test_static_dim_add) { EXPECT_EQ((Dim(5) + Dim(10)).value(), 15); }
TEST(MaxDim, test_static_dim_add_int) { EXPECT_EQ((Dim(5) + 10).value(), 15); }
TEST(MaxDim, test_static_dim_radd_int) { EXPECT_EQ((10 + Dim(5)).value(), 15); }
TEST(MaxDim, test_static_dim_sub) { EXPECT_EQ((Dim(10) - Dim(3)).value(), 7); }
TEST(MaxDim, test_static_dim_mul) { EXPECT_EQ((Dim(5) * Dim(4)).value(), 20); }
TEST(MaxDim, test_static_dim_mul_int) { EXPECT_EQ((Dim(5) * 4).value(), 20); }
TEST(MaxDim, test_static_dim_floordiv) { EXPECT_EQ((Dim(10) / Dim(3)).value(), 3); }
TEST(MaxDim, test_static_dim_floordiv_int) {
  EXPECT_EQ((Dim(10) / 3).value(), 3);
  EXPECT_EQ((Dim(-10) / 3).value(), -4); // down, not towards zero
}
TEST(MaxDim, test_static_dim_neg) { EXPECT_EQ((-Dim(5)).value(), -5); }
TEST(MaxDim, test_static_dim_complex_expression) {
  Dim result = (Dim(5) + Dim(3)) * 2 - Dim(4) / 2;
  EXPECT_TRUE(result.isStatic());
  EXPECT_EQ(result.value(), 14);
}
TEST(MaxDim, test_static_dim_zero_division_raises) {
  EXPECT_THAT([] { Dim(10) / 0; }, ThrowsMessage<ValueError>(HasSubstr("division by zero")));
  EXPECT_THROW(Dim(10) / Dim(0), ValueError);
  EXPECT_THROW(Dim("x") / 0, ValueError);
}

// TestSymbolicDimAlgebraDefaultContext

TEST(MaxDim, test_symbolic_dim_add) {
  EXPECT_TRUE((Dim("batch") + 1).isAlgebraic());
  EXPECT_THAT((Dim("batch") + 1).str(), HasSubstr("batch"));
}
TEST(MaxDim, test_symbolic_dim_mul) {
  EXPECT_TRUE((Dim("seq_len") * 2).isAlgebraic());
  EXPECT_THAT((Dim("seq_len") * 2).str(), HasSubstr("seq_len"));
}
TEST(MaxDim, test_symbolic_dim_floordiv) {
  EXPECT_TRUE((Dim("dim") / 4).isAlgebraic());
  EXPECT_THAT((Dim("dim") / 4).str(), HasSubstr("dim"));
}
TEST(MaxDim, test_algebraic_dim_reused_between_graphs) {
  Dim dim;
  {
    Traced first({"batch"});
    dim = first.x.shape()[0] + 1;
  }
  Traced second({"batch"});
  EXPECT_EQ(dim + 2, second.x.shape()[0] + 3);
}

// TestDimAlgebraInsideGraphContext

TEST(MaxDim, test_static_dim_add_inside_graph) {
  Traced traced({1});
  EXPECT_EQ((Dim(5) + Dim(10)).value(), 15);
}
TEST(MaxDim, test_symbolic_dim_add_inside_graph) {
  Traced traced({"batch"});
  EXPECT_TRUE((traced.x.shape()[0] + Dim(10)).isAlgebraic());
}
TEST(MaxDim, test_symbolic_dim_mul_inside_graph) {
  Traced traced({"dim"});
  EXPECT_EQ(traced.x.shape()[0] * 4, Dim("dim") * 4);
}
TEST(MaxDim, test_symbolic_dim_floordiv_inside_graph) {
  Traced traced({"dim"});
  EXPECT_EQ(traced.x.shape()[0] / 4, Dim("dim") / 4);
}
TEST(MaxDim, test_mixed_symbolic_static_inside_graph) {
  Traced traced({"batch"});
  EXPECT_TRUE(((traced.x.shape()[0] + 1) * 2).isAlgebraic());
}

// TestDimTypes

TEST(MaxDim, test_dim_from_int_is_static) { EXPECT_TRUE(Dim(5).isStatic()); }
TEST(MaxDim, test_dim_from_str_is_symbolic) {
  EXPECT_TRUE(Dim("batch").isName());
  EXPECT_EQ(Dim("batch").str(), "batch");
}
TEST(MaxDim, test_dim_from_dim_returns_same) { EXPECT_EQ(Dim(Dim(5)), Dim(5)); }
TEST(MaxDim, test_static_dim_int_conversion) { EXPECT_EQ(Dim(42).value(), 42); }
TEST(MaxDim, test_symbolic_dim_int_conversion_raises) {
  auto message = HasSubstr("conversions only supported for static dims");
  EXPECT_THAT([] { (void)Dim("batch").value(); }, ThrowsMessage<TypeError>(message));
  EXPECT_THAT([] { (void)(Dim("batch") + 1).value(); }, ThrowsMessage<TypeError>(message));
}

// tests/graph/test_type.py

TEST(MaxType, test_dim_algebra_is_canonical) {
  Dim x("x");
  EXPECT_EQ(4 * x + 4, (x + 1) * 4);
  EXPECT_NE(4 * x / 5, (Dim(4) / 5) * x);
  EXPECT_EQ((Dim(4) / 5) * x, 0);
  EXPECT_EQ(-x - 4, -(x + 4));
  EXPECT_EQ(x + 1 + 1, x + 2);
}
TEST(MaxType, test_dim_str) {
  Dim x("x"), y("y");
  EXPECT_EQ(Dim(23).str(), "23");
  EXPECT_EQ(Dim("test").str(), "test");
  EXPECT_EQ(((x + y - 4) / 5).str(), "(x + y - 4) / 5");
}
TEST(MaxType, test_dim_repr) {
  Dim x("x"), y("y");
  EXPECT_EQ(printed(Dim(23)), "Dim(23)");
  EXPECT_EQ(printed(Dim("test")), "Dim(\"test\")");
  EXPECT_EQ(printed((x + y - 4) / 5), "(Dim(\"x\") + Dim(\"y\") + Dim(-4)) / Dim(5)");
  EXPECT_EQ(printed(Dim("batch") * 4), "Dim(\"batch\") * Dim(4)");
}
TEST(MaxType, test_dim_names) {
  for (const char *name : {"x", "_", "batch_2", "Batch"})
    EXPECT_NO_THROW(Dim{name});
  for (const char *name : {"1", "", "a b", "a-b", "x+1"})
    EXPECT_THAT([&] { Dim{name}; }, ThrowsMessage<ValueError>(HasSubstr("Invalid name")));
}
TEST(MaxType, test_dim_out_of_range) { EXPECT_THROW(Dim(UINT64_MAX), ValueError); }
TEST(MaxType, test_negative_dim) {
  auto message = HasSubstr("dimensions must be non-negative");
  EXPECT_THAT([] { floats({2, -4}); }, ThrowsMessage<TypeError>(message));
  EXPECT_THAT([] { floats({-1}); }, ThrowsMessage<TypeError>(message));
  EXPECT_THAT([] { Tensor::zeros({3, -1}); }, ThrowsMessage<TypeError>(message));
}
TEST(MaxType, test_algebraic_dims_in_graph_inputs) {
  Graph graph("inputs");
  EXPECT_THAT([&] { graph.input(floats({Dim("n") * 2})); },
              ThrowsMessage<ValueError>(
                  AllOf(HasSubstr("algebraic dim n * 2"), HasSubstr("SymbolicDimsTest.cpp"))));
  EXPECT_THROW(nn::Linear(2, 3).compile(floats({Dim("n") + 1, 2})), ValueError);
}

TEST(MaxType, test_dim_overflow) { // MAX's known hole (GEX-1918)
  EXPECT_THAT([] { Dim(INT64_MAX) * 2; }, ThrowsMessage<ValueError>(HasSubstr("overflow")));
  EXPECT_THROW(Dim(INT64_MAX) + 1, ValueError);
  EXPECT_THROW(Dim(INT64_MIN) - 1, ValueError);
  EXPECT_THROW(-Dim(INT64_MIN), ValueError);
  EXPECT_THROW(Dim(INT64_MIN) / -1, ValueError);
  EXPECT_THROW((Dim("x") * INT64_MAX) * 2, ValueError);
  EXPECT_THROW((Dim("x") * 4).evaluate({{"x", INT64_MAX / 2}}), ValueError);
}

TEST(Dims, AShapeOfMoreElementsThanInt64CountsIsAnError) {
  int64_t large = int64_t(1) << 40;
  auto message = HasSubstr("overflow of int64");
  EXPECT_THAT([&] { floats({large, large}); }, ThrowsMessage<ValueError>(message));
  // The elements can be counted, their bytes cannot.
  EXPECT_THAT([&] { floats({int64_t(1) << 62}); }, ThrowsMessage<ValueError>(message));
  EXPECT_NO_THROW(TensorType(DType::int8, {int64_t(1) << 62}, CPU()));
  EXPECT_NO_THROW(floats({large, large, 0}));
  Tensor one = Tensor::ones({1, 1});
  EXPECT_THAT([&] { one.broadcastTo({large, large}); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("[broadcastTo]"), message)));
  EXPECT_THROW(Tensor::zeros({large, large}), ValueError);
  EXPECT_THROW(tile(one, {large, large}), ValueError);
  Tensor row = one.broadcastTo({1, large}), column = one.broadcastTo({large, 1});
  EXPECT_THAT([&] { row + column; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { matmul(column, row); }, ThrowsMessage<ValueError>(message));
  Traced traced({"n", large});
  EXPECT_THROW(traced.x.broadcastTo({large, "n", large}), ValueError);
}

// integration/graph/test_symbolic_dimension_mismatch.py and …_validation.py

TEST(MaxSymbolicDimension, test_mismatch_within_one_input) {
  Graph graph("square");
  {
    auto scope = graph.enter();
    graph.output(graph.input(floats({"seq_len", "seq_len"})) * 2);
  }
  auto run = graph.compile();
  EXPECT_NO_THROW(run(Tensor::ones({3, 3})));
  EXPECT_THAT([&] { run(Tensor::ones({3, 4})); },
              ThrowsMessage<ValueError>(
                  HasSubstr("argument 0: symbolic dimension \"seq_len\": expected 3 (from argument "
                            "0, dim 0), got 4")));
}

TEST(MaxSymbolicDimension, test_mismatch_between_inputs) {
  Graph graph("two");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(floats({"seq_len", 768})), y = graph.input(floats({"seq_len", 768}));
    graph.output(x + y);
  }
  auto run = graph.compile();
  EXPECT_THAT([&] { run(Tensor::ones({10, 768}), Tensor::ones({12, 768})); },
              ThrowsMessage<ValueError>(
                  AllOf(HasSubstr("argument 1: symbolic dimension \"seq_len\": expected 10 (from "
                                  "argument 0, dim 0), got 12"),
                        HasSubstr("SymbolicDimsTest.cpp"))));
  Tensor sum = run(Tensor::ones({10, 768}), Tensor::full({10, 768}, 2));
  EXPECT_EQ(sum.toVector<float>(), std::vector<float>(7680, 3));
}

struct Heads : nn::Module<Heads> {
  Tensor operator()(const Tensor &x) const {
    Dim batch = x.shape()[0], dim = x.shape()[1];
    return x.rebind({batch, 4 * (dim / 4)}).reshape({batch, 4, dim / 4});
  }
};

TEST(MaxSymbolicDimension, test_algebraic_dimension_violates_constraints) {
  auto model = Heads{}.compile(floats({"batch", "dim"}));
  try {
    model(Tensor::zeros({8, 63}));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ValueError &error) {
    EXPECT_THAT(error.what(), HasSubstr("rebind shape check failed"));
    EXPECT_THAT(error.what(), HasSubstr("expected shape [batch, "));
    EXPECT_THAT(error.what(), HasSubstr("but got x [batch, dim] f32"));
    EXPECT_THAT(error.what(), HasSubstr("dim is 63 (argument 0, dim 1)"));
    EXPECT_THAT(error.what(), HasSubstr("SymbolicDimsTest.cpp:"));
  }
}
TEST(MaxSymbolicDimension, test_algebraic_dimension_meets_constraints) {
  auto model = Heads{}.compile(floats({"batch", "dim"}));
  Tensor x = random::uniform({8, 64});
  Tensor y = model(x);
  EXPECT_EQ(y.shape(), (Shape{8, 4, 16}));
  EXPECT_EQ(y.toVector<float>(), x.toVector<float>());
  EXPECT_EQ(Heads{}(x).toVector<float>(), x.toVector<float>()); // eager
  EXPECT_THAT([] { Heads{}(Tensor::zeros({8, 63})); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("rebind shape check failed"),
                                              HasSubstr("expected shape [8, 60]"),
                                              HasSubstr("but got [8, 63] f32"))));
}

// integration/c/SymbolicDimensionTest.cpp

TEST(MaxSymbolicDimension, StaticDimMismatch) {
  Graph graph("fixed");
  {
    auto scope = graph.enter();
    graph.output(graph.input(floats({8, 10})) + 1);
  }
  auto run = graph.compile();
  EXPECT_THAT([&] { run(Tensor::ones({8, 12})); },
              ThrowsMessage<ValueError>(HasSubstr("argument 0: dim 1: expected 10, got 12")));
  EXPECT_THAT([&] { run(Tensor::ones({8})); },
              ThrowsMessage<ValueError>(HasSubstr("argument 0: expected rank 2")));
  EXPECT_THAT(
      [&] { run(Tensor::ones({8, 10}, DType::int32)); },
      ThrowsMessage<ValueError>(HasSubstr("argument 0: expected dtype float32, got int32")));
  EXPECT_THAT([&] { run(Tensor::ones({8, 10}, DType::float32, CPU(1))); },
              ThrowsMessage<ValueError>(HasSubstr("argument 0: expected device cpu:0, got cpu:1")));
}
TEST(MaxSymbolicDimension, OneArtifactServesAllBatches) {
  Graph graph("batches");
  {
    auto scope = graph.enter();
    graph.output(graph.input(floats({"batch", 10})) * 3 - 1);
  }
  auto run = graph.compile();
  int64_t compiles = runtimeStats().compiles;
  for (int64_t batch : {8, 10})
    EXPECT_EQ(Tensor(run(Tensor::ones({batch, 10}))).shape(), (Shape{batch, 10}));
  EXPECT_EQ(runtimeStats().compiles, compiles);
}

TEST(Dims, ConstraintsAreChecked) {
  Graph graph("bounded");
  {
    auto scope = graph.enter();
    graph.output(graph.input(floats({"batch", "seq"})) + 1);
  }
  auto run = graph.compile(
      CompileOptions{.constraints = {Dim("batch").between(1, 8), Dim("seq").multipleOf(4)}});
  EXPECT_NO_THROW(run(Tensor::ones({8, 12})));
  EXPECT_THAT([&] { run(Tensor::ones({9, 12})); },
              ThrowsMessage<ValueError>(HasSubstr(
                  "argument 0: symbolic dimension \"batch\": expected between 1 and 8, got 9")));
  EXPECT_THAT([&] { run(Tensor::ones({1, 13})); },
              ThrowsMessage<ValueError>(HasSubstr(
                  "argument 0: symbolic dimension \"seq\": expected a multiple of 4, got 13")));
  EXPECT_THAT([&] { graph.compile(CompileOptions{.constraints = {Dim("other").between(1, 8)}}); },
              ThrowsMessage<ValueError>(HasSubstr("a constraint is on \"other\"")));
}

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
                    HasSubstr("rebind"), HasSubstr("SymbolicDimsTest.cpp"));
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
                                              HasSubstr("SymbolicDimsTest.cpp"))));
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
                HasSubstr("SymbolicDimsTest.cpp"))));
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

// Equality of dims is that of their values: no two that are equal differ anywhere, and two that
// differ everywhere that was tried are not equal.
TEST(DimProperty, EqualityAgreesWithValues) {
  std::mt19937 random(21);
  auto name = [&] { return Dim(std::string(1, "xyz"[random() % 3])); };
  auto draw = [&](auto &self, int depth) -> Dim {
    if (depth == 0)
      return random() % 2 ? name() : Dim(static_cast<int64_t>(random() % 5));
    Dim a = self(self, depth - 1), b = self(self, depth - 1);
    switch (random() % 4) {
    case 0:
      return a + b;
    case 1:
      return a - b;
    case 2:
      return a * b;
    default:
      return a / (b * b + 1); // never by zero
    }
  };
  int equal = 0;
  for (int i = 0; i < 20000; ++i) {
    Dim a = draw(draw, 2), b = random() % 2 ? draw(draw, 2) : a + name() - name();
    bool differs = false;
    for (int point = 0; point < 12; ++point) {
      DimBindings at;
      for (const char *n : {"x", "y", "z"})
        at[n] = static_cast<int64_t>(random() % 40);
      differs = differs || a.evaluate(at) != b.evaluate(at);
    }
    ASSERT_FALSE(a == b && differs) << a.str() << "; " << b.str();
    equal += a == b;
  }
  EXPECT_GT(equal, 500);
}

} // namespace
