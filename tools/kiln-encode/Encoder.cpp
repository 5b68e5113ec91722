//===- Encoder.cpp - Texts to embeddings --------------------------------------===//

#include "Encoder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <future>

#include <kiln/kiln.h>

#include "runtime/Profile.h"
#include "tools/common/ProcessTime.h"
#include "tools/common/minilm/LoadEncoder.h"

namespace kiln::tools {

namespace {
/// Adds the time between its beginning and its end, in seconds.
class Timer {
public:
  explicit Timer(double &sum) : sum(sum) {}
  ~Timer() { sum += std::chrono::duration<double>(Clock::now() - start).count(); }

private:
  using Clock = std::chrono::steady_clock;
  double &sum;
  Clock::time_point start = Clock::now();
};

Tokenizer loadTokenizer(const std::filesystem::path &folder) {
  runtime::ProfileScope profile("load the tokenizer");
  return Tokenizer::load(folder);
}

/// No batch has more tokens, padding included, unless one line has: more lines at once are no
/// faster, but hold more memory (in the widest layer, 1536 floats a token).
constexpr size_t kBatchTokens = 4096;

/// What a call costs beside its tokens, in tokens: all weights (43 MB in float32) come from memory
/// once, at some 20 GB/s, while a token takes 21 MFLOP, at some 250 GFLOP/s on two cores.
constexpr size_t kCallTokens = 32;

/// How many lines each batch takes, given their lengths, the longest first: the split that computes
/// the least in all, where a batch of n lines computes n times the longest of them.
std::vector<size_t> planBatches(const std::vector<size_t> &lengths, size_t batchLines) {
  // From the end: the cost of the lines from i on, and the size of the first of their batches.
  std::vector<size_t> cost(lengths.size() + 1, 0), first(lengths.size(), 1);
  for (size_t i = lengths.size(); i-- > 0;) {
    const size_t fitting = std::max<size_t>(1, kBatchTokens / lengths[i]);
    const size_t most = std::min({batchLines, fitting, lengths.size() - i});
    cost[i] = SIZE_MAX;
    for (size_t count = 1; count <= most; ++count)
      if (const size_t whole = kCallTokens + count * lengths[i] + cost[i + count];
          whole < cost[i]) {
        cost[i] = whole;
        first[i] = count;
      }
  }
  std::vector<size_t> sizes;
  for (size_t i = 0; i < lengths.size(); i += sizes.back())
    sizes.push_back(first[i]);
  return sizes;
}

auto compileEncoder(SentenceEncoder &encoder, const BertConfig &config) {
  const TensorType type(DType::int64, {"batch", "seq"}, CPU());
  CompileOptions options;
  options.constraints = {Dim("seq").between(1, config.positions)};
  return encoder.compile(options, type, type);
}
} // namespace

struct Encoder::Model {
  using Compiled = decltype(compileEncoder(std::declval<SentenceEncoder &>(), BertConfig()));

  SentenceEncoder eager;
  std::optional<Compiled> compiled; // Empty where the model is evaluated eagerly.
};

Encoder::Encoder(const Options &options) : batchLines(options.batch) {
  const std::filesystem::path folder = options.model;
  // Reading the vocabulary takes as long as all the rest: at the same time.
  auto reading = std::async(std::launch::async, loadTokenizer, folder);
  const BertConfig config = BertConfig::load(folder / "config.json");
  columns = static_cast<size_t>(config.hidden);
  loadModel(options, config);
  {
    Timer timer(counts.loadSeconds);
    tokenizer = std::make_unique<const Tokenizer>(reading.get());
  }
  const TokenizerOptions &text = tokenizer->options();
  auto require = [&](size_t needed, int64_t offered, const char *what) {
    if (needed > static_cast<size_t>(offered))
      throw ValueError("[model] " + folder.string() + ": the tokenizer makes " +
                       std::to_string(needed) + " " + what + ", config.json has " +
                       std::to_string(offered));
  };
  require(text.vocabularySize, config.vocabulary, "ids");
  require(text.maxTokens, config.positions, "positions");
  counts.readySeconds = sinceProcessStart();
}

void Encoder::loadModel(const Options &options, const BertConfig &config) {
  const std::filesystem::path file = std::filesystem::path(options.model) / "model.safetensors";
  {
    Timer timer(counts.loadSeconds);
    runtime::ProfileScope profile("load the weights");
    model.reset(new Model{loadEncoder(file, config, options.dtype), {}});
  }
  if (options.eager) {
    counts.cache = "eager";
    return;
  }
  model->compiled.emplace(compileEncoder(model->eager, config));
  const auto stats = model->compiled->stats();
  counts.traceSeconds = stats.traceSeconds;
  counts.compileSeconds = stats.compileSeconds;
  counts.prepareSeconds = stats.loadSeconds;
  counts.kernels = stats.kernels.size();
  counts.cache = std::string(name(stats.cacheHit));
}

Encoder::~Encoder() = default;

CompileStats Encoder::compileStats() const {
  return model->compiled ? model->compiled->stats() : CompileStats();
}

void Encoder::encode(std::span<Encoded> lines, const std::function<void(size_t)> &afterBatch) {
  {
    Timer timer(counts.tokeniseSeconds);
    runtime::ProfileScope profile("tokenise");
    profile.note("lines", std::to_string(lines.size()));
    for (Encoded &line : lines)
      line.ids = tokenizer->encode(line.text);
  }
  std::vector<Encoded *> order;
  for (Encoded &line : lines)
    order.push_back(&line);
  // The longest first: the first batch then needs the most memory, and later ones use it again.
  std::sort(order.begin(), order.end(), [](const Encoded *a, const Encoded *b) {
    return a->ids.size() != b->ids.size() ? a->ids.size() > b->ids.size() : a < b;
  });
  std::vector<size_t> lengths;
  for (const Encoded *line : order)
    lengths.push_back(line->ids.size());
  size_t begin = 0;
  for (size_t count : planBatches(lengths, batchLines)) {
    encodeBatch(std::span(order).subspan(begin, count));
    afterBatch(count);
    begin += count;
  }
}

void Encoder::encodeBatch(std::span<Encoded *const> batch) {
  const size_t length = batch.front()->ids.size(); // The longest.
  std::vector<int64_t> ids(batch.size() * length, tokenizer->options().padId);
  std::vector<int64_t> mask(batch.size() * length, 0);
  for (size_t row = 0; row < batch.size(); ++row) {
    const auto &line = batch[row]->ids;
    std::copy(line.begin(), line.end(), ids.begin() + row * length);
    std::fill_n(mask.begin() + row * length, line.size(), 1);
    counts.tokens += line.size();
  }
  counts.lines += batch.size();
  counts.paddedTokens += ids.size();
  ++counts.batches;

  Timer timer(counts.runSeconds);
  runtime::ProfileScope profile("encode a batch");
  profile.note("lines", std::to_string(batch.size()));
  profile.note("tokens", std::to_string(length));
  const Shape shape{batch.size(), length};
  const Tensor idTensor = Tensor::fromData(ids, shape), maskTensor = Tensor::fromData(mask, shape);
  const Tensor result = model->compiled ? (*model->compiled)(idTensor, maskTensor)
                                        : model->eager(idTensor, maskTensor);
  const auto values = result.data<float>();
  for (size_t row = 0; row < batch.size(); ++row) {
    const auto embedding = values.subspan(row * columns, columns);
    if (!std::all_of(embedding.begin(), embedding.end(), [](float x) { return std::isfinite(x); }))
      throw ValueError("[model] an embedding is not finite: the weights are damaged");
    batch[row]->embedding.assign(embedding.begin(), embedding.end());
  }
}

} // namespace kiln::tools
