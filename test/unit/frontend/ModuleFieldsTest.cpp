// What the fields of a module may be, and what modules are made of when they are copied and shared.

#include "test/unit/conformance/ModuleTesting.h"

#include <memory>
#include <unordered_map>

using namespace kiln;
using namespace kiln::conformance;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct Plain : nn::Module<Plain> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return x * weight; }
};

Plain plain(float value) { return {.weight = Tensor::constant({value})}; }

/// No module: its parts are those of the module that holds it.
struct Group {
  int size = 3;
  Tensor scale{};
  KILN_FIELDS(size, scale)
};

enum class Mode { fast, exact };

struct Zoo : nn::Module<Zoo> {
  std::map<std::string, Plain> heads{};
  std::map<int, Tensor> numbered{};
  std::array<std::optional<Plain>, 2> pair{};
  std::vector<std::shared_ptr<Plain>> shared{};
  std::vector<std::optional<Tensor>> maybe{};
  std::vector<std::vector<Plain>> grid{};
  std::optional<nn::AnyModule> any{};
  Group group{};
  Mode mode = Mode::fast;
  int8_t small = 1;
  std::map<std::string, double> numbers{};
  std::optional<Plain> array[2]{};
  float factors[2] = {1, 2};
  KILN_FIELDS(heads, numbered, pair, shared, maybe, grid, any, group, mode, small, numbers, array,
              factors)
};

Zoo filledZoo() {
  auto one = std::make_shared<Plain>(plain(1));
  Zoo zoo;
  zoo.heads = {{"left", plain(1)}, {"right", plain(2)}};
  zoo.numbered = {{7, Tensor::constant({3.0f})}};
  zoo.pair[1] = plain(4);
  zoo.shared = {one, one};
  zoo.maybe = {std::nullopt, Tensor::constant({5.0f})};
  zoo.grid = {{plain(6)}, {}};
  zoo.any = plain(7);
  zoo.group.scale = Tensor::constant({8.0f});
  zoo.mode = Mode::exact;
  zoo.small = 2;
  zoo.numbers = {{"x", 0.5}};
  zoo.array[1] = plain(9);
  zoo.factors[1] = 3;
  return zoo;
}

TEST(ModuleFields, AllKindsHaveTheirNames) {
  EXPECT_THAT(names(Zoo().parameters()), ElementsAre("group.scale")); // there, but empty
  Zoo zoo = filledZoo();
  EXPECT_THAT(names(zoo.parameters()),
              ElementsAre("numbered.7", "maybe.1", "group.scale", "heads.left.weight",
                          "heads.right.weight", "pair.1.weight", "shared.0.weight",
                          "shared.1.weight", "grid.0.0.weight", "any.weight", "array.1.weight"));
  EXPECT_THAT(names(zoo.children()), ElementsAre("heads.left", "heads.right", "pair.1", "shared.0",
                                                 "shared.1", "grid.0.0", "any", "array.1"));
  zoo.applyToParameters([](auto &, const Tensor &x) { return x + 10; });
  EXPECT_EQ(zoo.heads.at("right").weight.item<float>(), 12);
  EXPECT_EQ(zoo.shared[0]->weight.item<float>(), 11); // once, though it has two names
  EXPECT_EQ(zoo.group.scale.item<float>(), 18);
  zoo.to(CPU(1));
  for (auto &[name, tensor] : zoo.parameters())
    EXPECT_EQ(tensor.device(), CPU(1)) << name;
}

TEST(ModuleFields, PrintWhatIsNotAtItsDefault) {
  EXPECT_EQ(text(Zoo()), "Zoo(group=Group(scale=Tensor(<empty>)))");
  std::string printed = text(filledZoo());
  for (const char *part :
       {"heads.left=Plain(weight=Tensor(shape=[1]", "grid.0=[Plain(", "any=Plain(", "mode=1",
        "small=2", "numbers={\"x\": 0.5}", "factors=[1, 3]", "array.1=Plain(",
        "maybe=[none, Tensor(", "group=Group(scale=Tensor("})
    EXPECT_THAT(printed, HasSubstr(part));
  // Also where a field has no default to compare with, and in any order.
  struct Net : nn::Module<Net> {
    nn::Linear inner;
    double eps = 1e-5;
    std::optional<Tensor> bias{};
    KILN_FIELDS(eps, inner, bias)
  };
  EXPECT_EQ(text(Net{.inner = nn::Linear(2, 3)}),
            "Net(inner=Linear(in_dim=Dim(2), out_dim=Dim(3)))");
  EXPECT_EQ(text(Net{.inner = nn::Linear(2, 3), .eps = 1}),
            "Net(eps=1, inner=Linear(in_dim=Dim(2), out_dim=Dim(3)))");
}

/// To see the defaults of its fields a module is made, whose weights nobody drew.
TEST(ModuleFields, PrintingTakesNoRandomNumbers) {
  struct Net : nn::Module<Net> {
    nn::Linear inner{2, 3};
    KILN_FIELDS(inner)
  } net;
  random::seed(5);
  float expected = random::uniform({1}).item<float>();
  random::seed(5);
  EXPECT_THAT(text(net), HasSubstr("Net("));
  EXPECT_EQ(random::uniform({1}).item<float>(), expected);
}

TEST(ModuleFields, CopiesHaveParametersOfTheirOwn) {
  Zoo zoo = filledZoo(), copy = zoo;
  copy.applyToParameters([](auto &, const Tensor &x) { return x * 100; });
  EXPECT_EQ(zoo.heads.at("left").weight.item<float>(), 1);
  EXPECT_EQ(zoo.any->as<Plain>()->weight.item<float>(), 7);
  EXPECT_EQ(zoo.shared[0]->weight.item<float>(), 100); // but for those behind a shared pointer
  EXPECT_EQ(zoo.shared[0], copy.shared[1]);
  Zoo mapped = zoo.mapParameters([](auto &, const Tensor &x) { return x * 0; });
  EXPECT_EQ(zoo.shared[0]->weight.item<float>(), 100);
  EXPECT_EQ(mapped.shared[0], mapped.shared[1]);
  EXPECT_NE(mapped.shared[0], zoo.shared[0]);
}

struct Unique : nn::Module<Unique> {
  std::unique_ptr<Plain> inner;
  KILN_FIELDS(inner)
  Tensor operator()(const Tensor &x) const { return (*inner)(x); }
};

TEST(ModuleFields, AModuleMayBeMovedOnly) {
  Unique module{.inner = std::make_unique<Plain>(plain(3))};
  EXPECT_THAT(names(module.parameters()), ElementsAre("inner.weight"));
  TensorType type(DType::float32, {"n"});
  EXPECT_EQ(module.compile(type)(Tensor::ones({1})).item<float>(), 3);
  EXPECT_THAT(messageOf<TypeError>(
                  [&] { module.compile(CompileOptions{.weights = module.stateDict()}, type); }),
              AllOf(HasSubstr("Unique cannot be copied"), HasSubstr("(at ModuleFieldsTest.cpp:")));
  std::vector<Unique> many;
  many.push_back(std::move(module));
  many.emplace_back();
  EXPECT_THAT(names(many[0].parameters()), ElementsAre("inner.weight"));
  nn::AnyModule any = std::move(many[0]);
  EXPECT_EQ(any(Tensor::ones({1})).item<float>(), 3);
  EXPECT_THROW(nn::AnyModule copy = any, TypeError);
}

TEST(ModuleFields, AnyModuleSaysWhatItCannotDo) {
  nn::Sequential model(std::vector<nn::AnyModule>{plain(2), nn::ModuleList(plain(3))});
  EXPECT_THAT(messageOf<TypeError>([&] { model(Tensor::ones({1})); }),
              AllOf(HasSubstr("[ModuleList] the module does not take one tensor and give one"),
                    HasSubstr("(at ModuleFieldsTest.cpp:")));
  nn::AnyModule none = std::shared_ptr<Plain>();
  EXPECT_THAT(messageOf<TypeError>([&] { none(Tensor::ones({1})); }), HasSubstr("is null"));
  EXPECT_EQ(model[0].as<nn::ModuleList>(), nullptr);
  EXPECT_EQ(model[1].as<nn::ModuleList>()->size(), 1u);
}

template <class Inner> struct Twice : nn::Module<Twice<Inner>> {
  Inner inner;
  KILN_FIELDS(this->inner)
  Tensor operator()(const Tensor &x) const { return inner(inner(x)); }
};

TEST(ModuleFields, TemplatesAreModules) {
  Twice<Twice<Plain>> module{.inner = {.inner = plain(2)}};
  EXPECT_THAT(names(module.parameters()), ElementsAre("inner.inner.weight"));
  EXPECT_EQ(module(Tensor::ones({1})).item<float>(), 16);
  EXPECT_THAT(text(module), HasSubstr("Twice(\n    inner=Twice(\n        inner=Plain("));
}

TEST(ModuleFields, TwoFieldsMayNotHaveOneName) {
  struct Doubled : nn::Module<Doubled> {
    Tensor weight;
    std::map<std::string, Tensor> named;
    Group a;
    KILN_FIELDS(weight, named, a)
  } module{.weight = Tensor::ones({1}), .named = {{"x", Tensor::ones({1})}}, .a = {}};
  EXPECT_EQ(module.parameters().size(), 3u);
  struct Same : nn::Module<Same> {
    Tensor weight;
    KILN_FIELDS(weight, weight)
  } same{.weight = Tensor::ones({1})};
  EXPECT_THAT(messageOf<ValueError>([&] { same.parameters(); }),
              HasSubstr("[parameters] two leaves share a path: \"weight\""));
}

TEST(ModuleFields, StatesComeAsMapsListsAndFiles) {
  Plain module = plain(0);
  Tensor one = Tensor::constant({1.0f});
  module.loadStateDict(std::unordered_map<std::string, Tensor>{{"weight", one}});
  EXPECT_EQ(module.weight.item<float>(), 1);
  module.loadStateDict(plain(2).parameters());
  EXPECT_EQ(module.weight.item<float>(), 2);
  std::string path = testing::TempDir() + "/module-fields.safetensors";
  io::saveSafetensors(path, plain(3).stateDict());
  auto compiled = module.compile(CompileOptions{.weights = io::openSafetensors(path)},
                                 TensorType(DType::float32, {"n"}));
  EXPECT_EQ(compiled(one).item<float>(), 3);
  module.loadStateDict(io::openSafetensors(path), {.strict = true, .autoCast = false});
  EXPECT_EQ(module.weight.item<float>(), 3);
  std::remove(path.c_str());
}

struct Big : nn::Module<Big> {
  nn::Linear unread{1000, 1000};
  Tensor table = Tensor::ones({1000, 1000}) * 2;
  KILN_FIELDS(unread, table)
  Tensor operator()(const Tensor &x) const { return x + table; }
};

/// Weights from outside are used where they lie; those of the module need no memory at all.
TEST(ModuleFields, CompilingWithWeightsCopiesNone) {
  Big module;
  Tensor table = Tensor::full({1000, 1000}, 3.0f), unread = Tensor::full({1000, 1000}, 4.0f);
  realize(table, unread);
  TensorType type(DType::float32, {1000, 1000});
  Tensor x = Tensor::ones({1000, 1000}).realize();
  nn::StateDict weights = {
      {"table", table}, {"unread.weight", unread}, {"unread.bias", Tensor::ones({1000})}};
  int64_t before = runtimeStats().heldBytes();
  auto compiled = module.compile(CompileOptions{.weights = weights}, type);
  EXPECT_LT(runtimeStats().heldBytes() - before, 100'000); // of 4,000,000 a weight
  EXPECT_THAT(compiled(x).toVector<float>(), Each(4));
  // A weight that nothing reads is not computed for the call either.
  weights["unread.weight"] = unread + 1;
  auto again = module.compile(CompileOptions{.weights = weights}, type);
  EXPECT_EQ(again(x).toVector<float>()[0], 4);
}

} // namespace
