#include "kiln/kiln.h"

#include "runtime/cuda/DeviceMemory.h"
#include "standin/StandIn.h"

#include <cmath>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using testing::AllOf;
using testing::HasSubstr;

namespace {

/// Programs with one word changed. What kernels did that none may do is a failure.
class ProgramTest : public testing::Test {
protected:
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
  }
  template <class Program> void compareDevices(Program program, double tolerance = 1e-5) {
    Tensor expected = program(CPU());
    Tensor got = program(Accelerator());
    ASSERT_EQ(got.device(), Accelerator());
    ASSERT_EQ(got.dtype(), expected.dtype());
    ASSERT_EQ(got.shape(), expected.shape());
    std::vector<double> a = expected.cast(DType::float64).toVector<double>();
    std::vector<double> b = got.to(CPU()).cast(DType::float64).toVector<double>();
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], tolerance * std::max(1.0, std::fabs(a[i]))) << "element " << i;
  }
};

TEST_F(ProgramTest, elementwise) {
  compareDevices([](Device device) {
    auto x = Tensor::arange(0, 1000, 1, DType::float32, device);
    return exp(-x / 100.0f) * 2.0f + sqrt(x);
  });
  compareDevices([](Device device) {
    auto x = Tensor::arange(-20, 20, 1, DType::int32, device);
    return where(x > 3, x * x, floorDiv(x, Tensor::full({40}, 3, DType::int32, device)));
  });
}

TEST_F(ProgramTest, sizesGoWhereTheyAreUsed) {
  auto mean = [](const Tensor &x) {
    Tensor rows = Tensor::fromDim(x.shape()[0]);
    Tensor scaled = x / (rows.cast(DType::float32) + 1);
    return where(rows * 2 <= 6, scaled, sum(x, 0) - rows);
  };
  struct Sized : nn::Module<Sized> {
    std::function<Tensor(const Tensor &)> body;
    KILN_FIELDS()
    explicit Sized(std::function<Tensor(const Tensor &)> body) : body(std::move(body)) {}
    Tensor operator()(const Tensor &x) const { return body(x); }
  };
  for (int64_t rows : {3, 5}) {
    auto x = [&](Device device) {
      return Tensor::arange(0, rows * 2, 1, DType::float32, device).reshape({rows, 2});
    };
    compareDevices([&](Device device) { return mean(x(device)); }, 0);
    compareDevices(
        [&](Device device) {
          return Sized(mean).compile(TensorType(DType::float32, {"rows", 2}, device))(x(device));
        },
        0);
  }
  // Numbers that are no sizes stay where they are.
  auto y = Tensor::ones({2}, DType::float32, Accelerator());
  EXPECT_THROW((void)(y * Tensor::constant(2.0f).to(CPU())), ValueError);
}

TEST_F(ProgramTest, viewsAndBroadcasts) {
  compareDevices([](Device device) {
    auto x = Tensor::arange(0, 24, 1, DType::float32, device).reshape({2, 3, 4});
    return x.transpose(0, 2) + x.permute({2, 1, 0}) * Tensor::constant(2.0f).to(device);
  });
  compareDevices([](Device device) {
    auto x = Tensor::arange(0, 60, 1, DType::float32, device).reshape({5, 12});
    return x[3] + x.slice({Slice(1, 2), Slice()});
  });
}

TEST_F(ProgramTest, readingGivesTheHostsBytes) {
  auto x = Tensor::constant({1.0f, 2.5f, -3.0f}).to(Accelerator());
  EXPECT_EQ(x.device(), Accelerator());
  EXPECT_EQ((x + x).toVector<float>(), (std::vector<float>{2, 5, -6}));
  EXPECT_EQ((x * x)[1].item<float>(), 6.25f);
  std::ostringstream text;
  text << x;
  EXPECT_EQ(text.str(), "Tensor([  1 2.5  -3], dtype=float32, device=gpu:0)");
}

TEST_F(ProgramTest, defaultsAreTheAccelerators) {
  EXPECT_EQ(defaults(), std::pair(DType::bfloat16, Accelerator()));
  EXPECT_EQ(Tensor::ones({2}).device(), Accelerator());
  DefaultsScope scope(CPU());
  EXPECT_EQ(Tensor::ones({2}).device(), CPU());
}

TEST_F(ProgramTest, devicesDoNotMix) {
  auto here = Tensor::ones({2}, DType::float32, CPU());
  auto there = Tensor::ones({2}, DType::float32, Accelerator());
  EXPECT_THROW((void)(here + there), ValueError);
  EXPECT_EQ((here.to(Accelerator()) + there).toVector<float>(), (std::vector<float>{2, 2}));
  EXPECT_THROW((void)there.to(Accelerator(2)), DeviceError);
}

TEST_F(ProgramTest, severalThreadsAndDevices) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int round = 0; round < 5; ++round) {
        Device device = Accelerator(t % 2);
        auto x = Tensor::full({100}, t + 1, DType::float32, device);
        auto y = x * x + x;
        auto moved = y.to(Accelerator(1 - t % 2)) + 1;
        auto value = static_cast<float>((t + 1) * (t + 2) + 1);
        EXPECT_EQ(moved.toVector<float>(), std::vector<float>(100, value));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST_F(ProgramTest, indicesAreChecked) {
  compareDevices([](Device device) {
    auto table = Tensor::arange(0, 12, 1, DType::float32, device).reshape({4, 3});
    return gather(table, Tensor::constant({3, 0, 2}).to(device), 0);
  });
  auto message = [](Device device) -> std::string {
    auto table = Tensor::ones({4, 3}, DType::float32, device);
    auto indices = Tensor::constant({1, 7, 2, -1}).to(device);
    try {
      gather(table, indices, 0).realize();
    } catch (const IndexError &error) {
      std::string text = error.what();
      return text.substr(0, text.find(" (at"));
    }
    return "no error";
  };
  EXPECT_THAT(message(CPU()), HasSubstr("index 7 at position 1 is out of range [0, 4)"));
  EXPECT_EQ(message(Accelerator()), message(CPU()));
}

TEST_F(ProgramTest, aFailedLaunchNamesTheKernel) {
  auto x = Tensor::ones({50}, DType::float32, Accelerator());
  (x * 3 + 1).realize();
  standin::failCall("cuLaunchKernel", 1, 1);
  try {
    (x * 3 + 1).realize();
    FAIL() << "no error";
  } catch (const DeviceError &error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cuLaunchKernel failed for kernel "),
                                    HasSubstr("CUDA_ERROR_INVALID_VALUE")));
  }
  EXPECT_EQ((x * 3 + 1)[0].item<float>(), 4);
}

TEST_F(ProgramTest, outOfMemoryIsAnErrorOfTheCall) {
  auto x = Tensor::ones({1 << 20}, DType::float32, Accelerator());
  x.realize();
  runtime::cuda::Gpu::get(Accelerator()).memory().trim();
  standin::failCall("cuMemAlloc_v2", 1, 2, 4);
  EXPECT_THROW((x + 1).realize(), DeviceError);
  standin::forgive();
  EXPECT_EQ((x + 1)[5].item<float>(), 2);
}

} // namespace
