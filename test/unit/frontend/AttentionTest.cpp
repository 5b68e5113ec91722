// attention of float64, which is made of other operations, against the one of float32.
#include "kiln/kiln.h"

#include <gmock/gmock.h>

#include <limits>

using namespace kiln;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Parts {
  Tensor q, k, v;
};

Parts draw(int64_t heads, int64_t shared) {
  random::seed(5);
  return {random::normal({2, heads, 5, 4}), random::normal({2, shared, 7, 4}),
          random::normal({2, shared, 7, 3})};
}

Tensor inDouble(const Parts &parts, const std::optional<Tensor> &mask) {
  auto wide = [](const Tensor &x) { return x.cast(DType::float64); };
  return attention(wide(parts.q), wide(parts.k), wide(parts.v), mask, 0.5);
}

TEST(AttentionOfDoubles, IsThatOfFloats) {
  for (int64_t shared : {4, 2, 1}) { // each query head with its own, two and four with one
    Parts parts = draw(4, shared);
    Tensor result = inDouble(parts, {});
    EXPECT_EQ(result.dtype(), DType::float64);
    EXPECT_EQ(result.shape(), (Shape{2, 4, 5, 3}));
    EXPECT_TRUE(allClose(result.cast(DType::float32),
                         attention(parts.q, parts.k, parts.v, {}, 0.5), 1e-5, 1e-6));
  }
}

TEST(AttentionOfDoubles, MasksWidenAndMayForbidAll) {
  Parts parts = draw(4, 2);
  // Query 0 attends to nothing, query 1 to key 2 alone.
  Tensor mask = Tensor::arange(0, 5, 1).reshape({5, 1}) > Tensor::arange(0, 7, 1) - 1;
  mask = mask & (Tensor::arange(0, 5, 1).reshape({5, 1}) > 0);
  Tensor result = inDouble(parts, mask), expected = attention(parts.q, parts.k, parts.v, mask, 0.5);
  EXPECT_TRUE(allClose(result.cast(DType::float32), expected, 1e-5, 1e-6));
  Tensor first = result.slice({ellipsis, Slice(0, 1), Slice()});
  EXPECT_EQ(abs(first).flatten().sum().item<double>(), 0);

  Tensor added = where(mask, Tensor::zeros({5, 7}, DType::float64), -infinity);
  EXPECT_TRUE(allClose(inDouble(parts, added), result, 1e-12, 1e-12));
}

TEST(AttentionOfDoubles, CompilesWithNames) {
  Graph graph("attention");
  {
    auto scope = graph.enter();
    auto input = [&](Shape shape) { return graph.input(TensorType(DType::float64, shape, CPU())); };
    Tensor q = input({"b", 4, "s", 4}), k = input({"b", 2, "t", 4}), v = input({"b", 2, "t", 3});
    graph.output(attention(q, k, v, {}, 0.5));
  }
  Parts parts = draw(4, 2);
  auto wide = [](const Tensor &x) { return x.cast(DType::float64); };
  Tensor result = graph.compile()(wide(parts.q), wide(parts.k), wide(parts.v));
  EXPECT_TRUE(allClose(result, inDouble(parts, {}), 1e-13, 1e-13));
}

TEST(AttentionOfDoubles, ItsErrorsAreThoseOfAttention) {
  Parts parts = draw(4, 3);
  EXPECT_THROW(inDouble(parts, {}), ValueError);
}

} // namespace
