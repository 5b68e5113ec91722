// max/tests/integration/nn/module_v3/test_module.py

#include "ModuleTesting.h"

#include <regex>

using namespace kiln;
using namespace kiln::conformance;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

namespace {

const TensorType square(DType::float32, {3, 3});

TEST(MaxModule, test_module_dataclass) {
  struct Test : nn::Module<Test> {
    int a;
    int b = 0;
    KILN_FIELDS(a, b)
  };
  EXPECT_EQ(text(Test{.a = 2}), "Test(a=2)");
  EXPECT_EQ(text(Test{.a = 1, .b = 3}), "Test(a=1, b=3)");
}

TEST(MaxModule, test_module_repr) {
  EXPECT_THAT(text(testModule()), AllOf(HasSubstr("TestModule"), HasSubstr("SubModule"),
                                        HasSubstr("a=Tensor"), HasSubstr("b=Tensor")));
  EXPECT_THAT(text(testModule()), Not(HasSubstr("eps=")));
  SubModule sub{.b = Tensor::constant(2), .eps = 1e-6};
  EXPECT_THAT(text(sub), AllOf(HasSubstr("SubModule"), HasSubstr("b=Tensor"), HasSubstr("eps=")));
}

TEST(MaxModule, test_module_custom_repr) {
  struct Linear : nn::Module<Linear> {
    Tensor weight;
    std::optional<Tensor> bias;
    KILN_FIELDS(weight, bias)
    Linear(int64_t inDim, int64_t outDim, bool hasBias = true)
        : weight(Tensor::zeros({outDim, inDim})) {
      if (hasBias)
        bias = Tensor::zeros({outDim});
    }
    void describe(nn::Description &to) const {
      to.field("in_dim", weight.shape()[1])
          .field("out_dim", weight.shape()[0])
          .field("bias", bias.has_value(), true);
    }
  };
  EXPECT_EQ(text(Linear(2, 2)), "Linear(in_dim=Dim(2), out_dim=Dim(2))");
  EXPECT_EQ(text(Linear(3, 1, false)), "Linear(in_dim=Dim(3), out_dim=Dim(1), bias=false)");
}

/// A TestModule that may share its child.
struct Sharing : nn::Module<Sharing> {
  Tensor a;
  std::shared_ptr<SubModule> sub;
  KILN_FIELDS(a, sub)
};

TEST(MaxModule, test_module_decomposition) {
  auto sub = std::make_shared<SubModule>(SubModule{.b = Tensor::constant(2)});
  Sharing first{.a = Tensor::constant(1), .sub = sub};
  Sharing second{.a = Tensor::constant(1), .sub = first.sub};
  EXPECT_EQ(first.sub, second.sub);
  EXPECT_EQ(first.children(), second.children());
  EXPECT_EQ(first.children()[0].second.as<SubModule>(), sub.get());
}

TEST(MaxModule, test_module_decomposition_call) {
  TestModule module = testModule();
  EXPECT_EQ(module.sub.b.item<float>(), 2);
  EXPECT_EQ(module.sub(Tensor::constant(1.0f)).item<float>(), 3);
}

TEST(MaxModule, test_module_forward) {
  TestModule module = testModule();
  Tensor x = Tensor::constant(1.0f);
  EXPECT_EQ(module.forward(x).item<float>(), module(x).item<float>());
}

TEST(MaxModule, test_module_local_parameters) {
  TestModule module = testModule();
  EXPECT_THAT(names(module.localParameters()), ElementsAre("a"));
  EXPECT_EQ(module.localParameters()[0].second.handle(), module.a.handle());
  EXPECT_THAT(names(module.sub.localParameters()), ElementsAre("b"));
}

TEST(MaxModule, test_module_parameters) {
  TestModule module = testModule();
  EXPECT_THAT(names(module.parameters()), ElementsAre("a", "sub.b"));
  EXPECT_EQ(module.parameters()[1].second.handle(), module.sub.b.handle());
  EXPECT_THAT(names(module.sub.parameters()), ElementsAre("b"));
}

TEST(MaxModule, test_module_children) {
  SuperModule super{.mod = testModule()};
  EXPECT_THAT(names(super.children()), ElementsAre("mod"));
  EXPECT_EQ(super.children()[0].second.as<TestModule>(), &super.mod);
  EXPECT_THAT(names(super.mod.children()), ElementsAre("sub"));
  EXPECT_THAT(super.mod.sub.children(), IsEmpty());
}

TEST(MaxModule, test_module_descendants) {
  SuperModule super{.mod = testModule()};
  EXPECT_THAT(names(super.descendants()), ElementsAre("mod", "mod.sub"));
  EXPECT_EQ(super.descendants()[1].second.as<SubModule>(), &super.mod.sub);
  EXPECT_THAT(names(super.mod.descendants()), ElementsAre("sub"));
  EXPECT_THAT(super.mod.sub.descendants(), IsEmpty());
}

Tensor addOne(const std::string &, const Tensor &x) { return x + 1; }

TEST(MaxModule, test_apply_to_local_parameters) {
  TestModule module = testModule();
  module.applyToLocalParameters(addOne);
  EXPECT_EQ(module.a.item<float>(), 2);
  EXPECT_EQ(module.sub.b.item<float>(), 2);
}

TEST(MaxModule, test_apply_to_parameters) {
  TestModule module = testModule();
  module.applyToParameters(addOne);
  EXPECT_EQ(module.a.item<float>(), 2);
  EXPECT_EQ(module.sub.b.item<float>(), 3);
}

TEST(MaxModule, test_apply_to_parameters__qualified_names) {
  TestModule module = testModule();
  std::vector<std::string> seen;
  module.applyToParameters([&](const std::string &name, const Tensor &x) {
    seen.push_back(name);
    return x;
  });
  EXPECT_EQ(seen, names(module.parameters()));
}

TEST(MaxModule, test_map_parameters) {
  TestModule module = testModule();
  TestModule mapped = module.mapParameters(addOne);
  EXPECT_EQ(mapped.a.item<float>(), 2);
  EXPECT_EQ(mapped.sub.b.item<float>(), 3);
  EXPECT_EQ(module.a.item<float>(), 1);
  EXPECT_EQ(module.sub.b.item<float>(), 2);
}

TEST(MaxModule, test_load_state_simple_dict) {
  TestModule module = testModule();
  nn::StateDict weights = {{"a", Tensor::constant(5.0f)}, {"sub.b", Tensor::constant(6.0f)}};
  module.loadState([&](const std::string &name) { return weights.at(name); });
  EXPECT_EQ(module.a.item<float>(), 5);
  EXPECT_EQ(module.sub.b.item<float>(), 6);
}

TEST(MaxModule, test_load_state_simple_dict_lookup_failure) {
  TestModule module = testModule();
  nn::StateDict weights;
  EXPECT_THROW(module.loadState([&](const std::string &name) { return weights.at(name); }),
               KeyError);
  // More than MAX promises: nothing has changed, even where the failure comes late.
  weights = {{"a", Tensor::constant(5.0f)}};
  EXPECT_THROW(module.loadState([&](const std::string &name) { return weights.at(name); }),
               KeyError);
  EXPECT_EQ(module.a.item<float>(), 1);
}

TEST(MaxModule, test_load_state_name_remapping) {
  TestModule module = testModule();
  nn::StateDict weights = {{"a", Tensor::constant(5.0f)},
                           {"feed_forward.b", Tensor::constant(6.0f)}};
  module.loadState([&](const std::string &name) {
    return weights.at(std::regex_replace(name, std::regex("\\bsub\\."), "feed_forward."));
  });
  EXPECT_EQ(module.a.item<float>(), 5);
  EXPECT_EQ(module.sub.b.item<float>(), 6);
}

TEST(MaxModule, test_load_state_dict) {
  TestModule module = testModule();
  module.loadStateDict({{"a", Tensor::constant(5.0f)}, {"sub.b", Tensor::constant(6.0f)}});
  EXPECT_EQ(module.a.item<float>(), 5);
  EXPECT_EQ(module.sub.b.item<float>(), 6);
}

const nn::StateDict withExtra = {{"a", Tensor::constant(5.0f)},
                                 {"sub.b", Tensor::constant(6.0f)},
                                 {"extra", Tensor::constant(7.0f)}};

TEST(MaxModule, test_load_state_dict_strict) {
  TestModule module = testModule();
  EXPECT_THAT(messageOf<ValueError>([&] { module.loadStateDict(withExtra); }),
              AllOf(HasSubstr("\"extra\""), HasSubstr("(at ModuleTreeTest.cpp:")));
  EXPECT_EQ(module.a.item<float>(), 1);
}

TEST(MaxModule, test_load_state_dict_nonstrict) {
  TestModule module = testModule();
  module.loadStateDict(withExtra, {.strict = false});
  EXPECT_EQ(module.a.item<float>(), 5);
  EXPECT_EQ(module.sub.b.item<float>(), 6);
  // A name that is missing is an error in both modes.
  EXPECT_THROW(module.loadStateDict({{"a", Tensor::constant(5.0f)}}, {.strict = false}), KeyError);
  EXPECT_THROW(module.loadStateDict({{"a", Tensor::constant(5.0f)}}), KeyError);
}

/// Loads `given` into a float32 [3, 3].
std::string refusalOf(const Tensor &given) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  std::string message = messageOf<ValueError>([&] { module.loadStateDict({{"weight", given}}); });
  EXPECT_THAT(message, AllOf(HasSubstr("\"weight\""), HasSubstr("not assignable"),
                             HasSubstr("[3, 3] f32"), HasSubstr(given.type().str())));
  return message;
}

TEST(MaxModule, test_load_state_dict_dtype_mismatch) {
  refusalOf(Tensor::zeros({3, 3}, DType::int32));
}
TEST(MaxModule, test_load_state_dict_shape_mismatch) { refusalOf(Tensor::zeros({4, 4})); }
TEST(MaxModule, test_load_state_dict_dtype_and_shape_mismatch) {
  refusalOf(Tensor::zeros({4, 4}, DType::int32));
}

TEST(MaxModule, test_load_state_dict_valid_types) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  module.loadStateDict({{"weight", Tensor::ones({3, 3})}});
  EXPECT_EQ(module.weight.slice({0, 0}).item<float>(), 1);
}

TEST(MaxModule, test_load_state_dict_safe_cast_float32_to_bfloat16) {
  SimpleModule module{.weight = Tensor::zeros({3, 3}, DType::bfloat16)};
  std::string warning = warningsOf(
      [&] { module.loadStateDict({{"weight", Tensor::ones({3, 3})}}, {.autoCast = true}); });
  EXPECT_EQ(module.weight.dtype(), DType::bfloat16);
  EXPECT_EQ(module.weight.cast(DType::float32).slice({0, 0}).item<float>(), 1);
  EXPECT_THAT(warning, HasSubstr("precision loss"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
}

TEST(MaxModule, test_load_state_dict_safe_cast_bfloat16_to_float32) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  std::string warning = warningsOf([&] {
    module.loadStateDict({{"weight", Tensor::ones({3, 3}, DType::bfloat16)}}, {.autoCast = true});
  });
  EXPECT_EQ(module.weight.dtype(), DType::float32);
  EXPECT_EQ(module.weight.slice({0, 0}).item<float>(), 1);
  EXPECT_THAT(warning, AllOf(HasSubstr("1 parameter(s)"), Not(HasSubstr("precision loss"))));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
}

TEST(MaxModule, test_load_state_dict_no_warning_when_dtypes_match) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  for (bool autoCast : {false, true})
    EXPECT_EQ(warningsOf([&] {
                module.loadStateDict({{"weight", Tensor::ones({3, 3})}}, {.autoCast = autoCast});
              }),
              "");
}

struct TwoWeightModule : nn::Module<TwoWeightModule> {
  Tensor a, b;
  KILN_FIELDS(a, b)
  Tensor operator()(const Tensor &x) const { return x + a + b; }
};

TEST(MaxModule, test_load_state_dict_safe_cast_summary_aggregates) {
  Tensor narrow = Tensor::zeros({3, 3}, DType::bfloat16), wide = Tensor::ones({3, 3});
  TwoWeightModule module{.a = narrow, .b = narrow};
  std::string warning =
      warningsOf([&] { module.loadStateDict({{"a", wide}, {"b", wide}}, {.autoCast = true}); });
  EXPECT_THAT(warning, HasSubstr("2 parameter(s)"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
}

TEST(MaxModule, test_load_state_dict_default_does_not_auto_cast) {
  SimpleModule module{.weight = Tensor::zeros({3, 3}, DType::bfloat16)};
  EXPECT_THAT(
      messageOf<ValueError>([&] { module.loadStateDict({{"weight", Tensor::ones({3, 3})}}); }),
      HasSubstr("not assignable"));
}

TEST(MaxModule, test_load_state_dict_auto_cast_false_arg_disables) {
  SimpleModule module{.weight = Tensor::zeros({3, 3}, DType::bfloat16)};
  EXPECT_EQ(warningsOf([&] {
              EXPECT_THAT(messageOf<ValueError>([&] {
                            module.loadStateDict({{"weight", Tensor::ones({3, 3})}},
                                                 {.autoCast = false});
                          }),
                          HasSubstr("not assignable"));
            }),
            "");
}

TEST(MaxModule, test_load_state_dict_unwhitelisted_float_dtype_still_raises) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  for (bool autoCast : {false, true})
    EXPECT_THAT(messageOf<ValueError>([&] {
                  module.loadStateDict({{"weight", Tensor::zeros({3, 3}, DType::float16)}},
                                       {.autoCast = autoCast});
                }),
                HasSubstr("not assignable"));
}

TEST(MaxModule, test_to) {
  for (Device device : otherDevices()) {
    TestModule module = testModule();
    EXPECT_EQ(&module.to(device), &module);
    for (auto &[name, tensor] : module.parameters())
      EXPECT_EQ(tensor.device(), device) << name;
    EXPECT_EQ(&module.to(CPU()), &module);
    for (auto &[name, tensor] : module.parameters())
      EXPECT_EQ(tensor.device(), CPU()) << name;
    EXPECT_EQ(module(Tensor::constant(1.0f)).item<float>(), 4);
  }
  // All or nothing: a device that is not there moves nothing.
  TestModule module = testModule();
  EXPECT_THROW(module.to(Accelerator(acceleratorCount())), DeviceError);
  EXPECT_EQ(module.a.device(), CPU());
}

struct ScaledModule : nn::Module<ScaledModule> {
  Tensor weight;
  nn::PinnedDeviceTensor scale;
  KILN_FIELDS(weight, scale)
  Tensor operator()(const Tensor &x) const { return x + weight; }
};

ScaledModule scaledModule() {
  return {.weight = Tensor::ones({3, 3}), .scale = Tensor::full({}, 1.0f)};
}

TEST(MaxModule, test_pinned_device_tensor_unchanged_by_to) {
  for (Device device : otherDevices()) {
    ScaledModule module = scaledModule();
    module.to(device);
    EXPECT_EQ(module.weight.device(), device);
    EXPECT_EQ(module.scale.device(), CPU());
    // A parameter else: it is listed, loaded and used as any other.
    EXPECT_THAT(names(module.parameters()), ElementsAre("weight", "scale"));
    module.loadStateDict({{"weight", Tensor::zeros({3, 3})}, {"scale", Tensor::full({}, 2.0f)}});
    EXPECT_EQ(module.weight.device(), device);
    EXPECT_EQ((module.scale * 3).item<float>(), 6);
  }
}

TEST(MaxModule, test_pinned_device_tensor_in_child_module) {
  struct Outer : nn::Module<Outer> {
    ScaledModule inner;
    Tensor bias;
    KILN_FIELDS(inner, bias)
  };
  for (Device device : otherDevices()) {
    Outer module{.inner = scaledModule(), .bias = Tensor::ones({3})};
    module.to(device);
    EXPECT_EQ(module.inner.weight.device(), device);
    EXPECT_EQ(module.inner.scale.device(), CPU());
    EXPECT_EQ(module.bias.device(), device);
  }
}

/// A base that holds fields for the class that derives from it.
template <class Derived> struct ScaledBase : nn::Module<Derived> {
  Tensor weight;
  nn::PinnedDeviceTensor scale;
  KILN_FIELDS(weight, scale)
};
struct PlainScaled : ScaledBase<PlainScaled> {};
struct ExtendedScaled : ScaledBase<ExtendedScaled> {
  Tensor extra;
  KILN_FIELDS(ScaledBase::weight, ScaledBase::scale, extra)
};

TEST(MaxModule, test_pinned_device_tensor_inherited) {
  for (Device device : otherDevices()) {
    PlainScaled plain;
    plain.weight = Tensor::ones({3});
    plain.scale = Tensor::ones({3});
    plain.to(device);
    EXPECT_THAT(names(plain.parameters()), ElementsAre("weight", "scale"));
    EXPECT_EQ(plain.weight.device(), device);
    EXPECT_EQ(plain.scale.device(), CPU());
    ExtendedScaled extended;
    extended.weight = extended.scale = extended.extra = Tensor::ones({3});
    extended.to(device);
    EXPECT_THAT(names(extended.parameters()), ElementsAre("weight", "scale", "extra"));
    EXPECT_EQ(extended.extra.device(), device);
    EXPECT_EQ(extended.scale.device(), CPU());
  }
}

TEST(MaxModule, test_compile) {
  TestModule module = testModule();
  auto compiled = module.compile(TensorType(DType::float32, {"batch", "n"}));
  Tensor x = random::uniform({3, 3});
  EXPECT_EQ(compiled(x).toVector<float>(), module(x).toVector<float>());
}

const TensorType narrowSquare(DType::bfloat16, {3, 3});

TEST(MaxModule, test_compile_with_weights_shape_mismatch) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  EXPECT_THAT(messageOf<ValueError>([&] {
                module.compile(CompileOptions{.weights = {{"weight", Tensor::zeros({4, 4})}}},
                               square);
              }),
              AllOf(HasSubstr("[compile]"), HasSubstr("not assignable"), HasSubstr("[4, 4] f32"),
                    HasSubstr("(at ModuleTreeTest.cpp:")));
}

TEST(MaxModule, test_compile_with_weights_dtype_mismatch) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  Tensor integers = Tensor::zeros({3, 3}, DType::int32);
  EXPECT_THAT(messageOf<ValueError>([&] {
                module.compile(CompileOptions{.weights = {{"weight", integers}}}, square);
              }),
              HasSubstr("not assignable"));
}

TEST(MaxModule, test_compile_with_weights_safe_cast) {
  SimpleModule module{.weight = Tensor::zeros({3, 3}, DType::bfloat16)};
  CompileOptions options{.weights = {{"weight", Tensor::full({3, 3}, 3.0f)}}, .autoCast = true};
  Tensor result;
  std::string warning = warningsOf([&] {
    result = module.compile(options, narrowSquare)(Tensor::ones({3, 3}, DType::bfloat16));
  });
  EXPECT_THAT(warning, HasSubstr("precision loss"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
  EXPECT_THAT(result.cast(DType::float32).toVector<float>(), testing::Each(4));
  EXPECT_EQ(module.weight.cast(DType::float32).toVector<float>()[0], 0); // the module's own
}

TEST(MaxModule, test_compile_with_weights_auto_cast_false_arg_disables) {
  SimpleModule module{.weight = Tensor::zeros({3, 3}, DType::bfloat16)};
  CompileOptions options{.weights = {{"weight", Tensor::ones({3, 3})}}, .autoCast = false};
  EXPECT_THAT(messageOf<ValueError>([&] { module.compile(options, narrowSquare); }),
              HasSubstr("not assignable"));
}

TEST(MaxModule, test_compile_with_weights_missing_parameter_raises) {
  SimpleModule module{.weight = Tensor::zeros({3, 3})};
  EXPECT_THAT(messageOf<KeyError>(
                  [&] { module.compile(CompileOptions{.weights = nn::StateDict()}, square); }),
              AllOf(HasSubstr("\"weight\" is missing"), HasSubstr("(at ModuleTreeTest.cpp:")));
}

/// Not computed: an expression, and initial values that nobody has read.
struct LazyModule : nn::Module<LazyModule> {
  Tensor a = Tensor::ones({3}) * 2;
  nn::Linear sub{3, 3};
  KILN_FIELDS(a, sub)
  Tensor operator()(const Tensor &x) const { return sub(x) + a; }
};

void expectUnrealized(const LazyModule &module) {
  for (auto &[name, tensor] : module.parameters())
    EXPECT_FALSE(tensor.isRealized()) << name;
}

TEST(MaxModule, test_compile_with_weights) {
  LazyModule module;
  nn::StateDict weights = {{"a", Tensor::zeros({3})},
                           {"sub.weight", Tensor::full({3, 3}, 2.0f)},
                           {"sub.bias", Tensor::ones({3})}};
  for (auto &[name, tensor] : weights)
    tensor.realize();
  expectUnrealized(module);
  auto compiled =
      module.compile(CompileOptions{.weights = weights}, TensorType(DType::float32, {"batch", 3}));
  expectUnrealized(module);
  EXPECT_THAT(compiled(Tensor::ones({2, 3})).toVector<float>(), testing::Each(7));
  expectUnrealized(module);
}

TEST(MaxModule, test_compile_with_weights_never_realized) {
  LazyModule module;
  nn::StateDict weights;
  for (auto &[name, tensor] : module.parameters())
    weights.emplace(name, Tensor::zerosLike(tensor));
  auto compiled =
      module.compile(CompileOptions{.weights = weights}, TensorType(DType::float32, {"batch", 3}));
  expectUnrealized(module);
  EXPECT_THAT(compiled(random::uniform({3, 3})).toVector<float>(), testing::Each(0));
  expectUnrealized(module);
}

} // namespace
