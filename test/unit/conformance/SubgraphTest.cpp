#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <map>

// MAX's integration/nn/module_v3/test_subgraph.py: a repeated part is compiled once.

using namespace kiln;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

constexpr int64_t dim = 4, hidden = 8;

const TensorType inputType(DType::float32, {"batch", dim}, CPU());

Tensor draw(const Shape &shape) { return random::normal(shape, 0, 1, DType::float32, CPU()); }

/// x + relu(x @ in) @ out. Nothing reads the tag.
struct Block : nn::Module<Block> {
  Tensor in = draw({dim, hidden}), out = draw({hidden, dim});
  int64_t tag = 0;
  KILN_FIELDS(in, out, tag)
  Tensor operator()(const Tensor &x) const { return x + matmul(relu(matmul(x, in)), out); }
};

/// Each of some layers in turn: as a subgraph, unless `call` says how.
template <class Layer> struct Stack : nn::Module<Stack<Layer>> {
  std::vector<Layer> layers;
  std::function<Tensor(const Layer &, const Tensor &)> call = plain;
  static Tensor plain(const Layer &layer, const Tensor &x) {
    if constexpr (std::is_invocable_r_v<Tensor, const Layer &, const Tensor &>)
      return subgraph(layer, x);
    else
      throw TypeError("say how the layer is called");
  }
  void visitFields(nn::detail::FieldVisitor &visitor) { visitField("layers", layers, visitor); }
  void describe(nn::Description &) const {}
  Tensor operator()(const Tensor &x) const {
    Tensor y = x;
    for (const Layer &layer : layers)
      y = call(layer, y);
    return y;
  }
};

using Counts = std::pair<int64_t, int64_t>; // definitions, calls

template <class Model> Counts countsOf(const Model &model) {
  return {model.stats().subgraphs, model.stats().subgraphCalls};
}

std::size_t occurrences(const std::string &text, const std::string &word) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size())
    ++count;
  return count;
}

/// The result of the model, of the same without subgraphs and of eager evaluation: bit for bit.
template <class Module> void expectSameNumbers(const Module &module) {
  auto shared = module.compile(inputType);
  auto flat = module.compile(CompileOptions{.subgraphs = false}, inputType);
  for (int64_t batch : {1, 2, 5}) {
    Tensor x = draw({batch, dim});
    std::vector<float> expected = module(x).template toVector<float>();
    EXPECT_EQ(shared(x).template toVector<float>(), expected);
    EXPECT_EQ(flat(x).template toVector<float>(), expected);
  }
}

TEST(MaxSubgraph, test_repeated_block_shares_one_subgraph) {
  Stack<Block> stack{.layers = std::vector<Block>(3)};
  auto model = stack.compile(inputType);
  EXPECT_EQ(countsOf(model), Counts(1, 3));
  std::string text = model.ir("import");
  EXPECT_EQ(occurrences(text, "func.func private @subgraph_"), 1u);
  EXPECT_EQ(occurrences(text, "call @subgraph_0("), 3u);
  EXPECT_EQ(occurrences(text, "kiln.matmul"), 2u);
  // After the passes @main launches what each call needs.
  text = model.ir("outline");
  EXPECT_EQ(occurrences(text, "call @"), 0u);
  EXPECT_EQ(occurrences(text, "@subgraph_"), 0u);

  Tensor x = draw({2, dim}), expected = x;
  for (const Block &layer : stack.layers)
    expected = expected + matmul(relu(matmul(expected, layer.in)), layer.out);
  EXPECT_TRUE(allClose(model(x), expected, 1e-4, 1e-4));
  expectSameNumbers(stack);
}

TEST(MaxSubgraph, test_callable_form_shares_body) {
  Stack<Block> stack{.layers = std::vector<Block>(3)};
  stack.call = [](const Block &layer, const Tensor &x) {
    return subgraph([&](const Tensor &y) { return layer(y); }, x);
  };
  EXPECT_EQ(countsOf(stack.compile(inputType)), Counts(1, 3));
}

struct BakedIndex : nn::Module<BakedIndex> {
  Tensor weight = draw({dim, dim});
  float index = 0;
  KILN_FIELDS(weight, index)
  Tensor operator()(const Tensor &x) const {
    return matmul(x, weight) + Tensor::constant(index, DType::float32, CPU());
  }
};

struct ThreadedIndex : nn::Module<ThreadedIndex> {
  Tensor weight = draw({dim, dim});
  float index = 0;
  KILN_FIELDS(weight, index)
  Tensor operator()(const Tensor &x, const Tensor &i) const { return matmul(x, weight) + i; }
};

TEST(MaxSubgraph, test_dedup_key_tracks_what_the_body_reads) {
  Stack<Block> tagged{.layers = std::vector<Block>(3)};
  for (std::size_t i = 0; i < 3; ++i)
    tagged.layers[i].tag = static_cast<int64_t>(i);
  EXPECT_EQ(countsOf(tagged.compile(inputType)), Counts(1, 3));

  Stack<BakedIndex> baked{.layers = std::vector<BakedIndex>(3)};
  Stack<ThreadedIndex> threaded{.layers = std::vector<ThreadedIndex>(3)};
  for (std::size_t i = 0; i < 3; ++i)
    baked.layers[i].index = threaded.layers[i].index = static_cast<float>(i);
  EXPECT_EQ(countsOf(baked.compile(inputType)), Counts(3, 3));
  expectSameNumbers(baked);

  threaded.call = [](const ThreadedIndex &layer, const Tensor &x) {
    return subgraph(layer, x, Tensor::constant(layer.index, DType::float32, CPU()));
  };
  EXPECT_EQ(countsOf(threaded.compile(inputType)), Counts(1, 3));
  expectSameNumbers(threaded);
}

struct Dense : nn::Module<Dense> {
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return x + relu(matmul(x, weight)); }
};

struct Expert : nn::Module<Expert> {
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return x + matmul(x, weight) * 2.0; }
};

struct Mixed : nn::Module<Mixed> {
  std::vector<Dense> dense = std::vector<Dense>(2);
  std::vector<Expert> experts = std::vector<Expert>(3);
  KILN_FIELDS(dense, experts)
  Tensor operator()(const Tensor &x) const {
    Tensor y = x;
    for (const Dense &layer : dense)
      y = subgraph(layer, y);
    for (const Expert &layer : experts)
      y = subgraph(layer, y);
    return y;
  }
};

TEST(MaxSubgraph, test_distinct_subclasses_split) {
  Mixed mixed;
  auto model = mixed.compile(inputType);
  EXPECT_EQ(countsOf(model), Counts(2, 5));
  std::string text = model.ir("import");
  EXPECT_EQ(occurrences(text, "call @subgraph_0("), 2u);
  EXPECT_EQ(occurrences(text, "call @subgraph_1("), 3u);
  expectSameNumbers(mixed);
}

TEST(MaxSubgraph, test_captured_constant_not_in_parameters) {
  Tensor captured = Tensor::constant({1.0f, 2.0f, 3.0f, 4.0f}, DType::float32, CPU());
  Stack<Dense> stack{.layers = std::vector<Dense>(3)};
  stack.call = [&](const Dense &layer, const Tensor &x) {
    return subgraph([&](const Tensor &y) { return relu(matmul(y, layer.weight)) + captured; }, x);
  };
  EXPECT_EQ(countsOf(stack.compile(inputType)), Counts(1, 3));
  expectSameNumbers(stack);
}

TEST(MaxSubgraph, test_subgraphed_weights_materialize_once) {
  for (std::size_t layers : {3u, 8u}) {
    Stack<Block> stack{.layers = std::vector<Block>(layers)};
    auto model = stack.compile(inputType);
    EXPECT_EQ(countsOf(model), Counts(1, static_cast<int64_t>(layers)));
    std::string text = model.ir("import");
    // The shared function takes two weights, told to be such, whatever the number of layers.
    std::string function = text.substr(text.find("func.func private @subgraph_0"));
    function = function.substr(0, function.find("return"));
    EXPECT_EQ(occurrences(function, "kiln.role = \"weight\""), 2u);
  }
}

struct Inner : nn::Module<Inner> {
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return relu(matmul(x, weight)); }
};

struct Middle : nn::Module<Middle> {
  Inner inner;
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(inner, weight)
  Tensor operator()(const Tensor &x) const { return x + matmul(subgraph(inner, x), weight); }
};

struct Outer : nn::Module<Outer> {
  Middle middle;
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(middle, weight)
  Tensor operator()(const Tensor &x) const { return x + matmul(subgraph(middle, x), weight); }
};

TEST(MaxSubgraph, test_nested_subgraphs_inline) {
  Stack<Outer> stack{.layers = std::vector<Outer>(2)};
  EXPECT_EQ(countsOf(stack.compile(inputType)), Counts(1, 2));
  expectSameNumbers(stack);
}

using Parts = std::pair<Tensor, std::map<std::string, Tensor>>;

struct Nest : nn::Module<Nest> {
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(weight)
  Parts operator()(const Tensor &x) const {
    Tensor h = relu(matmul(x, weight));
    return {h, {{"residual", x + h}}};
  }
};

TEST(MaxSubgraph, test_structured_output_round_trips) {
  Stack<Nest> stack{.layers = std::vector<Nest>(3)};
  stack.call = [](const Nest &layer, const Tensor &x) {
    auto [h, parts] = subgraph(layer, x);
    return h + parts.at("residual");
  };
  auto model = stack.compile(inputType);
  EXPECT_EQ(countsOf(model), Counts(1, 3));
  EXPECT_THAT(model.ir("import"), HasSubstr("call @subgraph_0(%arg0, %arg1) : (tensor<"));
  expectSameNumbers(stack);
}

TEST(MaxSubgraph, test_eager_call_passes_through) {
  Block block;
  Tensor x = draw({2, dim});
  EXPECT_EQ(subgraph(block, x).toVector<float>(), block(x).toVector<float>());
}

TEST(MaxSubgraph, test_lazy_shares_one_subgraph_and_runs) {
  // Without a trace there is no graph yet that could be shared; the kernels of equal layers are.
  Stack<Block> stack{.layers = std::vector<Block>(3)};
  Tensor x = draw({2, dim}), expected = x;
  for (const Block &layer : stack.layers)
    expected = layer(expected);
  Tensor result = stack(x);
  EXPECT_FALSE(result.isRealized());
  EXPECT_TRUE(allClose(result, expected, 1e-4, 1e-4));
}

TEST(MaxSubgraph, test_calling_outside_a_capture_runs_eager) {
  Tensor x = draw({2, dim});
  Tensor y = subgraph([](const Tensor &t) { return t * 2; }, x);
  EXPECT_EQ(y.toVector<float>(), (x * 2).toVector<float>());
}

TEST(MaxSubgraph, test_allow_subgraphs_false_inlines_everything) {
  Stack<Block> stack{.layers = std::vector<Block>(3)};
  auto model = stack.compile(CompileOptions{.subgraphs = false}, inputType);
  EXPECT_EQ(countsOf(model), Counts(0, 0));
  EXPECT_EQ(occurrences(model.ir("import"), "@subgraph_"), 0u);
  EXPECT_EQ(occurrences(model.ir("import"), "kiln.matmul"), 6u);
  expectSameNumbers(stack);
}

struct Capturing : nn::Module<Capturing> {
  Tensor weight = draw({dim, dim});
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const {
    Tensor outside = relu(x), y = x;
    for (int i = 0; i < 2; ++i)
      y = subgraph([&](const Tensor &h) { return matmul(h, weight) + outside; }, y);
    return y;
  }
};

struct ReadsOutside : nn::Module<ReadsOutside> {
  Tensor operator()(const Tensor &x) const {
    Tensor outside = relu(x);
    return subgraph([&](const Tensor &h) { return h * outside.sum().item<float>(); }, x);
  }
};

TEST(MaxSubgraph, test_subgraph_cannot_read_parent_graph_value) {
  // To use a value from outside is fine, it is one more operand; its contents are not known.
  Capturing capturing;
  EXPECT_EQ(countsOf(capturing.compile(inputType)), Counts(1, 2));
  expectSameNumbers(capturing);
  EXPECT_THAT([] { ReadsOutside{}.compile(inputType); },
              ThrowsMessage<TypeError>(HasSubstr("SubgraphTest.cpp")));
}

// What MAX does not ask.

TEST(Subgraph, WorksInGraphs) {
  Graph graph("layers");
  Tensor weight = draw({dim, dim});
  {
    auto scope = graph.enter();
    Tensor x = graph.input(inputType);
    for (int i = 0; i < 4; ++i)
      x = ops::subgraph([&](const Tensor &h) { return relu(matmul(h, weight)) + h; }, x);
    graph.output(x);
  }
  auto run = graph.compile();
  EXPECT_EQ(countsOf(run), Counts(1, 4));
  Tensor x = draw({3, dim}), expected = x;
  for (int i = 0; i < 4; ++i)
    expected = relu(matmul(expected, weight)) + expected;
  EXPECT_EQ(run(x)[0].toVector<float>(), expected.toVector<float>());
}

struct Gathers : nn::Module<Gathers> {
  Tensor table = draw({10, dim});
  KILN_FIELDS(table)
  Tensor operator()(const Tensor &ids) const {
    Tensor first = subgraph([&](const Tensor &i) { return gather(table, i); }, ids);
    Tensor second = subgraph([&](const Tensor &i) { return gather(table, i); }, ids - 5);
    return first + second;
  }
};

TEST(Subgraph, AnIndexErrorNamesThePlaceOfItsOwnCall) {
  Gathers module;
  auto model = module.compile(TensorType(DType::int64, {"n"}, CPU()));
  EXPECT_EQ(countsOf(model), Counts(2, 2)); // equal, but written at two places
  int line = 0;
  for (int64_t bad : {12, 2}) {
    try {
      model(Tensor::constant({int64_t(6), bad}, DType::int64, CPU()));
      ADD_FAILURE() << "nothing was thrown";
    } catch (const IndexError &error) {
      std::string message = error.what();
      std::size_t at = message.find("SubgraphTest.cpp:");
      ASSERT_NE(at, std::string::npos) << message;
      int found = std::stoi(message.substr(at + 17));
      EXPECT_TRUE(line == 0 || found == line + 1) << message;
      line = found;
    }
  }
}

struct Products : nn::Module<Products> {
  std::vector<nn::Linear> layers;
  KILN_FIELDS(layers)
  Tensor operator()(const Tensor &x) const {
    Tensor y = x;
    for (const nn::Linear &layer : layers)
      y = gelu(subgraph(layer, y));
    return y;
  }
};

TEST(Subgraph, WeightsArePackedAndErrorsNameTheCall) {
  Products products;
  for (int i = 0; i < 3; ++i)
    products.layers.emplace_back(dim, dim);
  auto model = products.compile(inputType);
  EXPECT_EQ(countsOf(model), Counts(1, 3));
  EXPECT_THAT(model.ir("outline"), HasSubstr("kiln.linear"));
  expectSameNumbers(products);
  products.layers[1] = nn::Linear(dim + 1, dim);
  EXPECT_THAT([&] { products.compile(inputType); },
              ThrowsMessage<ValueError>(HasSubstr("SubgraphTest.cpp:")));
}

} // namespace
