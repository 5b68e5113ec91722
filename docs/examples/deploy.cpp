// Exports a small classifier of sentences for C programs: docs/deploy.md, step by step.
//   kiln-example-deploy [FOLDER [SENTENCE...]]
// writes classifier.o, classifier.h and classifier.weights there, and prints what the model says to
// each sentence, token ids with commas between them, for comparison with deploy.c.
#include <kiln/kiln.h>

#include <cstdio>
#include <filesystem>
#include <sstream>

using namespace kiln;

namespace {

constexpr int64_t vocab = 1000, hidden = 64, classes = 3;

/// Mean of the words' embeddings, two layers, softmax.
struct Classifier : nn::Module<Classifier> {
  nn::Embedding words{vocab, {.dim = hidden}};
  nn::Linear inner{hidden, 4 * hidden}, outer{4 * hidden, classes};
  KILN_FIELDS(words, inner, outer)

  /// ids and mask [batch, seq] (1: a word, 0: padding) -> [batch, 3].
  Tensor operator()(const Tensor &ids, const Tensor &mask) const {
    Tensor weight = mask.cast(DType::float32).unsqueeze(-1);
    Tensor mean = (words(ids) * weight).sum(1).squeeze(1) / weight.sum(1).squeeze(1);
    return softmax(outer(gelu(inner(mean))), -1);
  }
};

std::vector<int64_t> parse(const std::string &sentence) {
  std::vector<int64_t> ids;
  std::stringstream text(sentence);
  for (std::string id; std::getline(text, id, ',');)
    ids.push_back(std::stoll(id));
  return ids;
}

} // namespace

int main(int argc, char **argv) {
  std::filesystem::path folder =
      argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  try {
    random::seed(7); // instead of weights from a file
    Classifier classifier;
    TensorType tokens(DType::int64, {"batch", "seq"});
    auto model = classifier.compile(
        CompileOptions{.constraints = {Dim("batch").between(1, 64), Dim("seq").between(1, 512)}},
        tokens, tokens);
    model.exportObject((folder / "classifier.o").string(), "classifier",
                       {.targets = {"x86-64-v2", "x86-64-v3", "x86-64-v4"}});

    for (int i = 2; i < argc; ++i) {
      std::vector<int64_t> ids = parse(argv[i]);
      auto length = static_cast<int64_t>(ids.size());
      Tensor row = Tensor::fromData(std::span<const int64_t>(ids), {1, length});
      std::printf("%s:", argv[i]);
      for (float probability : model(row, Tensor::onesLike(row)).toVector<float>())
        std::printf(" %.6f", static_cast<double>(probability));
      std::printf("\n");
    }
    return 0;
  } catch (const Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
