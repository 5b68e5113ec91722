// scatter, gather_elements and scatter_elements against the interpreter.
#include "OracleTesting.h"

#include "kiln/Error.h"

#include <gmock/gmock.h>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;
using testing::HasSubstr;
using namespace std::string_literals;

namespace {

class IndexedTest : public testing::TestWithParam<Target> {};

const Dim n("n"), m("m"), a("a"), c("c");
const char *const reductions[] = {"none", "add", "mul", "max", "min"};

bool allows(const std::string &reduction, DType dtype) {
  return reduction == "none" || dtype != DType::boolean;
}

TEST_P(IndexedTest, scatterOfAllDTypes) {
  std::mt19937 generator(1);
  for (DType dtype : allDTypes) {
    SCOPED_TRACE(shortName(dtype));
    GraphBuilder b;
    ir::ValueId x = b.argument({n, a, c}, dtype), indices = b.argument({m}, DType::int64),
                updates = b.argument({m, a, c}, dtype);
    for (const char *reduction : reductions)
      if (allows(reduction, dtype))
        b.output(b.node("scatter", {x, indices, updates}, {{"reduction", std::string(reduction)}}));
    auto executable = load(b.graph, GetParam().name);
    ASSERT_TRUE(executable);
    for (auto [rows, count, outer, columns] : {std::array<int64_t, 4>{5, 9, 2, 3},
                                               {1, 4, 1, 1},
                                               {3, 0, 2, 20},
                                               {4, 6, 3, 0},
                                               {7, 30, 1, 70}})
      expectAsInterpreted(b.graph, *executable,
                          {drawTensor(dtype, {rows, outer, columns}, generator),
                           drawIndices(DType::int64, {count}, rows, generator),
                           drawTensor(dtype, {count, outer, columns}, generator)});
  }
}

TEST_P(IndexedTest, scatterOfNumbersInARow) {
  std::mt19937 generator(2);
  for (DType index : {DType::int32, DType::uint8, DType::uint64}) {
    GraphBuilder b;
    ir::ValueId x = b.argument({n}), indices = b.argument({m}, index), updates = b.argument({m});
    for (const char *reduction : reductions)
      b.output(b.node("scatter", {x, indices, updates}, {{"reduction", std::string(reduction)}}));
    auto executable = load(b.graph, GetParam().name);
    ASSERT_TRUE(executable);
    for (auto [rows, count] : {std::pair<int64_t, int64_t>{200, 1000}, {1, 3}, {20, 0}, {0, 0}})
      expectAsInterpreted(b.graph, *executable,
                          {drawNumbers(DType::float32, {rows}, generator),
                           drawIndices(index, {count}, std::max(rows, int64_t(1)), generator),
                           drawNumbers(DType::float32, {count}, generator)});
  }
}

// Enough work for several threads, by columns and by rows: sums in order of the indices.
TEST_P(IndexedTest, scatterOnThreads) {
  std::mt19937 generator(3);
  GraphBuilder b;
  ir::ValueId x = b.argument({n, c}), indices = b.argument({m}, DType::int64),
              updates = b.argument({m, c});
  b.output(b.node("scatter", {x, indices, updates}, {{"reduction", std::string("add")}}));
  auto executable = load(b.graph, GetParam().name);
  ASSERT_TRUE(executable);
  for (auto [rows, count, columns] :
       {std::array<int64_t, 3>{40, 200, 333}, {3000, 40000, 1}, {50, 9000, 5}})
    expectAsInterpreted(b.graph, *executable,
                        {drawNumbers(DType::float32, {rows, columns}, generator),
                         drawIndices(DType::int64, {count}, rows, generator),
                         drawNumbers(DType::float32, {count, columns}, generator)});
}

// Operands that are known when compiling.
TEST_P(IndexedTest, scatterOfConstants) {
  std::mt19937 generator(4);
  GraphBuilder b;
  ir::ValueId indices = b.argument({3}, DType::int64), places = b.argument({1, 2, 2}, DType::int64);
  auto constant = [&](std::vector<int64_t> sizes) {
    ir::HostTensor tensor = drawNumbers(DType::float32, std::move(sizes), generator);
    auto data = std::make_shared<const ir::DenseData>(ir::DenseData{tensor.type, tensor.bytes});
    return b.node("constant", {}, {{"value", data}});
  };
  ir::ValueId x = constant({4, 2, 3});
  b.output(b.node("scatter", {x, indices, constant({3, 2, 3})}, {{"reduction", "add"s}}));
  b.output(b.node("scatter_elements", {x, places, constant({1, 2, 2})},
                  {{"axis", int64_t(0)}, {"reduction", "mul"s}}));
  auto executable = load(b.graph, GetParam().name);
  ASSERT_TRUE(executable);
  expectAsInterpreted(b.graph, *executable,
                      {drawIndices(DType::int64, {3}, 4, generator),
                       drawIndices(DType::int64, {1, 2, 2}, 4, generator)});
}

TEST_P(IndexedTest, elementsOfAllDTypes) {
  std::mt19937 generator(5);
  for (DType dtype : allDTypes) {
    SCOPED_TRACE(shortName(dtype));
    for (int64_t axis : someAxes(dtype)) {
      std::vector<Dim> dims = {a, n, c};
      dims[axis] = m;
      GraphBuilder b;
      ir::ValueId x = b.argument({a, n, c}, dtype), indices = b.argument(Shape(dims), DType::int32),
                  updates = b.argument(Shape(dims), dtype);
      b.output(b.node("gather_elements", {x, indices}, {{"axis", axis}}));
      for (const char *reduction : reductions)
        if (allows(reduction, dtype))
          b.output(b.node("scatter_elements", {x, indices, updates},
                          {{"axis", axis}, {"reduction", std::string(reduction)}}));
      auto executable = load(b.graph, GetParam().name);
      ASSERT_TRUE(executable);
      for (std::vector<int64_t> sizes : {std::vector<int64_t>{2, 7, 3}, {1, 1, 1}, {4, 2, 40}})
        for (int64_t count : {0, 1, 9}) {
          std::vector<int64_t> places = sizes;
          places[axis] = count;
          expectAsInterpreted(b.graph, *executable,
                              {drawTensor(dtype, sizes, generator),
                               drawIndices(DType::int32, places, sizes[axis], generator),
                               drawTensor(dtype, places, generator)});
        }
    }
  }
}

// Fewer indices than elements along other axes; what a gather reads is computed where it is read.
TEST_P(IndexedTest, elementsOfAPart) {
  std::mt19937 generator(6);
  GraphBuilder b;
  ir::ValueId x = b.argument({a, n}), indices = b.argument({m, c}, DType::int64);
  ir::ValueId taken =
      b.node("gather_elements", {b.node("exp", {x}), indices}, {{"axis", int64_t(1)}});
  b.output(taken);
  b.output(b.node("scatter_elements", {x, indices, taken},
                  {{"axis", int64_t(1)}, {"reduction", std::string("add")}}));
  auto executable = load(b.graph, GetParam().name);
  ASSERT_TRUE(executable);
  auto zeros = [](std::vector<int64_t> sizes) { return ir::Array(DType::float32, sizes).toHost(); };
  expectAsInterpreted(b.graph, *executable,
                      {zeros({5, 8}), drawIndices(DType::int64, {3, 20}, 8, generator)});
  expectAsInterpreted(b.graph, *executable,
                      {zeros({500, 100}), drawIndices(DType::int64, {499, 101}, 100, generator)});
  try {
    run(*executable,
        {tensor<float>({2, 3}, std::vector<float>(6)), tensor<int64_t>({3, 1}, {0, 0, 0})});
    FAIL() << "more indices than rows";
  } catch (const ValueError &) {
  }
}

// Nothing is written where an index is bad: the error names the first one.
TEST_P(IndexedTest, indicesOutside) {
  GraphBuilder b;
  ir::ValueId x = b.argument({n, c}), indices = b.argument({m}, DType::int64),
              places = b.argument({n, m}, DType::int64), updates = b.argument({m, c});
  b.output(b.node("scatter", {x, indices, updates}, {{"reduction", std::string("add")}}));
  b.output(b.node("gather_elements", {x, places}, {{"axis", int64_t(1)}}));
  auto executable = load(b.graph, GetParam().name);
  ASSERT_TRUE(executable);
  auto call = [&](std::vector<int64_t> rows, std::vector<int64_t> columns) -> std::string {
    try {
      run(*executable,
          {tensor<float>({2, 3}, std::vector<float>(6)), tensor<int64_t>({2}, rows),
           tensor<int64_t>({2, 2}, columns), tensor<float>({2, 3}, std::vector<float>(6))});
    } catch (const IndexError &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(call({0, 1}, {0, 1, 2, 0}), "");
  std::string message = call({1, 2}, {0, 1, 2, 0});
  EXPECT_THAT(message, HasSubstr("[scatter] index 2 at position 1 is out of range [0, 2)"));
  message = call({-1, 2}, {0, 1, 2, 0});
  EXPECT_THAT(message, HasSubstr("[scatter] index -1 at position 0 is out of range [0, 2)"));
  message = call({0, 0}, {0, 1, 3, 0});
  EXPECT_THAT(message, HasSubstr("[gather_elements] index 3 at position 2 is out of range [0, 3)"));
}

INSTANTIATE_TEST_SUITE_P(Targets, IndexedTest, testing::ValuesIn(Target::allOnHost()),
                         [](const auto &info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
