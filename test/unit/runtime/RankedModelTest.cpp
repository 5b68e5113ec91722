#include "runtime/RankedModel.h"

#include "kiln/Error.h"
#include "kiln/Threads.h"
#include "runtime/HostMemory.h"

#include <gmock/gmock.h>

#include <cstring>
#include <thread>

using namespace kiln;
using namespace kiln::runtime;

namespace {

using Entry = void(const KilnRuntime *, void *const *, const int64_t *);

template <class T>
TensorValue value(std::vector<int64_t> sizes, const std::vector<T> &contents, Device device = {}) {
  TensorType type(dtypeOf<T>(), Shape(std::span<const int64_t>(sizes)), device);
  return {type, Buffer::copyOf(std::as_bytes(std::span(contents)), device)};
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

std::vector<Device> cpus(int64_t count) {
  std::vector<Device> devices;
  for (int64_t i = 0; i < count; ++i)
    devices.push_back(CPU(static_cast<int>(i)));
  return devices;
}

TensorType f32(Shape shape) { return TensorType(DType::float32, std::move(shape), CPU()); }

constexpr int64_t vocab = 10, columns = 3;
constexpr int64_t rowsOf(int64_t ranks) { return (vocab + ranks - 1) / ranks; }

/// What the compiler makes of a gather from a table that is split by rows: the rows of this rank
/// and zeros, then their sum over all ranks.
template <int64_t ranks>
void lookUp(const KilnRuntime *runtime, void *const *buffers, const int64_t *dims) {
  struct Context {
    const KilnRuntime *runtime;
    const int64_t *ids;
    const float *table;
    float *partial;
  } context{runtime, static_cast<int64_t *>(buffers[0]), static_cast<float *>(buffers[1]),
            static_cast<float *>(buffers[3])};
  runtime->parallelFor(
      runtime, dims[0],
      [](void *opaque, int64_t begin, int64_t end, int64_t worker) {
        auto &[runtime, ids, table, partial] = *static_cast<Context *>(opaque);
        EXPECT_LT(worker, runtime->threads);
        for (int64_t i = begin; i < end; ++i) {
          if (ids[i] < 0 || ids[i] >= vocab) {
            runtime->indexError(runtime, 0, ids[i], i, vocab);
            continue;
          }
          int64_t row = ids[i] - runtime->rank * rowsOf(ranks);
          for (int64_t k = 0; k < columns; ++k)
            partial[i * columns + k] =
                row >= 0 && row < rowsOf(ranks) ? table[row * columns + k] : 0.0f;
        }
      },
      &context);
  runtime->allReduce(runtime, context.partial, buffers[2], dims[0] * columns,
                     static_cast<int64_t>(DType::float32));
}

Artifact lookUpArtifact(int64_t ranks) {
  Artifact artifact;
  artifact.ranks = ranks;
  artifact.symbols = {"n"};
  ArtifactInput ids, table;
  ids.type = TensorType(DType::int64, {"n"}, CPU());
  table.isWeight = true;
  table.name = "weight";
  table.type = f32({rowsOf(ranks), columns});
  table.shardAxis = 0;
  artifact.inputs = {ids, table};
  artifact.outputs = {{f32({"n", columns}), {}}};
  artifact.workspace = Dim("n") * (columns * 4);
  artifact.indexSites = {{"[gather] indices [n] i64", "net.cpp:4"}};
  return artifact;
}

float element(int64_t row, int64_t column) { return static_cast<float>(row * 100 + column + 1); }

template <int64_t ranks> std::shared_ptr<const RankedModel> table() {
  std::vector<TensorValue> parts;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    std::vector<float> rows(static_cast<std::size_t>(rowsOf(ranks) * columns));
    for (int64_t i = 0; i < rowsOf(ranks); ++i)
      for (int64_t k = 0; k < columns && rank * rowsOf(ranks) + i < vocab; ++k)
        rows[static_cast<std::size_t>(i * columns + k)] = element(rank * rowsOf(ranks) + i, k);
    parts.push_back(value<float>({rowsOf(ranks), columns}, rows, CPU(static_cast<int>(rank))));
  }
  RankedWeight weight{nullptr, parts};
  return RankedModel::bind(Executable::fromEntry(lookUpArtifact(ranks), lookUp<ranks>), cpus(ranks),
                           {&weight, 1});
}

std::vector<std::vector<TensorValue>> run(const RankedModel &model,
                                          const std::vector<TensorValue> &arguments) {
  std::vector<const TensorValue *> pointers;
  for (const TensorValue &argument : arguments)
    pointers.push_back(&argument);
  return model.run(pointers);
}

void expectRows(const RankedModel &model, const std::vector<int64_t> &ids) {
  auto size = static_cast<int64_t>(ids.size());
  auto results = run(model, {value<int64_t>({size}, ids)});
  ASSERT_EQ(results.size(), model.devices().size());
  std::vector<float> expected;
  for (int64_t id : ids)
    for (int64_t k = 0; k < columns; ++k)
      expected.push_back(element(id, k));
  for (std::size_t rank = 0; rank < results.size(); ++rank) {
    ASSERT_EQ(results[rank].size(), 1u);
    Device device = CPU(static_cast<int>(rank));
    EXPECT_EQ(results[rank][0].type, TensorType(DType::float32, {size, columns}, device));
    EXPECT_EQ(results[rank][0].buffer->device(), device);
    EXPECT_EQ(contents<float>(results[rank][0]), expected) << "rank " << rank;
  }
}

template <int64_t ranks> void expectLookUps() {
  auto model = table<ranks>();
  expectRows(*model, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  expectRows(*model, {3});
  expectRows(*model, {});
  expectRows(*model, std::vector<int64_t>(3000, 7));
}

/// A model without inputs that runs `entry` on some devices.
std::shared_ptr<const RankedModel> modelOf(int64_t ranks, Entry *entry) {
  Artifact artifact;
  artifact.ranks = ranks;
  artifact.outputs = {{f32({4}), {}}};
  return RankedModel::bind(Executable::fromEntry(artifact, entry), cpus(ranks), {});
}

} // namespace

TEST(RankedModel, RunsOneProgramOnOneToEightDevices) {
  expectLookUps<1>();
  expectLookUps<2>();
  expectLookUps<3>();
  expectLookUps<4>();
  expectLookUps<5>();
  expectLookUps<6>();
  expectLookUps<7>();
  expectLookUps<8>();
}

TEST(RankedModel, RanksShareTheThreads) {
  int64_t before = threadCount();
  for (int64_t threads : {1, 4, 9}) {
    setThreadCount(threads);
    expectLookUps<2>();
    expectLookUps<4>();
  }
  setThreadCount(before);
}

TEST(RankedModel, HoldsOnEachDeviceItsPartAndNoMore) {
  auto held = [](int device) { return memoryUsage(CPU(device)).heldBytes; };
  std::vector<int64_t> before;
  for (int device = 0; device < 8; ++device)
    before.push_back(held(device));
  auto model = table<8>();
  for (int device = 0; device < 8; ++device)
    EXPECT_EQ(held(device) - before[static_cast<std::size_t>(device)], rowsOf(8) * columns * 4);
  model.reset();
  for (int device = 0; device < 8; ++device)
    EXPECT_EQ(held(device), before[static_cast<std::size_t>(device)]);
}

TEST(RankedModel, CopiesWholeWeightsToEachDeviceOnce) {
  // out = weight + rank
  Artifact artifact;
  artifact.ranks = 3;
  ArtifactInput weight;
  weight.isWeight = true;
  weight.type = f32({4});
  artifact.inputs = {weight};
  artifact.outputs = {{f32({4}), {}}, {f32({4}), 0u}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *) {
        for (int i = 0; i < 4; ++i)
          static_cast<float *>(buffers[1])[i] =
              static_cast<float *>(buffers[0])[i] + static_cast<float>(runtime->rank);
      });
  int64_t before = memoryUsage(CPU(2)).heldBytes;
  TensorValue whole = value<float>({4}, {1, 2, 3, 4});
  RankedWeight given{&whole};
  auto first = RankedModel::bind(executable, cpus(3), {&given, 1});
  auto second = RankedModel::bind(executable, cpus(3), {&given, 1});
  EXPECT_EQ(memoryUsage(CPU(2)).heldBytes - before, 16);
  auto results = run(*second, {});
  EXPECT_EQ(contents<float>(results[0][0]), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(contents<float>(results[2][0]), (std::vector<float>{3, 4, 5, 6}));
  EXPECT_EQ(results[0][1].buffer, whole.buffer) << "where it is already";
  EXPECT_EQ(results[2][1].buffer->device(), CPU(2));
  EXPECT_EQ(contents<float>(results[2][1]), (std::vector<float>{1, 2, 3, 4}));
}

TEST(RankedModel, ABadIndexIsAnErrorWhicheverRankItIsOn) {
  auto model = table<4>();
  EXPECT_EQ(messageOf([&] { run(*model, {value<int64_t>({4}, {1, 10, 9, -3})}); }),
            "[gather] index 10 at position 1 is out of range [0, 10): indices [4] i64 (at "
            "net.cpp:4)");
  EXPECT_THROW(run(*model, {value<int64_t>({1}, {-1})}), IndexError);
  expectRows(*model, {0, 9});
}

TEST(RankedModel, GuardsAreCheckedBeforeAnyRankStarts) {
  auto model = table<2>();
  EXPECT_EQ(messageOf([&] { run(*model, {value<float>({1}, {1})}); }),
            "argument 0: expected dtype int64, got float32");
  EXPECT_EQ(messageOf([&] { run(*model, {}); }), "expected 1 arguments, got 0");
  TensorValue ids = value<int64_t>({1}, {1}), rows = value<float>({5, 3}, std::vector<float>(15));
  const TensorValue *inputs[] = {&ids, &rows};
  EXPECT_EQ(messageOf([&] { model->executable().run(inputs); }),
            "the program runs on 2 devices, not on one");
  RankedWeight none{nullptr, {}};
  auto executable = Executable::fromEntry(lookUpArtifact(2), lookUp<2>);
  EXPECT_EQ(messageOf([&] { RankedModel::bind(executable, cpus(2), {&none, 1}); }),
            "weight weight: 0 parts for 2 devices");
  EXPECT_EQ(messageOf([&] { RankedModel::bind(executable, cpus(3), {&none, 1}); }),
            "expected 2 devices, got 3");
  EXPECT_EQ(messageOf([&] { RankedModel::bind(executable, {CPU(1), CPU(1)}, {&none, 1}); }),
            "device cpu:1 is named twice");
  std::vector<TensorValue> parts = {value<float>({5, 3}, std::vector<float>(15)),
                                    value<float>({4, 3}, std::vector<float>(12))};
  RankedWeight uneven{nullptr, parts};
  EXPECT_EQ(messageOf([&] { RankedModel::bind(executable, cpus(2), {&uneven, 1}); }),
            "weight weight: dim 0: expected 5, got 4");
  parts[1] = parts[0];
  EXPECT_THROW(RankedModel::bind(executable, {CPU(0), Accelerator(0)}, {&uneven, 1}), DeviceError);
}

TEST(RankedModel, ARankThatFailsEndsTheCallWithItsError) {
  auto model = modelOf(4, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *) {
    auto *out = static_cast<float *>(buffers[0]);
    std::fill(out, out + 4, 1.0f);
    if (runtime->rank == 2)
      throw ValueError("rank 2 has had enough");
    runtime->allReduce(runtime, out, out, 4, static_cast<int64_t>(DType::float32));
    runtime->allGather(runtime, out, out, 0, 4);
    runtime->allReduce(runtime, out, out, 4, static_cast<int64_t>(DType::float32));
  });
  for (int round = 0; round < 20; ++round)
    EXPECT_EQ(messageOf([&] { run(*model, {}); }), "rank 2 has had enough");
  expectRows(*table<4>(), {1, 2, 3}); // the devices go on
}

TEST(RankedModel, RanksThatPartAreAnError) {
  auto model = modelOf(3, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *) {
    auto *out = static_cast<float *>(buffers[0]);
    std::fill(out, out + 4, 1.0f);
    if (runtime->rank != 1)
      runtime->allReduce(runtime, out, out, 4, static_cast<int64_t>(DType::float32));
  });
  EXPECT_EQ(messageOf([&] { run(*model, {}); }),
            "the ranks of a call do not make the same collective calls");
}

TEST(RankedModel, ACallOfOneRankSumsAndGathersAlone) {
  Artifact artifact;
  artifact.outputs = {{f32({4}), {}}, {f32({4}), {}}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *) {
        float x[4] = {1, 2, 3, static_cast<float>(runtime->rank)};
        runtime->allReduce(runtime, x, buffers[0], 4, static_cast<int64_t>(DType::float32));
        runtime->allGather(runtime, x, buffers[1], 2, 8);
      });
  std::vector<TensorValue> results = executable->run({});
  EXPECT_EQ(contents<float>(results[0]), (std::vector<float>{1, 2, 3, 0}));
  EXPECT_EQ(contents<float>(results[1]), (std::vector<float>{1, 2, 3, 0}));
}

TEST(RankedModel, CallsFromManyThreadsOnSharedDevices) {
  // Lists that overlap in other orders: each device must see all calls in one order.
  Artifact artifact;
  artifact.ranks = 3;
  artifact.outputs = {{f32({4}), {}}};
  auto executable = Executable::fromEntry(
      artifact, [](const KilnRuntime *runtime, void *const *buffers, const int64_t *) {
        auto *out = static_cast<float *>(buffers[0]);
        for (int i = 0; i < 4; ++i)
          out[i] = static_cast<float>((runtime->rank + 1) * (i + 1));
        for (int round = 0; round < 3; ++round)
          runtime->allReduce(runtime, out, out, 4, static_cast<int64_t>(DType::float32));
      });
  std::vector<std::shared_ptr<const RankedModel>> models = {
      RankedModel::bind(executable, {CPU(0), CPU(1), CPU(2)}, {}),
      RankedModel::bind(executable, {CPU(2), CPU(0), CPU(1)}, {}),
      RankedModel::bind(executable, {CPU(1), CPU(3), CPU(0)}, {}),
      RankedModel::bind(executable, {CPU(3), CPU(2), CPU(1)}, {})};
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t round = 0; round < 25; ++round)
        for (const auto &rank : models[(t + round) % models.size()]->run({}))
          if (contents<float>(rank[0]) != std::vector<float>{54, 108, 162, 216})
            ++wrong;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}
