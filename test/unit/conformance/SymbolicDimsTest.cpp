#include "SymbolicDimsTesting.h"

#include "kiln/DimSum.h"

#include <gmock/gmock.h>
#include <random>

// MAX's tests/graph/test_dim.py, test_type.py, integration/graph/test_symbolic_dimension_*.py and
// integration/c/SymbolicDimensionTest.cpp.

using namespace kiln;
using kiln::testing::floats;
using kiln::testing::printed;
using kiln::testing::Traced;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

namespace {

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
