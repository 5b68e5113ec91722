//===- main.cpp - kiln-encode: lines of text to embeddings --------------------===//

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <sys/resource.h>

#include <fmt/format.h>
#include <kiln/kiln.h>

#include "Encoder.h"
#include "LineReader.h"
#include "Nearest.h"
#include "Progress.h"
#include "runtime/Profile.h"
#include "tools/common/ChromeTrace.h"
#include "tools/common/Interrupt.h"
#include "tools/common/Main.h"
#include "tools/common/PhaseTable.h"
#include "tools/common/text/Utf8.h"

using namespace kiln::tools;

namespace {
/// How much is read before it is sorted by length and encoded: what bounds the memory.
constexpr size_t kWindowLines = 1024;
constexpr size_t kWindowBytes = 8 << 20;

/// Reads the next window of lines. Returns false if there is none.
bool readWindow(LineReader &reader, std::vector<Encoded> &window) {
  window.clear();
  size_t bytes = 0;
  std::string line;
  while (window.size() < kWindowLines && bytes < kWindowBytes) {
    stopIfInterrupted(); // A signal that came before a read would not end it.
    if (!reader.next(line))
      break;
    bytes += line.size();
    window.push_back({std::move(line), {}, {}});
  }
  return !window.empty();
}

void printStats(const Encoder &encoder, uintmax_t fileBytes) {
  const EncoderStats &s = encoder.stats();
  const auto runtime = kiln::runtimeStats();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(stderr, "lines: {} in {} batches, {} tokens and {} of padding\n", s.lines, s.batches,
             s.tokens, s.paddedTokens - s.tokens);
  fmt::print(stderr,
             "load: {:.3f} s, trace: {:.3f} s, compile: {:.3f} s, prepare: {:.3f} s, {} kernels, "
             "cache: {}\n",
             s.loadSeconds, s.traceSeconds, s.compileSeconds, s.prepareSeconds, s.kernels, s.cache);
  fmt::print(stderr, "ready to encode {:.3f} s after the start of the process\n", s.readySeconds);
  fmt::print(stderr, "tokenise: {:.3f} s, run: {:.3f} s, {:.0f} lines/s\n", s.tokeniseSeconds,
             s.runSeconds, s.lines / std::max(s.tokeniseSeconds + s.runSeconds, 1e-9));
  fmt::print(stderr, "compiles: {}, from memory: {}, from disk: {}\n", runtime.compiles,
             runtime.memoryHits, runtime.diskHits);
  // ru_maxrss is in KiB.
  fmt::print(stderr, "peak memory: {:.0f} MB, {:.2f} of the file of weights\n",
             usage.ru_maxrss / 1024.0,
             static_cast<double>(usage.ru_maxrss) * 1024 / static_cast<double>(fileBytes));
}

void run(const Options &options) {
  const bool writes = !options.similar || options.outputGiven;
  // First what may fail at once: nobody should wait for a model to hear that a folder is read-only.
  LineReader reader(options.files);
  if (!std::filesystem::is_directory(options.model))
    throw kiln::IoError("no model in " + options.model +
                        ": run tools/quickstart, or give its folder with --model");
  std::unique_ptr<EmbeddingWriter> writer;
  if (writes)
    writer = makeWriter(options.output, options.ids);
  Progress progress(!(writes && options.output == "-" && isatty(STDOUT_FILENO)));
  Encoder encoder(options);

  std::optional<Nearest> nearest;
  if (options.similar) {
    size_t replaced = 0;
    Encoded query[] = {{repairUtf8(*options.similar, replaced), {}, {}}};
    encoder.encode(query, [](size_t) {});
    nearest.emplace(std::move(query[0].embedding), options.top);
  }
  std::vector<Encoded> window;
  while (readWindow(reader, window)) {
    encoder.encode(window, [&](size_t lines) {
      progress.update(lines);
      stopIfInterrupted();
    });
    for (const Encoded &line : window) {
      if (writer)
        writer->write(line);
      if (nearest)
        nearest->add(line.text, line.embedding);
    }
    if (writer)
      writer->flush();
  }
  if (writer)
    writer->finish(encoder.width());
  progress.end();

  if (nearest) {
    OutputFile out("-");
    for (const auto &line : nearest->lines())
      out.write(fmt::format("{:.4f}  {}\n", line.cosine, line.text));
    out.commit();
  }
  if (reader.replacedSequences())
    fmt::print(stderr, "kiln-encode: replaced {} invalid UTF-8 sequences by U+FFFD, in {} lines\n",
               reader.replacedSequences(), reader.repairedLines());
  if (options.stats)
    printStats(encoder, std::filesystem::file_size(std::filesystem::path(options.model) /
                                                   "model.safetensors"));
  if (options.timing)
    fmt::print(stderr, "{}", phaseTable(encoder.compileStats()));
}
} // namespace

int main(int argc, char **argv) {
  return runMain("kiln-encode", [&] {
    Options options;
    if (const auto code = parseOptions(argc, argv, options))
      return *code;
    if (options.threads)
      kiln::setThreadCount(options.threads);
    catchSignals();
    if (!options.profile.empty())
      kiln::runtime::Profiler::start();
    run(options);
    if (!options.profile.empty())
      writeChromeTrace(options.profile, kiln::runtime::Profiler::stop());
    return 0;
  });
}
