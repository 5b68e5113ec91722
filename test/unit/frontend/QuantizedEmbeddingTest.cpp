// Tables that stay packed: EmbeddingV2 with a quantization encoding, and the operation behind it.
#include "GgufTesting.h"

#include <cmath>
#include <sstream>

using namespace kiln;
using namespace kiln::test;
using nn::embedding::EmbeddingV2;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

class QuantizedEmbedding : public testing::TestWithParam<QuantizationEncoding> {
protected:
  EmbeddingV2 make(int64_t rows, int64_t columns, std::optional<DType> dtype = DType::float32,
                   std::optional<Device> device = {}) const {
    return EmbeddingV2({.vocabSize = rows,
                        .hiddenDim = columns,
                        .dtype = dtype,
                        .device = device,
                        .quantizationEncoding = GetParam()});
  }
  Tensor packed(int64_t rows, int64_t columns) const {
    random::seed(11);
    return quantization::quantize(random::normal({rows, columns}), GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(All, QuantizedEmbedding,
                         testing::Values(QuantizationEncoding::Q4_0, QuantizationEncoding::Q8_0,
                                         QuantizationEncoding::Q4_K, QuantizationEncoding::Q5_K,
                                         QuantizationEncoding::Q6_K),
                         [](const auto &param) { return std::string(name(param.param)); });

bool isSame(const Tensor &x, const Tensor &y) {
  return x.type() == y.type() && std::ranges::equal(x.bytes(), y.bytes());
}

TEST_P(QuantizedEmbedding, EqualsATableThatIsDecodedFirst) {
  EmbeddingV2 embedding = make(50, 512);
  Tensor table = packed(50, 512);
  embedding.loadStateDict({{"weight", table}});
  EXPECT_EQ(embedding.weight.type(), table.type());
  Tensor decoded = dequantize(table, GetParam());
  decoded.realize();
  auto model = embedding.compile(TensorType(DType::int32, {"n", "m"}));
  for (const Shape &shape : {Shape{3, 7}, Shape{1, 1}, Shape{40, 30}, Shape{0, 5}}) {
    Tensor ids = random::uniform(shape, 0, 50).cast(DType::int32);
    Tensor expected = gather(decoded, ids);
    EXPECT_TRUE(isSame(embedding(ids), expected));
    EXPECT_TRUE(isSame(model(ids), expected));
  }
  Comparison comparison = compare(embedding, random::uniform({3, 7}, 0, 50).cast(DType::int32));
  EXPECT_TRUE(comparison) << comparison;
}

TEST_P(QuantizedEmbedding, EveryIntegerDTypeAndRank) {
  EmbeddingV2 embedding = make(9, 256);
  embedding.loadStateDict({{"weight", packed(9, 256)}});
  std::vector<float> expected =
      dequantize(embedding.weight, GetParam()).slice({8}).toVector<float>();
  for (DType dtype : {DType::int8, DType::int16, DType::int32, DType::int64, DType::uint8,
                      DType::uint16, DType::uint32, DType::uint64})
    EXPECT_EQ(embedding(Tensor::constant(8, dtype)).toVector<float>(), expected) << dtype;
  EXPECT_EQ(embedding(Tensor::zeros({2, 1, 3}, DType::int16)).shape(), (Shape{2, 1, 3, 256}));
  EXPECT_THAT([&] { embedding(Tensor::constant({0, 9})).realize(); },
              ThrowsMessage<IndexError>(HasSubstr("index 9 at position 1")));
  EXPECT_THROW(embedding(Tensor::constant({-1})).realize(), IndexError);
  EXPECT_THROW(embedding(Tensor::ones({2})), ValueError);
}

TEST_P(QuantizedEmbedding, ResultsOfOtherFloats) {
  Tensor table = packed(9, 256), ids = Tensor::constant({8, 0, 3});
  Tensor wide = gather(dequantize(table, GetParam()), ids);
  for (DType dtype : {DType::bfloat16, DType::float16}) {
    EmbeddingV2 embedding = make(9, 256, dtype);
    embedding.loadStateDict({{"weight", table}});
    EXPECT_TRUE(isSame(embedding(ids), wide.cast(dtype)));
  }
  DefaultsScope scope(DType::bfloat16, CPU());
  EXPECT_EQ(make(9, 256, std::nullopt)(ids).dtype(), DType::bfloat16);
}

TEST_P(QuantizedEmbedding, InitialValuesAreNormalNumbers) {
  random::seed(5);
  EmbeddingV2 plain({.vocabSize = 40, .hiddenDim = 512, .dtype = DType::float32});
  random::seed(5);
  EmbeddingV2 embedding = make(40, 512);
  EXPECT_TRUE(isSame(embedding.weight, quantization::quantize(plain.weight, GetParam())));
}

TEST_P(QuantizedEmbedding, FieldsAndPrinting) {
  EmbeddingV2 embedding = make(10, 512, DType::bfloat16, CPU(1));
  EXPECT_EQ(embedding.vocabSize(), Dim(10));
  EXPECT_EQ(embedding.hiddenDim(), Dim(512));
  EXPECT_EQ(embedding.weight.type(),
            TensorType(DType::uint8, {10, packedRowBytes(GetParam(), 512)}, CPU()));
  EXPECT_EQ(embedding.parameters()[0].first, "weight");
  std::ostringstream os;
  os << embedding;
  EXPECT_THAT(os.str(), AllOf(HasSubstr("hidden_dim=Dim(512)"), HasSubstr("dtype=bfloat16"),
                              HasSubstr("quantization_encoding=" + std::string(name(GetParam()))),
                              HasSubstr("device=cpu:1")));
}

TEST_P(QuantizedEmbedding, MovesToItsDevice) {
  EmbeddingV2 embedding = make(10, 256, DType::float32, CPU(1));
  Tensor table = packed(10, 256);
  embedding.loadStateDict({{"weight", table}});
  Tensor rows = embedding(Tensor::constant({4, 1}));
  EXPECT_EQ(rows.device(), CPU(1));
  EXPECT_EQ(embedding.weight.device(), CPU(1));
  EXPECT_EQ(rows.toVector<float>(),
            gather(dequantize(table, GetParam()), Tensor::constant({4, 1})).toVector<float>());
}

TEST_P(QuantizedEmbedding, InAGraph) {
  EmbeddingV2 embedding = make(10, 256);
  Tensor table = packed(10, 256);
  embedding.loadStateDict({{"weight", table}});
  Graph graph("packed");
  {
    auto scope = graph.enter();
    Tensor ids = graph.input(TensorType(DType::int64, {"n"}));
    graph.output(embedding(ids), ops::dequantize(table, GetParam()));
  }
  auto results = graph.compile()(Tensor::constant({9, 9, 2}, DType::int64));
  EXPECT_TRUE(isSame(results[1], dequantize(table, GetParam())));
  EXPECT_TRUE(isSame(results[0], gather(results[1], Tensor::constant({9, 9, 2}))));
}

TEST_P(QuantizedEmbedding, Mistakes) {
  auto elements = blockElements(GetParam());
  EXPECT_THAT([&] { make(2, elements + 16); },
              ThrowsMessage<ValueError>(
                  AllOf(HasSubstr("[EmbeddingV2] hiddenDim " + std::to_string(elements + 16)),
                        HasSubstr(std::string(name(GetParam()))))));
  EXPECT_THAT([&] { make(2, 256, DType::int32); },
              ThrowsMessage<TypeError>(HasSubstr("decoded to floats, not to int32")));
  EmbeddingV2 embedding = make(4, 256);
  EXPECT_THAT([&] { embedding.loadStateDict({{"weight", Tensor::zeros({4, 256})}}); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("not assignable"),
                                              HasSubstr("quantization::quantize packs floats"))));
  EmbeddingV2 plain({.vocabSize = 4, .hiddenDim = 256, .dtype = DType::float32});
  EXPECT_THAT([&] { plain.loadStateDict({{"weight", packed(4, 256)}}); },
              ThrowsMessage<ValueError>(
                  AllOf(HasSubstr("not assignable"), HasSubstr("dequantize makes floats"))));
}

TEST(QuantizedOps, DequantizeIsRecordedAndChecked) {
  Tensor x = dequantize(Tensor::zeros({3, 36}, DType::uint8), QuantizationEncoding::Q4_0);
  EXPECT_FALSE(x.isRealized());
  EXPECT_EQ(x.type(), TensorType(DType::float32, {3, 64}));
  EXPECT_THAT([] { dequantize(Tensor::zeros({36}, DType::int8), QuantizationEncoding::Q4_0); },
              ThrowsMessage<TypeError>(AllOf(HasSubstr("[dequantize] expected uint8"),
                                             HasSubstr("QuantizedEmbeddingTest.cpp:"))));
  EXPECT_THROW(dequantize(Tensor::zeros({}, DType::uint8), QuantizationEncoding::Q4_0), ValueError);
  EXPECT_THAT([] { dequantize(Tensor::zeros({2, 35}, DType::uint8), QuantizationEncoding::Q4_0); },
              ThrowsMessage<ValueError>(HasSubstr("rows of 35 bytes, but the blocks of Q4_0 have "
                                                  "18: packed [2, 35] u8")));
}

class QuantizedGguf : public GgufFolder {};

TEST_F(QuantizedGguf, LoadsTheTableAsItLiesInTheFile) {
  random::seed(2);
  Tensor table = random::normal({30, 256});
  io::saveGguf(path("x"), {{"weight", table}}, {}, {.encoding = QuantizationEncoding::Q5_K});
  auto file = io::openGguf(path("x"));
  EmbeddingV2 embedding({.vocabSize = 30,
                         .hiddenDim = 256,
                         .dtype = DType::float32,
                         .quantizationEncoding = file.info("weight").encoding});
  Tensor ids = Tensor::constant({29, 0, 4});
  int64_t held = runtimeStats().heldBytes();
  embedding.loadStateDict(file);
  EXPECT_EQ(embedding(ids).toVector<float>(),
            gather(file.dequantize("weight"), ids).toVector<float>());
  EXPECT_EQ(embedding.weight.bytes().data(), file["weight"].bytes().data());
  EXPECT_EQ(runtimeStats().heldBytes(), held);
  embedding.loadState([&](const std::string &name) { return file[name]; });
  EXPECT_EQ(embedding(ids).shape(), (Shape{3, 256}));
}

} // namespace
