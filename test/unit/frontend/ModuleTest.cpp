#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <sstream>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct Sub : nn::Module<Sub> {
  Tensor b;
  double eps = 1e-5;
  KILN_FIELDS(b, eps)
  Tensor operator()(const Tensor &x) const { return x + b; }
};

struct Top : nn::Module<Top> {
  Tensor a;
  Sub sub;
  KILN_FIELDS(a, sub)
  Tensor operator()(const Tensor &x) const { return sub(x) + a; }
};

struct Super : nn::Module<Super> {
  Top mod;
  KILN_FIELDS(mod)
};

Top makeTop() { return Top{.a = Tensor::constant(1.0f), .sub = {.b = Tensor::constant(2.0f)}}; }

template <class List> std::vector<std::string> names(const List &list) {
  std::vector<std::string> result;
  for (auto &[name, value] : list)
    result.push_back(name);
  return result;
}

template <class T> std::string text(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

Tensor replaceBy(float value, const Tensor &old) {
  return Tensor::full(old.shape(), value, old.dtype());
}

TEST(Module, ListsParametersOwnFirst) {
  Top top = makeTop();
  EXPECT_THAT(names(top.parameters()), ElementsAre("a", "sub.b"));
  EXPECT_THAT(names(top.localParameters()), ElementsAre("a"));
  Super super{.mod = top};
  EXPECT_THAT(names(super.children()), ElementsAre("mod"));
  EXPECT_THAT(names(super.descendants()), ElementsAre("mod", "mod.sub"));
  EXPECT_TRUE(top.sub.children().empty());
  EXPECT_EQ(super.children()[0].second.as<Top>(), &super.mod);
}

TEST(Module, AppliesInPlaceAndMapsToANewTree) {
  Top top = makeTop();
  std::vector<std::string> seen;
  top.applyToLocalParameters([](auto &, const Tensor &x) { return replaceBy(5, x); });
  EXPECT_EQ(top.a.item<float>(), 5);
  EXPECT_EQ(top.sub.b.item<float>(), 2);
  top.applyToParameters([&](const std::string &name, const Tensor &x) {
    seen.push_back(name);
    return replaceBy(6, x);
  });
  EXPECT_EQ(seen, names(top.parameters()));
  EXPECT_EQ(top.sub.b.item<float>(), 6);
  Top other = top.mapParameters([](auto &, const Tensor &x) { return replaceBy(7, x); });
  EXPECT_EQ(other.sub.b.item<float>(), 7);
  EXPECT_EQ(top.sub.b.item<float>(), 6);
}

struct Shares : nn::Module<Shares> {
  std::shared_ptr<Sub> left, right;
  std::vector<std::shared_ptr<Sub>> more;
  std::optional<Sub> none{};
  KILN_FIELDS(left, right, more, none)
};

TEST(Module, SharedModulesStayShared) {
  auto sub = std::make_shared<Sub>(Sub{.b = Tensor::constant(1.0f)});
  Shares shares{.left = sub, .right = sub, .more = {sub}};
  EXPECT_THAT(names(shares.parameters()), ElementsAre("left.b", "right.b", "more.0.b"));
  int calls = 0;
  Shares mapped = shares.mapParameters([&](auto &, const Tensor &x) {
    ++calls;
    return replaceBy(2, x);
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(mapped.left, mapped.right);
  EXPECT_EQ(mapped.left, mapped.more[0]);
  EXPECT_NE(mapped.left, shares.left);
  EXPECT_EQ(sub->b.item<float>(), 1);
  shares.loadStateDict({{"right.b", Tensor::constant(3.0f)}});
  EXPECT_EQ(sub->b.item<float>(), 3);
}

TEST(Module, PrintsFieldsThatAreNotAtTheirDefault) {
  struct Test : nn::Module<Test> {
    int a;
    int b = 0;
    bool flag = false;
    std::string mode = "x";
    KILN_FIELDS(a, b, flag, mode)
  };
  EXPECT_EQ(text(Test{.a = 2}), "Test(a=2)");
  EXPECT_EQ(text(Test{.a = 1, .b = 3, .flag = true, .mode = "y"}),
            "Test(a=1, b=3, flag=true, mode=\"y\")");
  Top top = makeTop();
  EXPECT_THAT(text(top), HasSubstr("Top("));
  EXPECT_THAT(text(top), HasSubstr("a=Tensor"));
  EXPECT_THAT(text(top), HasSubstr("b=Tensor"));
  EXPECT_THAT(text(top), Not(HasSubstr("eps=")));
  top.sub.eps = 1e-6;
  EXPECT_THAT(text(top), HasSubstr("eps=1e-06"));
  EXPECT_EQ(text(nn::Linear(2, 2)), "Linear(in_dim=Dim(2), out_dim=Dim(2))");
  EXPECT_EQ(text(nn::Linear(3, 1, false)), "Linear(in_dim=Dim(3), out_dim=Dim(1), bias=false)");
  EXPECT_EQ(text(nn::Embedding(2, {.dim = 2})), "Embedding(vocab_size=Dim(2), dim=Dim(2))");
  EXPECT_EQ(text(nn::Embedding(2, {.dims = {2, 3}})),
            "Embedding(vocab_size=Dim(2), dims=[Dim(2), Dim(3)])");
  EXPECT_EQ(text(nn::GELU()), "GELU()");
  EXPECT_EQ(text(nn::GELU("tanh")), "GELU(approximate=\"tanh\")");
  EXPECT_EQ(text(nn::Dropout(0.1)), "Dropout(p=0.1)");
  EXPECT_EQ(text(nn::RMSNorm(2)), "RMSNorm(dim=Dim(2))");
}

struct Wide : nn::Module<Wide> {
  Tensor a0{}, a1{}, a2{}, a3{}, a4{}, a5{}, a6{}, a7{}, a8{}, a9{}, b0{}, b1{}, b2{}, b3{}, b4{},
      b5{}, b6{}, b7{}, b8{}, b9{}, c0{}, c1{}, c2{}, c3{}, c4{}, c5{}, c6{}, c7{}, c8{}, c9{},
      d0{}, d1{};
  KILN_FIELDS(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0,
              c1, c2, c3, c4, c5, c6, c7, c8, c9, d0, d1)
};

TEST(Module, MayHaveManyFieldsAndEmptyOnes) {
  Wide wide;
  EXPECT_EQ(wide.parameters().size(), 32u);
  EXPECT_EQ(wide.parameters()[31].first, "d1");
  wide.loadState([](const std::string &name) { return Tensor::constant(name == "d1" ? 1 : 0); });
  EXPECT_EQ(wide.d1.item<int>(), 1);
}

struct TestModule : nn::Module<TestModule> {
  int a;
  KILN_FIELDS(a)
  Tensor operator()(const Tensor &x) const { return x + a; }
};

TEST(Sequential, NestsPrintsAndNames) {
  auto of = [](int a) { return TestModule{.a = a}; };
  nn::Sequential model(nn::Sequential(of(1), of(2)), nn::Sequential(of(3), of(4)));
  EXPECT_EQ(text(model), "Sequential(\n"
                         "    Sequential(TestModule(a=1), TestModule(a=2)),\n"
                         "    Sequential(TestModule(a=3), TestModule(a=4))\n"
                         ")");
  EXPECT_THAT(names(model.children()), ElementsAre("0", "1"));
  EXPECT_THAT(names(model.descendants()), ElementsAre("0", "0.0", "0.1", "1", "1.0", "1.1"));
  EXPECT_EQ(model.size(), 2u);
}

TEST(Sequential, IsMadeOfAVectorToo) {
  std::vector<nn::AnyModule> modules = {nn::Linear(2, 3), nn::ReLU()};
  nn::Sequential model(modules), other(std::vector<nn::AnyModule>{nn::Linear(2, 3)});
  EXPECT_THAT(names(model.parameters()), ElementsAre("0.weight", "0.bias"));
  EXPECT_EQ(other.size(), 1u);
  nn::ModuleList list(nn::Linear(2, 3), TestModule{.a = 1});
  EXPECT_THAT(names(list.parameters()), ElementsAre("0.weight", "0.bias"));
  EXPECT_EQ(list[1].as<TestModule>()->a, 1);
}

TEST(Sequential, ACopyHasItsOwnParameters) {
  nn::Sequential first(nn::Linear(2, 3), nn::GELU(), nn::Linear(3, 1));
  nn::Sequential second = first;
  second.applyToParameters([](auto &, const Tensor &x) { return replaceBy(1, x); });
  EXPECT_THAT(names(first.parameters()), ElementsAre("0.weight", "0.bias", "2.weight", "2.bias"));
  EXPECT_FALSE(first.parameters()[0].second.isRealized());
  EXPECT_EQ(second.parameters()[3].second.item<float>(), 1);
  auto shared = std::make_shared<nn::Linear>(2, 2);
  nn::Sequential third(shared, shared);
  third.applyToParameters([](auto &, const Tensor &x) { return replaceBy(4, x); });
  EXPECT_EQ(shared->bias->toVector<float>()[0], 4);
}

TEST(Load, SimpleDictRemappingAndFailure) {
  Top top = makeTop();
  std::map<std::string, Tensor> state = {{"a", Tensor::constant(5.0f)},
                                         {"other.b", Tensor::constant(6.0f)}};
  top.loadState(
      [&](const std::string &name) { return state.at(name == "sub.b" ? "other.b" : name); });
  EXPECT_EQ(top.a.item<float>(), 5);
  EXPECT_EQ(top.sub.b.item<float>(), 6);
  EXPECT_THROW(top.loadState([&](const std::string &name) { return state.at(name); }), KeyError);
  EXPECT_THROW(top.loadState([](const std::string &name) -> Tensor { throw KeyError(name); }),
               KeyError);
}

TEST(Load, IsAllOrNothing) {
  Top top = makeTop();
  auto one = Tensor::constant(9.0f);
  EXPECT_THROW(top.loadStateDict({{"a", one}}), KeyError);
  EXPECT_THROW(top.loadStateDict({{"a", one}}, {.strict = false}), KeyError);
  EXPECT_THROW(top.loadStateDict({{"a", one}, {"sub.b", one}, {"extra", one}}), ValueError);
  EXPECT_THROW(top.loadStateDict({{"a", one}, {"sub.b", Tensor::zeros({2})}}), ValueError);
  EXPECT_EQ(top.a.item<float>(), 1);
  top.loadStateDict({{"a", one}, {"sub.b", one}, {"extra", one}}, {.strict = false});
  EXPECT_EQ(top.a.item<float>(), 9);
}

TEST(Load, MismatchesNameBothTypes) {
  nn::Linear linear(3, 3, false);
  for (const Tensor &wrong :
       {Tensor::zeros({3, 3}, DType::int32), Tensor::zeros({4, 4}),
        Tensor::zeros({4, 4}, DType::int32), Tensor::zeros({3, 3}, DType::bfloat16)})
    try {
      linear.loadStateDict({{"weight", wrong}});
      ADD_FAILURE() << "nothing was thrown";
    } catch (const ValueError &error) {
      EXPECT_THAT(error.what(), HasSubstr("not assignable"));
      EXPECT_THAT(error.what(), HasSubstr("[3, 3] f32"));
      EXPECT_THAT(error.what(), HasSubstr(wrong.type().str()));
    }
  linear.loadStateDict({{"weight", Tensor::ones({3, 3})}});
  EXPECT_EQ(linear.weight.data<float>()[8], 1);
}

TEST(Load, AutoCastWarnsOnce) {
  nn::Linear narrow(3, 3, true, DType::bfloat16), wide(3, 3);
  testing::internal::CaptureStderr();
  narrow.loadStateDict({{"weight", Tensor::ones({3, 3})}, {"bias", Tensor::ones({3})}},
                       {.autoCast = true});
  std::string warning = testing::internal::GetCapturedStderr();
  EXPECT_THAT(warning, HasSubstr("2 parameter(s)"));
  EXPECT_THAT(warning, HasSubstr("precision loss"));
  EXPECT_EQ(std::count(warning.begin(), warning.end(), '\n'), 1);
  EXPECT_EQ(narrow.weight.dtype(), DType::bfloat16);

  testing::internal::CaptureStderr();
  wide.loadStateDict(narrow.stateDict(), {.autoCast = true});
  EXPECT_THAT(testing::internal::GetCapturedStderr(), Not(HasSubstr("precision loss")));

  testing::internal::CaptureStderr();
  wide.loadStateDict(wide.stateDict(), {.autoCast = true});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THROW(wide.loadStateDict(
                   {{"weight", Tensor::ones({3, 3}, DType::float16)}, {"bias", Tensor::ones({3})}},
                   {.autoCast = true}),
               ValueError);
}

TEST(Layers, SaySizesAndRefuseNonsense) {
  nn::Linear linear(2, 3);
  EXPECT_EQ(linear.inDim(), Dim(2));
  EXPECT_EQ(linear.outDim(), Dim(3));
  EXPECT_EQ(linear(Tensor::ones({2})).shape(), Shape{3});
  nn::Embedding plain(2, {.dim = 3}), wide(2, {.dims = {3, 4}});
  EXPECT_EQ(plain.dim(), Dim(3));
  EXPECT_THROW(wide.dim(), TypeError);
  EXPECT_THROW(nn::Embedding(2, {}), TypeError);
  EXPECT_THROW(nn::Embedding(2, {.dim = 1, .dims = {1}}), TypeError);
  EXPECT_EQ(wide(Tensor::ones({5, 10}, DType::uint64)).shape(), (Shape{5, 10, 3, 4}));
  EXPECT_THROW(nn::RMSNorm(2)(Tensor::ones({10, 1})), ValueError);
  EXPECT_THROW(nn::MultiHeadAttention(10, 3), ValueError);
  EXPECT_EQ(nn::MultiHeadAttention(8, 2)(Tensor::ones({2, 5, 8})).shape(), (Shape{2, 5, 8}));
  EXPECT_THROW(nn::activation("swoosh"), ValueError);
  EXPECT_NE(nn::activation("gelu_tanh").as<nn::GELU>(), nullptr);
  EXPECT_EQ(&linear.to(CPU()), &linear);
}

} // namespace
