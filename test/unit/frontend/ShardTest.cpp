#include "kiln/kiln.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <thread>

using namespace kiln;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

template <class T> std::string text(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

std::vector<Device> cpus(int count, int first = 0) {
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i)
    devices.push_back(CPU(first + i));
  return devices;
}

/// 0, 1, 2, … in this shape.
Tensor counted(const Shape &shape, DType dtype = DType::float32) {
  std::vector<float> values(static_cast<std::size_t>(shape.numElements().value()));
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::fromData(values, shape).cast(dtype).realize();
}

std::vector<std::byte> bytesOf(const Tensor &tensor) {
  auto bytes = tensor.bytes();
  return {bytes.begin(), bytes.end()};
}

int64_t held(int device) { return runtimeStats().heldBytes(CPU(device)); }

void expectNear(const Tensor &got, const Tensor &expected, double tolerance = 1e-5) {
  ASSERT_EQ(got.shape(), expected.shape());
  EXPECT_TRUE(allClose(got, expected, tolerance, tolerance)) << got << "\n" << expected;
}

struct Mlp : nn::Module<Mlp> {
  nn::Linear up, down;
  KILN_FIELDS(up, down)
  Tensor operator()(const Tensor &x) const { return down(gelu(up(x))); }
};

} // namespace

TEST(Shard, IsTheSameTensorForItsReader) {
  for (int count = 1; count <= 8; ++count)
    for (int64_t axis : {0, 1, 2, -1}) {
      Tensor whole = counted({5, 3, 4}), split = shard(whole, axis, cpus(count));
      EXPECT_EQ(split.type(), whole.type());
      EXPECT_EQ(bytesOf(split), bytesOf(whole)) << count << " devices, axis " << axis;
    }
  for (DType dtype : {DType::boolean, DType::int8, DType::uint16, DType::int64, DType::float16,
                      DType::bfloat16, DType::float64}) {
    Tensor whole = counted({7, 2}, dtype), split = shard(whole, 0, cpus(3));
    EXPECT_EQ(bytesOf(split), bytesOf(whole)) << name(dtype);
  }
  EXPECT_EQ(text(shard(counted({2, 2}), 0, cpus(2))),
            "Tensor([0 1\n 2 3], dtype=float32, device=cpu:0)");
  EXPECT_EQ(bytesOf(shard(Tensor::zeros({0, 4}), 0, cpus(2))).size(), 0u);
  EXPECT_EQ(bytesOf(shard(Tensor::zeros({3, 0}), 0, cpus(2))).size(), 0u);
}

TEST(Shard, PutsPartsOfEqualSizeOnTheDevices) {
  std::vector<int64_t> before;
  for (int i = 0; i < 4; ++i)
    before.push_back(held(20 + i));
  {
    Tensor split = shard(counted({10, 3}), 0, cpus(4, 20));
    EXPECT_FALSE(split.isRealized());
    EXPECT_EQ(split.device(), CPU(20));
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(held(20 + i) - before[static_cast<std::size_t>(i)], 3 * 3 * 4);
    Tensor again = shard(split, 0, cpus(4, 20));
    EXPECT_EQ(held(23) - before[3], 3 * 3 * 4) << "split like that already";
    Tensor other = shard(split, 1, cpus(2, 20));
    EXPECT_EQ(bytesOf(other), bytesOf(counted({10, 3})));
  }
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(held(20 + i), before[static_cast<std::size_t>(i)]);
}

TEST(Shard, MovesAsAWhole) {
  Tensor split = shard(counted({3, 2}), 0, cpus(2));
  Tensor moved = split.to(CPU(5));
  EXPECT_EQ(moved.device(), CPU(5));
  EXPECT_EQ(bytesOf(moved), bytesOf(counted({3, 2})));
  EXPECT_FALSE(split.isRealized()) << "no whole was made on its own device";
}

TEST(Shard, Mistakes) {
  Tensor x = counted({4, 2});
  EXPECT_THAT([&] { shard(x, 0, {}); },
              ThrowsMessage<ValueError>(HasSubstr("[shard] expected 1 to 8 devices, got 0")));
  EXPECT_THAT([&] { shard(x, 0, cpus(9)); }, ThrowsMessage<ValueError>(HasSubstr("got 9")));
  EXPECT_THAT([&] { shard(x, 0, {CPU(1), CPU(0), CPU(1)}); },
              ThrowsMessage<ValueError>(
                  HasSubstr("device cpu:1 is named twice: cpu:1, cpu:0, cpu:1 (at ShardTest.cpp")));
  EXPECT_THAT([&] { shard(x, 2, cpus(2)); },
              ThrowsMessage<IndexError>(HasSubstr("axis 2 is out of range for rank 2")));
  EXPECT_THROW(shard(Tensor::ones({}), 0, cpus(2)), IndexError);
  EXPECT_THROW(shard(Tensor(), 0, cpus(2)), TypeError);
  EXPECT_THROW(shard(x, 0, {CPU(0), CPU(64)}), DeviceError);
  if (acceleratorCount() == 0)
    EXPECT_THROW(shard(x, 0, {CPU(0), Accelerator()}), DeviceError);
  struct Splits : nn::Module<Splits> {
    KILN_FIELDS()
    Tensor operator()(const Tensor &y) const { return shard(y, 0, {CPU(0), CPU(1)}); }
  };
  EXPECT_THAT([&] { Splits().compile(TensorType(DType::float32, {4, 2})); },
              ThrowsMessage<TypeError>(HasSubstr("do not depend on arguments")));
}

TEST(Shard, DrawsEachPartOfInitialValues) {
  for (int64_t axis : {0, 1})
    for (DType dtype : {DType::float32, DType::bfloat16}) {
      DefaultsScope scope(dtype, CPU());
      random::seed(7);
      nn::Linear whole(31, 17), other(31, 17); // odd sizes: parts begin within a pair
      random::seed(7);
      nn::Linear split(31, 17), second(31, 17);
      int64_t before = held(0);
      split.weight = shard(split.weight, axis, cpus(5, 30));
      second.weight = shard(second.weight, axis, cpus(5, 30));
      Tensor x = Tensor::ones({3, 31}, dtype, CPU(30));
      Tensor rows = gather(split.weight, Tensor::constant({16, 0}, DType::int64).to(CPU(30)), 0);
      Tensor columns = axis == 0 ? matmul(x, second.weight.T()) : x;
      realize(rows, columns);
      EXPECT_LT(held(0) - before, 512) << "nothing of the tables was made there";
      EXPECT_EQ(bytesOf(split.weight), bytesOf(whole.weight)) << "axis " << axis;
      EXPECT_EQ(bytesOf(second.weight), bytesOf(other.weight)) << "axis " << axis;
    }
}

TEST(Shard, SplitsWhatIsStillToBeComputed) {
  Tensor x = counted({6, 4});
  Tensor split = shard(x * 2 + 1, 0, cpus(3));
  EXPECT_EQ(bytesOf(split), bytesOf((x * 2 + 1).realize()));
  Tensor narrow = shard(x.cast(DType::bfloat16), 1, cpus(3));
  EXPECT_EQ(bytesOf(narrow), bytesOf(counted({6, 4}, DType::bfloat16)));
  Tensor bad = shard(gather(x, Tensor::constant({9}), 0), 0, cpus(2));
  EXPECT_THROW(bad.realize(), IndexError);
  EXPECT_THROW((bad + 1).realize(), IndexError);
}

TEST(Shard, ColumnParallelLinearIsEqualBitForBit) {
  for (int count = 1; count <= 8; ++count)
    for (int64_t columns : {16, 13, 3}) {
      random::seed(1);
      nn::Linear whole(24, columns);
      nn::Linear split = whole;
      split.weight = shard(split.weight, 0, cpus(count));
      Tensor x = random::uniform({5, 24}, -1, 1);
      EXPECT_EQ(bytesOf(split(x)), bytesOf(whole(x))) << count << " devices, " << columns;
      auto model = split.compile(TensorType(DType::float32, {"batch", 24}));
      EXPECT_EQ(bytesOf(model(x)), bytesOf(whole(x))) << count << " devices, " << columns;
      EXPECT_EQ(model(Tensor::zeros({0, 24})).shape(), (Shape{0, columns}));
    }
}

TEST(Shard, RowParallelLinearSumsOverDevices) {
  for (int count : {1, 2, 3, 4, 6, 8}) {
    random::seed(2);
    nn::Linear whole(24, 10);
    nn::Linear split = whole;
    split.weight = shard(split.weight, 1, cpus(count));
    Tensor x = random::uniform({5, 24}, -1, 1);
    expectNear(split(x), whole(x));
    auto model = split.compile(TensorType(DType::float32, {"batch", 24}));
    expectNear(model(x), whole(x));
    EXPECT_EQ(bytesOf(model(x)), bytesOf(split(x))) << "eager and compiled agree";
  }
  nn::Linear split(24, 10);
  split.weight = shard(split.weight, 1, cpus(5));
  EXPECT_THAT([&] { split(Tensor::ones({1, 24})).realize(); },
              ThrowsMessage<ValueError>(testing::AllOf(HasSubstr("24"), HasSubstr("5"))));
}

TEST(Shard, BiasesMayBeSplitToo) {
  nn::Linear whole(8, 12), split = whole;
  split.weight = shard(split.weight, 0, cpus(4));
  split.bias = shard(*split.bias, 0, cpus(4));
  Tensor x = random::uniform({3, 8});
  EXPECT_EQ(bytesOf(split(x)), bytesOf(whole(x)));
  auto model = split.compile(TensorType(DType::float32, {"batch", 8}));
  EXPECT_EQ(bytesOf(model(x)), bytesOf(whole(x)));
}

TEST(Shard, ColumnsThenRows) {
  for (int count : {2, 4, 8}) {
    random::seed(3);
    Mlp whole{.up = nn::Linear(12, 32), .down = nn::Linear(32, 12)};
    Mlp split = whole;
    split.up.weight = shard(split.up.weight, 0, cpus(count));
    split.down.weight = shard(split.down.weight, 1, cpus(count));
    Tensor x = random::normal({7, 12});
    expectNear(split(x), whole(x));
    auto model = split.compile(TensorType(DType::float32, {"batch", 12}));
    expectNear(model(x), whole(x));
    EXPECT_EQ(model(x).device(), CPU(0));
    EXPECT_TRUE(compare(split, x).equal);
  }
}

TEST(Shard, AnyOperationTakesASplitTensor) {
  Tensor whole = counted({6, 4}), split = shard(whole, 0, cpus(3));
  EXPECT_EQ(bytesOf(split * 2 + 1), bytesOf(whole * 2 + 1));
  EXPECT_EQ(bytesOf(sum(split, 0)), bytesOf(sum(whole, 0)));
  EXPECT_EQ(bytesOf(split.T()), bytesOf(whole.T()));
  EXPECT_EQ(bytesOf(split.slice({Slice(1, 3)})), bytesOf(whole.slice({Slice(1, 3)})));
  EXPECT_EQ(bytesOf(split.reshape({-1, 8})), bytesOf(whole.reshape({-1, 8})));
  EXPECT_EQ(bytesOf(matmul(split, whole.T())), bytesOf(matmul(whole, whole.T())));
  (void)bytesOf(split); // once it has been read whole, too
  EXPECT_EQ(bytesOf(split.slice({Slice(1, 3)})), bytesOf(whole.slice({Slice(1, 3)})));
  EXPECT_EQ(bytesOf(split[2]), bytesOf(whole[2]));
}

TEST(Shard, ListsOfDevicesDoNotMixWithinAProgram) {
  Tensor a = shard(counted({4, 4}), 0, cpus(2)), b = shard(counted({4, 4}), 0, cpus(3));
  EXPECT_THAT([&] { a + b; },
              ThrowsMessage<ValueError>(HasSubstr(
                  "[add] operands are split over different devices: cpu:0, cpu:1 and cpu:0, "
                  "cpu:1, cpu:2")));
  // Results are on one device: they mix as any tensors.
  Tensor x = a * 2, y = b * 3;
  EXPECT_EQ(bytesOf(x + y), bytesOf(counted({4, 4}) * 5));
  const Tensor p = a - 1, q = b - 1;
  realize(p, q); // of one read, but not of one program
  EXPECT_EQ(bytesOf(p), bytesOf(q));
}

TEST(Shard, LoadingKeepsTheDistribution) {
  nn::Linear whole(8, 6), split(8, 6);
  split.weight = shard(split.weight, 0, cpus(3, 24));
  std::string path = testing::TempDir() + "shard.safetensors";
  io::saveSafetensors(path, whole.stateDict());
  int64_t before = held(25);
  split.loadStateDict(io::openSafetensors(path));
  EXPECT_EQ(held(25) - before, 2 * 8 * 4);
  EXPECT_EQ(bytesOf(split.weight), bytesOf(whole.weight));
  EXPECT_EQ(split.weight.device(), CPU(24));
  std::filesystem::remove(path);

  // bfloat16 that is converted on the way.
  nn::Linear wide(8, 6);
  wide.weight = shard(wide.weight, 1, cpus(2));
  nn::StateDict narrow;
  for (auto &[name, tensor] : whole.parameters())
    narrow[name] = tensor.cast(DType::bfloat16);
  wide.loadStateDict(narrow, {.autoCast = true});
  EXPECT_EQ(bytesOf(wide.weight), bytesOf(narrow["weight"].cast(DType::float32)));

  // Saved, it is the whole again.
  io::saveSafetensors(path, split.stateDict());
  EXPECT_EQ(bytesOf(io::openSafetensors(path)["weight"]), bytesOf(whole.weight));
  std::filesystem::remove(path);
  // And whole it is for a parameter that is not split.
  nn::Linear other(8, 6);
  other.loadStateDict(wide.stateDict());
  int64_t unsplit = held(0);
  EXPECT_EQ(bytesOf(other.weight), bytesOf(wide.weight.to(CPU(1))));
  EXPECT_EQ(bytesOf(other(Tensor::ones({1, 8}))), bytesOf(other(Tensor::ones({1, 8}))));
  EXPECT_GE(held(0) - unsplit, 8 * 6 * 4);
  EXPECT_EQ(bytesOf(shard(wide.weight, 0, cpus(1))), bytesOf(other.weight));

  EXPECT_THROW(split.loadStateDict({{"weight", Tensor::ones({8, 8})}, {"bias", Tensor::ones({6})}}),
               ValueError);
}

TEST(Shard, GraphsAndManyThreads) {
  random::seed(5);
  nn::Linear whole(16, 24), split = whole;
  split.weight = shard(split.weight, 0, cpus(4));
  Graph graph("split");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(TensorType(DType::float32, {"n", 16}));
    graph.output(split(x));
  }
  auto run = graph.compile();
  auto model = split.compile(TensorType(DType::float32, {"batch", 16}));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        Tensor x = Tensor::full({t + 1, 16}, static_cast<float>(t * 10 + round) / 7);
        auto expected = bytesOf(whole(x));
        if (bytesOf(model(x)) != expected || bytesOf(run(x)) != expected ||
            bytesOf(split(x)) != expected)
          ++wrong;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  auto wrongPlace = [&] { model(Tensor::ones({2, 16}, DType::float32, CPU(1))); };
  EXPECT_THAT(wrongPlace,
              ThrowsMessage<ValueError>(HasSubstr("argument 0: expected device cpu:0, got cpu:1")));
}

TEST(Shard, LongPendingWorkRunsInPieces) {
  Tensor step = counted({2, 6}), split = shard(step, 0, cpus(2));
  Tensor x = Tensor::zeros({2, 6}), y = x;
  for (int i = 0; i < 1200; ++i) {
    x = x + step;
    y = y + split;
  }
  EXPECT_EQ(bytesOf(y), bytesOf(x));
}
