#include "VocabParallelTesting.h"

#include <filesystem>
#include <thread>

using namespace kiln;
using namespace kiln::test;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

struct Model : nn::Module<Model> {
  VocabParallelEmbedding embedding;
  nn::Linear head;
  KILN_FIELDS(embedding, head)
  Tensor operator()(const Tensor &ids) const { return head(embedding(ids)[0]); }
};

} // namespace

TEST(VocabParallelEmbedding, LooksUpWhatTheWholeTableHolds) {
  random::seed(11);
  for (int count = 1; count <= 8; ++count)
    for (int64_t vocab : {1, 5, 8, 10, 33, 1000}) {
      std::vector<Device> devices = cpus(count);
      VocabParallelEmbedding embedding = embeddingOf(vocab, 3, devices);
      nn::Embedding whole(vocab, {.dim = 3});
      embedding.loadStateDict(whole.stateDict());
      Tensor ids = (Tensor::arange(0, 40) * 7 % vocab).reshape({5, 8}).realize();
      SCOPED_TRACE(text(vocab) + " rows on " + text(count) + " devices");
      expectRows(embedding(ids), whole(ids).realize(), devices);
      auto model = embedding.compile(TensorType(DType::int64, {"n", 8}));
      expectRows(model(ids), whole(ids).realize(), devices);
    }
}

TEST(VocabParallelEmbedding, EveryDTypeOfIndicesAndOfTheTable) {
  std::vector<Device> devices = cpus(3);
  VocabParallelEmbedding embedding = embeddingOf(100, 5, devices);
  nn::embedding::Embedding whole(table(100, 5));
  embedding.loadStateDict({{"weight", whole.weights}});
  for (DType dtype : {DType::int8, DType::int16, DType::int32, DType::int64, DType::uint8,
                      DType::uint16, DType::uint32, DType::uint64}) {
    Tensor ids = Tensor::constant({{99, 0, 33}, {34, 67, 68}}, dtype);
    expectRows(embedding(ids), whole(ids), devices);
    auto model = embedding.compile(TensorType(dtype, {2, "n"}));
    expectRows(model(ids), whole(ids), devices);
  }
  for (DType dtype : {DType::float16, DType::bfloat16, DType::float64}) {
    VocabParallelEmbedding other = embeddingOf(10, 6, devices, dtype);
    Tensor rows = table(10, 6, dtype), ids = Tensor::constant({9, 3, 4, 0});
    other.loadStateDict({{"weight", rows}});
    expectRows(other(ids), gather(rows, ids, 0), devices);
  }
}

TEST(VocabParallelEmbedding, AnyRankOfIndicesAndNone) {
  std::vector<Device> devices = cpus(4);
  VocabParallelEmbedding embedding = embeddingOf(10, 3, devices);
  Tensor rows = table(10, 3);
  embedding.loadStateDict({{"weight", rows}});
  for (const Shape &shape : {Shape{}, Shape{1}, Shape{2, 3}, Shape{0}, Shape{2, 0, 4}}) {
    Tensor ids = Tensor::full(shape, 7, DType::int64);
    expectRows(embedding(ids), gather(rows, ids, 0), devices);
  }
  auto model = embedding.compile(TensorType(DType::int64, {"a", "b"}));
  for (const Shape &shape : {Shape{3, 2}, Shape{0, 2}, Shape{1, 1}}) {
    Tensor ids = Tensor::full(shape, 9, DType::int64);
    expectRows(model(ids), gather(rows, ids, 0), devices);
  }
  EXPECT_EQ(model.stats().kernels.size(), 1u);
}

TEST(VocabParallelEmbedding, TablesWithoutRowsOrColumns) {
  VocabParallelEmbedding none = embeddingOf(0, 3, cpus(2));
  EXPECT_EQ(none(Tensor::zeros({0}, DType::int64))[1].realize().shape(), (Shape{0, 3}));
  EXPECT_THROW(none(Tensor::zeros({1}, DType::int64))[1].realize(), IndexError);
  VocabParallelEmbedding narrow = embeddingOf(5, 0, cpus(2));
  EXPECT_EQ(narrow(Tensor::constant({4}))[1].realize().shape(), (Shape{1, 0}));
}

TEST(VocabParallelEmbedding, NoDeviceHoldsMoreThanItsPart) {
  // 2,560,064 bytes as a whole, 320,256 on each of eight devices that no other test uses.
  constexpr int64_t vocab = 10001, dim = 64, part = (vocab + 7) / 8 * dim * 4, call = 32 << 10;
  std::vector<Device> devices = cpus(8, 40);
  std::string path = testing::TempDir() + "vocab.safetensors";
  Tensor rows = table(vocab, dim);
  io::saveSafetensors(path, {{"weight", rows}});
  Tensor ids = Tensor::constant({10000, 0, 1250, 1251, 5000});
  auto expectParts = [&](const char *when) {
    RuntimeStats stats = runtimeStats();
    for (Device device : devices) {
      EXPECT_GE(stats.heldBytes(device), part) << when << ": " << device;
      EXPECT_LE(stats.peakBytes(device), part + call) << when << ": " << device;
    }
  };
  VocabParallelEmbedding embedding = embeddingOf(vocab, dim, devices);
  for (Device device : devices)
    EXPECT_EQ(runtimeStats().heldBytes(device), 0) << "nothing is drawn before it is wanted";
  int64_t before = runtimeStats().heldBytes(CPU());
  embedding.loadStateDict(io::openSafetensors(path));
  EXPECT_LT(runtimeStats().heldBytes(CPU()) - before, part);
  expectParts("loaded");
  expectRows(embedding(ids), gather(rows, ids, 0), devices);
  expectParts("after a read");
  {
    auto model = embedding.compile(TensorType(DType::int32, {"n"}, CPU(40)));
    expectRows(model(ids.to(CPU(40))), gather(rows, ids, 0), devices);
    expectParts("compiled");
  }
  io::saveSafetensors(path, embedding.stateDict());
  expectParts("saved");
  EXPECT_EQ(bytesOf(io::openSafetensors(path)["weight"]), bytesOf(rows));
  std::filesystem::remove(path);

  // Initial values are drawn in parts.
  std::vector<Device> others = cpus(8, 48);
  VocabParallelEmbedding drawn = embeddingOf(vocab, dim, others);
  before = runtimeStats().heldBytes(CPU());
  for (const Tensor &result : drawn(ids))
    result.realize();
  EXPECT_LT(runtimeStats().heldBytes(CPU()) - before, part);
  for (Device device : others) {
    EXPECT_GE(runtimeStats().heldBytes(device), part);
    EXPECT_LE(runtimeStats().peakBytes(device), part + call);
  }
}

TEST(VocabParallelEmbedding, InitialValuesAreThoseOfAnEmbedding) {
  random::seed(3);
  nn::embedding::EmbeddingV2 whole({.vocabSize = 21, .hiddenDim = 5, .dtype = DType::float32});
  random::seed(3);
  VocabParallelEmbedding split = embeddingOf(21, 5, cpus(4));
  Tensor ids = Tensor::arange(0, 21);
  expectRows(split(ids), whole(ids), cpus(4));
  EXPECT_EQ(bytesOf(split.weight), bytesOf(whole.weight));
}

TEST(VocabParallelEmbedding, ABadIndexIsAnErrorOfEachResult) {
  VocabParallelEmbedding embedding = embeddingOf(10, 3, cpus(4));
  auto model = embedding.compile(TensorType(DType::int64, {"n"}));
  for (int64_t bad : {int64_t{10}, int64_t{11}, int64_t{12}, int64_t{-1}, int64_t{1} << 40}) {
    Tensor ids = Tensor::fromData(std::vector<int64_t>{1, 9, bad, bad}, {4});
    std::string expected =
        "index " + std::to_string(bad) + " at position 2 is out of range [0, 10)";
    std::vector<Tensor> results = embedding(ids);
    for (const Tensor &result : results)
      EXPECT_THAT([&] { result.realize(); }, ThrowsMessage<IndexError>(HasSubstr(expected)));
    EXPECT_THAT([&] { (results[3] + 1).realize(); },
                ThrowsMessage<IndexError>(HasSubstr(expected)));
    EXPECT_THAT([&] { model(ids); }, ThrowsMessage<IndexError>(HasSubstr(expected)));
  }
  EXPECT_EQ(embedding(Tensor::constant({9})).back().shape(), (Shape{1, 3}));
}

TEST(VocabParallelEmbedding, Mistakes) {
  auto make = [](std::vector<Device> devices) { return [=] { embeddingOf(10, 3, devices); }; };
  EXPECT_THAT(make({}), ThrowsMessage<ValueError>(
                            HasSubstr("[VocabParallelEmbedding] expected 1 to 8 devices, got 0")));
  EXPECT_THAT(make(cpus(9)), ThrowsMessage<ValueError>(HasSubstr("got 9")));
  EXPECT_THAT(make({CPU(0), CPU(1), CPU(0)}),
              ThrowsMessage<ValueError>(HasSubstr("device cpu:0 is named twice")));
  EXPECT_THROW(VocabParallelEmbedding({.vocabSize = Dim("v"), .hiddenDim = 3, .devices = cpus(2)}),
               TypeError);
  VocabParallelEmbedding embedding = embeddingOf(10, 3, cpus(2));
  EXPECT_THAT([&] { embedding(Tensor::ones({2})); },
              ThrowsMessage<ValueError>(HasSubstr("indices must be integers")));
  EXPECT_THROW(embedding.loadStateDict({{"weight", Tensor::ones({9, 3})}}), ValueError);
  EXPECT_THROW(embedding.loadStateDict({}), KeyError);
  VocabParallelEmbedding absent = embeddingOf(10, 3, {CPU(0), CPU(64)});
  EXPECT_THROW(absent(Tensor::constant({1})), DeviceError);
  EXPECT_THROW(absent.compile(TensorType(DType::int64, {2})), DeviceError);
  if (acceleratorCount() == 0) {
    VocabParallelEmbedding gpus = embeddingOf(10, 3, {Accelerator(0), Accelerator(1)});
    EXPECT_THROW(gpus(Tensor::constant({1})), DeviceError);
  }
}

TEST(VocabParallelEmbedding, HasFieldsAndPrints) {
  VocabParallelEmbedding embedding({.vocabSize = 10,
                                    .hiddenDim = 4,
                                    .dtype = DType::bfloat16,
                                    .devices = cpus(2),
                                    .name = "tokens"});
  EXPECT_EQ(text(embedding), "VocabParallelEmbedding(\n    vocab_size=Dim(10),\n    "
                             "hidden_dim=Dim(4),\n    dtype=bfloat16,\n    devices=[cpu:0, "
                             "cpu:1],\n    name=\"tokens\"\n)");
  ASSERT_EQ(embedding.parameters().size(), 1u);
  EXPECT_EQ(embedding.parameters()[0].first, "weight");
  EXPECT_EQ(embedding.weight.shape(), (Shape{10, 4}));
  EXPECT_EQ(embedding.vocabSize(), Dim(10));
  EXPECT_EQ(embedding.hiddenDim(), Dim(4));
}

TEST(VocabParallelEmbedding, TakesTablesInItsPlace) {
  std::vector<Device> devices = cpus(3);
  VocabParallelEmbedding embedding = embeddingOf(10, 2, devices);
  Tensor rows = table(10, 2), ids = Tensor::constant({9, 0, 5}), expected = gather(rows, ids, 0);
  embedding.weight = rows;
  expectRows(embedding(ids), expected, devices);
  embedding.weight = rows * 2; // still to be computed
  expectRows(embedding(ids), expected * 2, devices);
  embedding.weight = rows;
  auto model = embedding.compile(TensorType(DType::int32, {"n"}));
  expectRows(model(ids), expected, devices);
  auto doubled =
      embedding.mapParameters([](const std::string &, const Tensor &tensor) { return tensor * 2; });
  expectRows(doubled(ids), expected * 2, devices);
  expectRows(embedding(ids), expected, devices);
  embedding.to(CPU(1)); // what is split stays where it is
  expectRows(embedding(ids), expected, devices);
  embedding.loadState([&](const std::string &) { return rows * 3; });
  expectRows(embedding(ids), expected * 3, devices);
  embedding.loadStateDict({{"weight", rows.cast(DType::bfloat16)}}, {.autoCast = true});
  expectRows(embedding(ids), expected.cast(DType::bfloat16).cast(DType::float32), devices);
  auto other = embedding.compile({.weights = {{"weight", rows}}}, TensorType(DType::int32, {"n"}));
  expectRows(other(ids), expected, devices);
}

TEST(VocabParallelEmbedding, IndicesFromAnotherDevice) {
  std::vector<Device> devices = {CPU(3), CPU(1)};
  VocabParallelEmbedding embedding = embeddingOf(10, 2, devices);
  Tensor rows = table(10, 2), ids = Tensor::constant({7, 2});
  embedding.loadStateDict({{"weight", rows}});
  expectRows(embedding(ids), gather(rows, ids, 0), devices);
  expectRows(embedding(ids.to(CPU(1))), gather(rows, ids, 0), devices);
  expectRows(embedding(ids + 1), gather(rows, ids + 1, 0), devices);
  for (Device device : {CPU(0), CPU(1), CPU(3)}) {
    auto model = embedding.compile(TensorType(DType::int32, {"n"}, device));
    expectRows(model(ids.to(device)), gather(rows, ids, 0), devices);
  }
}

TEST(VocabParallelEmbedding, ResultsAreUsedOnTheirDevices) {
  std::vector<Device> devices = cpus(3);
  VocabParallelEmbedding embedding = embeddingOf(10, 2, devices);
  Tensor rows = table(10, 2), ids = Tensor::constant({7, 2});
  embedding.loadStateDict({{"weight", rows}});
  std::vector<Tensor> results = embedding(ids);
  Tensor expected = gather(rows, ids, 0);
  Tensor more = results[1] * Tensor::full({2, 2}, 3.0f, DType::float32, CPU(1));
  EXPECT_EQ(more.device(), CPU(1));
  EXPECT_EQ(bytesOf(more), bytesOf(expected * 3));
  expectRows(results, expected, devices);
  EXPECT_THROW(results[0] + results[1], ValueError);
  // All of one call are there when one has been read.
  std::vector<Tensor> again = embedding(ids);
  again[2].realize();
  EXPECT_TRUE(again[0].isRealized() && again[1].isRealized());
  again = {embedding(ids)[1]}; // nobody holds the others
  EXPECT_EQ(bytesOf(again[0]), bytesOf(expected));
}

TEST(VocabParallelEmbedding, WithinAModule) {
  for (int count : {1, 2, 5}) {
    random::seed(4);
    Model model{.embedding = embeddingOf(12, 8, cpus(count)), .head = nn::Linear(8, 6)};
    Tensor ids = Tensor::constant({{11, 0, 3}, {4, 4, 7}});
    Tensor expected = model.head(gather(model.embedding.weight, ids, 0)).realize();
    EXPECT_EQ(bytesOf(model(ids)), bytesOf(expected));
    EXPECT_THAT(model.parameters()[0].first, "embedding.weight");
    auto compiled = model.compile(TensorType(DType::int32, {"batch", "seq"}));
    EXPECT_EQ(bytesOf(compiled(ids)), bytesOf(expected));
    EXPECT_EQ(compiled(Tensor::zeros({4, 1}, DType::int32)).shape(), (Shape{4, 1, 6}));
    EXPECT_TRUE(compare(model, ids).equal);
    // The head may be split, too, and tied to the table.
    model.head.weight = shard(model.head.weight, 0, cpus(count));
    EXPECT_EQ(bytesOf(model(ids)), bytesOf(expected));
    auto both = model.compile(TensorType(DType::int32, {"batch", "seq"}));
    EXPECT_EQ(bytesOf(both(ids)), bytesOf(expected));
  }
}

TEST(VocabParallelEmbedding, FoldedTablesLeaveASplitOneSplit) {
  Model model{.embedding = embeddingOf(12, 8, cpus(3)), .head = nn::Linear(8, 6)};
  Tensor ids = Tensor::constant({11, 0, 3});
  auto compiled = model.compile({.foldTables = true}, TensorType(DType::int32, {"n"}));
  EXPECT_EQ(bytesOf(compiled(ids)), bytesOf(model(ids)));
  EXPECT_EQ(compiled.stats().foldedTables, 0);
}

TEST(VocabParallelEmbedding, InAGraph) {
  std::vector<Device> devices = cpus(4);
  Tensor rows = table(50, 6);
  Graph graph("vocab");
  {
    auto scope = graph.enter();
    Tensor ids = graph.input(TensorType(DType::int64, {"n"}));
    VocabParallelEmbedding embedding = embeddingOf(50, 6, devices);
    embedding.weight = rows;
    std::vector<Tensor> results = embedding(ids);
    EXPECT_EQ(results[3].shape(), (Shape{"n", 6}));
    EXPECT_EQ(results[3].device(), CPU(3));
    graph.output(results);
    graph.output(results[2] * 2);
    EXPECT_THROW(results[1].realize(), TypeError);
  }
  auto run = graph.compile();
  Tensor ids = Tensor::constant({int64_t{49}, int64_t{13}});
  GraphResults results = run(ids);
  ASSERT_EQ(results.size(), 5u);
  expectRows({results.begin(), results.begin() + 4}, gather(rows, ids, 0), devices);
  EXPECT_EQ(results[4].device(), CPU(2));
  EXPECT_EQ(bytesOf(results[4]), bytesOf(gather(rows, ids, 0) * 2));
}

TEST(VocabParallelEmbedding, ManyThreads) {
  std::vector<Device> devices = cpus(8);
  VocabParallelEmbedding embedding = embeddingOf(100, 4, devices);
  Tensor rows = table(100, 4);
  embedding.weight = rows; // the first call splits it
  auto model = embedding.compile(TensorType(DType::int64, {"n"}));
  std::vector<Tensor> shared = embedding(Tensor::arange(0, 100));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      auto check = [&](const std::vector<Tensor> &results, const Tensor &expected) {
        for (const Tensor &result : results)
          wrong += bytesOf(result) != bytesOf(expected);
      };
      check(shared, rows);
      for (int round = 0; round < 5; ++round) {
        Tensor ids = Tensor::full({t + 1}, t * 10 + round, DType::int64);
        Tensor expected = gather(rows, ids, 0);
        check(embedding(ids), expected);
        check(model(ids), expected);
        try {
          model(ids + 100);
          ++wrong;
        } catch (const IndexError &) {
        }
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}
