#include "runtime/Executable.h"

#include "kiln/Error.h"
#include "kiln/Threads.h"
#include "runtime/ThreadPool.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

using namespace kiln;
using namespace kiln::runtime;

namespace {

template <class T> TensorValue value(std::vector<int64_t> sizes, std::vector<T> contents) {
  TensorType type(dtypeOf<T>(), Shape(std::span<const int64_t>(sizes)), CPU());
  return {type, Buffer::copyOf(std::as_bytes(std::span(contents)))};
}

template <class T> std::vector<T> contents(const TensorValue &value) {
  const T *data = value.buffer->as<T>();
  return {data, data + value.buffer->sizeBytes() / sizeof(T)};
}

std::string messageOf(auto &&call) {
  try {
    call();
  } catch (const Error &error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::vector<TensorValue> run(const Executable &executable, const std::vector<TensorValue> &inputs,
                             std::span<const int64_t> symbols = {}) {
  std::vector<const TensorValue *> pointers;
  for (const TensorValue &input : inputs)
    pointers.push_back(&input);
  return executable.run(pointers, symbols);
}

ArtifactInput argument(DType dtype, Shape shape) {
  return {false, "", TensorType(dtype, std::move(shape), CPU()), {}};
}

TensorType f32(Shape shape) { return TensorType(DType::float32, std::move(shape), CPU()); }

/// out[i] = x[i] * y[i] over n elements, in tasks of one element, by way of the workspace.
void multiply(const KilnRuntime *runtime, void *const *buffers, const int64_t *dims) {
  runtime->parallelFor(
      runtime, dims[0],
      [](void *context, int64_t begin, int64_t end, int64_t) {
        auto *b = static_cast<float **>(context);
        for (int64_t i = begin; i < end; ++i)
          b[3][i] = b[0][i] * b[1][i];
      },
      const_cast<void **>(buffers));
  std::copy_n(static_cast<float *>(buffers[3]), dims[0], static_cast<float *>(buffers[2]));
}

Artifact multiplyArtifact() {
  Artifact artifact;
  artifact.symbols = {"n"};
  artifact.inputs = {argument(DType::float32, {"n"}), argument(DType::float32, {"n"})};
  artifact.outputs = {{f32({"n"}), {}}};
  artifact.workspace = Dim("n") * 4;
  return artifact;
}

} // namespace

TEST(Executable, RunsAnEntryAtAnySize) {
  auto executable = Executable::fromEntry(multiplyArtifact(), multiply);
  auto results = run(*executable, {value<float>({3}, {1, 2, 3}), value<float>({3}, {4, 5, 6})});
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].type, f32({3}));
  EXPECT_EQ(contents<float>(results[0]), (std::vector<float>{4, 10, 18}));
  std::vector<float> many(100000, 3);
  results = run(*executable, {value<float>({100000}, many), value<float>({100000}, many)});
  EXPECT_EQ(contents<float>(results[0]), std::vector<float>(100000, 9));
  results = run(*executable, {value<float>({0}, {}), value<float>({0}, {})});
  EXPECT_EQ(results[0].type, f32({0}));
}

TEST(Executable, RunsMachineCode) {
  // mov rax, [rsi]; mov eax, [rax]; mov rcx, [rsi + 8]; mov [rcx], eax; ret: out[0] = in[0]
  const unsigned char code[] = {0x90, 0x90, 0x48, 0x8b, 0x06, 0x8b, 0x00,
                                0x48, 0x8b, 0x4e, 0x08, 0x89, 0x01, 0xc3};
  Artifact artifact;
  artifact.target = "x86-64";
  artifact.inputs = {argument(DType::float32, {})};
  artifact.outputs = {{f32({}), {}}};
  for (unsigned char byte : code)
    artifact.code.push_back(std::byte{byte});
  artifact.entryOffset = 2;
  auto executable = Executable::load(artifact);
  EXPECT_TRUE(executable->artifact().code.empty()) << "kept once";
  EXPECT_EQ(contents<float>(run(*executable, {value<float>({}, {42.5f})})[0]),
            std::vector<float>{42.5f});
  artifact.entryOffset = sizeof(code);
  EXPECT_THROW(Executable::load(artifact), CompileError);
  artifact.entryOffset = 0;
  artifact.target = "x86-64-v9";
  EXPECT_EQ(messageOf([&] { Executable::load(artifact); }),
            "code for target \"x86-64-v9\": \"x86-64-v9\" is unknown here");
  artifact.target = "x86-64+quantum";
  EXPECT_THROW(Executable::load(artifact), DeviceError);
}

TEST(Executable, GuardsNameWhatWasExpectedAndWhatCame) {
  Artifact artifact;
  artifact.symbols = {"n", "seq"};
  artifact.inputs = {argument(DType::float32, {"n", 2}), argument(DType::int64, {"n", "seq"})};
  artifact.outputs = {{f32({"n"}), {}}};
  artifact.constraints = {Dim("n").between(1, 1024), Dim("seq").multipleOf(8),
                          (Dim("n") * Dim("seq")).between(0, 4096)};
  bool entered = false;
  static bool *flag;
  flag = &entered;
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *, void *const *, const int64_t *) { *flag = true; });
  auto x = [](int64_t rows, int64_t columns = 2) {
    return value<float>({rows, columns}, std::vector<float>(rows * columns));
  };
  auto ids = [](int64_t rows, int64_t columns) {
    return value<int64_t>({rows, columns}, std::vector<int64_t>(rows * columns));
  };
  auto message = [&](const TensorValue &first, const TensorValue &second) {
    return messageOf([&] { run(*executable, {first, second}); });
  };
  EXPECT_EQ(message(x(10), ids(12, 8)),
            "argument 1: symbolic dimension \"n\": expected 10 (from argument 0, dim 0), got 12");
  EXPECT_EQ(message(x(10, 3), ids(10, 8)), "argument 0: dim 1: expected 2, got 3");
  EXPECT_EQ(message(ids(10, 2), ids(10, 8)), "argument 0: expected dtype float32, got int64");
  EXPECT_EQ(message(value<float>({2}, {1, 2}), ids(10, 8)),
            "argument 0: expected rank 2 ([n, 2] f32), got rank 1 ([2] f32)");
  EXPECT_EQ(message(x(0), ids(0, 8)),
            "argument 0: symbolic dimension \"n\": expected between 1 and 1024, got 0");
  EXPECT_EQ(message(x(3), ids(3, 12)),
            "argument 1: symbolic dimension \"seq\": expected a multiple of 8, got 12");
  EXPECT_EQ(message(x(1000), ids(1000, 8)),
            "symbolic dimension \"n * seq\": expected between 0 and 4096, got 8000");
  TensorValue elsewhere = x(10);
  elsewhere.type.device = CPU(1);
  EXPECT_EQ(message(elsewhere, ids(10, 8)), "argument 0: expected device cpu:0, got cpu:1");
  TensorValue lying = x(10);
  lying.type.shape = Shape{11, 2};
  EXPECT_EQ(message(lying, ids(11, 8)),
            "argument 0: its buffer has 80 bytes, too few for [11, 2] f32");
  EXPECT_EQ(messageOf([&] { run(*executable, {x(10)}); }), "expected 2 inputs, got 1");
  EXPECT_FALSE(entered) << "guards come before the entry";
  EXPECT_NO_THROW(run(*executable, {x(10), ids(10, 8)}));
  EXPECT_TRUE(entered);
}

TEST(Executable, TheSameNameTwiceInOneArgument) {
  Artifact artifact;
  artifact.symbols = {"n"};
  artifact.inputs = {argument(DType::float32, {"n", "n"})};
  auto executable =
      Executable::fromEntry(artifact, [](const KilnRuntime *, void *const *, const int64_t *) {});
  EXPECT_EQ(messageOf([&] { run(*executable, {value<float>({10, 12}, std::vector<float>(120))}); }),
            "argument 0: symbolic dimension \"n\": expected 10 (from argument 0, dim 0), got 12");
}

TEST(Executable, SymbolsMayBeGiven) {
  Artifact artifact;
  artifact.symbols = {"n", "m"};
  artifact.inputs = {argument(DType::float32, {Dim("n") * 2 + Dim("m")})};
  artifact.outputs = {{f32({"m", Dim("n") + 1}), {}}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *, void *const *buffers, const int64_t *dims) {
        std::fill_n(static_cast<float *>(buffers[1]), dims[1] * (dims[0] + 1), float(dims[0]));
      });
  std::vector<TensorValue> inputs = {value<float>({7}, std::vector<float>(7))};
  int64_t symbols[] = {2, 3};
  auto results = run(*executable, inputs, symbols);
  EXPECT_EQ(results[0].type, f32({3, 3}));
  EXPECT_EQ(contents<float>(results[0]), std::vector<float>(9, 2));
  int64_t wrong[] = {3, 3};
  EXPECT_EQ(messageOf([&] { run(*executable, inputs, wrong); }),
            "argument 0: dim 0: expected 9 (from m + n * 2), got 7");
  EXPECT_EQ(messageOf([&] { run(*executable, inputs); }),
            "symbolic dimension \"n\": no input has it as a dim, so its value must be given");
  EXPECT_EQ(messageOf([&] { run(*executable, inputs, std::span(symbols, 1)); }),
            "expected 2 values of symbols, got 1");
}

TEST(Executable, IndexErrorsTellTheFirstBadIndex) {
  Artifact artifact;
  artifact.symbols = {"batch"};
  artifact.inputs = {argument(DType::int64, {"batch"})};
  artifact.indexSites = {
      {"[gather] indices [batch] i64 into axis 0 of table [5, 2] f32", "net.cpp:42"}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *dims) {
        struct Context {
          const KilnRuntime *runtime;
          const int64_t *indices;
        } context{runtime, static_cast<const int64_t *>(buffers[0])};
        runtime->parallelFor(
            runtime, dims[0],
            [](void *pointer, int64_t begin, int64_t end, int64_t) {
              auto *c = static_cast<Context *>(pointer);
              for (int64_t i = begin; i < end; ++i)
                if (c->indices[i] < 0 || c->indices[i] >= 5)
                  c->runtime->indexError(c->runtime, 0, c->indices[i], i, 5);
            },
            &context);
      });
  EXPECT_NO_THROW(run(*executable, {value<int64_t>({4}, {0, 1, 2, 4})}));
  for (int round = 0; round < 100; ++round)
    EXPECT_EQ(messageOf([&] { run(*executable, {value<int64_t>({4}, {0, 1, 2, 7})}); }),
              "[gather] index 7 at position 3 is out of range [0, 5): indices [4] i64 into axis 0 "
              "of table [5, 2] f32 (at net.cpp:42)");
  std::vector<int64_t> all(1000, -1);
  EXPECT_THAT(messageOf([&] { run(*executable, {value<int64_t>({1000}, all)}); }),
              testing::StartsWith("[gather] index -1 at position 0 is out of range [0, 5)"));
  EXPECT_THROW(run(*executable, {value<int64_t>({1}, {5})}), IndexError);
  EXPECT_NO_THROW(run(*executable, {value<int64_t>({1}, {4})})) << "the next call starts clean";
}

TEST(Executable, OutputsMayBeInputs) {
  Artifact artifact;
  artifact.symbols = {"n"};
  artifact.inputs = {argument(DType::float32, {"n", 2})};
  artifact.outputs = {{f32({Dim("n") * 2}), 0u}, {f32({}), {}}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *, void *const *buffers, const int64_t *) {
        *static_cast<float *>(buffers[2]) = buffers[0] == buffers[1];
      });
  std::vector<TensorValue> inputs = {value<float>({3, 2}, {1, 2, 3, 4, 5, 6})};
  auto results = run(*executable, inputs);
  EXPECT_EQ(results[0].buffer, inputs[0].buffer);
  EXPECT_EQ(results[0].type, f32({6}));
  EXPECT_EQ(contents<float>(results[1])[0], 1);
  artifact.outputs[0].aliasOfInput = 1;
  EXPECT_THROW(Executable::fromEntry(artifact, nullptr), CompileError);
}

TEST(Executable, SizesThatDoNotWorkOutAreValueErrors) {
  Artifact artifact;
  artifact.symbols = {"n"};
  artifact.inputs = {argument(DType::float32, {"n"})};
  artifact.outputs = {{f32({Dim("n") - 5}), {}}};
  KilnEntry nothing = [](const KilnRuntime *, void *const *, const int64_t *) {};
  auto three = value<float>({3}, {1, 2, 3});
  EXPECT_EQ(messageOf([&] { run(*Executable::fromEntry(artifact, nothing), {three}); }),
            "output 0: dim 0: n - 5 is -2");
  artifact.outputs = {{f32({Dim("n"), int64_t{1} << 60}), {}}};
  EXPECT_THROW(run(*Executable::fromEntry(artifact, nothing), {three}), ValueError);
  artifact.outputs.clear();
  artifact.scratchPerThread = Dim("n") * (int64_t{1} << 62);
  EXPECT_THROW(run(*Executable::fromEntry(artifact, nothing), {three}), ValueError);
  artifact.scratchPerThread = int64_t{1} << 50;
  EXPECT_THROW(run(*Executable::fromEntry(artifact, nothing), {three}), DeviceError);
}

TEST(Executable, ScratchIsThereForEveryWorker) {
  Artifact artifact;
  artifact.symbols = {"n"};
  artifact.inputs = {argument(DType::int64, {"n"})};
  artifact.outputs = {{TensorType(DType::int64, {"n"}, CPU()), {}}};
  artifact.workspace = 8; // rounded up to 64
  artifact.scratchPerThread = 4096;
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *dims) {
        runtime->parallelFor(
            runtime, dims[0],
            [](void *context, int64_t begin, int64_t end, int64_t worker) {
              auto *b = static_cast<char **>(context);
              char *scratch = b[2] + 64 + worker * 4096;
              std::fill_n(scratch, 4096, char(worker));
              for (int64_t i = begin; i < end; ++i)
                reinterpret_cast<int64_t *>(b[1])[i] =
                    std::count(scratch, scratch + 4096, char(worker));
            },
            const_cast<void **>(buffers));
      });
  int64_t before = threadCount();
  for (int64_t threads : {1, 2, 7}) {
    setThreadCount(threads);
    auto results = run(*executable, {value<int64_t>({500}, std::vector<int64_t>(500))});
    EXPECT_EQ(contents<int64_t>(results[0]), std::vector<int64_t>(500, 4096));
  }
  setThreadCount(before);
}

TEST(Executable, ManyThreadsMayCallAtOnce) {
  auto executable = Executable::fromEntry(multiplyArtifact(), multiply);
  std::vector<std::thread> callers;
  for (int64_t c = 1; c <= 4; ++c)
    callers.emplace_back([&, c] {
      int64_t n = 1000 * c;
      std::vector<TensorValue> inputs = {value({n}, std::vector<float>(n, float(c))),
                                         value({n}, std::vector<float>(n, 2))};
      for (int round = 0; round < 100; ++round)
        ASSERT_EQ(contents<float>(run(*executable, inputs)[0]),
                  std::vector<float>(n, 2 * float(c)));
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(BoundModel, HoldsPackedWeightsAndChecksOnlyArguments) {
  Artifact artifact;
  artifact.symbols = {"n"};
  ArtifactInput weight{true,
                       "linear.weight",
                       f32({3, 2}),
                       {{Packing::Kind::rowPanels, 4}, {Packing::Kind::none, 0}}};
  artifact.inputs = {weight, argument(DType::float32, {"n", 2})};
  artifact.outputs = {{f32({"n", 3}), {}}, {f32({3, 2}), 0u}};
  // buffers: weight in panels, weight, x, out, alias, workspace
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *, void *const *buffers, const int64_t *dims) {
        auto *panels = static_cast<const float *>(buffers[0]);
        auto *x = static_cast<const float *>(buffers[2]);
        auto *out = static_cast<float *>(buffers[3]);
        for (int64_t i = 0; i < dims[0]; ++i)
          for (int64_t n = 0; n < 3; ++n) {
            out[i * 3 + n] = 0;
            for (int64_t k = 0; k < 2; ++k)
              out[i * 3 + n] += x[i * 2 + k] * panels[k * 4 + n];
          }
      });
  TensorValue w = value<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  const TensorValue *weights[] = {&w};
  auto bound = executable->bindWeights(weights);
  TensorValue x = value<float>({1, 2}, {10, 1});
  const TensorValue *arguments[] = {&x};
  auto results = bound->run(arguments);
  EXPECT_EQ(contents<float>(results[0]), (std::vector<float>{12, 34, 56}));
  EXPECT_EQ(results[1].buffer, w.buffer);
  EXPECT_EQ(contents<float>(run(*executable, {w, x})[0]), (std::vector<float>{12, 34, 56}));

  TensorValue wrong = value<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const TensorValue *wrongWeights[] = {&wrong};
  EXPECT_EQ(messageOf([&] { executable->bindWeights(wrongWeights); }),
            "weight linear.weight: dim 0: expected 3, got 2");
  const TensorValue *badArguments[] = {&wrong};
  EXPECT_EQ(messageOf([&] { bound->run(badArguments); }), "argument 0: dim 1: expected 2, got 3");
  EXPECT_EQ(messageOf([&] { bound->run({}); }), "expected 1 arguments, got 0");
}

TEST(BoundModel, LimitsTheThreadsOfItsCalls) {
  ThreadPool &pool = ThreadPool::instance();
  int64_t before = pool.threads();
  pool.setThreads(3);
  Artifact artifact;
  artifact.outputs = {{TensorType(DType::int64, Shape({1}), CPU()), {}}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *) {
        *static_cast<int64_t *>(buffers[0]) = runtime->threads;
      });
  auto threadsOf = [&](int64_t most) {
    return contents<int64_t>(executable->bindWeights({}, {}, most)->run({})[0])[0];
  };
  EXPECT_EQ(threadsOf(0), 3);
  EXPECT_EQ(threadsOf(2), 2);
  EXPECT_EQ(threadsOf(100), 3);
  pool.setThreads(before);
}
