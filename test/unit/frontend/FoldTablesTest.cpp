#include "frontend/FoldTables.h"
#include "kiln/kiln.h"

#include <gmock/gmock.h>

using namespace kiln;
using testing::HasSubstr;
using testing::SizeIs;

namespace {

constexpr int64_t vocab = 50, hidden = 24, out = 40;

/// Embedding, Linear, GELU; and what hinders a fold where a test asks for it.
struct Lookup : nn::Module<Lookup> {
  nn::Embedding embedding{vocab, {.dim = hidden}};
  nn::Linear linear{hidden, out};
  KILN_FIELDS(embedding, linear)
  Tensor operator()(const Tensor &tokens) const { return gelu(linear(embedding(tokens))); }
};

struct Deep : nn::Module<Deep> {
  nn::Embedding embedding{vocab, {.dim = hidden}};
  nn::Linear up{hidden, out}, down{out, hidden};
  nn::LayerNorm norm{hidden};
  KILN_FIELDS(embedding, up, down, norm)
  Tensor operator()(const Tensor &tokens) const {
    Tensor rows = embedding(tokens).cast(DType::float32) * 0.5;
    return softmax(norm(down(relu(up(rows)))), -1);
  }
};

struct TwoLookups : nn::Module<TwoLookups> {
  Lookup lookup;
  KILN_FIELDS(lookup)
  Tensor operator()(const Tensor &a, const Tensor &b) const { return lookup(a) + lookup(b); }
};

struct RowsAreUsed : nn::Module<RowsAreUsed> {
  Lookup lookup;
  KILN_FIELDS(lookup)
  std::vector<Tensor> operator()(const Tensor &tokens) const {
    Tensor rows = lookup.embedding(tokens);
    return {rows, lookup.linear(rows)};
  }
};

struct NeedsAnArgument : nn::Module<NeedsAnArgument> {
  Lookup lookup;
  KILN_FIELDS(lookup)
  Tensor operator()(const Tensor &tokens, const Tensor &scale) const {
    return lookup.linear(lookup.embedding(tokens) * scale);
  }
};

/// Rows meet each other: a row of the table alone does not give the result.
struct MixesRows : nn::Module<MixesRows> {
  Lookup lookup;
  KILN_FIELDS(lookup)
  Tensor operator()(const Tensor &tokens) const {
    return lookup.linear(softmax(lookup.embedding(tokens), 0));
  }
};

struct OnlyBias : nn::Module<OnlyBias> {
  nn::Embedding embedding{vocab, {.dim = hidden}};
  Tensor bias = random::uniform({hidden});
  KILN_FIELDS(embedding, bias)
  Tensor operator()(const Tensor &tokens) const { return embedding(tokens) + bias; }
};

struct Packed : nn::Module<Packed> {
  nn::embedding::EmbeddingV2 embedding{{.vocabSize = vocab,
                                        .hiddenDim = 64,
                                        .dtype = DType::float32,
                                        .quantizationEncoding = QuantizationEncoding::Q8_0}};
  nn::Linear linear{64, out};
  KILN_FIELDS(embedding, linear)
  Tensor operator()(const Tensor &tokens) const { return gelu(linear(embedding(tokens))); }
};

Tensor drawTokens(const Shape &shape) {
  return random::uniform(shape, 0, vocab - 0.5).cast(DType::int64);
}

TEST(FoldTables, TheProductBecomesOneGather) {
  Lookup module;
  TensorType type(DType::int64, {"batch", "seq"});
  auto plain = module.compile(type);
  auto folded = module.compile(CompileOptions{.foldTables = true}, type);
  EXPECT_EQ(plain.stats().foldedTables, 0);
  EXPECT_EQ(folded.stats().foldedTables, 1);
  EXPECT_EQ(folded.stats().foldedBytes, vocab * out * 4);
  EXPECT_GT(folded.stats().foldSeconds, 0);
  EXPECT_EQ(folded.ir("canonicalize").find("matmul"), std::string::npos);
  EXPECT_THAT(folded.ir("canonicalize"), HasSubstr("kiln.gather"));
  for (Shape shape : {Shape{1, 1}, Shape{3, 17}, Shape{0, 4}}) {
    Tensor tokens = drawTokens(shape);
    EXPECT_EQ(folded(tokens).toVector<float>(), plain(tokens).toVector<float>());
  }
}

TEST(FoldTables, ABadIdIsAnIndexError) {
  auto folded =
      Lookup{}.compile(CompileOptions{.foldTables = true}, TensorType(DType::int64, {"n"}));
  EXPECT_THROW(folded(Tensor::constant({int64_t{0}, vocab})), IndexError);
  EXPECT_THROW(folded(Tensor::constant({int64_t{-1}})), IndexError);
}

TEST(FoldTables, GoesOnThroughProductsNormsAndSoftmax) {
  Deep module;
  TensorType type(DType::int32, {"n"});
  auto plain = module.compile(type);
  auto folded = module.compile(CompileOptions{.foldTables = true}, type);
  EXPECT_EQ(folded.stats().foldedBytes, vocab * hidden * 4);
  EXPECT_EQ(folded.stats().kernels, 1);
  Tensor tokens = drawTokens({100}).cast(DType::int32);
  EXPECT_EQ(folded(tokens).toVector<float>(), plain(tokens).toVector<float>());
}

TEST(FoldTables, APackedTableFoldsAsWhatItHolds) {
  Packed module;
  TensorType type(DType::int64, {"n"});
  auto plain = module.compile(type);
  auto folded = module.compile(CompileOptions{.foldTables = true}, type);
  EXPECT_EQ(folded.stats().foldedBytes, vocab * out * 4);
  Tensor tokens = drawTokens({30});
  EXPECT_EQ(folded(tokens).toVector<float>(), plain(tokens).toVector<float>());
}

TEST(FoldTables, ASplitTableStaysSplit) {
  Lookup module;
  TensorType type(DType::int64, {"n"});
  Tensor tokens = drawTokens({30});
  auto whole = module.compile(type)(tokens).toVector<float>();
  module.embedding.weight = shard(module.embedding.weight, 0, {CPU(0), CPU(1), CPU(2)});
  auto model = module.compile(CompileOptions{.foldTables = true}, type);
  EXPECT_EQ(model.stats().foldedTables, 0);
  EXPECT_EQ(model(tokens).toVector<float>(), whole);
}

TEST(FoldTables, TwoLookupsShareOneTable) {
  TwoLookups module;
  TensorType type(DType::int64, {"n"});
  auto folded = module.compile(CompileOptions{.foldTables = true}, type, type);
  EXPECT_EQ(folded.stats().foldedTables, 1);
  Tensor a = drawTokens({9}), b = drawTokens({9});
  EXPECT_EQ(folded(a, b).toVector<float>(), module.compile(type, type)(a, b).toVector<float>());
}

TEST(FoldTables, EachCompileFoldsTheWeightsOfItsTime) {
  Lookup module;
  TensorType type(DType::int64, {"n"});
  CompileOptions options{.foldTables = true};
  Tensor tokens = drawTokens({5});
  auto before = module.compile(options, type);
  auto first = before(tokens).toVector<float>();
  module.linear.weight = random::uniform({out, hidden});
  auto after = module.compile(options, type);
  EXPECT_EQ(after.stats().cacheHit, CacheHit::memory);
  EXPECT_NE(after(tokens).toVector<float>(), first);
  EXPECT_EQ(after(tokens).toVector<float>(), module(tokens).toVector<float>());
  EXPECT_EQ(before(tokens).toVector<float>(), first);
}

TEST(FoldTables, AQuietRefusalLeavesTheModelAsItIs) {
  TensorType tokens(DType::int64, {"n"});
  CompileOptions options{.foldTables = true};
  Tensor ids = drawTokens({6});
  {
    RowsAreUsed module;
    auto model = module.compile(options, tokens);
    EXPECT_EQ(model.stats().foldedTables, 0);
    EXPECT_EQ(model(ids)[1].toVector<float>(), module(ids)[1].toVector<float>());
  }
  {
    NeedsAnArgument module;
    auto model = module.compile(options, tokens, TensorType(DType::float32, {}));
    EXPECT_EQ(model.stats().foldedTables, 0);
  }
  {
    MixesRows module;
    auto model = module.compile(options, tokens);
    EXPECT_EQ(model.stats().foldedTables, 0);
    EXPECT_EQ(model(ids).toVector<float>(), module(ids).toVector<float>());
  }
  EXPECT_EQ(OnlyBias{}.compile(options, tokens).stats().foldedTables, 0);
}

/// What the graphs look like: the table's part reads no argument, the rest no weight of f.
TEST(FoldTables, CutsTheGraphInTwo) {
  ir::Graph graph;
  TensorType table(DType::float32, {vocab, hidden}), matrix(DType::float32, {hidden, out});
  graph.inputs = {{ir::Input::Role::argument, "argument 0", {DType::int64, {"n"}}},
                  {ir::Input::Role::weight, "table", table},
                  {ir::Input::Role::weight, "other", {DType::float32, {"n"}}},
                  {ir::Input::Role::weight, "matrix", matrix}};
  auto rows = graph.addNode(
      {"gather", {1, 0}, {{"axis", int64_t{0}}}, {DType::float32, {"n", hidden}}, ""});
  auto product = graph.addNode({"matmul", {rows, 3}, {}, {DType::float32, {"n", out}}, ""});
  graph.outputs = {product};
  auto folded = detail::foldTables(graph);
  EXPECT_EQ(folded.loadInputs, (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(folded.mainInputs, (std::vector<std::size_t>{0}));
  ASSERT_THAT(folded.load.nodes, SizeIs(1));
  EXPECT_EQ(folded.load.type(folded.load.outputs[0]).str(),
            TensorType(DType::float32, {vocab, out}).str());
  ASSERT_THAT(folded.main.nodes, SizeIs(1));
  EXPECT_EQ(folded.main.nodes[0].op, "gather");
  EXPECT_EQ(folded.main.nodes[0].operands, (std::vector<ir::ValueId>{1, 0}));
  EXPECT_EQ(folded.main.type(folded.main.outputs[0]).str(),
            TensorType(DType::float32, {"n", out}).str());
}

} // namespace
