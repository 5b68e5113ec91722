// VocabParallelEmbedding with packed tables, and with what models do behind a look-up.

#include "VocabParallelTesting.h"

#include <filesystem>
#include <type_traits>

using namespace kiln;
using namespace kiln::test;
using testing::HasSubstr;

namespace {

class PackedVocabParallelEmbedding : public testing::TestWithParam<QuantizationEncoding> {};
INSTANTIATE_TEST_SUITE_P(All, PackedVocabParallelEmbedding,
                         testing::Values(QuantizationEncoding::Q4_0, QuantizationEncoding::Q8_0,
                                         QuantizationEncoding::Q4_K, QuantizationEncoding::Q5_K,
                                         QuantizationEncoding::Q6_K),
                         [](const auto &param) { return std::string(name(param.param)); });

TEST_P(PackedVocabParallelEmbedding, EqualsATableThatIsDecodedFirst) {
  random::seed(12);
  Tensor packed = quantization::quantize(random::normal({21, 512}), GetParam());
  Tensor ids = Tensor::constant({20, 0, 7, 7, 13});
  Tensor expected = gather(dequantize(packed, GetParam()), ids, 0);
  for (int count : {1, 2, 3, 8}) {
    std::vector<Device> devices = cpus(count);
    VocabParallelEmbedding embedding({.vocabSize = 21,
                                      .hiddenDim = 512,
                                      .dtype = DType::float32,
                                      .devices = devices,
                                      .quantizationEncoding = GetParam()});
    EXPECT_EQ(embedding.hiddenDim(), Dim(512));
    embedding.loadStateDict({{"weight", packed}});
    expectRows(embedding(ids), expected, devices);
    auto model = embedding.compile(TensorType(DType::int32, {"n"}));
    expectRows(model(ids), expected, devices);
    EXPECT_THROW(model(Tensor::constant({21})), IndexError);
    EXPECT_TRUE(compare(embedding, ids).equal);
  }
}

TEST_P(PackedVocabParallelEmbedding, InitialValuesAreDrawnAndPackedInParts) {
  // 600 rows on two devices: parts of more rows than are drawn at once.
  std::vector<Device> devices = cpus(2);
  nn::embedding::EmbeddingV2Options options{.vocabSize = 600,
                                            .hiddenDim = 256,
                                            .dtype = DType::bfloat16,
                                            .quantizationEncoding = GetParam()};
  random::seed(3);
  nn::embedding::EmbeddingV2 whole(options);
  random::seed(3);
  VocabParallelEmbedding split({.vocabSize = 600,
                                .hiddenDim = 256,
                                .dtype = DType::bfloat16,
                                .devices = devices,
                                .quantizationEncoding = GetParam()});
  Tensor ids = Tensor::constant({599, 0, 256, 300, 299, 255});
  expectRows(split(ids), whole(ids), devices);
  EXPECT_EQ(bytesOf(split.weight), bytesOf(whole.weight));
  EXPECT_THAT(text(split), HasSubstr("quantization_encoding=" + std::string(name(GetParam()))));
  EXPECT_THROW(VocabParallelEmbedding({.vocabSize = 2,
                                       .hiddenDim = 40,
                                       .devices = devices,
                                       .quantizationEncoding = GetParam()}),
               ValueError);
}

TEST_P(PackedVocabParallelEmbedding, LoadsItsPartsFromAFile) {
  constexpr int first = 32; // devices that no other test of this file uses
  int device = first + 2 * static_cast<int>(GetParam()) % 8;
  std::string path = testing::TempDir() + "vocab-" + std::string(name(GetParam())) + ".gguf";
  random::seed(6);
  Tensor rows = random::normal({40, 512});
  io::saveGguf(path, {{"weight", rows}}, {}, {.encoding = GetParam()});
  auto file = io::openGguf(path);
  VocabParallelEmbedding embedding({.vocabSize = 40,
                                    .hiddenDim = 512,
                                    .dtype = DType::float32,
                                    .devices = cpus(2, device),
                                    .quantizationEncoding = GetParam()});
  int64_t before = runtimeStats().heldBytes(CPU(device + 1));
  embedding.loadStateDict(file);
  EXPECT_EQ(runtimeStats().heldBytes(CPU(device + 1)) - before,
            20 * packedRowBytes(GetParam(), 512));
  Tensor ids = Tensor::constant({39, 19, 20});
  expectRows(embedding(ids), gather(file.dequantize("weight"), ids, 0), cpus(2, device));
  std::filesystem::remove(path);
}

/// What a BERT begins with.
template <class Table> struct Encoder : nn::Module<Encoder<Table>> {
  Table words, positions;
  nn::LayerNorm norm;
  nn::Linear up;
  KILN_FIELDS(words, positions, norm, up)
  Tensor look(const Table &table, const Tensor &ids) const {
    if constexpr (std::is_same_v<Table, VocabParallelEmbedding>)
      return table(ids)[0];
    else
      return table(ids);
  }
  Tensor operator()(const Tensor &ids, const Tensor &places) const {
    return gelu(up(norm(look(words, ids) + look(positions, places))));
  }
};

template <class Table> struct Projected : nn::Module<Projected<Table>> {
  Table words;
  nn::Linear up;
  KILN_FIELDS(words, up)
  Tensor operator()(const Tensor &ids) const {
    if constexpr (std::is_same_v<Table, VocabParallelEmbedding>)
      return gelu(up(words(ids)[0]));
    else
      return gelu(up(words(ids)));
  }
};

} // namespace

TEST(VocabParallelEmbedding, WithWhatFollowsTheLookUp) {
  using nn::embedding::EmbeddingV2;
  Tensor ids = Tensor::constant({{29, 0, 7}, {15, 14, 16}});
  Tensor places = Tensor::constant({{0, 1, 2}, {0, 1, 2}});
  TensorType type(DType::int32, {"batch", "seq"});
  for (DType dtype : {DType::float32, DType::bfloat16})
    for (int count : {2, 3, 8}) {
      DefaultsScope scope(dtype, CPU());
      SCOPED_TRACE(text(dtype) + " on " + text(count));
      auto whole = [&](int64_t rows, int64_t columns) {
        return EmbeddingV2({.vocabSize = rows, .hiddenDim = columns});
      };
      random::seed(8);
      Encoder<EmbeddingV2> one{.words = whole(30, 16),
                               .positions = whole(5, 16),
                               .norm = nn::LayerNorm(16),
                               .up = nn::Linear(16, 24)};
      Encoder<VocabParallelEmbedding> many{.words = embeddingOf(30, 16, cpus(count), dtype),
                                           .positions = embeddingOf(5, 16, cpus(count), dtype),
                                           .norm = nn::LayerNorm(16),
                                           .up = nn::Linear(16, 24)};
      many.loadStateDict(one.stateDict());
      Tensor expected = one(ids, places).realize();
      EXPECT_EQ(bytesOf(many(ids, places)), bytesOf(expected));
      EXPECT_EQ(bytesOf(many.compile(type, type)(ids, places)), bytesOf(expected));
      // To fewer columns: the product comes before the sum.
      Projected<EmbeddingV2> narrow{.words = whole(30, 32), .up = nn::Linear(32, 4)};
      Projected<VocabParallelEmbedding> parts{.words = embeddingOf(30, 32, cpus(count), dtype),
                                              .up = nn::Linear(32, 4)};
      parts.loadStateDict(narrow.stateDict());
      // In bfloat16 it is then rounded once more, before the bias.
      expected = narrow(ids).realize();
      double tolerance = dtype == DType::float32 ? 0 : 0x1p-6;
      EXPECT_TRUE(allClose(parts(ids), expected, tolerance, tolerance));
      EXPECT_EQ(bytesOf(parts.compile(type)(ids)), bytesOf(parts(ids)));
    }
}
