// max/tests/integration/nn/module_v3/test_module_typing.py. Calls that must not compile are in
// test/compile-fail.

#include "ModuleTesting.h"

#include <array>

using namespace kiln;
using testing::ElementsAre;

namespace {

struct Unary : nn::Module<Unary> {
  Tensor bias;
  KILN_FIELDS(bias)
  Tensor operator()(const Tensor &x) const { return x + bias; }
};

struct MultiOut : nn::Module<MultiOut> {
  Tensor bias;
  KILN_FIELDS(bias)
  std::tuple<Tensor, Tensor, Tensor> operator()(const Tensor &a, const Tensor &b) const {
    return {a + bias, b + bias, a + b};
  }
};

const TensorType type(DType::float32, {"batch", "n"});

template <class Model, class... Arguments>
concept Takes = requires(const Model &model, const Arguments &...x) { model(x...); };

TEST(MaxModuleTyping, test_compile_preserves_unary_p_r) {
  auto compiled = Unary{.bias = Tensor::constant(0.0f)}.compile(type);
  static_assert(std::is_same_v<decltype(compiled), CompiledModel<Tensor, 1>>);
  static_assert(std::is_same_v<decltype(compiled(Tensor())), Tensor>);
  Tensor x = random::uniform({3, 3});
  EXPECT_EQ(compiled(x).toVector<float>(), x.toVector<float>());
}

TEST(MaxModuleTyping, test_compile_preserves_multi_output_p_r) {
  using Triple = std::tuple<Tensor, Tensor, Tensor>;
  auto compiled = MultiOut{.bias = Tensor::constant(1.0f)}.compile(type, type);
  static_assert(std::is_same_v<decltype(compiled), CompiledModel<Triple, 2>>);
  static_assert(std::is_same_v<decltype(compiled(Tensor(), Tensor())), Triple>);
  auto [first, second, third] =
      compiled(Tensor::constant({{1.0f, 2.0f}}), Tensor::constant({{10.0f, 20.0f}}));
  EXPECT_THAT(first.toVector<float>(), ElementsAre(2, 3));
  EXPECT_THAT(second.toVector<float>(), ElementsAre(11, 21));
  EXPECT_THAT(third.toVector<float>(), ElementsAre(11, 22));
}

TEST(MaxModuleTyping, test_compile_rejects_call_arity_drift) {
  using OneArgument = CompiledModel<Tensor, 1>;
  static_assert(Takes<OneArgument, Tensor>);
  static_assert(!Takes<OneArgument>);
  static_assert(!Takes<OneArgument, Tensor, Tensor>);
  static_assert(!Takes<OneArgument, int>);
  using TwoArguments = CompiledModel<Tensor, 2>;
  static_assert(Takes<TwoArguments, Tensor, Tensor>);
  static_assert(!Takes<TwoArguments, Tensor> && !Takes<TwoArguments, Tensor, Tensor, Tensor>);
}

} // namespace
