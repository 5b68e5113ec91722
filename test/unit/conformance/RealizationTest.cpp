#include "kiln/kiln.h"

#include <atomic>
#include <exception>
#include <functional>
#include <gmock/gmock.h>
#include <set>
#include <thread>

// MAX's tests/test_functional_threading.py, tests/test_executor.py,
// tests/graph/test_compile_init.py and what the API promises of threads.

using namespace kiln;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

/// Runs f on several threads at once, and throws what one of them threw.
void onThreads(int count, const std::function<void(int)> &f) {
  std::atomic<int> waiting{count};
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      for (--waiting; waiting > 0;)
        std::this_thread::yield(); // begin together
      try {
        f(i);
      } catch (...) {
        errors[static_cast<std::size_t>(i)] = std::current_exception();
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::exception_ptr &error : errors)
    if (error)
      std::rethrow_exception(error);
}

void expectZeros(const Tensor &sum) {
  EXPECT_EQ(sum.shape(), (Shape{4, 8}));
  EXPECT_THAT(sum.toVector<float>(), Each(0.0f));
}

Tensor zeros() { return Tensor::zeros({4, 8}, DType::float32, CPU()); }

// tests/test_functional_threading.py

TEST(MaxFunctionalThreading, test_eager_op_in_background_thread) {
  onThreads(1, [](int) { expectZeros((zeros() + zeros()).realize()); });
}
TEST(MaxFunctionalThreading, test_lazy_block_in_background_thread) {
  onThreads(1, [](int) {
    Tensor sum = zeros() + zeros();
    EXPECT_FALSE(sum.isRealized());
    expectZeros(sum);
  });
}
TEST(MaxFunctionalThreading, test_explicit_context_in_background_thread) {
  onThreads(1, [](int) {
    Graph graph("context");
    {
      auto scope = graph.enter();
      graph.output(zeros() + zeros());
    }
    expectZeros(graph.compile()());
  });
}
TEST(MaxFunctionalThreading, test_lazy_realize_after_exit) {
  Tensor sum; // recorded on one thread, read on another
  onThreads(1, [&](int) { sum = zeros() + zeros(); });
  expectZeros(sum);
  Tensor other = zeros() + zeros();
  onThreads(1, [&](int) { expectZeros(other); });
}
TEST(MaxFunctionalThreading, test_realize_all_in_background_thread) {
  onThreads(1, [](int) {
    Tensor a = zeros() + zeros(), b = a * 2;
    realize(a, b);
    EXPECT_TRUE(a.isRealized() && b.isRealized());
    expectZeros(a);
    expectZeros(b);
  });
}

TEST(Threads, ManyReadOneTensorAndShareWhatIsBelowIt) {
  Tensor base = Tensor::arange(0, 1000, 1, DType::float32, CPU()) * 3;
  Tensor shared = base + 1;
  onThreads(8, [&](int i) {
    Tensor own = shared * static_cast<float>(i);
    std::vector<float> values = own.toVector<float>();
    for (std::size_t k : {0u, 1u, 999u})
      EXPECT_EQ(values[k], static_cast<float>(i) * (3 * static_cast<float>(k) + 1));
  });
}

TEST(Threads, TracesAreOfTheirThread) {
  onThreads(8, [](int i) {
    Tensor ones = Tensor::ones({1, 2}, DType::float32, CPU());
    Tensor row = Tensor::ones({2}, DType::float32, CPU());
    Graph graph("thread " + std::to_string(i));
    auto scope = graph.enter();
    Tensor x = graph.input(TensorType(DType::float32, {"n"}, CPU()));
    graph.output(x * i);
    nn::Linear linear(2, 3, true, DType::float32, CPU());
    auto model = linear.compile(TensorType(DType::float32, {"n", 2}, CPU()));
    auto run = graph.compile();
    EXPECT_EQ(model(ones).shape(), (Shape{1, 3})); // within the scope: models run
    EXPECT_EQ(Tensor(run(row)).toVector<float>(), std::vector<float>(2, static_cast<float>(i)));
  });
}

TEST(Threads, EqualGraphsCompileOnceAtOnce) {
  auto before = runtimeStats();
  std::set<CacheHit> hits;
  std::mutex mutex;
  onThreads(8, [&](int) {
    Graph graph("same");
    {
      auto scope = graph.enter();
      Tensor x = graph.input(TensorType(DType::float32, {"threads_same", 3}, CPU()));
      graph.output(softmax(x * 1.25f) - 0.125f);
    }
    auto run = graph.compile();
    Tensor y = run(Tensor::zeros({2, 3}, DType::float32, CPU()));
    EXPECT_FLOAT_EQ(y.toVector<float>()[0], 1.0f / 3 - 0.125f);
    std::lock_guard lock(mutex);
    hits.insert(run.stats().cacheHit);
  });
  auto after = runtimeStats();
  EXPECT_LE(after.compiles + after.diskHits - before.compiles - before.diskHits, 1);
  EXPECT_TRUE(hits.contains(CacheHit::memory));
}

TEST(Threads, DifferentGraphsCompileAtOnce) {
  onThreads(8, [](int i) {
    Graph graph("different");
    {
      auto scope = graph.enter();
      Tensor x = graph.input(TensorType(DType::float32, {"n"}, CPU()));
      for (int k = 0; k <= i; ++k)
        x = x * 2 + 1;
      graph.output(x);
    }
    Tensor y = graph.compile()(Tensor::zeros({2}, DType::float32, CPU()));
    EXPECT_THAT(y.toVector<float>(), Each(static_cast<float>((2 << i) - 1)));
  });
}

// tests/test_executor.py

/// x [3, 4] + constant [1, 1].
Graph addConstant() {
  Graph graph("add_constant");
  auto scope = graph.enter();
  Tensor x = graph.input(TensorType(DType::float32, {2}, CPU()));
  graph.output(x + ops::constant({1.0f, 1.0f}, {2}, DType::float32, CPU()));
  return graph;
}

TEST(MaxExecutor, test_compiled_and_eager_agree) {
  Tensor x = Tensor::constant({3.0f, 4.0f}, DType::float32, CPU());
  EXPECT_THAT(addConstant().compile()(x)[0].toVector<float>(), ElementsAre(4, 5));
  EXPECT_THAT((x + Tensor::constant({1.0f, 1.0f}, DType::float32, CPU())).toVector<float>(),
              ElementsAre(4, 5));
}
TEST(MaxExecutor, test_identical_graphs_share_a_cache_entry) {
  auto first = addConstant().compile();
  auto before = runtimeStats();
  auto second = addConstant().compile();
  EXPECT_EQ(second.stats().cacheHit, CacheHit::memory);
  EXPECT_EQ(second.stats().compileSeconds, 0);
  EXPECT_EQ(runtimeStats().compiles, before.compiles);
  EXPECT_EQ(runtimeStats().memoryHits, before.memoryHits + 1);
}
TEST(MaxExecutor, test_failed_compile_reraises_on_every_call) {
  Graph graph = addConstant();
  CompileOptions wrong{.target = "no-such-machine"};
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT([&] { graph.compile(wrong); },
                ThrowsMessage<ValueError>(HasSubstr("no-such-machine")));
  CompileOptions pass{.disabledPasses = {"no-such-pass"}};
  onThreads(4, [&](int) { EXPECT_THROW(graph.compile(pass), ValueError); });
  Tensor x = Tensor::constant({3.0f, 4.0f}, DType::float32, CPU());
  EXPECT_THAT(graph.compile()(x)[0].toVector<float>(), ElementsAre(4, 5));
}
TEST(MaxExecutor, test_runtime_errors_propagate) {
  Tensor table = Tensor::ones({3, 2}, DType::float32, CPU());
  Tensor bad = gather(table, Tensor::constant({0, 7}, DType::int32, CPU()));
  for (int i = 0; i < 3; ++i) // each read meets it again
    EXPECT_THROW(bad.toVector<float>(), IndexError);
  EXPECT_THAT(table.toVector<float>(), Each(1.0f));
}

// tests/graph/test_compile_init.py

TEST(MaxCompileInit, test_compiled_model_can_be_initialized_twice) {
  nn::Linear first(4, 3, true, DType::float32, CPU()), second(4, 3, true, DType::float32, CPU());
  TensorType type(DType::float32, {"batch", 4}, CPU());
  auto a = first.compile(type), b = second.compile(type);
  // One artifact, two models: weights are no part of it.
  EXPECT_EQ(b.stats().cacheHit, CacheHit::memory);
  Tensor x = random::uniform({2, 4}, 0, 1, DType::float32, CPU());
  EXPECT_EQ(a(x).toVector<float>(), first(x).toVector<float>());
  EXPECT_EQ(b(x).toVector<float>(), second(x).toVector<float>());
  EXPECT_NE(a(x).toVector<float>(), b(x).toVector<float>());
}
TEST(MaxCompileInit, test_compile_init_matches_load) {
  nn::Linear linear(4, 3, true, DType::float32, CPU());
  TensorType type(DType::float32, {"batch", 4}, CPU());
  auto a = linear.compile(type), b = linear.compile(type);
  auto copy = a;
  Tensor x = random::uniform({2, 4}, 0, 1, DType::float32, CPU());
  EXPECT_EQ(a(x).toVector<float>(), b(x).toVector<float>());
  EXPECT_EQ(a(x).toVector<float>(), copy(x).toVector<float>());
}
TEST(MaxCompileInit, test_init_rejects_non_contiguous_weights) {
  // A view is a tensor of its own, dense when it is read, so that any tensor may be a weight.
  Tensor matrix = random::uniform({4, 4}, 0, 1, DType::float32, CPU());
  struct Product : nn::Module<Product> {
    Tensor weight;
    void visitFields(nn::detail::FieldVisitor &visitor) { visitField("weight", weight, visitor); }
    void describe(nn::Description &) const {}
    Tensor operator()(const Tensor &x) const { return matmul(x, weight); }
  } product;
  product.weight = matrix.T();
  auto model = product.compile(TensorType(DType::float32, {"batch", 4}, CPU()));
  Tensor x = random::uniform({2, 4}, 0, 1, DType::float32, CPU());
  EXPECT_EQ(model(x).toVector<float>(), matmul(x, matrix.T()).toVector<float>());
}

} // namespace
