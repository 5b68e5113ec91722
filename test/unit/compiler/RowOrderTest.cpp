// cumsum and argsort against the interpreter.
#include "OracleTesting.h"

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

class RowOrderTest : public testing::TestWithParam<Target> {};

const Dim a("a"), n("n"), c("c");

/// Sizes of [a, n, c].
const std::vector<std::vector<int64_t>> someSizes = {{2, 7, 3},  {1, 0, 4},   {3, 1, 1},  {0, 5, 2},
                                                     {2, 65, 5}, {1, 300, 2}, {4, 64, 17}};

TEST_P(RowOrderTest, cumsumOfAllDTypes) {
  std::mt19937 generator(1);
  for (DType dtype : allDTypes) {
    if (dtype == DType::boolean)
      continue;
    SCOPED_TRACE(shortName(dtype));
    for (int64_t axis : someAxes(dtype)) {
      GraphBuilder b;
      ir::ValueId x = b.argument({a, n, c}, dtype);
      for (bool exclusive : {false, true})
        for (bool reverse : {false, true})
          b.output(b.node("cumsum", {x},
                          {{"axis", axis}, {"exclusive", exclusive}, {"reverse", reverse}}));
      auto executable = load(b.graph, GetParam().name);
      ASSERT_TRUE(executable);
      for (const auto &sizes : someSizes) {
        expectAsInterpreted(b.graph, *executable, {drawNumbers(dtype, sizes, generator)});
        expectAsInterpreted(b.graph, *executable, {drawTensor(dtype, sizes, generator)});
      }
    }
  }
}

// Operations before and behind become part of the kernel.
TEST_P(RowOrderTest, cumsumWithNeighbours) {
  std::mt19937 generator(2);
  for (int64_t axis : {0, 1}) {
    GraphBuilder b;
    ir::ValueId x = b.argument({n, c}), y = b.argument({c});
    ir::ValueId sums = b.node("cumsum", {b.node("mul", {x, y})}, {{"axis", axis}});
    b.output(b.node("neg", {sums}));
    runtime::CompileResult result = compileGraph(b.graph, GetParam().name);
    ASSERT_EQ(result.error, ErrorKind::none) << result.message;
    EXPECT_EQ(result.artifact.kernels.size(), 1u);
    auto executable = runtime::Executable::load(std::move(result.artifact));
    for (auto [rows, columns] : {std::pair<int64_t, int64_t>{3, 700}, {700, 3}, {1, 1}})
      expectAsInterpreted(b.graph, *executable,
                          {drawNumbers(DType::float32, {rows, columns}, generator),
                           drawNumbers(DType::float32, {columns}, generator)});
  }
}

// Enough work for several threads.
TEST_P(RowOrderTest, cumsumOfManyRows) {
  std::mt19937 generator(3);
  for (int64_t axis : {0, 1}) {
    GraphBuilder b;
    b.output(b.node("cumsum", {b.argument({n, c})}, {{"axis", axis}}));
    auto executable = load(b.graph, GetParam().name);
    ASSERT_TRUE(executable);
    expectAsInterpreted(b.graph, *executable, {drawNumbers(DType::float32, {210, 305}, generator)});
  }
}

TEST_P(RowOrderTest, argsortOfAllDTypes) {
  std::mt19937 generator(4);
  for (DType dtype : allDTypes) {
    SCOPED_TRACE(shortName(dtype));
    for (int64_t axis : someAxes(dtype)) {
      GraphBuilder b;
      ir::ValueId x = b.argument({a, n, c}, dtype);
      for (bool descending : {false, true})
        b.output(b.node("argsort", {x},
                        {{"axis", axis},
                         {"descending", descending},
                         {"count", Shape{b.graph.type(x).shape[axis]}}}));
      auto executable = load(b.graph, GetParam().name);
      ASSERT_TRUE(executable);
      for (const auto &sizes : someSizes)
        expectAsInterpreted(b.graph, *executable, {drawTensor(dtype, sizes, generator)});
    }
  }
}

// The first of long rows, and rows that are in order already, either way.
TEST_P(RowOrderTest, argsortOfTheFirst) {
  std::mt19937 generator(5);
  for (Dim count : {Dim(0), Dim(1), Dim(5), Dim(64), Dim(65), Dim("k")})
    for (bool descending : {false, true}) {
      SCOPED_TRACE(count.str());
      GraphBuilder b;
      ir::ValueId x = b.argument({a, n});
      ir::ValueId like = b.argument({"k"}); // says what k is
      b.output(b.node("argsort", {x},
                      {{"axis", int64_t(1)}, {"descending", descending}, {"count", Shape{count}}}));
      b.output(b.node("neg", {like}));
      auto executable = load(b.graph, GetParam().name);
      ASSERT_TRUE(executable);
      for (int64_t size : {65, 300, 1000}) {
        std::vector<float> rising, falling;
        for (int64_t i = 0; i < size; ++i) {
          rising.push_back(static_cast<float>(i / 2));
          falling.push_back(static_cast<float>(-i));
        }
        ir::HostTensor k = drawNumbers(DType::float32, {33}, generator);
        expectAsInterpreted(b.graph, *executable,
                            {drawTensor(DType::float32, {3, size}, generator), k});
        expectAsInterpreted(b.graph, *executable, {ir::makeHostTensor(rising, {1, size}), k});
        expectAsInterpreted(b.graph, *executable, {ir::makeHostTensor(falling, {1, size}), k});
      }
    }
}

// All digits of wide keys count, and rows of several threads have scratch memory of their own.
TEST_P(RowOrderTest, argsortOfWideKeys) {
  std::mt19937 generator(6);
  for (DType dtype : {DType::int64, DType::uint64, DType::float64, DType::int16}) {
    GraphBuilder b;
    b.output(b.node("argsort", {b.argument({a, n}, dtype)},
                    {{"axis", int64_t(1)}, {"descending", false}, {"count", Shape{n}}}));
    auto executable = load(b.graph, GetParam().name);
    ASSERT_TRUE(executable);
    ir::Array x(dtype, {7, 900});
    for (int64_t i = 0; i < x.numElements(); ++i) {
      auto bits = static_cast<int64_t>(uint64_t{generator()} << 32 | generator());
      x.set(i, isFloat(dtype) ? ir::real(std::ldexp(static_cast<double>(bits), bits % 900))
                              : ir::integer(bits));
    }
    expectAsInterpreted(b.graph, *executable, {x.toHost()});
  }
}

TEST_P(RowOrderTest, argsortWithNeighbours) {
  std::mt19937 generator(7);
  GraphBuilder b;
  ir::ValueId x = b.argument({n, c});
  ir::ValueId order = b.node("argsort", {b.node("neg", {x})},
                             {{"axis", int64_t(1)}, {"descending", false}, {"count", Shape{c}}});
  b.output(b.node("add", {order, order}));
  runtime::CompileResult result = compileGraph(b.graph, GetParam().name);
  ASSERT_EQ(result.error, ErrorKind::none) << result.message;
  EXPECT_EQ(result.artifact.kernels.size(), 1u);
  auto executable = runtime::Executable::load(std::move(result.artifact));
  expectAsInterpreted(b.graph, *executable, {drawTensor(DType::float32, {3, 100}, generator)});
}

INSTANTIATE_TEST_SUITE_P(Targets, RowOrderTest, testing::ValuesIn(Target::allOnHost()),
                         [](const auto &info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
