// Every example of the public API as one program of somebody who has the installed package only. It
// is built with all warnings as errors; exit code 0 means that each line did what it says.

#include <kiln/kiln.h>

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <numeric>
#include <sstream>
#include <unistd.h>

using namespace kiln;

namespace {

int failures = 0;

void expect(bool holds, const char *what) {
  if (!holds) {
    ++failures;
    std::cerr << "wrong: " << what << "\n";
  }
}
#define EXPECT(condition) expect((condition), #condition)

template <class T> std::string print(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

template <class E, class F> std::string messageOf(F &&f) {
  try {
    f();
  } catch (const E &error) {
    return error.what();
  }
  return "nothing was thrown";
}
bool contains(const std::string &text, const char *part) {
  return text.find(part) != std::string::npos;
}

void values() {
  std::pair<DType, Device> given = defaults();
  EXPECT(acceleratorCount() > 0 || (given.first == DType::float32 && given.second == CPU()));
  {
    DefaultsScope scope(DType::bfloat16, CPU());
    EXPECT(Tensor::zeros({2}).dtype() == DType::bfloat16);
  }
  EXPECT(DeviceRef::CPU() == CPU() && DeviceRef::GPU(1) == Accelerator(1));
  for (DType type : {DType::boolean, DType::int8, DType::int16, DType::int32, DType::int64,
                     DType::uint8, DType::uint16, DType::uint32, DType::uint64, DType::float16,
                     DType::bfloat16, DType::float32, DType::float64})
    EXPECT(Tensor::zeros({1}, type).dtype() == type);

  Dim x("x"), batch("batch");
  EXPECT(4 * x + 4 == (x + 1) * 4);
  EXPECT(x + 1 + 1 == x + 2);
  EXPECT(4 * x / 5 != (Dim(4) / 5) * x);
  EXPECT(Dim(4).isStatic() && Dim(4).value() == 4 && !batch.isStatic());
  EXPECT(contains(messageOf<TypeError>([&] { batch.value(); }), "static"));
  EXPECT(messageOf<ValueError>([] { Dim("1"); }) != "nothing was thrown");
  EXPECT(messageOf<ValueError>([] { Dim(INT64_MAX) + 1; }) != "nothing was thrown");
  EXPECT(print(Dim(4)) == "Dim(4)" && print(batch) == "Dim(\"batch\")");
  EXPECT(print(batch * 4) == "Dim(\"batch\") * Dim(4)");

  Shape shape{10, 128}, named{"batch", 2};
  EXPECT(shape == (Shape{10, 128}) && shape[0] == 10 && named.rank() == 2);
  int64_t product = 1;
  for (const Dim &dim : shape)
    product *= dim.value();
  EXPECT(product == 1280);
  EXPECT(print(Shape{4, 16, 256}) == "[Dim(4), Dim(16), Dim(256)]");
  TensorType type(DType::float32, {"batch", 2}, CPU());
  EXPECT(type.shape == named);
  EXPECT(messageOf<TypeError>([] { TensorType(DType::float32, {-2}); }) != "nothing was thrown");
}

void tensors() {
  auto a = Tensor::zeros({3, 2});
  auto t = Tensor::ones({10}, DType::uint64);
  auto c = Tensor::constant({1.0f, 2.0f, 3.0f, 4.0f});
  auto nested = Tensor::constant({{1, 2}, {3, 4}});
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  auto d = Tensor::fromData(std::span<const float>(values), {2, 3});
  auto r = Tensor::arange(0, 10, 2);
  auto e = Tensor::fromDLPack(d.toDLPack());
  EXPECT(a.shape() == (Shape{3, 2}) && t.dtype() == DType::uint64 && c.rank() == 1);
  EXPECT(nested.dtype() == DType::int32 && r.dtype() == DType::int64);
  EXPECT(r.toVector<int64_t>() == (std::vector<int64_t>{0, 2, 4, 6, 8}));
  EXPECT(e.toVector<float>() == values);
  EXPECT(Tensor::arange(0, d.shape()[1], 1).numElements() == 3);
  EXPECT(Tensor::zerosLike(d).shape() == d.shape());
  EXPECT(Tensor::onesLike(d).dtype() == DType::float32);
  EXPECT(Tensor::fullLike(d, 3).toVector<float>()[5] == 3);
  EXPECT(Tensor::full({2}, 1.5).toVector<float>()[1] == 1.5f);
  EXPECT(a.shape().rank() == 2 && a.rank() == 2 && a.device() == CPU() && a.numElements() == 6);
  a.realize();
  EXPECT(a.isRealized());
  EXPECT(c[2].item<float>() == 3);
  EXPECT(messageOf<ValueError>([&] { c.item<float>(); }) != "nothing was thrown");
  std::span<const float> span = c.data<float>();
  EXPECT(span.size() == 4 && span[3] == 4);
  EXPECT(messageOf<TypeError>([&] { c.toVector<int>(); }) != "nothing was thrown");
  EXPECT(c.cast(DType::bfloat16).dtype() == DType::bfloat16);
  EXPECT(c.to(CPU()).device() == CPU());
  if (acceleratorCount() == 0)
    EXPECT(messageOf<DeviceError>([&] { a.to(Accelerator()).realize(); }) != "nothing was thrown");
  EXPECT(d.T().shape() == (Shape{3, 2}));
  EXPECT(d.transpose(0, 1).shape() == (Shape{3, 2}));
  EXPECT(d.permute({1, 0}).shape() == (Shape{3, 2}));
  EXPECT(d.reshape({-1, 3}).shape() == (Shape{2, 3}));
  EXPECT(a.broadcastTo({4, 3, 2}).shape() == (Shape{4, 3, 2}));
  EXPECT(Tensor::ones({1, 3}).squeeze(0).shape() == (Shape{3}));
  EXPECT(c.unsqueeze(-1).shape() == (Shape{4, 1}));
  EXPECT(d.flatten().shape() == (Shape{6}));
  EXPECT(Tensor::ones({5, 2}).split(2, 0).size() == 3);
  EXPECT(d[0].shape() == (Shape{3}));
  EXPECT(d.slice({Slice(0, 2), Slice(1, {}, 2)}).toVector<float>() == (std::vector<float>{2, 5}));

  auto b = Tensor::constant({2.0f, 2.0f, 2.0f, 8.0f});
  EXPECT((c + b).toVector<float>()[3] == 12);
  EXPECT((c - 1).toVector<float>()[0] == 0);
  EXPECT((2 * c).toVector<float>()[1] == 4);
  EXPECT((c / b).toVector<float>()[3] == 0.5f);
  EXPECT((c % b).toVector<float>()[2] == 1);
  EXPECT((-c).toVector<float>()[0] == -1);
  Tensor equal = c == b, less = c < b, m = equal & less;
  EXPECT(equal.dtype() == DType::boolean && !m.toVector<bool>()[1] && (~m).toVector<bool>()[1]);
  EXPECT(print(Tensor::constant({1.0f, 2.0f, 3.0f})) ==
         "Tensor([1 2 3], dtype=float32, device=cpu:0)");
  EXPECT(contains(print(Tensor::constant({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}})),
                  "[1 2 | 5 6\n 3 4 | 7 8]"));
}

void functions() {
  auto x = Tensor::constant({{0.25f, 0.5f, 1.0f}, {2.0f, 3.0f, 4.0f}});
  for (const Tensor &y : {abs(x),
                          exp(x),
                          log(x),
                          log1p(x),
                          sqrt(x),
                          rsqrt(x),
                          sin(x),
                          cos(x),
                          tanh(x),
                          erf(x),
                          floor(x),
                          ceil(x),
                          round(x),
                          trunc(x),
                          pow(x, 2),
                          relu(x),
                          gelu(x, "none"),
                          gelu(x, "tanh"),
                          gelu(x, "quick"),
                          silu(x),
                          sigmoid(x),
                          softmax(x),
                          logSoftmax(x),
                          cumsum(x),
                          maximum(x, 1),
                          minimum(x, x),
                          floorDiv(x, 2),
                          clamp(x, 0, 1),
                          where(x > 1, x, 0),
                          maskedFill(x, x > 1, 0.0f),
                          layerNorm(x, Tensor::ones({3}), Tensor::zeros({3})),
                          rmsNorm(x, Tensor::ones({3})),
                          bandPart(x, 0, 0)})
    EXPECT(y.shape() == x.shape() && y.realize().dtype() == DType::float32);
  for (const Tensor &y :
       {isNan(x), isInf(x), logicalAnd(x, x), logicalOr(x, x), logicalXor(x, x), logicalNot(x)})
    EXPECT(y.shape() == x.shape() && y.dtype() == DType::boolean);
  for (const Tensor &y : {sum(x), mean(x), prod(x), max(x), min(x)})
    EXPECT(y.shape() == (Shape{2, 1}));
  EXPECT(argmax(x).dtype() == DType::int64 && argmin(x, 0).shape() == (Shape{1, 3}));
  auto [largest, places] = topK(x, 2);
  EXPECT(largest.toVector<float>() == (std::vector<float>{1, 0.5f, 4, 3}));
  EXPECT(places.toVector<int64_t>() == (std::vector<int64_t>{2, 1, 2, 1}));
  EXPECT(argsort(x).toVector<int64_t>() == (std::vector<int64_t>{0, 1, 2, 0, 1, 2}));
  EXPECT(matmul(x, x.T()).shape() == (Shape{2, 2}));
  EXPECT(concat({x, x}, 1).shape() == (Shape{2, 6}) && stack({x, x}).shape() == (Shape{2, 2, 3}));
  EXPECT(split(x, 1).size() == 2 && chunk(x, 3, 1).size() == 3);
  EXPECT(tile(x, {2, 1}).shape() == (Shape{4, 3}));
  EXPECT(repeatInterleave(x, 2, 1).shape() == (Shape{2, 6}));
  EXPECT(pad(x, {1, 1, 0, 0}).shape() == (Shape{4, 3}));
  auto ids = Tensor::constant({1, 0, 1});
  EXPECT(gather(x, ids, 0).shape() == (Shape{3, 3}));
  EXPECT(gatherNd(x, Tensor::constant({{0, 1}})).item<float>() == 0.5f);
  EXPECT(scatter(x, Tensor::constant({{9.0f}, {8.0f}}), Tensor::constant({{0}, {2}}))
             .toVector<float>() == (std::vector<float>{9, 0.5f, 1, 2, 3, 8}));
  EXPECT(outer(ids, ids).shape() == (Shape{3, 3}));
  auto q = random::uniform({1, 2, 4, 8}, -1, 1);
  EXPECT(attention(q, q, q, {}, 0.5).shape() == q.shape());
  EXPECT(attention(q, q, q).shape() == q.shape());
  EXPECT(allClose(x, x));

  EXPECT(!(Tensor::constant(std::numeric_limits<float>::quiet_NaN()) < 1).item<bool>());
  EXPECT((ids / ids).dtype() == DType::float32);
  EXPECT(messageOf<ValueError>([] { Tensor::ones({1}, DType::uint8) + 300; }) !=
         "nothing was thrown");
  auto outside = messageOf<IndexError>([&] { gather(x, Tensor::constant({7}), 0).realize(); });
  EXPECT(contains(outside, "7") && contains(outside, "2"));
  random::seed(42);
  auto first = random::uniform({3, 2}, 0, 1), normal = random::normal({3, 2}, 0, 1);
  random::seed(42);
  EXPECT(allClose(first, random::uniform({3, 2}, 0, 1)) &&
         allClose(normal, random::normal({3, 2}, 0, 1)));
}

struct MyLinear : nn::Module<MyLinear> {
  Tensor weight;
  std::optional<Tensor> bias{};
  KILN_FIELDS(weight, bias)
  Tensor operator()(const Tensor &x) const {
    auto y = matmul(x, weight.T());
    return bias ? y + *bias : y;
  }
};

void modules() {
  MyLinear linear{.weight = Tensor::zeros({5, 4})};
  std::cout << linear << linear(Tensor::constant({1, 2, 3, 4})) << "\n";

  nn::Linear model(5, 10);
  auto parameters = model.parameters();
  EXPECT(parameters.size() == 2 && parameters[0].first == "weight" &&
         parameters[1].first == "bias");
  EXPECT(model.localParameters().size() == 2 && model.children().empty());
  EXPECT(model.descendants().empty());
  auto zero = [](const std::string &, const Tensor &tensor) { return Tensor::zerosLike(tensor); };
  auto other = model.mapParameters(zero);
  EXPECT(allClose(other.weight, Tensor::zeros({10, 5})) && !allClose(model.weight, other.weight));
  model.applyToLocalParameters(zero);
  model.applyToParameters(zero);
  EXPECT(allClose(model.weight, other.weight));
  std::map<std::string, Tensor> state{{"weight", Tensor::ones({10, 5})},
                                      {"bias", Tensor::ones({10})}};
  model.loadState([&](const std::string &name) { return state.at(name); });
  model.loadStateDict(state, {.strict = true, .autoCast = false});
  EXPECT(allClose(model.weight, Tensor::ones({10, 5})));
  EXPECT(model.stateDict().size() == 2 && &model.to(CPU()) == &model);
  state["weight"] = Tensor::ones({5, 10});
  EXPECT(contains(messageOf<ValueError>([&] { model.loadStateDict(state); }), "not assignable"));

  auto path = std::filesystem::temp_directory_path() /
              ("kiln-api-" + std::to_string(getpid()) + ".safetensors");
  io::saveSafetensors(path.string(), model.stateDict());
  model.loadStateDict(io::openSafetensors(path.string()));
  std::filesystem::remove(path);

  EXPECT(print(nn::Linear(2, 2)) == "Linear(in_dim=Dim(2), out_dim=Dim(2))");
  EXPECT(print(nn::Linear(3, 1, false)) == "Linear(in_dim=Dim(3), out_dim=Dim(1), bias=false)");
  nn::Embedding embedding(10, {.dim = 128}), several(10, {.dims = {16, 128}});
  EXPECT(embedding.dim() == 128);
  EXPECT(messageOf<TypeError>([&] { several.dim(); }) != "nothing was thrown");
  nn::Sequential sequence(nn::Linear(4, 8), nn::GELU(), nn::LayerNorm(8), nn::Dropout(), nn::ReLU(),
                          nn::Linear(8, 2), nn::SiLU());
  EXPECT(sequence(Tensor::ones({3, 4})).shape() == (Shape{3, 2}));
  nn::Sequential any(std::vector<nn::AnyModule>{nn::Linear(4, 4), nn::RMSNorm(4)});
  EXPECT(any(Tensor::ones({3, 4})).shape() == (Shape{3, 4}));
  EXPECT(nn::ModuleList(nn::Linear(4, 4), nn::Linear(4, 4)).size() == 2);
  EXPECT(nn::GroupNorm(2, 4)(Tensor::ones({1, 4, 3})).shape() == (Shape{1, 4, 3}));
  EXPECT(nn::MultiHeadAttention(8, 2)(Tensor::ones({1, 3, 8})).shape() == (Shape{1, 3, 8}));
  EXPECT(nn::RotaryEmbedding(6, 16)(Tensor::ones({1, 3, 2, 6})).shape() == (Shape{1, 3, 2, 6}));
}

void compiling() {
  nn::Linear linear(2, 3);
  auto model = linear.compile(TensorType(DType::float32, {"batch", 2}));
  std::cout << model(random::uniform({3, 2})) << model(random::uniform({10, 2})) << "\n";
  auto x = random::uniform({7, 2});
  EXPECT(allClose(model(x), linear(x), 0, 0));

  auto limited = linear.compile(
      CompileOptions{.constraints = {Dim("batch").between(1, 1024), Dim("batch").multipleOf(8)}},
      TensorType(DType::float32, {"batch", 2}));
  EXPECT(limited(Tensor::ones({16, 2})).shape() == (Shape{16, 3}));
  EXPECT(contains(messageOf<ValueError>([&] { limited(Tensor::ones({9, 2})); }), "batch"));

  struct Add : nn::Module<Add> {
    Tensor operator()(const Tensor &a, const Tensor &b) const { return a + b; }
  };
  auto add = Add().compile(TensorType(DType::float32, {"n"}), TensorType(DType::float32, {"n"}));
  EXPECT(contains(messageOf<ValueError>([&] { add(Tensor::ones({10}), Tensor::ones({12})); }),
                  "symbolic dimension \"n\": expected 10 (from argument 0, dim 0), got 12"));

  auto stats = model.stats();
  EXPECT(stats.traceSeconds >= 0 && stats.compileSeconds >= 0 && stats.loadSeconds >= 0);
  EXPECT(stats.kernels > 0);
  EXPECT(stats.cacheHit == CacheHit::none || stats.cacheHit == CacheHit::memory ||
         stats.cacheHit == CacheHit::disk);
  EXPECT(stats.missReason.empty() == (stats.cacheHit != CacheHit::none));
  EXPECT(contains(model.ir("fuse"), "kiln."));
  auto folder = std::filesystem::temp_directory_path() / ("kiln-api-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  model.exportObject((folder / "encoder.o").string(), "encoder");
  EXPECT(std::filesystem::file_size(folder / "encoder.o") > 0 &&
         std::filesystem::file_size(folder / "encoder.h") > 0);
  std::filesystem::remove_all(folder);
  EXPECT(runtimeStats().compiles + runtimeStats().memoryHits + runtimeStats().diskHits > 0);
}

void graphs() {
  std::vector<int32_t> values(64);
  std::iota(values.begin(), values.end(), 0);
  Graph graph("embedding_example");
  {
    auto scope = graph.enter();
    auto indices = ops::constant(values, {4, 16}, DType::int32);
    nn::embedding::EmbeddingV2 embedding(
        {.vocabSize = 10000,
         .hiddenDim = 256,
         .dtype = DType::float32,
         .device = acceleratorCount() ? DeviceRef::GPU() : DeviceRef::CPU(),
         .name = "token_embeddings"});
    auto out = embedding(indices);
    std::cout << out.shape() << "\n";
    EXPECT(print(out.shape()) == "[Dim(4), Dim(16), Dim(256)]");
    graph.output(out);
  }
  auto run = graph.compile();
  Tensor out = run();
  EXPECT(out.shape() == (Shape{4, 16, 256}));

  nn::embedding::EmbeddingV2 packed({.vocabSize = 10,
                                     .hiddenDim = 256,
                                     .dtype = DType::float32,
                                     .quantizationEncoding = QuantizationEncoding::Q8_0});
  packed.loadStateDict(
      {{"weight", quantization::quantize(Tensor::ones({10, 256}), QuantizationEncoding::Q8_0)}});
  EXPECT(packed(Tensor::constant({3})).shape() == (Shape{1, 256}));

  nn::embedding::Embedding rows(Tensor::arange(0, 20).reshape({5, 4}));
  nn::embedding::VocabParallelEmbedding split(
      {.vocabSize = 5, .hiddenDim = 4, .dtype = DType::int64, .devices = {CPU(0), CPU(1), CPU(2)}});
  split.loadStateDict(std::map<std::string, Tensor>{{"weight", rows.weights}});
  Tensor ids = Tensor::constant({{4, 0}, {2, 3}});
  std::vector<Tensor> everywhere = split(ids);
  EXPECT(everywhere.size() == 3);
  for (std::size_t i = 0; i < everywhere.size(); ++i) {
    EXPECT(everywhere[i].device() == CPU(static_cast<int>(i)));
    EXPECT(everywhere[i].toVector<int64_t>() == rows(ids).toVector<int64_t>());
  }
  EXPECT(messageOf<IndexError>([&] { split(Tensor::constant({5})).back().realize(); }) !=
         "nothing was thrown");
}

void errors() {
  auto message = messageOf<ValueError>([] { matmul(Tensor::ones({3, 4}), Tensor::ones({5, 6})); });
  EXPECT(contains(message, "[matmul] inner dims differ: x [3, 4] f32, y [5, 6] f32 (at api.cpp:"));
  EXPECT((std::is_base_of_v<std::runtime_error, Error>));
  EXPECT((std::is_base_of_v<Error, KeyError> && std::is_base_of_v<Error, CompileError> &&
          std::is_base_of_v<Error, IoError> && std::is_base_of_v<Error, IndexError>));
}

} // namespace

int main() {
  values();
  tensors();
  functions();
  modules();
  compiling();
  graphs();
  errors();
  std::cout << (failures ? "some lines are wrong\n" : "all as it should be\n");
  return failures;
}
