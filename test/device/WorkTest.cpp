#include "kiln/kiln.h"

#include "runtime/Buffer.h"
#include "runtime/cuda/DeviceMemory.h"
#include "test/device/References.h"

#include <numeric>
#include <thread>

#include <gtest/gtest.h>

using namespace kiln;
using kiln::runtime::Buffer;
using kiln::runtime::cuda::Gpu;
using kiln::test::isRecording;

namespace {

struct Scale : nn::Module<Scale> {
  Tensor weight, bias;
  KILN_FIELDS(weight, bias)
  Tensor operator()(const Tensor &x) const { return x * weight + bias; }
};

struct Lookup : nn::Module<Lookup> {
  Tensor table;
  KILN_FIELDS(table)
  Tensor operator()(const Tensor &indices) const { return gather(table, indices, 0) * 2; }
};

/// Memory, order, errors.
class Work : public testing::Test {
protected:
  Work() : scope(DType::float32, CPU()) {
    scale.to(Accelerator());
    lookup.to(Accelerator());
  }
  static Tensor counted(int64_t count, DType dtype = DType::float32) {
    std::vector<float> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0.0f);
    Tensor tensor = Tensor::fromData(std::span<const float>(values), {count});
    return dtype == DType::float32 ? tensor : tensor.cast(dtype);
  }
  static Tensor indexTensor(std::initializer_list<int64_t> list) {
    std::vector<int64_t> values = list;
    return Tensor::fromData(std::span<const int64_t>(values), {static_cast<int64_t>(values.size())})
        .to(Accelerator());
  }
  static std::string errorOf(const std::function<void()> &body) {
    try {
      body();
    } catch (const Error &error) {
      return error.what();
    }
    return "no error";
  }
  static bool has(const std::string &text, const std::string &part) {
    return text.find(part) != text.npos;
  }

  DefaultsScope scope;
  Scale scale{.weight = Tensor::fromData(std::span<const float>(threes), {3}),
              .bias = Tensor::fromData(std::span<const float>(ones), {3})};
  Lookup lookup{.table = counted(30).reshape({10, 3})};
  static constexpr float threes[] = {3, 4, 5}, ones[] = {1, 2, 3};
};

TEST_F(Work, bytesGoThereAndBack) {
  for (std::size_t count :
       {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{9} << 20}) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i)
      bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
    for (int device = 0; device < acceleratorCount(); ++device) {
      std::shared_ptr<const Buffer> there = Buffer::copyOf(bytes, Accelerator());
      std::shared_ptr<const Buffer> further = Buffer::copyOf(*there, Accelerator(device));
      there.reset(); // its memory may be used again at once
      Buffer::copyOf(std::vector<std::byte>(count), Accelerator());
      EXPECT_TRUE(std::ranges::equal(Buffer::copyOf(*further, CPU())->bytes(), bytes))
          << count << " bytes through gpu:" << device;
    }
  }
}

TEST_F(Work, indexErrors) {
  auto compiled = lookup.compile(TensorType(DType::int64, {"n"}, Accelerator()));
  auto check = [&] {
    auto values = compiled(indexTensor({9, 0})).toVector<float>();
    if (!isRecording())
      EXPECT_EQ(values, (std::vector<float>{54, 56, 58, 0, 2, 4}));
  };
  check();
  for (int i = 0; i < 3; ++i) { // also from a graph
    std::string text = errorOf([&] { compiled(indexTensor({9, 10, -3})).realize(); });
    if (!isRecording())
      EXPECT_TRUE(has(text, "index 10 at position 1 is out of range [0, 10)")) << text;
  }
  check(); // one that failed leaves nothing behind
  std::vector<int64_t> many(100000, 3);
  many[99999] = 10;
  many[77777] = -1;
  Tensor far = Tensor::fromData(std::span<const int64_t>(many), {100000}).to(Accelerator());
  std::string text = errorOf([&] { compiled(far).realize(); });
  if (!isRecording())
    EXPECT_TRUE(has(text, "index -1 at position 77777 is out of range [0, 10)")) << text;
  text = errorOf([&] { gather(lookup.table, indexTensor({12}), 0).realize(); });
  if (!isRecording())
    EXPECT_TRUE(has(text, "index 12 at position 0 is out of range [0, 10)")) << text;
}

TEST_F(Work, outOfMemory) {
  Gpu &gpu = Gpu::get(Accelerator());
  std::size_t all = gpu.totalBytes();
  std::string text = errorOf(
      [&] { gpu.memory().give(gpu.memory().take(all + (std::size_t{1} << 30), gpu.stream())); });
  EXPECT_TRUE(has(text, "out of memory")) << text;
  EXPECT_TRUE(has(text, "asked for")) << text;
  // A limit that what is cached goes for, and what is too much then.
  gpu.memory().trim();
  int64_t held = gpu.memory().usage().blocks.heldBytes;
  gpu.memory().setLimit(held + (int64_t{16} << 20));
  gpu.memory().give(gpu.memory().take(std::size_t{10} << 20, gpu.stream()));
  gpu.memory().give(gpu.memory().take(std::size_t{12} << 20, gpu.stream()));
  text =
      errorOf([&] { gpu.memory().give(gpu.memory().take(std::size_t{32} << 20, gpu.stream())); });
  EXPECT_TRUE(has(text, "are held of at most")) << text;
  auto compiled = scale.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  Tensor large = Tensor::zeros({int64_t{1} << 20, 3}, DType::float32, CPU());
  text = errorOf([&] { compiled(large.to(Accelerator())).realize(); });
  EXPECT_TRUE(has(text, "out of memory")) << text;
  gpu.memory().setLimit(0);
  auto values = compiled(counted(3).reshape({1, 3}).to(Accelerator())).toVector<float>();
  if (!isRecording())
    EXPECT_EQ(values, (std::vector<float>{1, 6, 13}));
}

TEST_F(Work, whatComesAgainIsReplayedWithItsOwnContents) {
  auto compiled = scale.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  for (int round = 0; round < 6; ++round) {
    Tensor x = (counted(300) + static_cast<float>(round)).reshape({100, 3}).to(Accelerator());
    auto values = compiled(compiled(x)).toVector<float>();
    if (isRecording())
      continue;
    for (int64_t i = 0; i < 300; ++i) {
      float w = threes[i % 3], b = ones[i % 3];
      ASSERT_EQ(values[static_cast<std::size_t>(i)],
                (static_cast<float>(i + round) * w + b) * w + b)
          << round << ", " << i;
    }
  }
}

TEST_F(Work, threadsAndTheirStreams) {
  auto compiled = scale.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      DefaultsScope own(DType::float32, CPU());
      std::vector<float> same(static_cast<std::size_t>(3 * (t + 1)), static_cast<float>(t));
      Tensor x = Tensor::fromData(std::span<const float>(same), {t + 1, 3}).to(Accelerator());
      for (int round = 0; round < 50; ++round) {
        auto values = compiled(x).toVector<float>();
        for (std::size_t i = 0; !isRecording() && i < values.size(); ++i)
          ASSERT_EQ(values[i], static_cast<float>(t) * threes[i % 3] + ones[i % 3]);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  // What one thread makes another one reads.
  Tensor x = counted(3000).reshape({1000, 3}).to(Accelerator());
  for (int round = 0; round < 20; ++round) {
    Tensor made = compiled(x), further;
    // Its memory goes when both are done with it, which the device may not be.
    std::thread other([&, made]() mutable {
      (further = compiled(made)).realize();
      made = Tensor();
    });
    made = Tensor();
    other.join();
    auto values = further.toVector<float>();
    if (!isRecording())
      ASSERT_EQ(values[2999], (2999.0f * 5 + 3) * 5 + 3);
  }
}

TEST_F(Work, tablesInPartsOnSeveralDevices) {
  if (acceleratorCount() < 2)
    GTEST_SKIP() << "there is one accelerator";
  nn::embedding::VocabParallelEmbedding embedding({.vocabSize = 11,
                                                   .hiddenDim = 4,
                                                   .dtype = DType::float32,
                                                   .devices = {Accelerator(0), Accelerator(1)},
                                                   .name = "tokens"});
  std::map<std::string, Tensor> state;
  state["weight"] = counted(44).reshape({11, 4});
  embedding.loadStateDict(state);
  std::vector<Tensor> rows = embedding(indexTensor({10, 0, 6}));
  for (int i = 0; i < 2; ++i) {
    auto values = rows[static_cast<std::size_t>(i)].toVector<float>();
    if (!isRecording())
      EXPECT_EQ(values, (std::vector<float>{40, 41, 42, 43, 0, 1, 2, 3, 24, 25, 26, 27}));
  }
}

} // namespace
