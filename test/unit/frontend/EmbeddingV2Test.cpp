#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <numeric>
#include <sstream>
#include <thread>

using namespace kiln;
using nn::embedding::EmbeddingV2;
using nn::embedding::QuantizationEncoding;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

template <class T> std::string text(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

/// [rows, columns] of 0, 1, 2, …
Tensor counted(int64_t rows, int64_t columns, Device device = CPU()) {
  std::vector<float> values(static_cast<std::size_t>(rows * columns));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::fromData(values, {rows, columns}, {}, device);
}

TEST(Embedding, LooksUpRowsOfATableThatIsThere) {
  nn::embedding::Embedding embedding(counted(5, 2));
  EXPECT_EQ(text(embedding), "Embedding(vocab_size=Dim(5), dim=Dim(2))");
  ASSERT_EQ(embedding.parameters().size(), 1u);
  EXPECT_EQ(embedding.parameters()[0].first, "weights");
  EXPECT_THAT(embedding(Tensor::constant({4, 0})).toVector<float>(), ElementsAre(8, 9, 0, 1));
  EXPECT_EQ(embedding(Tensor::constant(int64_t{3})).shape(), (Shape{2}));
  EXPECT_EQ(embedding(Tensor::zeros({0, 3}, DType::uint8)).shape(), (Shape{0, 3, 2}));
  nn::embedding::Embedding deep(Tensor::ones({5, 2, 3}));
  EXPECT_EQ(text(deep), "Embedding(vocab_size=Dim(5), dims=[Dim(2), Dim(3)])");
  EXPECT_EQ(deep(Tensor::zeros({4}, DType::int16)).shape(), (Shape{4, 2, 3}));
}

TEST(Embedding, Mistakes) {
  EXPECT_THAT([] { nn::embedding::Embedding(Tensor::ones({})); },
              ThrowsMessage<ValueError>(HasSubstr("weights [] f32")));
  EXPECT_THROW(nn::embedding::Embedding{Tensor()}, TypeError);
  nn::embedding::Embedding embedding(counted(5, 2));
  EXPECT_THAT([&] { embedding(Tensor::ones({2})); },
              ThrowsMessage<ValueError>(HasSubstr("indices must be integers")));
  EXPECT_THAT([&] { embedding(Tensor::constant({1, 5})).realize(); },
              ThrowsMessage<IndexError>(HasSubstr("5")));
  EXPECT_THAT([&] { embedding(Tensor::zeros({2}, DType::int64, CPU(1))); },
              ThrowsMessage<ValueError>(HasSubstr("same device")));
}

TEST(EmbeddingV2, EveryIntegerDTypeAndRank) {
  EmbeddingV2 embedding({.vocabSize = 7, .hiddenDim = 3, .dtype = DType::float32});
  embedding.loadStateDict({{"weight", counted(7, 3)}});
  for (DType dtype : {DType::int8, DType::int16, DType::int32, DType::int64, DType::uint8,
                      DType::uint16, DType::uint32, DType::uint64})
    EXPECT_THAT(embedding(Tensor::constant({2, 6}, dtype)).toVector<float>(),
                ElementsAre(6, 7, 8, 18, 19, 20));
  for (const Shape &shape :
       {Shape{}, Shape{2}, Shape{2, 1}, Shape{1, 2, 0}, Shape{1, 1, 1, 2, 2}}) {
    std::vector<Dim> expected = shape.vec();
    expected.push_back(3);
    Tensor rows = embedding(Tensor::zeros(shape, DType::int64));
    EXPECT_EQ(rows.shape(), Shape(expected));
    for (std::size_t i = 0; float value : rows.toVector<float>())
      EXPECT_EQ(value, static_cast<float>(i++ % 3));
  }
  EXPECT_THAT([&] { embedding(Tensor::constant({0, 7})).realize(); },
              ThrowsMessage<IndexError>(HasSubstr("7")));
  EXPECT_THROW(embedding(Tensor::constant({0, -1})).realize(), IndexError);
}

TEST(EmbeddingV2, HasFieldsAndPrints) {
  EmbeddingV2 embedding({.vocabSize = 10,
                         .hiddenDim = 4,
                         .dtype = DType::bfloat16,
                         .device = CPU(1),
                         .name = "token_embeddings"});
  EXPECT_EQ(embedding.name, "token_embeddings");
  EXPECT_EQ(embedding.device, CPU(1));
  EXPECT_EQ(embedding.vocabSize(), Dim(10));
  EXPECT_EQ(embedding.hiddenDim(), Dim(4));
  EXPECT_EQ(embedding.weight.type(), TensorType(DType::bfloat16, {10, 4}, CPU()));
  ASSERT_EQ(embedding.parameters().size(), 1u);
  EXPECT_EQ(embedding.parameters()[0].first, "weight");
  EXPECT_THAT(text(embedding), HasSubstr("name=\"token_embeddings\""));
  EXPECT_THAT(text(embedding), HasSubstr("device=cpu:1"));
}

TEST(EmbeddingV2, TheFirstCallMovesTheTable) {
  EmbeddingV2 embedding(
      {.vocabSize = 5, .hiddenDim = 2, .dtype = DType::float32, .device = CPU(1)});
  embedding.loadStateDict({{"weight", counted(5, 2)}});
  EXPECT_EQ(embedding.weight.device(), CPU());
  Tensor rows = embedding(Tensor::constant({4, 1})); // indices of CPU(0) are copied
  EXPECT_EQ(rows.device(), CPU(1));
  EXPECT_THAT(rows.toVector<float>(), ElementsAre(8, 9, 2, 3));
  EXPECT_EQ(embedding.weight.device(), CPU(1));
  // Others take its place.
  embedding.loadStateDict({{"weight", Tensor::full({5, 2}, 7)}});
  EXPECT_THAT(embedding(Tensor::constant({4})).toVector<float>(), ElementsAre(7, 7));
}

TEST(EmbeddingV2, TheTableOfAGraphMovesWhenItIsCompiled) {
  EmbeddingV2 embedding(
      {.vocabSize = 5, .hiddenDim = 2, .dtype = DType::float32, .device = CPU(1)});
  embedding.loadStateDict({{"weight", counted(5, 2)}});
  Graph graph("moves");
  {
    auto scope = graph.enter();
    Tensor indices = graph.input(TensorType(DType::int64, {"n"}, CPU(1)));
    Tensor large = ops::constant(std::vector<int>(100, 3), {100});
    graph.output(embedding(indices), embedding(ops::constant({1, 4}, {2})), embedding(large));
  }
  EXPECT_EQ(embedding.weight.device(), CPU());
  auto run = graph.compile();
  auto results = run(Tensor::zeros({3}, DType::int64, CPU(1)));
  EXPECT_EQ(results[0].type(), TensorType(DType::float32, {3, 2}, CPU(1)));
  EXPECT_THAT(results[0].toVector<float>(), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(results[1].toVector<float>(), ElementsAre(2, 3, 8, 9));
  EXPECT_EQ(results[2].toVector<float>()[199], 7);
  EXPECT_THAT(embedding(Tensor::constant({2})).toVector<float>(), ElementsAre(4, 5));
  EXPECT_EQ(embedding.weight.device(), CPU(1));
}

TEST(EmbeddingV2, CompilesAsAModule) {
  EmbeddingV2 embedding(
      {.vocabSize = 5, .hiddenDim = 2, .dtype = DType::float32, .device = CPU(1)});
  embedding.loadStateDict({{"weight", counted(5, 2)}});
  for (int round = 0; round < 2; ++round) {
    auto model = embedding.compile(TensorType(DType::int32, {"n", "m"}, CPU(1)));
    EXPECT_THAT(model(Tensor::zeros({1, 2}, DType::int32, CPU(1))).toVector<float>(),
                ElementsAre(0, 1, 0, 1));
    EXPECT_THAT(model.ir("import"), HasSubstr("kiln.name = \"weight\""));
  }
}

TEST(EmbeddingV2, ADeviceThatIsNotThereCanBeNamed) {
  if (acceleratorCount() > 0)
    GTEST_SKIP() << "there is an accelerator";
  std::vector<int> values(64);
  Graph graph("embedding_example");
  {
    auto scope = graph.enter();
    auto indices = ops::constant(values, {4, 16}, DType::int32);
    EmbeddingV2 embedding({.vocabSize = 10000,
                           .hiddenDim = 256,
                           .dtype = DType::float32,
                           .device = DeviceRef::GPU(),
                           .name = "token_embeddings"});
    auto out = embedding(indices);
    EXPECT_EQ(text(out.shape()), "[Dim(4), Dim(16), Dim(256)]");
    EXPECT_EQ(out.device(), DeviceRef::GPU());
    EXPECT_EQ(embedding.weight.device(), CPU());
    graph.output(out);
  }
  EXPECT_THAT([&] { graph.compile(); },
              ThrowsMessage<DeviceError>(AllOf(HasSubstr("no device gpu:0"), HasSubstr("CPU()"),
                                               HasSubstr("(at EmbeddingV2Test.cpp:"))));
  EmbeddingV2 eager({.vocabSize = 10, .hiddenDim = 2, .device = DeviceRef::GPU(1)});
  EXPECT_THAT([&] { eager(Tensor::zeros({2}, DType::int32)); },
              ThrowsMessage<DeviceError>(HasSubstr("[EmbeddingV2] there is no device gpu:1")));
  EXPECT_EQ(eager.weight.device(), CPU());
}

TEST(EmbeddingV2, ThreadsCallItAtOnce) {
  const EmbeddingV2 embedding(
      {.vocabSize = 50, .hiddenDim = 8, .dtype = DType::float32, .device = CPU(1)});
  std::vector<float> expected = embedding.weight.toVector<float>();
  std::vector<std::thread> threads;
  std::vector<std::vector<float>> results(4);
  for (auto &result : results)
    threads.emplace_back([&] { result = embedding(Tensor::arange(0, 50, 1)).toVector<float>(); });
  for (std::thread &thread : threads)
    thread.join();
  for (auto &result : results)
    EXPECT_EQ(result, expected);
}

TEST(EmbeddingV2, Mistakes) {
  EXPECT_THAT([] { EmbeddingV2({.vocabSize = "n", .hiddenDim = 2}); },
              ThrowsMessage<TypeError>(HasSubstr("[EmbeddingV2] vocabSize")));
  EXPECT_THAT([] { EmbeddingV2({.vocabSize = 2, .hiddenDim = -2}); },
              ThrowsMessage<TypeError>(HasSubstr("hiddenDim")));
}

} // namespace
