// What other compilers get wrong without a word when sizes are symbolic: a number is baked in that
// was true of the sizes that were traced, or nothing checks what the code relies on.
#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <numeric>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

template <class Call> std::string valueErrorOf(Call call) {
  try {
    call();
  } catch (const ValueError &error) {
    return error.what();
  }
  return "no ValueError";
}

Tensor counting(const Shape &shape) {
  std::vector<float> values(static_cast<std::size_t>(shape.numElements().value()));
  std::iota(values.begin(), values.end(), 1.0f);
  return Tensor::fromData(std::span<const float>(values), shape);
}

struct MeanOfRows : nn::Module<MeanOfRows> {
  Tensor operator()(const Tensor &x) const { return x.mean(0); }
};

TEST(SilentFailures, AReductionOverASymbolicDimDoesNotBakeItsSize) {
  auto model = MeanOfRows{}.compile(TensorType(DType::float32, {"n", 2}));
  EXPECT_THAT(model(counting({1, 2})).toVector<float>(), ElementsAre(1, 2));
  EXPECT_THAT(model(counting({2, 2})).toVector<float>(), ElementsAre(2, 3));
  EXPECT_THAT(model(counting({5, 2})).toVector<float>(), ElementsAre(5, 6));
  // The mean of nothing is NaN, as in PyTorch and NumPy, not what division by another size gives.
  EXPECT_THAT(model(Tensor::zeros({0, 2})).toVector<float>(),
              ElementsAre(testing::IsNan(), testing::IsNan()));
}

struct SizeAsNumber : nn::Module<SizeAsNumber> {
  Tensor operator()(const Tensor &x) const {
    return x * Tensor::fromDim(x.shape()[0]).cast(DType::float32);
  }
};

TEST(SilentFailures, ASizeThatIsReadAsANumberIsThatOfTheCall) {
  auto model = SizeAsNumber{}.compile(TensorType(DType::float32, {"n"}));
  EXPECT_THAT(model(counting({2})).toVector<float>(), ElementsAre(2, 4));
  EXPECT_THAT(model(counting({3})).toVector<float>(), ElementsAre(3, 6, 9));
}

struct JoinHeads : nn::Module<JoinHeads> {
  Tensor operator()(const Tensor &x) const { // [batch, seq, heads, 2] -> [batch, seq, heads * 2]
    return x.reshape({x.shape()[0], x.shape()[1], -1});
  }
};
struct FlattenAll : nn::Module<FlattenAll> {
  Tensor operator()(const Tensor &x) const { return x.reshape({-1}); }
};

TEST(SilentFailures, AReshapeDoesNotBakeADim) {
  auto join = JoinHeads{}.compile(TensorType(DType::float32, {"batch", "seq", 3, 2}));
  auto flatten = FlattenAll{}.compile(TensorType(DType::float32, {"batch", "seq"}));
  for (Shape shape : {Shape{1, 1, 3, 2}, Shape{2, 5, 3, 2}, Shape{0, 5, 3, 2}, Shape{4, 1, 3, 2}}) {
    Tensor x = counting(shape);
    Tensor joined = join(x);
    EXPECT_EQ(joined.shape(), (Shape{shape[0], shape[1], 6}));
    EXPECT_EQ(joined.toVector<float>(), x.toVector<float>());
  }
  for (Shape shape : {Shape{1, 1}, Shape{3, 4}, Shape{4, 3}, Shape{7, 0}})
    EXPECT_EQ(flatten(counting(shape)).shape(), (Shape{shape.numElements()}));
}

struct Blocks : nn::Module<Blocks> {
  Tensor operator()(const Tensor &x) const {
    Dim blocks = x.shape()[0] / 8;
    return x.rebind({blocks * 8}).reshape({blocks, 8}).sum(1);
  }
};

TEST(SilentFailures, MultipleOfIsAsserted) {
  CompileOptions options{.constraints = {Dim("n").multipleOf(8)}};
  auto model = Blocks{}.compile(options, TensorType(DType::float32, {"n"}));
  EXPECT_EQ(model(counting({16})).shape(), (Shape{2, 1}));
  EXPECT_EQ(model(counting({0})).numElements(), 0);
  std::string error = valueErrorOf([&] { model(counting({12})); });
  EXPECT_THAT(error, HasSubstr("multiple of 8"));
  EXPECT_THAT(error, HasSubstr("12"));
}

struct WithPositions : nn::Module<WithPositions> {
  nn::Embedding tokens{10, {.dim = 4}}, positions{6, {.dim = 4}};
  KILN_FIELDS(tokens, positions)
  Tensor operator()(const Tensor &ids) const {
    Dim seq = ids.shape()[1];
    return tokens(ids) + positions(Tensor::arange(0, seq, 1, DType::int64));
  }
};

TEST(SilentFailures, ASequenceLongerThanThePositionTableIsAnError) {
  WithPositions module;
  auto model = module.compile(TensorType(DType::int64, {"batch", "seq"}));
  auto ids = [](int64_t seq) { return Tensor::zeros({2, seq}, DType::int64); };
  EXPECT_EQ(model(ids(6)).shape(), (Shape{2, 6, 4}));
  for (int64_t seq : {7, 100}) {
    try {
      model(ids(seq));
      FAIL() << "rows beyond the table";
    } catch (const Error &error) { // an index beyond the table, or a size that leads to one
      EXPECT_THAT(error.what(), HasSubstr("6"));
    }
    EXPECT_THROW(module(ids(seq)).realize(), Error);
  }
}

struct Sum : nn::Module<Sum> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return x + y; }
};

TEST(SilentFailures, EqualNamesHaveEqualSizes) {
  TensorType type(DType::float32, {"n", 2});
  auto model = Sum{}.compile(type, type);
  EXPECT_THAT(
      valueErrorOf([&] { model(counting({10, 2}), counting({12, 2})); }),
      HasSubstr("argument 1: symbolic dimension \"n\": expected 10 (from argument 0, dim 0), "
                "got 12"));
  // A size of 1 does not broadcast behind the back of its name.
  EXPECT_THAT(valueErrorOf([&] { model(counting({10, 2}), counting({1, 2})); }),
              HasSubstr("expected 10 (from argument 0, dim 0), got 1"));
  EXPECT_THAT(valueErrorOf([&] { model(counting({1, 2}), counting({10, 2})); }),
              HasSubstr("expected 1 (from argument 0, dim 0), got 10"));
}

TEST(SilentFailures, SizesZeroAndOneAreSizesAsAnyOther) {
  nn::Linear linear(3, 2);
  auto model = linear.compile(TensorType(DType::float32, {"batch", "seq", 3}));
  auto compiles = runtimeStats().compiles;
  for (Shape shape : {Shape{1, 1, 3}, Shape{0, 5, 3}, Shape{5, 0, 3}, Shape{1, 7, 3},
                      Shape{7, 1, 3}, Shape{4, 5, 3}}) {
    Tensor y = model(counting(shape));
    EXPECT_EQ(y.shape(), (Shape{shape[0], shape[1], 2}));
    EXPECT_EQ(y.toVector<float>().size(),
              static_cast<std::size_t>(shape[0].value() * shape[1].value() * 2));
  }
  EXPECT_EQ(runtimeStats().compiles, compiles) << "one artifact for all of them";
  // Compiled with a size of 1, a model does not take others.
  auto one = linear.compile(TensorType(DType::float32, {1, "seq", 3}));
  EXPECT_THAT(valueErrorOf([&] { one(counting({2, 4, 3})); }), HasSubstr("expected 1"));
}

} // namespace
