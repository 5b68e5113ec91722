// Packed rows decoded in kernels: against the interpreter, whose decoder is the runtime's, bit for
// bit; before products against the same product of rows that are decoded first.
#include "OracleTesting.h"

#include "kiln/Error.h"
#include "kiln/Quantization.h"
#include "runtime/quantization/Quantize.h"

#include <gmock/gmock.h>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;
using testing::HasSubstr;

namespace {

constexpr QuantizationEncoding allEncodings[] = {
    QuantizationEncoding::Q4_0, QuantizationEncoding::Q8_0, QuantizationEncoding::Q4_K,
    QuantizationEncoding::Q5_K, QuantizationEncoding::Q6_K};

const Dim n("n"), m("m");

ir::Attributes as(QuantizationEncoding encoding) {
  return {{"encoding", std::string(name(encoding))}};
}

/// Any bytes: scales may be infinite, NaN or subnormal.
ir::HostTensor drawBytes(std::vector<int64_t> sizes, std::mt19937 &generator) {
  std::vector<uint8_t> values(static_cast<size_t>(ir::product(sizes)));
  for (uint8_t &value : values)
    value = static_cast<uint8_t>(generator());
  return ir::makeHostTensor(values, Shape(std::span<const int64_t>(sizes)));
}

runtime::TensorValue valueOf(const ir::HostTensor &tensor) {
  return {tensor.type, runtime::Buffer::copyOf(tensor.bytes)};
}

/// A table of normal values, packed, and the same decoded.
struct Table {
  runtime::TensorValue packed, decoded;
};
Table drawTable(QuantizationEncoding encoding, int64_t rows, int64_t columns) {
  std::vector<float> values = randomFloats(static_cast<size_t>(rows * columns), 7);
  int64_t count = rows * columns / blockElements(encoding);
  std::vector<uint8_t> bytes(static_cast<size_t>(count * blockBytes(encoding)));
  auto *packed = reinterpret_cast<std::byte *>(bytes.data());
  EXPECT_TRUE(runtime::encodeBlocks(encoding, values.data(), count, packed));
  runtime::decodeBlocks(encoding, packed, count, values.data());
  return {tensor<uint8_t>({rows, packedRowBytes(encoding, columns)}, bytes),
          tensor<float>({rows, columns}, values)};
}

class DequantizeTest : public testing::TestWithParam<Target> {};

// Whole rows, in vectors, and looked up along the first axis; a number of blocks that is odd.
TEST_P(DequantizeTest, RowsAndGatheredRows) {
  std::mt19937 generator(1);
  for (QuantizationEncoding encoding : allEncodings) {
    SCOPED_TRACE(name(encoding));
    for (int64_t blocks : {1, 3}) {
      int64_t bytes = blocks * blockBytes(encoding);
      GraphBuilder b;
      ir::ValueId rows = b.argument({n, bytes}, DType::uint8),
                  table = b.weight({9, bytes}, DType::uint8),
                  indices = b.argument({n, m}, DType::int32);
      b.output(b.node("dequantize", {rows}, as(encoding)));
      ir::ValueId decoded = b.node("dequantize", {table}, as(encoding));
      b.output(b.node("gather", {decoded, indices}, {{"axis", int64_t(0)}}));
      auto executable = load(b.graph, GetParam().name);
      ASSERT_TRUE(executable);
      for (auto [count, other] : {std::pair<int64_t, int64_t>{1, 1}, {5, 4}, {2, 0}, {0, 3}})
        expectAsInterpreted(b.graph, *executable,
                            {drawBytes({count, bytes}, generator), drawBytes({9, bytes}, generator),
                             drawIndices(DType::int32, {count, other}, 9, generator)});
    }
  }
}

// Read in other orders than along the row from its start: other rows in the lanes, steps, a start
// between two units and at one, lookups of single elements, bytes that are computed.
TEST_P(DequantizeTest, ReadInAnyOrder) {
  std::mt19937 generator(2);
  for (QuantizationEncoding encoding : allEncodings) {
    SCOPED_TRACE(name(encoding));
    const int64_t elements = 512, bytes = packedRowBytes(encoding, elements);
    auto slice = [](int64_t start, int64_t stop, int64_t step) {
      return ir::Attributes{{"starts", Shape{0, start}},
                            {"stops", Shape{n, stop}},
                            {"steps", std::vector<int64_t>{1, step}}};
    };
    GraphBuilder b;
    ir::ValueId x = b.argument({n, bytes}, DType::uint8), columns = b.argument({m}, DType::int64);
    auto decoded = [&] { return b.node("dequantize", {x}, as(encoding)); };
    b.output(b.node("permute", {decoded()}, {{"axes", std::vector<int64_t>{1, 0}}}));
    b.output(b.node("slice", {decoded()}, slice(37, 500, 1)));
    b.output(b.node("slice", {decoded()}, slice(64, 301, 1)));
    b.output(b.node("slice", {decoded()}, slice(3, 400, 5)));
    b.output(b.node("gather", {decoded(), columns}, {{"axis", int64_t(1)}}));
    b.output(b.node("reshape", {decoded()}, {{"shape", Shape{n, 32, 16}}}));
    b.output(b.node("concat", {decoded(), decoded()}, {{"axis", int64_t(1)}}));
    ir::ValueId flipped = b.node("not", {x});
    b.output(b.node("dequantize", {flipped}, as(encoding)));
    auto executable = load(b.graph, GetParam().name);
    ASSERT_TRUE(executable);
    for (int64_t rows : {1, 19})
      expectAsInterpreted(b.graph, *executable,
                          {drawBytes({rows, bytes}, generator),
                           drawIndices(DType::int64, {23}, elements, generator)});
  }
}

// A row whose length is a name: whole blocks, or a ValueError.
TEST_P(DequantizeTest, RowsOfAnyLength) {
  std::mt19937 generator(3);
  GraphBuilder b;
  ir::ValueId x = b.argument({n, m}, DType::uint8);
  b.output(b.node("dequantize", {x}, as(QuantizationEncoding::Q8_0)));
  auto executable = load(b.graph, GetParam().name);
  ASSERT_TRUE(executable);
  for (int64_t blocks : {0, 1, 5})
    expectAsInterpreted(b.graph, *executable, {drawBytes({3, 34 * blocks}, generator)});
  try {
    run(*executable, {valueOf(drawBytes({3, 35}, generator))});
    FAIL() << "rows that are no whole blocks";
  } catch (const ValueError &error) {
    EXPECT_THAT(error.what(), HasSubstr("expected a multiple of 34, got 35"));
  }
}

/// Runs two programs that should give the same bits.
void expectSame(const runtime::Executable &x, const std::vector<runtime::TensorValue> &xInputs,
                const runtime::Executable &y, const std::vector<runtime::TensorValue> &yInputs) {
  auto left = run(x, xInputs), right = run(y, yInputs);
  ASSERT_EQ(left.size(), right.size());
  for (std::size_t k = 0; k < left.size(); ++k) {
    ASSERT_EQ(left[k].type, right[k].type);
    EXPECT_EQ(contents<uint8_t>(left[k]), contents<uint8_t>(right[k])) << "result " << k;
  }
}

/// What follows a lookup: once for packed rows, once for rows that were decoded first. It has
/// weights beside them.
using Continuation = ir::ValueId (*)(GraphBuilder &, ir::ValueId rows,
                                     const std::vector<ir::ValueId> &weights);

void expectAsDecodedFirst(const Target &target, Continuation next,
                          const std::vector<runtime::TensorValue> &weights) {
  for (QuantizationEncoding encoding : allEncodings) {
    SCOPED_TRACE(name(encoding));
    Table table = drawTable(encoding, 20, 512);
    auto build = [&](bool isPacked) {
      GraphBuilder b;
      ir::ValueId rows = isPacked ? b.weight(table.packed.type.shape, DType::uint8)
                                  : b.weight(table.decoded.type.shape);
      ir::ValueId indices = b.argument({n}, DType::int64);
      std::vector<ir::ValueId> others;
      for (const runtime::TensorValue &weight : weights)
        others.push_back(b.weight(weight.type.shape));
      if (isPacked)
        rows = b.node("dequantize", {rows}, as(encoding));
      b.output(next(b, b.node("gather", {rows, indices}, {{"axis", int64_t(0)}}), others));
      return load(b.graph, target.name);
    };
    auto packed = build(true), decoded = build(false);
    ASSERT_TRUE(packed && decoded);
    EXPECT_EQ(packed->artifact().kernels.size(), 1u) << "rows are stored between kernels";
    EXPECT_EQ(decoded->artifact().kernels.size(), 1u);
    for (std::vector<int64_t> ids :
         {std::vector<int64_t>{}, {3}, {19, 0, 7, 7, 2}, std::vector<int64_t>(70, 11)}) {
      std::vector<runtime::TensorValue> x = {table.packed}, y = {table.decoded};
      for (auto *inputs : {&x, &y}) {
        inputs->push_back(tensor<int64_t>({static_cast<int64_t>(ids.size())}, ids));
        inputs->insert(inputs->end(), weights.begin(), weights.end());
      }
      expectSame(*packed, x, *decoded, y);
    }
  }
}

using Weights = const std::vector<ir::ValueId> &;

TEST_P(DequantizeTest, BeforeElementwiseOperations) {
  auto next = [](GraphBuilder &b, ir::ValueId rows, Weights weights) {
    ir::ValueId sum = b.node("add", {rows, weights[0]});
    return b.node("cast", {b.node("tanh", {sum})}, {{"dtype", DType::bfloat16}});
  };
  expectAsDecodedFirst(GetParam(), next, {tensor<float>({512}, randomFloats(512, 3))});
}

TEST_P(DequantizeTest, BeforeLayerNorm) {
  auto next = [](GraphBuilder &b, ir::ValueId rows, Weights weights) {
    ir::ValueId sum = b.node("add", {rows, weights[0]});
    return b.node("layer_norm", {sum, weights[1], weights[2]}, {{"epsilon", 1e-5}});
  };
  expectAsDecodedFirst(GetParam(), next,
                       {tensor<float>({512}, randomFloats(512, 3)),
                        tensor<float>({512}, randomFloats(512, 4)),
                        tensor<float>({512}, randomFloats(512, 5))});
}

TEST_P(DequantizeTest, BeforeAReduction) {
  auto next = [](GraphBuilder &b, ir::ValueId rows, Weights) {
    return b.node("max", {rows}, {{"axis", int64_t(1)}});
  };
  expectAsDecodedFirst(GetParam(), next, {});
}

// gather + linear + bias + activation: rows are decoded into the packed left operand.
TEST_P(DequantizeTest, BeforeLinear) {
  auto next = [](GraphBuilder &b, ir::ValueId rows, Weights weights) {
    ir::ValueId columns = b.node("permute", {weights[0]}, {{"axes", std::vector<int64_t>{1, 0}}});
    ir::ValueId y = b.node("matmul", {rows, columns});
    return b.node("gelu", {b.node("add", {y, weights[1]})});
  };
  expectAsDecodedFirst(GetParam(), next,
                       {tensor<float>({48, 512}, randomFloats(48 * 512, 3)),
                        tensor<float>({48}, randomFloats(48, 4))});
}

TEST_P(DequantizeTest, BadIndices) {
  for (QuantizationEncoding encoding : {QuantizationEncoding::Q4_0, QuantizationEncoding::Q6_K}) {
    Table table = drawTable(encoding, 20, 256);
    GraphBuilder b;
    ir::ValueId rows = b.weight(table.packed.type.shape, DType::uint8),
                indices = b.argument({n}, DType::int64);
    rows = b.node("gather", {rows, indices}, {{"axis", int64_t(0)}});
    b.output(b.node("dequantize", {rows}, as(encoding)));
    auto executable = load(b.graph, GetParam().name);
    ASSERT_TRUE(executable);
    try {
      run(*executable, {table.packed, tensor<int64_t>({3}, {19, 20, -1})});
      FAIL() << "a bad index";
    } catch (const IndexError &error) {
      EXPECT_THAT(error.what(), HasSubstr("index 20 at position 1 is out of range [0, 20)"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, DequantizeTest, testing::ValuesIn(Target::allOnHost()),
                         [](const auto &info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
