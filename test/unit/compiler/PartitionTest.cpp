// Programs split over ranks by the compiler, run as machine code on all of them, against the
// interpreter's result of the unsplit program.
#include "OracleTesting.h"
#include "RankRunner.h"

#include "runtime/quantization/Quantize.h"

#include <gmock/gmock.h>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

constexpr int64_t rankCounts[] = {1, 2, 3, 8};
const Dim n("n");

runtime::CompileResult compile(const ir::Graph &graph, int64_t ranks, std::string target) {
  setenv("KILN_VERIFY", "1", 1);
  runtime::CompileRequest request;
  request.target = std::move(target);
  request.ranks = ranks;
  runtime::CompileResult result;
  kilnCompile(graph, request, result);
  return result;
}

ir::ValueId shard(GraphBuilder &b, ir::ValueId weight, int64_t axis) {
  b.graph.inputs[weight].shardAxis = axis;
  return weight;
}

/// As the frontend records a linear layer of PyTorch's weight [N, K].
ir::ValueId product(GraphBuilder &b, ir::ValueId x, ir::ValueId weight) {
  auto columns = b.node("permute", {weight}, {{"axes", std::vector<int64_t>{1, 0}}});
  return b.node("matmul", {x, columns});
}

double numberAt(const ir::Array &array, int64_t i) {
  return isFloat(array.dtype) ? array.realAt(i) : static_cast<double>(array.integerAt(i));
}

/// Within `tolerance` of the size of the numbers; all ranks have the same bits.
void expectAsUnsplit(const RankResults &results, const ir::Evaluation &expected, double tolerance) {
  for (const auto &outputs : results.outputs) {
    ASSERT_EQ(outputs.size(), expected.results.size());
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      ASSERT_EQ(outputs[k].type.str(), expected.results[k].type.str());
      EXPECT_EQ(outputs[k].bytes, results.outputs[0][k].bytes);
      ir::Array got(outputs[k]), want(expected.results[k]);
      for (int64_t i = 0; i < want.numElements(); ++i) {
        double x = numberAt(got, i), y = numberAt(want, i);
        ASSERT_LE(std::abs(x - y), tolerance * std::max(1.0, std::abs(y)))
            << "result " << k << ", element " << i << ": " << x << ", expected " << y;
      }
    }
  }
}

class PartitionTest : public testing::TestWithParam<Target> {
protected:
  /// On all counts of ranks; gives the results of the largest.
  RankResults check(const GraphBuilder &b, const std::vector<ir::HostTensor> &inputs,
                    const DimBindings &sizes, double tolerance) {
    ir::Evaluation expected = ir::interpretGraph(b.graph, inputs);
    EXPECT_TRUE(expected) << expected.message;
    RankResults results;
    for (int64_t ranks : rankCounts) {
      SCOPED_TRACE(std::to_string(ranks) + " ranks");
      runtime::CompileResult compiled = compile(b.graph, ranks, GetParam().name);
      EXPECT_EQ(compiled.error, ErrorKind::none) << compiled.message;
      if (compiled.error != ErrorKind::none)
        return {};
      EXPECT_EQ(compiled.artifact.ranks, ranks);
      for (std::size_t i = 0; i < b.graph.inputs.size(); ++i) {
        EXPECT_EQ(compiled.artifact.inputs[i].shardAxis, b.graph.inputs[i].shardAxis);
        EXPECT_EQ(compiled.artifact.inputs[i].type, ir::localType(b.graph.inputs[i], ranks));
      }
      results = runRanks(compiled.artifact, inputs, sizes);
      for (const auto &errors : results.indexErrors)
        EXPECT_TRUE(errors.empty());
      expectAsUnsplit(results, expected, tolerance);
    }
    return results;
  }
};

TEST_P(PartitionTest, RowsOfTables) {
  std::mt19937 generator(1);
  for (DType dtype : allDTypes)
    for (int64_t rows :
         dtype == DType::float32 ? std::vector<int64_t>{1, 5, 24} : std::vector<int64_t>{5}) {
      SCOPED_TRACE(std::string(shortName(dtype)) + ", rows " + std::to_string(rows));
      GraphBuilder b;
      auto table = shard(b, b.weight({rows, 7}, dtype), 0);
      auto indices = b.argument({n, 2}, dtype == DType::float32 ? DType::uint64 : DType::int32);
      b.output(b.node("gather", {table, indices}, {{"axis", int64_t(0)}}));
      for (int64_t count : {0, 1, 9})
        check(b,
              {drawNumbers(dtype, {rows, 7}, generator),
               drawIndices(b.graph.type(indices).dtype, {count, 2}, rows, generator)},
              {{"n", count}}, /*tolerance=*/0);
    }
}

/// Three tables, one along its columns, into a norm: the sums stand between the kernels.
TEST_P(PartitionTest, EmbeddingsAndNorm) {
  std::mt19937 generator(2);
  GraphBuilder b;
  auto words = shard(b, b.weight({100, 48}), 0), places = shard(b, b.weight({10, 48}), 0),
       kinds = shard(b, b.weight({2, 48}), 1), scale = b.weight({48}), shift = b.weight({48});
  auto indices = b.argument({n, 5}, DType::int64);
  auto order = b.node(
      "iota", {},
      {{"shape", Shape{5}}, {"dtype", DType::int64}, {"start", int64_t(2)}, {"step", int64_t(1)}});
  auto none = b.argument({}, DType::int64);
  ir::Attributes rows = {{"axis", int64_t(0)}};
  auto x = b.node(
      "add", {b.node("gather", {words, indices}, rows), b.node("gather", {places, order}, rows)});
  x = b.node("add", {x, b.node("gather", {kinds, none}, rows)});
  b.output(b.node("layer_norm", {x, scale, shift}, {{"epsilon", 1e-5}}));
  auto draw = [&](std::vector<int64_t> sizes) {
    return drawNumbers(DType::float32, std::move(sizes), generator);
  };
  RankResults results = check(b,
                              {draw({100, 48}), draw({10, 48}), draw({2, 48}), draw({48}),
                               draw({48}), drawIndices(DType::int64, {3, 5}, 100, generator),
                               drawIndices(DType::int64, {}, 2, generator)},
                              {{"n", 3}}, 1e-5);
  EXPECT_EQ(results.numReduced, 2);
  EXPECT_EQ(results.numGathered, 1);
}

/// gather + linear + bias + activation: narrower than the table, and wider.
TEST_P(PartitionTest, TableAndProduct) {
  std::mt19937 generator(3);
  for (DType dtype : {DType::float32, DType::float16})
    for (int64_t columns : {6, 70}) {
      SCOPED_TRACE(std::string(shortName(dtype)) + ", columns " + std::to_string(columns));
      GraphBuilder b;
      auto table = shard(b, b.weight({9, 33}, dtype), 0), weight = b.weight({columns, 33}, dtype),
           bias = b.weight({columns}, dtype);
      auto indices = b.argument({n}, DType::int64);
      auto rows = b.node("gather", {table, indices}, {{"axis", int64_t(0)}});
      b.output(b.node("gelu", {b.node("add", {product(b, rows, weight), bias})}));
      RankResults results = check(
          b,
          {drawNumbers(dtype, {9, 33}, generator), drawNumbers(dtype, {columns, 33}, generator),
           drawNumbers(dtype, {columns}, generator), drawIndices(DType::int64, {20}, 9, generator)},
          {{"n", 20}}, dtype == DType::float32 ? 1e-5 : 1e-2);
      EXPECT_EQ(results.numReduced, 1);
    }
}

ir::HostTensor drawPacked(QuantizationEncoding encoding, int64_t rows, int64_t columns,
                          std::mt19937 &generator) {
  ir::HostTensor values = drawNumbers(DType::float32, {rows, columns}, generator);
  int64_t bytes = packedRowBytes(encoding, columns);
  ir::HostTensor packed{TensorType(DType::uint8, {rows, bytes}, CPU()), {}};
  packed.bytes.resize(static_cast<std::size_t>(rows * bytes));
  EXPECT_TRUE(runtime::encodeBlocks(encoding, reinterpret_cast<const float *>(values.bytes.data()),
                                    rows * bytes / blockBytes(encoding), packed.bytes.data()));
  return packed;
}

/// Tables and weights that stay packed: rows are summed as bytes.
TEST_P(PartitionTest, Packed) {
  std::mt19937 generator(8);
  for (QuantizationEncoding encoding : {QuantizationEncoding::Q4_0, QuantizationEncoding::Q6_K}) {
    SCOPED_TRACE(name(encoding));
    const int64_t columns = 24 * blockElements(encoding), bytes = packedRowBytes(encoding, columns);
    GraphBuilder b;
    auto table = shard(b, b.weight({7, bytes}, DType::uint8), 0),
         up = shard(b, b.weight({24, bytes}, DType::uint8), 0),
         down = shard(b, b.weight({5, bytes}, DType::uint8), 1);
    auto indices = b.argument({n}, DType::int64);
    ir::Attributes as = {{"encoding", std::string(name(encoding))}};
    auto packedRows = b.node("gather", {table, indices}, {{"axis", int64_t(0)}});
    auto rows = b.node("layer_norm", {b.node("dequantize", {packedRows}, as)}, {{"epsilon", 1e-5}});
    b.output(product(b, rows, b.node("dequantize", {up}, as)));
    b.output(product(b, rows, b.node("dequantize", {down}, as)));
    RankResults results = check(
        b,
        {drawPacked(encoding, 7, columns, generator), drawPacked(encoding, 24, columns, generator),
         drawPacked(encoding, 5, columns, generator), drawIndices(DType::int64, {6}, 7, generator)},
        {{"n", 6}}, 1e-4);
    EXPECT_EQ(results.numReduced, 2);
    EXPECT_EQ(results.numGathered, 1);
  }
}

/// Columns, then rows, with biases, an activation and the residual: one reduction.
TEST_P(PartitionTest, FeedForward) {
  std::mt19937 generator(4);
  GraphBuilder b;
  auto x = b.argument({n, 16}), up = shard(b, b.weight({48, 16}), 0), upBias = b.weight({48}),
       down = shard(b, b.weight({16, 48}), 1), downBias = b.weight({16});
  auto hidden = b.node("gelu", {b.node("add", {product(b, x, up), upBias})});
  auto y = b.node("add", {product(b, hidden, down), downBias});
  b.output(b.node("add", {y, x}));
  std::vector<ir::HostTensor> inputs;
  for (std::vector<int64_t> sizes :
       std::vector<std::vector<int64_t>>{{11, 16}, {48, 16}, {48}, {16, 48}, {16}})
    inputs.push_back(drawNumbers(DType::float32, sizes, generator));
  RankResults results = check(b, inputs, {{"n", 11}}, 1e-4);
  EXPECT_EQ(results.numReduced, 1);
  EXPECT_EQ(results.numGathered, 0);
}

/// Columns alone give the bits of the unsplit product.
TEST_P(PartitionTest, ColumnsAreExact) {
  std::mt19937 generator(5);
  for (int64_t columns : {24, 50}) {
    GraphBuilder b;
    auto x = b.argument({n, 16}), weight = shard(b, b.weight({columns, 16}), 0),
         bias = b.weight({columns});
    b.output(b.node("add", {product(b, x, weight), bias}));
    std::vector<ir::HostTensor> inputs = {drawNumbers(DType::float32, {7, 16}, generator),
                                          drawNumbers(DType::float32, {columns, 16}, generator),
                                          drawNumbers(DType::float32, {columns}, generator)};
    RankResults results = check(b, inputs, {{"n", 7}}, 1e-5);
    runtime::CompileResult one = compile(b.graph, 1, GetParam().name);
    EXPECT_EQ(results.outputs[0][0].bytes,
              runRanks(one.artifact, inputs, {{"n", 7}}).outputs[0][0].bytes);
  }
}

/// Self-attention with 24 heads, as a model writes it.
TEST_P(PartitionTest, Heads) {
  std::mt19937 generator(6);
  GraphBuilder b;
  auto x = b.argument({n, 5, 48});
  ir::ValueId weights[4];
  for (int i = 0; i < 4; ++i)
    weights[i] = shard(b, b.weight({48, 48}), i < 3 ? 0 : 1);
  const ir::Attributes swapped = {{"axes", std::vector<int64_t>{0, 2, 1, 3}}};
  auto heads = [&](ir::ValueId weight) {
    auto apart = b.node("reshape", {product(b, x, weight)}, {{"shape", Shape{n, 5, 24, 2}}});
    return b.node("permute", {apart}, swapped);
  };
  auto q = heads(weights[0]), k = heads(weights[1]), v = heads(weights[2]);
  auto attended = b.node("attention", {q, k, v}, {{"scale", 0.7}});
  auto together =
      b.node("reshape", {b.node("permute", {attended}, swapped)}, {{"shape", Shape{n, 5, 48}}});
  b.output(product(b, together, weights[3]));
  std::vector<ir::HostTensor> inputs = {drawNumbers(DType::float32, {3, 5, 48}, generator)};
  for (int i = 0; i < 4; ++i)
    inputs.push_back(drawNumbers(DType::float32, {48, 48}, generator));
  RankResults results = check(b, inputs, {{"n", 3}}, 1e-3);
  EXPECT_EQ(results.numReduced, 1);
  EXPECT_EQ(results.numGathered, 0);
}

/// A split weight that is itself a result, along each axis, and one that nothing can work on in
/// parts.
TEST_P(PartitionTest, WholeAgain) {
  std::mt19937 generator(7);
  for (DType dtype : {DType::boolean, DType::bfloat16, DType::float64})
    for (int64_t axis : {0, 1, 2}) {
      GraphBuilder b;
      auto weight = shard(b, b.weight({5, 6, 7}, dtype), axis);
      b.output(weight);
      b.output(b.node("argsort", {weight},
                      {{"axis", axis}, {"descending", false}, {"count", Shape{2}}}));
      RankResults results = check(b, {drawNumbers(dtype, {5, 6, 7}, generator)}, {}, 0);
      EXPECT_EQ(results.numGathered, 1);
    }
}

/// A bad index is reported by every rank, with the bound of the whole table, and none waits.
TEST_P(PartitionTest, BadIndex) {
  GraphBuilder b;
  auto table = shard(b, b.weight({5, 4}), 0), indices = b.argument({n}, DType::int64);
  b.output(b.node("gather", {table, indices}, {{"axis", int64_t(0)}}));
  std::vector<float> rows(20, 1.0f);
  for (int64_t bad : {5, 6, -1}) {
    std::vector<int64_t> values = {0, bad, 4, 7};
    for (int64_t ranks : rankCounts) {
      runtime::CompileResult compiled = compile(b.graph, ranks, GetParam().name);
      ASSERT_EQ(compiled.error, ErrorKind::none) << compiled.message;
      ASSERT_EQ(compiled.artifact.indexSites.size(), 1u);
      EXPECT_EQ(compiled.artifact.indexSites[0].message,
                "[gather] indices [n] i64 into axis 0 of table [5, 4] f32");
      RankResults results =
          runRanks(compiled.artifact,
                   {ir::makeHostTensor(rows, {5, 4}), ir::makeHostTensor(values, {4})}, {{"n", 4}});
      for (const auto &errors : results.indexErrors)
        EXPECT_THAT(errors, testing::ElementsAre(std::array<int64_t, 4>{0, bad, 1, 5}));
      EXPECT_EQ(results.numReduced, 0);
    }
  }
}

TEST_P(PartitionTest, Refusals) {
  GraphBuilder b;
  auto x = b.argument({n, 6}), weight = shard(b, b.weight({2, 6}), 1);
  b.graph.inputs[weight].name = "fc.weight";
  b.output(product(b, x, weight));
  runtime::CompileResult result = compile(b.graph, 4, GetParam().name);
  EXPECT_EQ(result.error, ErrorKind::value);
  EXPECT_THAT(result.message, testing::HasSubstr("[partition] 6 rows"));
  EXPECT_THAT(result.message, testing::HasSubstr("\"fc.weight\""));
  EXPECT_EQ(compile(b.graph, 3, GetParam().name).error, ErrorKind::none);
  EXPECT_EQ(compile(b.graph, 0, GetParam().name).error, ErrorKind::value);
}

INSTANTIATE_TEST_SUITE_P(Targets, PartitionTest, testing::ValuesIn(Target::allOnHost()),
                         [](const auto &info) {
                           std::string name = info.param.name;
                           for (char &c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c)))
                               c = '_';
                           return name;
                         });

} // namespace
