#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <thread>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct TwoInThreeOut : nn::Module<TwoInThreeOut> {
  Tensor weight;
  KILN_FIELDS(weight)
  std::tuple<Tensor, Tensor, Tensor> operator()(const Tensor &x, const Tensor &y) const {
    return {x + y, x * weight, y};
  }
};

struct Parts : nn::Module<Parts> {
  std::vector<Tensor> operator()(const Tensor &x) const { return {x, x * 2, x.sum(0)}; }
};

struct Reads : nn::Module<Reads> {
  Tensor operator()(const Tensor &x) const { return x * x.sum().item<float>(); }
};

template <class Model, class... Arguments>
concept Takes = requires(const Model &model, const Arguments &...x) { model(x...); };

TEST(Compile, OneArtifactServesEverySize) {
  nn::Linear linear(2, 3);
  auto model = linear.compile(TensorType(DType::float32, {"batch", 2}));
  static_assert(std::is_same_v<decltype(model(Tensor())), Tensor>);
  static_assert(Takes<decltype(model), Tensor>);
  static_assert(!Takes<decltype(model)> && !Takes<decltype(model), Tensor, Tensor>);
  auto before = runtimeStats();
  for (int64_t batch : {1, 3, 10})
    EXPECT_EQ(model(random::uniform({batch, 2})).shape(), (Shape{batch, 3}));
  EXPECT_EQ(runtimeStats().compiles, before.compiles);
  auto again = linear.compile(TensorType(DType::float32, {"batch", 2}));
  EXPECT_EQ(again.stats().cacheHit, CacheHit::memory);
  EXPECT_EQ(again.stats().missReason, "");
  EXPECT_GE(model.stats().kernels, 1);
  EXPECT_GT(model.stats().traceSeconds, 0);
}

TEST(Compile, ResultsAreTuplesAndVectorsOfTensors) {
  TwoInThreeOut module{.weight = Tensor::constant({2.0f, 3.0f})};
  TensorType type(DType::float32, {"n", 2});
  auto model = module.compile(type, type);
  Tensor x = Tensor::constant({{1.0f, 2.0f}}), y = Tensor::constant({{10.0f, 20.0f}});
  auto [sum, product, same] = model(x, y);
  EXPECT_THAT(sum.toVector<float>(), ElementsAre(11, 22));
  EXPECT_THAT(product.toVector<float>(), ElementsAre(2, 6));
  EXPECT_THAT(same.toVector<float>(), ElementsAre(10, 20));

  auto parts = Parts{}.compile(type);
  static_assert(std::is_same_v<decltype(parts(x)), std::vector<Tensor>>);
  std::vector<Tensor> results = parts(x);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_THAT(results[1].toVector<float>(), ElementsAre(2, 4));
}

TEST(Compile, GuardsEveryCall) {
  nn::Linear linear(2, 3);
  CompileOptions options{.constraints = {Dim("batch").between(1, 8)}};
  auto model = linear.compile(options, TensorType(DType::float32, {"batch", 2}));
  auto refusal = [&](const Tensor &x) -> std::string {
    try {
      model(x);
    } catch (const ValueError &error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
  };
  EXPECT_THAT(refusal(Tensor::ones({3, 5})), HasSubstr("argument 0"));
  EXPECT_THAT(refusal(Tensor::ones({2})), HasSubstr("argument 0"));
  EXPECT_THAT(refusal(Tensor::ones({3, 2}, DType::float64)), HasSubstr("argument 0"));
  EXPECT_THAT(refusal(Tensor::ones({9, 2})), HasSubstr("batch"));

  TwoInThreeOut module{.weight = Tensor::ones({1})};
  TensorType type(DType::float32, {"n"});
  auto two = module.compile(type, type);
  try {
    two(Tensor::ones({10}), Tensor::ones({12}));
    ADD_FAILURE() << "nothing was thrown";
  } catch (const ValueError &error) {
    EXPECT_THAT(error.what(), HasSubstr("symbolic dimension \"n\": expected 10 (from argument 0, "
                                        "dim 0), got 12"));
  }
}

struct Cuts : nn::Module<Cuts> {
  Tensor table = Tensor::ones({48, 3});
  KILN_FIELDS(table)
  std::pair<Tensor, Tensor> operator()(const Tensor &x, const Tensor &y) const {
    return {x + table.slice({Slice(0, x.shape()[0])}), y.slice({Slice(2, x.shape()[0])}).max(0)};
  }
};

TEST(Compile, SaysWhatAnOperationNeededOfSizes) {
  auto model = Cuts().compile(TensorType(DType::float32, {"seq", 3}),
                              TensorType(DType::float32, {"rows", 3}));
  auto refusal = [&](int64_t seq, int64_t rows) -> std::string {
    try {
      model(Tensor::ones({seq, 3}), Tensor::ones({rows, 3}));
    } catch (const ValueError &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(48, 48), "");
  EXPECT_EQ(refusal(3, 3), "");
  EXPECT_THAT(refusal(60, 60),
              HasSubstr("x [48, 3] f32: needs seq <= 48, but seq is 60 (argument 0, "
                        "dim 0) (at CompileTest.cpp:"));
  EXPECT_THAT(refusal(10, 7),
              HasSubstr("x [rows, 3] f32: needs seq <= rows, but rows is 7 (argument 1, dim "
                        "0), seq is 10 (argument 0, dim 0) (at CompileTest.cpp:"));
  EXPECT_THAT(refusal(1, 7), HasSubstr("needs 2 <= seq, but seq is 1 (argument 0, dim 0)"));
  EXPECT_THAT(refusal(2, 7), HasSubstr("needs 3 <= seq, but seq is 2 (argument 0, dim 0)"));
}

TEST(Compile, ContentsAreNotKnownWhileTracing) {
  TensorType type(DType::float32, {"n"});
  try {
    Reads{}.compile(type);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const TypeError &error) {
    EXPECT_THAT(error.what(), HasSubstr("[item]"));
    EXPECT_THAT(error.what(), HasSubstr("traced"));
    EXPECT_THAT(error.what(), HasSubstr("CompileTest.cpp"));
  }
  EXPECT_THROW(nn::Linear(2, 3).compile(TensorType(DType::float32, {Dim("n") + 1, 2})), ValueError);
  EXPECT_THROW(nn::Linear(2, 3).compile(TensorType(DType::float32, {"n", 4})), ValueError);
}

struct AddsPositions : nn::Module<AddsPositions> {
  Tensor operator()(const Tensor &x) const {
    return x + Tensor::arange(0, x.shape()[0], 1) + Tensor::zeros({x.shape()[0]}, x.dtype());
  }
};

TEST(Compile, MakesTensorsOfSymbolicSizesOnTheDefaultDevice) {
  for (Device device : {CPU(), CPU(1)}) {
    DefaultsScope scope(DType::float32, device);
    auto model = AddsPositions{}.compile(TensorType(DType::int64, {"n"}));
    EXPECT_THAT(model(Tensor::ones({4}, DType::int64)).toVector<int64_t>(),
                ElementsAre(1, 2, 3, 4));
  }
}

TEST(Compile, LimitsTheThreadsOfACall) {
  nn::Linear linear(64, 300);
  TensorType type(DType::float32, {"n", 64});
  auto all = linear.compile(type);
  auto one = linear.compile(CompileOptions{.threads = 1}, type);
  EXPECT_EQ(one.stats().cacheHit, CacheHit::memory) << "the same code";
  Tensor x = random::normal({100, 64});
  EXPECT_EQ(one(x).toVector<float>(), all(x).toVector<float>());
  for (int64_t wrong : {-1, 1025})
    try {
      linear.compile(CompileOptions{.threads = wrong}, type);
      ADD_FAILURE() << wrong;
    } catch (const ValueError &error) {
      EXPECT_THAT(error.what(), HasSubstr("[compile] the number of threads must be between 0 and "
                                          "1024, got " +
                                          std::to_string(wrong) + " (at CompileTest.cpp:"));
    }
}

TEST(Compile, MayBeCalledFromManyThreads) {
  nn::Linear linear(8, 8);
  auto model = linear.compile(TensorType(DType::float32, {"batch", 8}));
  Tensor x = random::uniform({5, 8});
  std::vector<float> expected = model(x).toVector<float>();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int call = 0; call < 200; ++call)
        wrong += model(x).toVector<float>() != expected;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Compile, ShowsTheIrOfAStage) {
  nn::Linear linear(2, 3);
  auto model = linear.compile(TensorType(DType::float32, {"batch", 2}));
  EXPECT_THROW(model.ir("no-such-stage"), KeyError);
  EXPECT_THAT(model.ir("import"), HasSubstr("kiln.matmul"));
}

} // namespace
