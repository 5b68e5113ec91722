#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <cmath>
#include <functional>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;

namespace {

/// Large products by wgmma, executed from their PTX, against the same on the CPU. So many columns
/// that few rows are enough tiles; the last one is cut off.
constexpr int64_t manyColumns = 18430, manyWholeColumns = 18424;

struct Lookup : nn::Module<Lookup> {
  Tensor table;
  nn::Linear linear;
  KILN_FIELDS(table, linear)
  Tensor operator()(const Tensor &indices) const { return linear(gather(table, indices, 0)); }
};

/// Two products of one x, which one function makes.
struct Projections : nn::Module<Projections> {
  nn::Linear query, key;
  KILN_FIELDS(query, key)
  std::tuple<Tensor, Tensor> operator()(const Tensor &x) const { return {query(x), key(x)}; }
};

/// Two products that are needed together.
struct Gated : nn::Module<Gated> {
  nn::Linear gate, up;
  KILN_FIELDS(gate, up)
  Tensor operator()(const Tensor &x) const { return relu(gate(x)) * up(x); }
};

/// Weights as [K, N].
struct Columns : nn::Module<Columns> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return matmul(x, weight); }
};

class WarpgroupTest : public testing::Test {
protected:
  WarpgroupTest() { random::seed(11); }
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
    standin::machine().isReversed = false;
  }

  static Tensor draw(const Shape &shape, DType dtype) {
    return random::uniform(shape, -1, 1, DType::float32, CPU()).cast(dtype);
  }
  static std::vector<float> values(const Tensor &tensor) {
    return tensor.to(CPU()).cast(DType::float32).toVector<float>();
  }
  static bool hasRun(const std::string &kernel) {
    for (const std::string &work : standin::executed())
      if (work.find(kernel) != work.npos)
        return true;
    return false;
  }

  /// `tolerance` is relative to the largest result.
  static void compare(const std::function<Tensor(Device)> &compute, const std::string &kernel,
                      double tolerance, const std::vector<bool> &orders = {false, true}) {
    std::vector<float> expected = values(compute(CPU()));
    double largest = 0;
    for (float one : expected)
      largest = std::max(largest, std::fabs(static_cast<double>(one)));
    ASSERT_TRUE(std::isfinite(largest) && largest > 0);
    for (bool isReversed : orders) {
      standin::machine().isReversed = isReversed;
      standin::clearLog();
      std::vector<float> got = values(compute(Accelerator()));
      ASSERT_THAT(standin::violations(), testing::IsEmpty());
      EXPECT_TRUE(hasRun(kernel)) << testing::PrintToString(standin::executed());
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_NEAR(got[i], expected[i], tolerance * largest)
            << "element " << i << (isReversed ? ", reversed" : "");
    }
  }
};

/// Both devices sum in float32 and round once, to 8 or to 11 bits.
constexpr double bfloatTolerance = 1e-2, halfTolerance = 2e-3;

TEST_F(WarpgroupTest, linear) {
  struct Case {
    DType dtype;
    int64_t rows, k, columns;
  };
  for (const Case &c : {Case{DType::bfloat16, 65, 200, manyWholeColumns},
                        {DType::float16, 70, 77, manyColumns},
                        {DType::bfloat16, 2060, 64, 1100}, // more than a band of rows
                        {DType::bfloat16, 130, 320, manyWholeColumns / 2}}) {
    DefaultsScope scope(c.dtype, CPU());
    nn::Linear model(c.k, c.columns);
    Tensor x = draw({c.rows, c.k}, c.dtype);
    compare(
        [&](Device device) {
          model.to(device);
          return model.compile(TensorType(c.dtype, {"rows", c.k}, device))(x.to(device));
        },
        "_wgmma", c.dtype == DType::float16 ? halfTolerance : bfloatTolerance, {c.rows == 130});
  }
}

TEST_F(WarpgroupTest, fewRowsReadTheSameWeights) {
  DefaultsScope scope(DType::bfloat16, CPU());
  nn::Linear model(136, 700);
  for (auto [rows, kernel] :
       {std::pair<int64_t, const char *>{1, "_thin1"}, {5, "_thin4"}, {70, "_64"}}) {
    Tensor x = draw({rows, 136}, DType::bfloat16);
    compare(
        [&](Device device) {
          model.to(device);
          return model.compile(TensorType(DType::bfloat16, {"rows", 136}, device))(x.to(device));
        },
        kernel, bfloatTolerance);
  }
}

TEST_F(WarpgroupTest, gelu) {
  DefaultsScope scope(DType::bfloat16, CPU());
  nn::Sequential model(nn::Linear(64, manyWholeColumns), nn::GELU());
  Tensor x = draw({66, 64}, DType::bfloat16);
  compare(
      [&](Device device) {
        model.to(device);
        return model.compile(TensorType(DType::bfloat16, {"rows", 64}, device))(x.to(device));
      },
      "_wgmma", bfloatTolerance, {true});
}

TEST_F(WarpgroupTest, gatheredRows) {
  DefaultsScope scope(DType::bfloat16, CPU());
  Lookup model{.table = draw({50, 72}, DType::bfloat16),
               .linear = nn::Linear(72, manyWholeColumns)};
  Tensor indices = (Tensor::arange(0, 67, 1, DType::int64, CPU()) * 7) % 50;
  compare(
      [&](Device device) {
        model.to(device);
        return model.compile(TensorType(DType::int64, {"rows"}, device))(indices.to(device));
      },
      "_wgmma", bfloatTolerance);
}

TEST_F(WarpgroupTest, indicesAreChecked) {
  DefaultsScope scope(DType::bfloat16, CPU());
  Lookup model{.table = draw({50, 72}, DType::bfloat16),
               .linear = nn::Linear(72, manyWholeColumns)};
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::int64, {"rows"}, Accelerator()));
  std::vector<int64_t> indices(65, 49);
  indices[64] = 50;
  standin::clearLog();
  EXPECT_THROW(compiled(Tensor::constant(indices).to(Accelerator())).realize(), IndexError);
  EXPECT_TRUE(hasRun("_wgmma"));
}

TEST_F(WarpgroupTest, severalProductsOfOneX) {
  DefaultsScope scope(DType::bfloat16, CPU());
  Projections model{.query = nn::Linear(100, manyColumns / 2 - 7),
                    .key = nn::Linear(100, manyColumns / 2 + 1)};
  Tensor x = draw({65, 100}, DType::bfloat16);
  compare(
      [&](Device device) {
        model.to(device);
        auto compiled = model.compile(TensorType(DType::bfloat16, {"rows", 100}, device));
        auto [query, key] = compiled(x.to(device));
        return concat({query.to(CPU()), key.to(CPU())}, 1);
      },
      "_wgmma", bfloatTolerance, {false});
}

TEST_F(WarpgroupTest, productsOfTwo) {
  DefaultsScope scope(DType::bfloat16, CPU());
  Gated model{.gate = nn::Linear(130, manyWholeColumns / 2),
              .up = nn::Linear(130, manyWholeColumns / 2)};
  Tensor x = draw({65, 130}, DType::bfloat16);
  compare(
      [&](Device device) {
        model.to(device);
        return model.compile(TensorType(DType::bfloat16, {"rows", 130}, device))(x.to(device));
      },
      "_wgmma", bfloatTolerance);
}

TEST_F(WarpgroupTest, columnsOfWeights) {
  Columns model{.weight = draw({90, manyWholeColumns}, DType::bfloat16)};
  Tensor x = draw({65, 90}, DType::bfloat16);
  compare(
      [&](Device device) {
        model.to(device);
        return model.compile(TensorType(DType::bfloat16, {"rows", 90}, device))(x.to(device));
      },
      "_wgmma", bfloatTolerance);
}

} // namespace
