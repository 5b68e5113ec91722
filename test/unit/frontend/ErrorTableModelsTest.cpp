#include "ErrorTable.h"

#include <dlpack/dlpack.h>
#include <limits>

using namespace kiln;
using namespace kiln::testing;

// Mistakes with modules, compiled models, graphs, dims and memory of other libraries.

namespace {

const Tensor row = Tensor::ones({4}, DType::float32, CPU()), a = Tensor::ones({3, 4}), none;
const TensorType batch(DType::float32, {"n", 4}, CPU());
constexpr int64_t huge = int64_t{1} << 62;

struct Scale : nn::Module<Scale> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return x * weight; }
};
struct Reads : nn::Module<Reads> {
  Tensor operator()(const Tensor &x) const { return x * x.item<float>(); }
};
struct Empties : nn::Module<Empties> {
  Tensor operator()(const Tensor &) const { return Tensor(); }
};
struct Nothing : nn::Module<Nothing> {
  std::vector<Tensor> operator()(const Tensor &) const { return {}; }
};
struct Two : nn::Module<Two> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return x + y; }
};

TEST(ErrorTable, Layers) {
  nn::Linear linear(4, 2);
  nn::Embedding embedding(5, {.dim = 3}), deep(5, {.dims = {3, 2}});
  nn::GroupNorm groups(2, 4);
  nn::RotaryEmbedding rotary(6, 8);
  nn::MultiHeadAttention attention(4, 2), causal(4, 2, {.causal = true});
  nn::Sequential chain(nn::Linear(4, 3), nn::ReLU(), nn::Linear(4, 2));
  nn::AnyModule two = Two();
  check({
      {Kind::Type, [] { nn::Linear("n", 2); }, {"[Linear]", "numbers", "n"}},
      {Kind::Type, [] { nn::Linear(4, -2); }, {"[Linear]", "non-negative", "-2"}},
      {Kind::Value, [] { nn::Linear{row}; }, {"[Linear]", "rank 2", "[4] f32"}},
      {Kind::Type, [] { nn::Linear{none}; }, {"[", "empty"}},
      {Kind::Value, [] { nn::Linear(a, row); }, {"[Linear]", "weight [3, 4] f32", "bias [4] f32"}},
      {Kind::Value,
       [&] { linear(Tensor::ones({2, 3})); },
       {"[matmul]", "inner dims differ", "x [2, 3] f32"}},
      {Kind::Type, [&] { linear(none); }, {"[matmul]", "empty"}},
      {Kind::Type,
       [] { nn::Embedding(5, {}); },
       {"[Embedding]", "exactly one of dim and dims", "neither"}},
      {Kind::Type, [] { nn::Embedding(5, {.dim = 3, .dims = {3}}); }, {"[Embedding]", "both"}},
      {Kind::Type, [] { nn::Embedding("n", {.dim = 3}); }, {"[Embedding]", "numbers", "n"}},
      {Kind::Type, [&] { deep.dim(); }, {"[Embedding]", "dim", "[3, 2]"}},
      {Kind::Value, [&] { embedding(row); }, {"[gather]", "indices must be integers", "[4] f32"}},
      {Kind::Index,
       [&] { embedding(Tensor::constant({5})).realize(); },
       {"[gather]", "index 5", "[0, 5)"}},
      {Kind::Value,
       [] { nn::embedding::Embedding(Tensor::ones({})); },
       {"[Embedding]", "rank 1", "weights [] f32"}},
      {Kind::Type,
       [] { nn::embedding::EmbeddingV2({.vocabSize = "n", .hiddenDim = 2}); },
       {"[EmbeddingV2]", "vocabSize", "n"}},
      {Kind::Value,
       [] { nn::embedding::EmbeddingV2({2, 128, {}, {}, {}, QuantizationEncoding::Q4_K}); },
       {"[EmbeddingV2]", "hiddenDim 128", "256 elements of a block of Q4_K"}},
      {Kind::Type,
       [] { dequantize(Tensor::ones({2, 18}), QuantizationEncoding::Q4_0); },
       {"[dequantize]", "expected uint8", "[2, 18] f32"}},
      {Kind::Value,
       [] { dequantize(Tensor::zeros({2, 20}, DType::uint8), QuantizationEncoding::Q4_0); },
       {"[dequantize]", "rows of 20 bytes", "the blocks of Q4_0 have 18", "[2, 20] u8"}},
      {Kind::Type, [] { nn::LayerNorm("n"); }, {"[LayerNorm]", "numbers", "n"}},
      {Kind::Value,
       [] { nn::LayerNorm(4, 0.0); },
       {"[LayerNorm]", "epsilon must be positive", "0"}},
      {Kind::Value, [] { nn::LayerNorm(4)(a.T()); }, {"[LayerNorm]", "weight [4]", "x [4, 3] f32"}},
      {Kind::Type, [] { nn::RMSNorm(-1); }, {"[RMSNorm]", "-1"}},
      {Kind::Value, [] { nn::RMSNorm(4, -1.0); }, {"[RMSNorm]", "epsilon must be positive", "-1"}},
      {Kind::Value, [] { nn::RMSNorm(4)(a.T()); }, {"[RMSNorm]", "weight [4]", "x [4, 3] f32"}},
      {Kind::Value,
       [] { nn::GroupNorm(3, 4); },
       {"[GroupNorm]", "num_channels 4", "divisible", "num_groups 3"}},
      {Kind::Value, [] { nn::GroupNorm(0, 4); }, {"[GroupNorm]", "num_groups 0"}},
      {Kind::Value,
       [] { nn::GroupNorm(2, 4, {.eps = 0}); },
       {"[GroupNorm]", "epsilon must be positive", "0"}},
      {Kind::Value, [&] { groups(row); }, {"[GroupNorm]", "[N, 4, ...]", "[4] f32"}},
      {Kind::Value,
       [&] { groups(Tensor::ones({1, 5})); },
       {"[GroupNorm]", "[N, 4, ...]", "[1, 5] f32"}},
      {Kind::Type, [&] { groups(none); }, {"[", "empty"}},
      {Kind::Value, [] { nn::RotaryEmbedding(5, 8); }, {"[RotaryEmbedding]", "even", "5"}},
      {Kind::Value,
       [] { nn::RotaryEmbedding(6, -1); },
       {"[RotaryEmbedding]", "maxSequenceLength", "-1"}},
      {Kind::Value,
       [] { nn::RotaryEmbedding{a}; },
       {"[RotaryEmbedding]", "[positions, dim / 2, 2]", "[3, 4] f32"}},
      {Kind::Value,
       [] { nn::RotaryEmbedding::theta(0); },
       {"[RotaryEmbedding]", "even and positive", "0"}},
      {Kind::Type,
       [&] { rotary(a); },
       {"[RotaryEmbedding]", "[batch, seq, heads, 6]", "[3, 4] f32"}},
      {Kind::Type, [&] { rotary(none); }, {"[", "empty"}},
      {Kind::Value,
       [&] { rotary(Tensor::ones({1, 9, 1, 6})); },
       {"[RotaryEmbedding]", "0 to 9", "8 positions"}},
      {Kind::Value,
       [&] { rotary(Tensor::ones({1, 2, 1, 6}), 7); },
       {"[RotaryEmbedding]", "7 to 9", "8 positions"}},
      {Kind::Value,
       [] { nn::MultiHeadAttention(5, 2); },
       {"[MultiHeadAttention]", "dim 5", "heads 2"}},
      {Kind::Value,
       [] { nn::MultiHeadAttention(4, 0); },
       {"[MultiHeadAttention]", "dim 4", "heads 0"}},
      {Kind::Value,
       [] { nn::MultiHeadAttention(8, 4, {.kvHeads = 3}); },
       {"[MultiHeadAttention]", "heads 4", "kvHeads 3"}},
      {Kind::Value,
       [&] { attention(Tensor::ones({3, 5})); },
       {"[matmul]", "inner dims differ", "x [3, 5] f32"}},
      {Kind::Value,
       [&] { attention(a, Tensor::ones({7, 3}, DType::boolean)); },
       {"[attention]", "mask [7, 3] bool", "[2, 3, 3]"}},
      {Kind::Value,
       [&] { causal.attend(a, Tensor::ones({2, 4})); },
       {"[MultiHeadAttention]", "equal length", "x [3, 4] f32", "context [2, 4] f32"}},
      {Kind::Value,
       [] { nn::activation("best"); },
       {"[activation]", "Unrecognized activation function name: \"best\"", "gelu_tanh"}},
      {Kind::Value, [&] { chain(a); }, {"[matmul]", "inner dims differ", "x [3, 3] f32"}},
      {Kind::Type, [&] { two(a); }, {"[Two]", "one tensor"}},
  });
}

TEST(ErrorTable, Loading) {
  nn::Linear linear(4, 3);
  auto state = linear.stateDict(), extra = state, shape = state, dtype = state, empty = state;
  extra["other"] = row;
  shape["weight"] = row;
  dtype["weight"] = Tensor::ones({3, 4}, DType::float16);
  empty["bias"] = none;
  check({
      {Kind::Key,
       [&] { linear.loadStateDict({{"bias", row}}); },
       {"[loadStateDict]", "\"weight\" is missing"}},
      {Kind::Key,
       [&] { linear.loadStateDict({}, {.strict = false}); },
       {"[loadStateDict]", "\"weight\", \"bias\" are missing"}},
      {Kind::Value,
       [&] { linear.loadStateDict(extra); },
       {"[loadStateDict]", "\"other\"", "strict"}},
      {Kind::Value,
       [&] { linear.loadStateDict(shape); },
       {"[loadStateDict]", "\"weight\"", "[4] f32 is not assignable", "[3, 4] f32"}},
      {Kind::Value,
       [&] { linear.loadStateDict(dtype); },
       {"[loadStateDict]", "\"weight\"", "[3, 4] f16 is not assignable", "[3, 4] f32"}},
      {Kind::Value,
       [&] { linear.loadStateDict(dtype, {.autoCast = true}); },
       {"[loadStateDict]", "not assignable"}},
      {Kind::Value, [&] { linear.loadStateDict(empty); }, {"[loadStateDict]", "\"bias\""}},
      {Kind::Key,
       [&] { linear.loadState([&](auto &name) { return extra.at(name + "x"); }); },
       {"[loadState]", "\"weight\" is missing"}},
      {Kind::Value,
       [&] { linear.loadState([&](auto &) { return row; }); },
       {"[loadState]", "\"weight\"", "not assignable"}},
      {Kind::Value,
       [&] { linear.loadState([&](auto &) { return none; }); },
       {"[loadState]", "\"weight\"", "empty"}},
      {Kind::Device, [&] { linear.to(Accelerator()); }, {"[to]", "gpu:0"}},
      {Kind::Device, [&] { linear.to(CPU(64)); }, {"[to]", "cpu:64"}},
  });
}

TEST(ErrorTable, Compiling) {
  nn::Linear linear(4, 3);
  auto compile = [&](const CompileOptions &options) { linear.compile(options, batch); };
  auto type = [](const Shape &shape, DType dtype = DType::float32, Device device = CPU()) {
    return TensorType(dtype, shape, device);
  };
  check({
      {Kind::Type, [&] { type({-1}); }, {"[TensorType]", "non-negative", "[-1] f32"}, Place::none},
      {Kind::Value,
       [&] { linear.compile(type({"n", 5})); },
       {"[matmul]", "inner dims differ", "x [n, 5] f32", "y [4, 3] f32"}},
      {Kind::Value,
       [&] { linear.compile(type({Dim("n") + 1, 4})); },
       {"[compile]", "Linear", "argument 0", "algebraic dim n + 1"}},
      {Kind::Device,
       [&] { linear.compile(type({"n", 4}, DType::float32, Accelerator())); },
       {"[compile]", "gpu:0", "CPU()"}},
      {Kind::Value,
       [&] { linear.compile(type({"n", 4}, DType::float32, CPU(1))); },
       {"[matmul]", "same device", "cpu:1"}},
      {Kind::Value,
       [&] { compile({.target = "z80"}); },
       {"[compile]", "unknown target 'z80'", "x86-64-v3"}},
      {Kind::Value,
       [&] { compile({.target = "x86-64-v3+nope"}); },
       {"[compile]", "unknown feature 'nope'"}},
      {Kind::Value,
       [&] { compile({.disabledPasses = {"kiln-nope"}}); },
       {"[compile]", "kiln-nope", "kiln-fuse-epilogue"}},
      {Kind::Io,
       [&] { compile({.disabledPasses = {"kiln-fuse-epilogue"}, .dumpDir = "/dev/null/x"}); },
       {"[compile]", "/dev/null/x"}},
      {Kind::Value,
       [&] { compile({.constraints = {Dim("m").between(1, 2)}}); },
       {"[compile]", "Linear", "\"m\""}},
      {Kind::Type, [&] { Scale().compile(batch); }, {"[compile]", "Scale", "\"weight\" is empty"}},
      {Kind::Type,
       [&] { Empties().compile(batch); },
       {"[compile]", "Empties", "result 0 is empty"}},
      {Kind::Value, [&] { Nothing().compile(batch); }, {"[compile]", "Nothing", "no result"}},
      {Kind::Type,
       [&] { Reads().compile(batch); },
       {"[item]", "being traced", "[n, 4] f32"},
       Place::none},
  });
}

TEST(ErrorTable, Calling) {
  nn::Linear linear(4, 3);
  auto model = linear.compile(batch);
  auto square = nn::ReLU().compile(TensorType(DType::float32, {"n", "n"}));
  auto both =
      Two().compile(TensorType(DType::float32, {"n", 2}), TensorType(DType::float32, {"n", 2}));
  auto bounded =
      nn::ReLU().compile({.constraints = {Dim("n").between(2, 8), Dim("n").multipleOf(2)}},
                         TensorType(DType::float32, {"n"}));
  auto embedding = nn::Embedding(5, {.dim = 3}).compile(TensorType(DType::int64, {"n"}));
  check({
      {Kind::Value,
       [&] { model(row); },
       {"[Linear]", "argument 0", "expected rank 2 ([n, 4] f32)", "got rank 1 ([4] f32)"}},
      {Kind::Value, [&] { model(a.T()); }, {"[Linear]", "argument 0: dim 1: expected 4, got 3"}},
      {Kind::Value,
       [&] { model(a.cast(DType::float64)); },
       {"[Linear]", "argument 0: expected dtype float32, got float64"}},
      {Kind::Value,
       [&] { model(a.to(CPU(1))); },
       {"[Linear]", "argument 0: expected device cpu:0, got cpu:1"}},
      {Kind::Type, [&] { model(none); }, {"[Linear]", "argument 0", "empty"}},
      {Kind::Value,
       [&] { square(a); },
       {"[ReLU]",
        "argument 0: symbolic dimension \"n\": expected 3 (from argument 0, dim 0), got 4"}},
      {Kind::Value,
       [&] { both(Tensor::ones({10, 2}), Tensor::ones({12, 2})); },
       {"[Two]",
        "argument 1: symbolic dimension \"n\": expected 10 (from argument 0, dim 0), got 12"}},
      {Kind::Value,
       [&] { bounded(Tensor::ones({10})); },
       {"[ReLU]", "argument 0: symbolic dimension \"n\": expected between 2 and 8, got 10"}},
      {Kind::Value,
       [&] { bounded(Tensor::ones({5})); },
       {"[ReLU]", "argument 0: symbolic dimension \"n\": expected a multiple of 2, got 5"}},
      {Kind::Key, [&] { model.ir("nope"); }, {"[ir]", "\"nope\"", "import", "fuse"}},
  });
  // The place is that of the operation.
  check({{Kind::Index,
          [&] { embedding(Tensor::constant({int64_t{7}})); },
          {"[gather]", "index 7", "[0, 5)"},
          Place::none}});
}

TEST(ErrorTable, Graphs) {
  Graph empty("empty"), full("full"), wide("wide"), late("late");
  Tensor x, y;
  {
    auto scope = full.enter();
    x = full.input(batch);
    full.output(x + 1, x * 2);
  }
  {
    auto scope = late.enter();
    y = late.input(TensorType(DType::int64, {"n"}));
    late.output(gather(row, y));
  }
  auto run = full.compile();
  auto lookup = late.compile();
  GraphResults results = run(a);
  check({
      {Kind::Value, [&] { empty.compile(); }, {"[compile]", "graph \"empty\" has no output"}},
      {Kind::Value, [&] { empty.compile({.target = "z80"}); }, {"[compile]", "no output"}},
      {Kind::Value,
       [&] { full.compile({.target = "z80"}); },
       {"[compile]", "unknown target 'z80'"}},
      {Kind::Value,
       [&] { full.compile({.constraints = {Dim("m").between(1, 2)}}); },
       {"[compile]", "full", "\"m\""}},
      {Kind::Value,
       [&] { wide.input(TensorType(DType::float32, {Dim("n") * 2})); },
       {"[compile]", "wide", "argument 0", "algebraic dim n * 2"}},
      {Kind::Device,
       [&] { wide.input(TensorType(DType::float32, {2}, Accelerator())); },
       {"[", "gpu:0"}},
      {Kind::Type, [&] { wide.output(none); }, {"[output]", "empty"}},
      {Kind::Type,
       [&] { wide.output(x); },
       {"[output]", "[n, 4] f32", "graph \"full\"", "\"wide\""}},
      {Kind::Type,
       [&] { x + 1; },
       {"[add]", "[n, 4] f32", "graph \"full\"", "not the one entered"}},
      {Kind::Type,
       [&] { x.toVector<float>(); },
       {"[toVector]", "Can't realize from a graph context", "\"full\""}},
      {Kind::Type, [&] { run(a, a); }, {"[full]", "takes 1 inputs, got 2"}},
      {Kind::Type, [&] { run(); }, {"[full]", "takes 1 inputs, got 0"}},
      {Kind::Type, [&] { run(none); }, {"[full]", "argument 0", "empty"}},
      {Kind::Value, [&] { run(row); }, {"[full]", "argument 0", "expected rank 2", "got rank 1"}},
      {Kind::Value,
       [&] { run(a.cast(DType::int32)); },
       {"[full]", "argument 0", "float32", "int32"}},
      {Kind::Value, [&] { run(a.T()); }, {"[full]", "argument 0: dim 1: expected 4, got 3"}},
      {Kind::Key, [&] { run.ir("nope"); }, {"[ir]", "\"nope\"", "import"}},
      {Kind::Value,
       [&] { (void)static_cast<const Tensor &>(results); },
       {"[GraphResults]", "2 results, not one"},
       Place::none},
      {Kind::Index,
       [&] { lookup(Tensor::constant({int64_t{4}})); },
       {"[gather]", "index 4", "[0, 4)"},
       Place::none},
      {Kind::Value, [] { ops::constant({1, 2, 3}, {4}); }, {"[constant]", "3 values", "[4]"}},
  });
}

TEST(ErrorTable, Dims) {
  const Dim n("n"), most(std::numeric_limits<int64_t>::max());
  const Shape shape{2, "n"};
  check({
      {Kind::Value, [] { Dim("1"); }, {"[Dim]", "Invalid name \"1\""}, Place::none},
      {Kind::Value, [] { Dim(""); }, {"[Dim]", "Invalid name \"\""}, Place::none},
      {Kind::Value, [] { Dim("a b"); }, {"[Dim]", "Invalid name \"a b\""}, Place::none},
      {Kind::Value, [] { Dim(~uint64_t{0}); }, {"[Dim]", "int64"}, Place::none},
      {Kind::Type, [&] { (void)n.value(); }, {"[Dim]", "static dims", "n"}, Place::none},
      {Kind::Value, [&] { (void)(n / 0); }, {"[Dim]", "division by zero", "n"}, Place::none},
      {Kind::Value, [&] { (void)(Dim(3) / 0); }, {"[Dim]", "division by zero", "3"}, Place::none},
      {Kind::Value,
       [&] { (void)(most + 1); },
       {"[Dim]", "overflow", "9223372036854775807"},
       Place::none},
      {Kind::Value,
       [&] { (void)(most * 2); },
       {"[Dim]", "overflow", "9223372036854775807"},
       Place::none},
      {Kind::Value, [&] { (void)(-most - 2); }, {"[Dim]", "overflow"}, Place::none},
      {Kind::Value, [&] { (void)(n * huge * 4); }, {"[Dim]", "overflow"}, Place::none},
      {Kind::Key, [&] { (void)n.evaluate({}); }, {"[Dim]", "\"n\""}, Place::none},
      {Kind::Value,
       [&] { (void)(n * 4).evaluate({{"n", huge}}); },
       {"[Dim]", "overflow", "n"},
       Place::none},
      {Kind::Value, [] { (void)Dim::parse("2 +"); }, {"[Dim]", "2 +"}, Place::none},
      {Kind::Value,
       [] { (void)Dim::parse("99999999999999999999"); },
       {"[Dim]", "99999999999999999999"},
       Place::none},
      {Kind::Value, [&] { (void)n.between(3, 2); }, {"[Dim]", "between(3, 2)"}, Place::none},
      {Kind::Value, [&] { (void)n.between(-1, 2); }, {"[Dim]", "between(-1, 2)"}, Place::none},
      {Kind::Value, [&] { (void)n.multipleOf(0); }, {"[Dim]", "multipleOf(0)"}, Place::none},
      {Kind::Index,
       [&] { (void)shape[2]; },
       {"[Shape]", "axis 2", "rank 2", "[2, n]"},
       Place::none},
      {Kind::Index, [&] { (void)shape[-3]; }, {"[Shape]", "axis -3", "rank 2"}, Place::none},
      {Kind::Type, [&] { (void)shape.sizes(); }, {"[", "n"}, Place::none},
      {Kind::Type,
       [] { promote(DType::uint64, DType::int8); },
       {"[promote]", "u64", "i8"},
       Place::none},
      {Kind::Value, [] { setThreadCount(0); }, {"[setThreadCount]", "between 1 and", "0"}},
      {Kind::Value, [] { setThreadCount(huge); }, {"[setThreadCount]", "between 1 and"}},
  });
}

TEST(ErrorTable, DLPack) {
  float data[12] = {};
  int64_t sizes[2] = {3, 4}, strides[2] = {1, 3}, negative[2] = {3, -4}, large[2] = {huge, huge};
  auto capsule = [&](auto change) {
    DLManagedTensor managed{};
    managed.dl_tensor = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, sizes, nullptr, 0};
    change(managed.dl_tensor);
    return managed;
  };
  auto onGpu = capsule([](DLTensor &t) { t.device = {kDLCUDA, 77}; });
  auto onAnother = capsule([](DLTensor &t) { t.device = {kDLMetal, 0}; });
  auto complex = capsule([](DLTensor &t) { t.dtype = {kDLComplex, 64, 1}; });
  auto lanes = capsule([](DLTensor &t) { t.dtype.lanes = 4; });
  auto strided = capsule([&](DLTensor &t) { t.strides = strides; });
  auto odd = capsule([](DLTensor &t) { t.byte_offset = 2; });
  auto minus = capsule([&](DLTensor &t) { t.shape = negative; });
  auto big = capsule([&](DLTensor &t) { t.shape = large; });
  auto rank = capsule([](DLTensor &t) { t.ndim = -1; });
  auto shapeless = capsule([](DLTensor &t) { t.shape = nullptr; });
  auto dataless = capsule([](DLTensor &t) { t.data = nullptr; });
  check({
      {Kind::Value, [&] { Tensor::fromDLPack(nullptr); }, {"[fromDLPack]", "null"}},
      {Kind::Device,
       [&] { Tensor::fromDLPack(&onGpu); },
       {"[fromDLPack]", "there is no device gpu:77"}},
      {Kind::Device,
       [&] { Tensor::fromDLPack(&onAnother); },
       {"[fromDLPack]", "type 8", "copy it to the host"}},
      {Kind::Type,
       [&] { Tensor::fromDLPack(&complex); },
       {"[fromDLPack]", "code 5", "64 bits", "1 lanes"}},
      {Kind::Type, [&] { Tensor::fromDLPack(&lanes); }, {"[fromDLPack]", "4 lanes"}},
      {Kind::Value,
       [&] { Tensor::fromDLPack(&strided); },
       {"[fromDLPack]", "[3, 4] f32", "contiguous"}},
      {Kind::Value, [&] { Tensor::fromDLPack(&odd); }, {"[fromDLPack]", "[3, 4] f32", "aligned"}},
      {Kind::Value, [&] { Tensor::fromDLPack(&minus); }, {"[fromDLPack]", "dim 1 is -4"}},
      {Kind::Value, [&] { Tensor::fromDLPack(&big); }, {"[fromDLPack]", "4611686018427387904"}},
      {Kind::Value, [&] { Tensor::fromDLPack(&rank); }, {"[fromDLPack]", "rank -1"}},
      {Kind::Value, [&] { Tensor::fromDLPack(&shapeless); }, {"[fromDLPack]", "shape"}},
      {Kind::Value, [&] { Tensor::fromDLPack(&dataless); }, {"[fromDLPack]", "no data"}},
  });
}

} // namespace
