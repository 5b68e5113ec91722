// What decides about a hit of the cache: all that the code depends on, and nothing else.
#include "kiln/kiln.h"
#include "runtime/ArtifactKey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

using namespace kiln;

namespace {

const TensorType batch(DType::float32, {"batch", "seq", 4});

/// One function of two tensors, recorded as a graph.
using Record = std::function<Tensor(const Tensor &x, const Tensor &y)>;

CompileStats compiled(const Record &record, const CompileOptions &options = {},
                      const char *name = "graph", const TensorType &second = batch) {
  Graph graph(name);
  {
    auto scope = graph.enter();
    Tensor x = graph.input(batch), y = graph.input(second);
    graph.output(record(x, y));
  }
  return graph.compile(options).stats();
}

bool isHit(const CompileStats &stats) { return stats.cacheHit != CacheHit::none; }

Tensor weight(uint64_t seed) {
  random::seed(seed);
  return random::normal({4, 4});
}

struct Scale : nn::Module<Scale> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return matmul(x, weight) + 31; }
};

/// The same with other names, in another place.
struct Product : nn::Module<Product> {
  Tensor matrix;
  KILN_FIELDS(matrix)
  Tensor operator()(const Tensor &rows) const {
    Tensor product = matmul(rows, matrix);
    return product + 31;
  }
};

} // namespace

// Each test has a constant of its own, so that none finds what another one has compiled.

TEST(CacheKey, LeavesOutTheContentsOfWeights) {
  Tensor first = weight(1), second = weight(2);
  ASSERT_FALSE(allClose(first, second));
  compiled([&](auto &x, auto &y) { return matmul(x + y, first) * 11; });
  EXPECT_TRUE(isHit(compiled([&](auto &x, auto &y) { return matmul(x + y, second) * 11; })));
  // But not their types.
  Tensor wide = random::normal({4, 5}), half = first.cast(DType::bfloat16);
  EXPECT_FALSE(isHit(compiled([&](auto &x, auto &y) { return matmul(x + y, wide) * 11; })));
  EXPECT_FALSE(isHit(compiled(
      [&](auto &x, auto &y) { return matmul((x + y).cast(DType::bfloat16), half) * 11; })));
}

TEST(CacheKey, LeavesOutTheOrderOfUnrelatedOperations) {
  compiled([](auto &x, auto &y) {
    Tensor p = exp(x) * 12, q = sin(y), r = tanh(x + y);
    return p + q * r;
  });
  EXPECT_TRUE(isHit(compiled([](auto &x, auto &y) {
    Tensor r = tanh(x + y), q = sin(y);
    Tensor unused = cos(x); // is not computed
    Tensor p = exp(x) * 12;
    return p + q * r;
  })));
  EXPECT_FALSE(isHit(compiled([](auto &x, auto &y) {
    Tensor p = exp(y) * 12, q = sin(x), r = tanh(x + y);
    return p + q * r;
  })));
}

TEST(CacheKey, LeavesOutNamesAndPlaces) {
  TensorType rows(DType::float32, {"n", 4});
  Scale{.weight = weight(1)}.compile(rows);
  EXPECT_TRUE(isHit(Product{.matrix = weight(3)}.compile(rows).stats()));
  auto record = [](auto &x, auto &y) { return x - y * 13; };
  compiled(record, {}, "one");
  EXPECT_TRUE(isHit(compiled(record, {}, "another")));
}

TEST(CacheKey, LeavesOutTheOrderInWhichDimsAppear) {
  Dim b("batch"), s("seq");
  std::vector<Constraint> forward = {b.between(1, 64), s.multipleOf(8)};
  compiled([&](auto &x, auto &y) { return (x + y).reshape({b * s, 4}).reshape({4 * s * b}) * 14; },
           {.constraints = forward});
  auto swapped = [&](auto &x, auto &y) {
    return (x + y).reshape({s * b, 4}).reshape({b * 4 * s}) * 14;
  };
  EXPECT_TRUE(isHit(compiled(swapped, {.constraints = {forward[1], forward[0]}})));
  EXPECT_FALSE(isHit(compiled(swapped, {.constraints = {forward[0]}})));
}

TEST(CacheKey, HasWhatTheCodeDependsOn) {
  auto record = [](auto &x, auto &y) { return relu(x) + y * 15; };
  auto hits = [&](const CompileOptions &options) { return isHit(compiled(record, options)); };
  EXPECT_FALSE(hits({}));
  EXPECT_TRUE(hits({}));
  EXPECT_FALSE(hits({.constraints = {Dim("batch").between(1, 64)}}));
  EXPECT_FALSE(hits({.constraints = {Dim("batch").between(1, 63)}}));
  EXPECT_FALSE(hits({.target = "x86-64"}));
  EXPECT_FALSE(hits({.disabledPasses = {"kiln-fuse-elementwise"}}));
  EXPECT_FALSE(hits({.disabledPasses = {"kiln-fuse-elementwise", "kiln-fuse-gather"}}));
  EXPECT_TRUE(hits({.disabledPasses = {"kiln-fuse-gather", "kiln-fuse-elementwise"}}));
  EXPECT_FALSE(hits({.quantizedActivations = true}));
  // A size that is known instead of a name, and another name for a second one.
  for (const Shape &shape : {Shape{1, "seq", 4}, Shape{"other", "seq", 4}}) {
    auto broadcast = [](auto &x, auto &y) { return relu(x) + y.rebind(x.shape()) * 15; };
    TensorType second(DType::float32, shape);
    EXPECT_FALSE(isHit(shape[0].isStatic() ? compiled(record, {}, "graph", second)
                                           : compiled(broadcast, {}, "graph", second)));
  }
}

TEST(CacheKey, OneTargetHasManyNames) {
  auto record = [](auto &x, auto &y) { return x * y + 16; };
  auto hits = [&](const char *target) { return isHit(compiled(record, {.target = target})); };
  EXPECT_FALSE(hits("x86-64"));
  EXPECT_TRUE(hits("baseline"));
  EXPECT_TRUE(hits("x86-64-v2"));
  EXPECT_FALSE(hits("x86-64+avx"));
  EXPECT_TRUE(hits("baseline+avx"));
}

TEST(CacheKey, NamesTheCompiler) {
  runtime::KeyParts parts = runtime::keyParts("graph", {});
  EXPECT_THAT(parts.compiler, testing::MatchesRegex("kiln [0-9.]+ [0-9a-f]{8,}"))
      << "the version and the build id of libkiln-compiler";
  std::vector<std::string_view> all = {parts.compiler, parts.target, parts.options, parts.graph};
  EXPECT_EQ(runtime::hashKey(all), runtime::artifactKey("graph", {}));
  all[0] = "kiln 0.0.0 older";
  EXPECT_NE(runtime::hashKey(all), runtime::artifactKey("graph", {}));
}

TEST(CacheKey, AMissSaysWhatDiffers) {
  auto record = [](auto &x, auto &y) { return x / y + 17; };
  compiled(record);
  std::string reason = compiled(record, {.constraints = {Dim("seq").multipleOf(2)}}).missReason;
  EXPECT_THAT(reason, testing::HasSubstr("nearest: "));
  EXPECT_THAT(reason, testing::HasSubstr("where seq"));
  reason = compiled(record, {.target = "x86-64"}).missReason;
  EXPECT_THAT(reason, testing::HasSubstr("differs in "));
  EXPECT_THAT(reason, testing::HasSubstr("x86-64"));
}
