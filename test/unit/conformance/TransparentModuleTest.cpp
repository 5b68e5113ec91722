// max/tests/integration/nn/module_v3/test_transparent_module.py

#include "ModuleTesting.h"

using namespace kiln;
using namespace kiln::conformance;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

struct Transparent : nn::TransparentModule<Transparent> {
  nn::Linear a{4, 4}, b{4, 4};
  KILN_FIELDS(a, b)
  Tensor operator()(const Tensor &x) const { return a(x) + b(x); }
};
struct Opaque : nn::Module<Opaque> {
  nn::Linear a{4, 4}, b{4, 4};
  KILN_FIELDS(a, b)
  Tensor operator()(const Tensor &x) const { return a(x) + b(x); }
};
template <class Inner> struct Parent : nn::Module<Parent<Inner>> {
  Inner inner;
  nn::Linear out{4, 2};
  KILN_FIELDS(inner, out)
  Tensor operator()(const Tensor &x) const { return out(inner(x)); }
};

TEST(MaxTransparentModule, test_transparent_child_omits_its_name_from_param_paths) {
  EXPECT_THAT(names(Parent<Transparent>().parameters()),
              ElementsAre("a.weight", "a.bias", "b.weight", "b.bias", "out.weight", "out.bias"));
}

TEST(MaxTransparentModule, test_opaque_child_keeps_its_name) {
  EXPECT_THAT(names(Parent<Opaque>().parameters()),
              ElementsAre("inner.a.weight", "inner.a.bias", "inner.b.weight", "inner.b.bias",
                          "out.weight", "out.bias"));
}

TEST(MaxTransparentModule, test_transparent_child_still_discoverable_as_descendant) {
  Parent<Transparent> parent;
  EXPECT_THAT(names(parent.descendants()), ElementsAre("inner", "a", "b", "out"));
  EXPECT_EQ(parent.descendants()[0].second.as<Transparent>(), &parent.inner);
  EXPECT_THAT(names(parent.children()), ElementsAre("inner", "out"));
  EXPECT_THAT(text(parent), HasSubstr("inner=Transparent("));
}

TEST(MaxTransparentModule, test_load_state_dict_with_omitted_names) {
  Parent<Transparent> parent;
  nn::StateDict state;
  for (auto &[name, tensor] : parent.parameters())
    state.emplace(name, Tensor::zerosLike(tensor));
  parent.loadStateDict(state, {.strict = true});
  for (auto &[name, tensor] : parent.parameters())
    EXPECT_THAT(tensor.toVector<float>(), Each(0)) << name;
  EXPECT_THAT(parent(Tensor::ones({1, 4})).toVector<float>(), Each(0));
}

struct ExposesA : nn::TransparentModule<ExposesA> {
  nn::Linear a{4, 4};
  KILN_FIELDS(a)
};
struct Conflict : nn::Module<Conflict> {
  nn::Linear a{4, 4};
  ExposesA passthrough;
  KILN_FIELDS(a, passthrough)
  Tensor operator()(const Tensor &x) const { return a(x); }
};

TEST(MaxTransparentModule, test_colliding_paths_are_rejected) {
  Conflict conflict;
  auto says = AllOf(HasSubstr("two leaves share a path"), HasSubstr("\"a.weight\""),
                    HasSubstr("(at TransparentModuleTest.cpp:"));
  EXPECT_THAT(messageOf<ValueError>([&] { conflict.parameters(); }), says);
  EXPECT_THAT(messageOf<ValueError>([&] { conflict.stateDict(); }), says);
  EXPECT_THAT(messageOf<ValueError>([&] { conflict.loadStateDict({}); }), says);
  EXPECT_THAT(messageOf<ValueError>([&] { conflict.to(CPU(1)); }), says);
  EXPECT_THAT(messageOf<ValueError>(
                  [&] { conflict.applyToParameters([](auto &, const Tensor &x) { return x; }); }),
              says);
  EXPECT_THAT(messageOf<ValueError>([&] { conflict.compile(TensorType(DType::float32, {4})); }),
              says);
}

struct LocalParam : nn::TransparentModule<LocalParam> {
  Tensor weight = random::normal({4, 4});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return matmul(x, weight.T()); }
};
struct SwitchedOff : nn::TransparentModule<SwitchedOff> {
  static constexpr bool nameTransparent = false;
  Tensor weight = random::normal({4, 4});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return matmul(x, weight.T()); }
};
/// For each object on its own.
struct Switch : nn::Module<Switch> {
  bool nameTransparent = true;
  Tensor weight = random::normal({4, 4});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return matmul(x, weight.T()); }
};

TEST(MaxTransparentModule, test_transparency_can_be_switched_off) {
  EXPECT_THAT(names(Parent<LocalParam>().parameters()),
              ElementsAre("weight", "out.weight", "out.bias"));
  EXPECT_THAT(names(Parent<SwitchedOff>().parameters()),
              ElementsAre("inner.weight", "out.weight", "out.bias"));
  Parent<Switch> parent;
  EXPECT_THAT(names(parent.parameters()), Contains("weight"));
  parent.inner.nameTransparent = false;
  EXPECT_THAT(names(parent.parameters()), AllOf(Contains("inner.weight"), Not(Contains("weight"))));
}

} // namespace
