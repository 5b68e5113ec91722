// Programs as users write them, with what they may expect of each.

#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <sstream>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct MyLinear : nn::Module<MyLinear> {
  Tensor weight;
  std::optional<Tensor> bias{};
  KILN_FIELDS(weight, bias)
  Tensor operator()(const Tensor &x) const {
    auto y = matmul(x, weight.T());
    return bias ? y + *bias : y;
  }
};

struct Block : nn::Module<Block> {
  nn::MultiHeadAttention attention{8, 2};
  nn::LayerNorm norm{8};
  nn::Sequential mlp{nn::Linear(8, 16), nn::GELU(), nn::Linear(16, 8)};
  KILN_FIELDS(attention, norm, mlp)
  Tensor operator()(const Tensor &x) const {
    auto h = norm(x + attention(x));
    return h + mlp(h);
  }
};

struct Sum : nn::Module<Sum> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return x + y; }
};
struct Nothing : nn::Module<Nothing> {
  Tensor operator()(const Tensor &) const { return Tensor(); }
};
struct Unset : nn::Module<Unset> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return x * weight; }
};

template <class T> std::string print(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

/// The message of the error that `f` throws, which is an E and says where it was written.
template <class E, class F> std::string errorOf(F f) {
  try {
    f();
  } catch (const E &error) {
    EXPECT_THAT(error.what(), HasSubstr("(at ApiExamplesTest.cpp:"));
    EXPECT_EQ(error.what()[0], '[');
    return error.what();
  } catch (const std::exception &error) {
    ADD_FAILURE() << "of another class: " << error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

const TensorType pairs(DType::float32, {"n", 2});

TEST(ApiExamples, Values) {
  EXPECT_EQ(defaults().first, DType::float32);
  {
    DefaultsScope scope(DType::bfloat16, CPU());
    EXPECT_EQ(Tensor::ones({2}).dtype(), DType::bfloat16);
  }
  Dim x("x");
  EXPECT_EQ(4 * x + 4, (x + 1) * 4);
  EXPECT_EQ(x + 1 + 1, x + 2);
  EXPECT_NE(4 * x / 5, (4 / 5) * x);
  EXPECT_EQ(print(Dim("batch") * Dim(4)), "Dim(\"batch\") * Dim(4)");
  EXPECT_EQ(print(Shape{4, 16, 256}), "[Dim(4), Dim(16), Dim(256)]");
  EXPECT_EQ(DeviceRef::GPU(1), Accelerator(1));
}

TEST(ApiExamples, Tensors) {
  auto a = Tensor::zeros({3, 2});
  auto d = Tensor::fromData(std::span<const float>(std::vector<float>{1, 2, 3, 4, 5, 6}), {2, 3});
  EXPECT_THAT(Tensor::arange(0, d.shape()[1], 1).toVector<int64_t>(), ElementsAre(0, 1, 2));
  EXPECT_EQ(a.reshape({-1, 3}).shape(), (Shape{2, 3}));
  EXPECT_EQ(a.broadcastTo({4, 3, 2}).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(a.slice({Slice(0, 2), Slice(1, {}, 2)}).shape(), (Shape{2, 1}));
  EXPECT_EQ(a.split(2, 0)[1].shape(), (Shape{1, 2}));
  EXPECT_EQ(print(Tensor::constant({1.0f, 2.0f, 3.0f})),
            "Tensor([1 2 3], dtype=float32, device=cpu:0)");
  EXPECT_EQ(print(Tensor::arange(1, 9).reshape({2, 2, 2})),
            "Tensor([1 2 | 5 6\n 3 4 | 7 8], dtype=int64, device=cpu:0)");
  // No elements, no lines.
  for (const Tensor &empty : {Tensor::zeros({0}), Tensor::zeros({3, 0}), Tensor::zeros({2, 0, 3})})
    EXPECT_EQ(print(empty), "Tensor([], dtype=float32, device=cpu:0)");
}

TEST(ApiExamples, AModuleOfOnesOwn) {
  MyLinear linear{.weight = Tensor::zeros({5, 4})};
  EXPECT_EQ(print(linear(Tensor::constant({1, 2, 3, 4}))),
            "Tensor([0 0 0 0 0], dtype=float32, device=cpu:0)");
  EXPECT_THAT(print(linear), HasSubstr("MyLinear(weight=Tensor("));
}

TEST(ApiExamples, OneCompileServesAllSizesAndAgreesWithEager) {
  Block block;
  auto model = block.compile(TensorType(DType::float32, {"batch", "seq", 8}));
  block(random::uniform({3, 5, 8})).realize();
  auto before = runtimeStats();
  // Sizes that happen to be equal, or those of the layer, are not part of the program.
  for (auto [batch, seq] :
       {std::pair{1, 5}, {3, 1}, {1, 1}, {4, 4}, {2, 8}, {8, 8}, {0, 3}, {7, 3}}) {
    auto x = random::uniform({batch, seq, 8});
    EXPECT_EQ(model(x).toVector<float>(), block(x).toVector<float>()) << batch << " " << seq;
  }
  EXPECT_EQ(runtimeStats().compiles, before.compiles);
  EXPECT_EQ(runtimeStats().diskHits, before.diskHits);
}

TEST(ApiExamples, AModelKeepsTheParametersItWasCompiledWith) {
  nn::Linear linear(2, 1, false);
  auto load = [&](float value) { linear.loadStateDict({{"weight", Tensor::full({1, 2}, value)}}); };
  load(1);
  auto first = linear.compile(pairs);
  auto x = Tensor::ones({1, 2});
  load(3);
  EXPECT_EQ(first(x).item<float>(), 2);
  EXPECT_EQ(linear(x).item<float>(), 6);
  auto second = linear.compile(pairs);
  EXPECT_EQ(second(x).item<float>(), 6);
  EXPECT_EQ(second.stats().cacheHit, CacheHit::memory);
  EXPECT_EQ(first(x).item<float>(), 2);
}

TEST(ApiExamples, CompileSaysWhatIsWrongAndWhere) {
  auto refused = [&](auto module, auto... arguments) {
    return [=] { module.compile(arguments...); };
  };
  EXPECT_THAT(errorOf<TypeError>([] { Nothing().compile(pairs); }),
              HasSubstr("Nothing: result 0 is empty"));
  EXPECT_THAT(errorOf<ValueError>([] { nn::Linear(3, 2).compile(pairs); }),
              HasSubstr("[matmul] inner dims differ"));
  EXPECT_THAT(errorOf<TypeError>([] { Unset().compile(pairs); }),
              HasSubstr("Unset: the parameter \"weight\" is empty"));
  EXPECT_THAT(errorOf<ValueError>(
                  [] { Sum().compile(TensorType(DType::float32, {Dim("n") + 1, 2}), pairs); }),
              HasSubstr("argument 0: algebraic dim n + 1"));
  EXPECT_THAT(errorOf<ValueError>(refused(
                  Sum(), CompileOptions{.constraints = {Dim("rows").between(1, 8)}}, pairs, pairs)),
              HasSubstr("a constraint is on \"rows\""));
  EXPECT_THAT(errorOf<ValueError>(refused(Sum(), CompileOptions{.target = "z80"}, pairs, pairs)),
              HasSubstr("unknown target 'z80'"));
  EXPECT_THAT(errorOf<ValueError>(refused(
                  Sum(), CompileOptions{.disabledPasses = {"kiln-fuse-all"}}, pairs, pairs)),
              HasSubstr("no pass \"kiln-fuse-all\" can be switched off; these can: kiln-fuse-att"));
  auto model = Sum().compile(pairs, pairs);
  try {
    model.ir("fusing");
    ADD_FAILURE();
  } catch (const KeyError &error) {
    EXPECT_THAT(error.what(), HasSubstr("import, canonicalize, fuse, outline, lower"));
  }
}

TEST(ApiExamples, CallsSayWhatIsWrongAndWhere) {
  auto model = Sum().compile(CompileOptions{.constraints = {Dim("n").multipleOf(2)}}, pairs, pairs);
  auto with = [&](Tensor y) {
    return errorOf<ValueError>([&] { model(Tensor::ones({10, 2}), y); });
  };
  EXPECT_THAT(with(Tensor::ones({12, 2})),
              HasSubstr("argument 1: symbolic dimension \"n\": "
                        "expected 10 (from argument 0, dim 0), got 12"));
  EXPECT_THAT(with(Tensor::ones({10, 3})), HasSubstr("argument 1: dim 1: expected 2, got 3"));
  EXPECT_THAT(with(Tensor::ones({10})), HasSubstr("argument 1: expected rank 2"));
  EXPECT_THAT(with(Tensor::ones({10, 2}, DType::int8)), HasSubstr("expected dtype float32"));
  EXPECT_THAT(errorOf<TypeError>([&] { model(Tensor::ones({10, 2}), Tensor()); }),
              HasSubstr("argument 1: the tensor is empty"));
  auto odd = Tensor::ones({3, 2});
  EXPECT_THAT(errorOf<ValueError>([&] { model(odd, odd); }), HasSubstr("a multiple of 2, got 3"));
}

TEST(ApiExamples, OperationsSayWhatIsWrongAndWhere) {
  auto x = Tensor::ones({3, 4}), y = Tensor::ones({5, 6});
  EXPECT_THAT(errorOf<ValueError>([&] { matmul(x, y); }),
              HasSubstr("[matmul] inner dims differ: x [3, 4] f32, y [5, 6] f32 (at "));
  EXPECT_THAT(errorOf<TypeError>(
                  [] { Tensor::ones({2}, DType::uint64) + Tensor::ones({2}, DType::int64); }),
              HasSubstr("[add] no integer dtype holds both u64 and i64"));
  EXPECT_THAT(errorOf<ValueError>([] { Tensor::zeros({int64_t{1} << 40, int64_t{1} << 40}); }),
              HasSubstr("[zeros]"));
  EXPECT_THAT(errorOf<DeviceError>([] { Tensor::zeros({int64_t{1} << 50}); }),
              HasSubstr("[zeros] cpu:0: cannot allocate"));
  EXPECT_THAT(
      errorOf<DeviceError>([&] { x[0].unsqueeze(0).broadcastTo({int64_t{1} << 50, 4}).realize(); }),
      HasSubstr("cannot allocate"));
  EXPECT_THAT(errorOf<IndexError>([&] { gather(x, Tensor::constant({{0, 1}, {2, 7}})).realize(); }),
              HasSubstr("index 7 at position 3 is out of range [0, 3)"));
}

TEST(ApiExamples, LayersHaveStaticDims) {
  EXPECT_THROW(nn::Linear(2, "n"), TypeError);
  EXPECT_THROW(nn::Linear("n", 2), TypeError);
  EXPECT_THROW(nn::Linear(2, -1), TypeError);
  EXPECT_THROW(nn::Embedding("n", {.dim = 2}), TypeError);
  EXPECT_THROW(nn::LayerNorm("n"), TypeError);
}

TEST(ApiExamples, AnEmptyTensorIsNotLoaded) {
  nn::Linear linear(2, 2, false);
  EXPECT_THROW(linear.loadState([](const std::string &) { return Tensor(); }), ValueError);
  EXPECT_EQ(linear.weight.shape(), (Shape{2, 2}));
}

} // namespace
