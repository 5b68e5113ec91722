// Writes small real files for the fuzz targets to begin with:
//   kiln-fuzz-seeds FOLDER
// makes FOLDER/artifact, safetensors, gguf, tokenizer and mlir.
#include "ir/Graph.h"
#include "runtime/CompilerLibrary.h"

#include <kiln/kiln.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace kiln;
namespace fs = std::filesystem;

namespace {

void write(const fs::path &path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush())
    throw IoError("cannot write " + path.string());
}

/// A graph of some operations: what a model's text and artifact are made of.
struct Model {
  const char *name;
  void (*record)(Graph &graph);
  std::vector<Constraint> constraints = {};
};

TensorType f32(const Shape &shape) { return TensorType(DType::float32, shape); }
TensorType i64(const Shape &shape) { return TensorType(DType::int64, shape); }

const Model models[] = {
    {"products",
     [](Graph &graph) {
       Tensor ids = graph.input(i64({"batch", "seq"})), table = random::normal({11, 8});
       Tensor x = gather(table, ids);
       Tensor y = gelu(matmul(x, random::normal({8, 16})) + random::normal({16}), "tanh");
       graph.output(softmax(layerNorm(y, Tensor::ones({16}), Tensor::zeros({16}))));
     },
     {Dim("batch").between(1, 64), Dim("seq").multipleOf(8)}},
    {"attention",
     [](Graph &graph) {
       Tensor x = graph.input(f32({"batch", 2, "seq", 4}));
       Tensor mask = graph.input(TensorType(DType::boolean, {"batch", 1, 1, "seq"}));
       graph.output(attention(x, x * 2, x, mask, 0.5));
       graph.output(bandPart(matmul(x, x.transpose(-1, -2)), -1, 0));
     }},
    {"moves",
     [](Graph &graph) {
       Tensor x = graph.input(f32({"n", 6})), y = graph.input(f32({"n", 6}));
       Tensor both = concat({x, y.slice({Slice(), Slice(5, {}, -1)})}, 1);
       graph.output(both.reshape({-1, 3, 4}).permute({2, 0, 1}));
       graph.output(pad(x, {1, 2, 0, 3}, 7.0), repeatInterleave(x, 2, 0), tile(y, {2, 1}));
       graph.output(where(x < y, x, -y), stack({x, y}), x.broadcastTo({3, "n", 6}));
     }},
    {"rows",
     [](Graph &graph) {
       Tensor x = graph.input(f32({"a", "b"}));
       graph.output(sum(x), mean(x, 0), max(x), argmax(x), cumsum(x, 0), argsort(x));
       Tensor y = graph.input(TensorType(DType::float16, {"a", 6}));
       graph.output(rmsNorm(y, Tensor::ones({6}, DType::float16)).cast(DType::bfloat16), prod(x));
     }},
    {"indexed",
     [](Graph &graph) {
       Tensor x = graph.input(f32({5, "n"})), ids = graph.input(i64({"m"}));
       graph.output(gather(x, ids, 0));
       Tensor many = graph.input(i64({2, "n"})), updates = graph.input(f32({2, "n"}));
       graph.output(scatterAdd(x, updates, many, 0), takeAlongAxis(x, many, 0));
       graph.output(Tensor::arange(0, Dim("n") * 2, 3), ops::fromDim(Dim("n") + 1));
     }},
    {"images",
     [](Graph &graph) {
       Tensor image = graph.input(f32({"batch", 6, 7, 3}));
       graph.output(conv2d(image, random::normal({3, 3, 3, 4})), maxPool2d(image, {2, 2}));
     }},
    {"packed",
     [](Graph &graph) {
       Tensor x = graph.input(f32({"n", 32})), weight = random::normal({4, 32});
       Tensor packed = quantization::quantize(weight, QuantizationEncoding::Q8_0);
       graph.output(matmul(x, dequantize(packed, QuantizationEncoding::Q8_0).T()));
     }},
    {"calls",
     [](Graph &graph) {
       Tensor x = graph.input(f32({"n", 4}));
       auto layer = [](const Tensor &y) { return relu(exp(y) - log(abs(y) + 1) * sin(y)); };
       graph.output(subgraph(layer, subgraph(layer, x)));
     }},
};

void writeModels(const fs::path &folder) {
  for (const Model &model : models) {
    Graph graph(model.name);
    {
      auto scope = graph.enter();
      model.record(graph);
    }
    std::string text = graph.compile({.constraints = model.constraints}).ir("import");
    write(folder / "mlir" / model.name, text);

    ir::Graph parsed;
    runtime::parseGraph(text, model.name, parsed);
    runtime::CompileRequest request;
    request.target = "x86-64";
    runtime::CompileResult result = runtime::compileGraph(parsed, request);
    if (result.error != ErrorKind::none)
      throw CompileError(result.message);
    result.artifact.key = "0123456789abcdef0123456789abcdef";
    result.artifact.parts = {"compiler", "x86-64", "options", ir::canonicalText(parsed)};
    result.artifact.code.resize(64); // never run
    result.artifact.entryOffset = 0;
    std::vector<std::byte> file = runtime::serialize(result.artifact);
    write(folder / "artifact" / model.name,
          {reinterpret_cast<const char *>(file.data()), file.size()});
  }
}

void writeWeights(const fs::path &folder) {
  fs::create_directories(folder / "safetensors");
  fs::create_directories(folder / "gguf");
  std::map<std::string, Tensor> tensors = {
      {"weight", random::normal({3, 4})},
      {"packed.weight", random::normal({2, 32})},
      {"half", random::normal({5}).cast(DType::bfloat16)},
      {"scalar", Tensor::full({}, 3, DType::int64)},
      {"none", Tensor::zeros({0, 7})},
  };
  io::saveGguf((folder / "gguf/mixed").string(), tensors,
               {{"general.alignment", io::GgufValue(uint32_t{32})},
                {"name", io::GgufValue(std::string("seed"))},
                {"tokens", io::GgufValue(std::vector<std::string>{"a", "", "東"})},
                {"nested",
                 io::GgufValue(std::vector<io::GgufValue>{io::GgufValue(std::vector<int32_t>{1, 2}),
                                                          io::GgufValue(std::vector<int32_t>{})})}},
               {.encodings = {{"packed.weight", QuantizationEncoding::Q4_0}}});
  io::saveGguf((folder / "gguf/tensors").string(), {{"x", random::normal({2, 256})}}, {},
               {.encoding = QuantizationEncoding::Q6_K});
  tensors.emplace("mask", Tensor::zeros({2, 2}, DType::boolean));
  io::saveSafetensors((folder / "safetensors/mixed").string(), tensors);
  io::saveSafetensors((folder / "safetensors/none").string(), {});
}

/// As test/unit/TokenizerTest.cpp has them.
void writeTokenizer(const fs::path &folder) {
  constexpr std::string_view tokenizer = R"({
"added_tokens": [{"id": 0, "content": "[PAD]", "normalized": false, "lstrip": false}],
"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
"strip_accents": null, "lowercase": true},
"pre_tokenizer": {"type": "BertPreTokenizer"},
"post_processor": {"type": "TemplateProcessing",
"single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
"special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}}},
"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
"max_input_chars_per_word": 5,
"vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "man": 5, "##s": 6, "eat": 7}}})";
  constexpr std::string_view vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nman\n##s\neat\n";
  write(folder / "tokenizer/small", std::string(tokenizer) + '\x1e' + std::string(vocabulary) +
                                        '\x1e' + R"({"max_seq_length": 6})");
}

} // namespace

int main(int argc, char **argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: kiln-fuzz-seeds FOLDER\n");
    return 2;
  }
  random::seed(1);
  writeModels(argv[1]);
  writeWeights(argv[1]);
  writeTokenizer(argv[1]);
} catch (const std::exception &error) {
  std::fprintf(stderr, "kiln-fuzz-seeds: %s\n", error.what());
  return 1;
}
