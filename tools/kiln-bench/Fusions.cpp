//===- Fusions.cpp - What each fusion saves -----------------------------------===//

#include "Fusions.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <kiln/kiln.h>

#include "runtime/DimProgram.h"
#include "runtime/Executable.h"
#include "runtime/Profile.h"
#include "tools/common/minilm/LoadEncoder.h"

using namespace kiln;
using Clock = std::chrono::steady_clock;

namespace kiln::tools {
namespace {

struct Variant {
  std::string name;
  std::function<void()> call;
  std::size_t launches = 0;
  double weightBytes = 0, otherBytes = 0;
  std::vector<double> times{};
};

/// What the kernels of a call move, from the artifact.
void count(Variant &variant) {
  runtime::Profiler::start();
  variant.call();
  const runtime::Profile profile = runtime::Profiler::stop();
  for (const runtime::ProfiledCall &call : profile.calls) {
    const runtime::Artifact &artifact = call.executable->artifact();
    auto value = [&](const Dim &dim) {
      return static_cast<double>(
          runtime::DimProgram(dim, artifact.symbols).evaluate(call.symbols.data()));
    };
    for (const uint32_t kernel : artifact.launches) {
      ++variant.launches;
      variant.weightBytes += value(artifact.costs[kernel].weightBytes);
      variant.otherBytes += value(artifact.costs[kernel].otherBytes);
    }
  }
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

} // namespace

void benchFusions(const std::filesystem::path &weights, int64_t batch, int64_t length,
                  double seconds) {
  const BertConfig config = configFromWeights(weights);
  const auto encoder = loadEncoder(weights, config);
  std::vector<int64_t> ids(static_cast<std::size_t>(batch * length));
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<int64_t>(i) * 7919 % config.vocabulary;
  const Shape shape{Dim(batch), Dim(length)};
  const Tensor tokens = Tensor::fromData(ids, shape);
  const Tensor mask = Tensor::fromData(std::vector<int64_t>(ids.size(), 1), shape);

  const std::vector<std::string> fusions = {"kiln-fuse-attention", "kiln-fuse-linear",
                                            "kiln-fuse-siblings",  "kiln-fuse-epilogue",
                                            "kiln-fuse-gather",    "kiln-fuse-elementwise"};
  const TensorType type(DType::int64, Shape{Dim("batch"), Dim("length")}, CPU());
  auto variant = [&](std::string name, std::vector<std::string> disabled) -> Variant {
    CompileOptions options;
    options.constraints = {type.shape[1].between(1, config.positions)};
    options.disabledPasses = std::move(disabled);
    auto compiled = encoder.compile(options, type, type);
    return {std::move(name), [compiled, tokens, mask] { compiled(tokens, mask).realize(); }};
  };
  std::vector<Variant> variants = {variant("all fusions", {})};
  for (const std::string &fusion : fusions)
    variants.push_back(variant("without " + fusion, {fusion}));
  variants.push_back(variant("none", fusions));

  for (Variant &each : variants) {
    each.call();
    count(each);
  }
  const auto start = Clock::now();
  do {
    for (Variant &each : variants) {
      const auto begin = Clock::now();
      each.call();
      each.times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
  } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);

  const Variant &all = variants.front();
  std::cout << fmt::format("encoder {}x{}, {} threads, {} rounds\n", batch, length, threadCount(),
                           all.times.size());
  for (const Variant &each : variants)
    std::cout << fmt::format(
        "{:30} {:4} kernels {:8.1f} MB of weights {:8.1f} MB between {:8.2f} ms: {:.2f} times\n",
        each.name, each.launches, each.weightBytes / 1e6, each.otherBytes / 1e6,
        median(each.times) * 1e3, median(each.times) / median(all.times));
}

} // namespace kiln::tools
