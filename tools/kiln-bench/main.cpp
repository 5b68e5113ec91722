//===- main.cpp - kiln-bench: times a case for a benchmark --------------------===//
//
// `kiln-bench CASE DTYPE DATA_DIR` loads and compiles a case, says so in one JSON line, and then
// answers a JSON line on standard output for each on standard input, until that ends:
//   {"shape": [8, 128], "seconds": 0.5}  times calls with the inputs of 8x128.safetensors:
//                                        {"median_us": m, "min_us": m, "calls": n}
//   {"shape": [8, 128], "save": "PATH"}  writes the result, "out", to PATH: {"saved": true}
//   {"shape": [8, 128], "reference": "PATH"}  writes what the interpreter computes of the first and
//                                        last entry (Reference.h): {"saved": true}
//   {"shape": [8, 128], "check": "PATH"}  holds the result against that: {"error": e}
// `kiln-bench --draw 768x3072 --draw-shapes 1x768 8x768 -- CASE DTYPE DATA_DIR` fills DATA_DIR.
// With `--device cuda` weights and inputs are on the first accelerator, and results stay there.
// `kiln-bench --quantized-gather` measures lookups in packed tables by itself (QuantizedGather.h),
// `kiln-bench --fusions FILE` what each fusion saves (Fusions.h),
// `kiln-bench --threads` what a second thread gives (Threads.h),
// `kiln-bench --quantized-linear Q4_K` products with packed weights; with `--asked`
// it answers lines for these, too (QuantizedLinear.h). `kiln-bench --report CASE` holds the kernels
// of a case against the machine (Report.h), `kiln-bench --compile-budget` measures compiling
// (CompileBudget.h).
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "Cases.h"
#include "Drawn.h"
#include "Fusions.h"
#include "QuantizedGather.h"
#include "QuantizedLinear.h"
#include "Reference.h"
#include "ReportCommand.h"
#include "Threads.h"
#include "runtime/cuda/Gpu.h"

using namespace kiln;
using namespace kiln::tools;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void answer(const std::string &line) { std::cout << line << std::endl; }

/// Reads the inputs of a shape; fractional ones are rounded to `dtype`.
std::vector<Tensor> readInputs(const std::filesystem::path &folder, const json &shape, DType dtype,
                               Device device) {
  const auto sizes = shape.get<std::vector<int64_t>>();
  const auto file =
      io::openSafetensors(folder / fmt::format("{}.safetensors", fmt::join(sizes, "x")));
  std::vector<Tensor> inputs;
  while (const auto input = file.find("in" + std::to_string(inputs.size()))) {
    inputs.push_back((isFloat(input->dtype()) ? input->cast(dtype) : *input).to(device));
    inputs.back().realize();
  }
  if (inputs.empty())
    throw KeyError("the file of shape " + shape.dump() + " has no in0");
  return inputs;
}

std::string timesOf(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return fmt::format(R"({{"median_us": {:.3f}, "min_us": {:.3f}, "calls": {}}})",
                     times[times.size() / 2] * 1e6, times[0] * 1e6, times.size());
}

/// On an accelerator calls return before their work is done: several are timed together, until the
/// last one's result is there. It stays on the device. As many as take 20 ms, at most 20.
std::string timeCallsOn(Device device, const Program &program, const std::vector<Tensor> &inputs,
                        double seconds) {
  runtime::cuda::Stream &stream = runtime::cuda::Gpu::get(device).stream();
  auto timed = [&](int calls) {
    const auto begin = Clock::now();
    for (int i = 0; i < calls; ++i)
      program(inputs).realize();
    stream.synchronize();
    return secondsSince(begin) / calls;
  };
  timed(1);
  const int together = std::clamp(static_cast<int>(0.02 / timed(1)), 1, 20);
  timed(together);
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.empty() || secondsSince(start) < seconds)
    times.push_back(timed(together));
  return timesOf(std::move(times));
}

std::string timeCalls(const Program &program, const std::vector<Tensor> &inputs, double seconds) {
  for (int i = 0; i < 3; ++i)
    program(inputs).realize();
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.empty() || secondsSince(start) < seconds) {
    const auto begin = Clock::now();
    const Tensor result = program(inputs);
    // The result must lie readable in memory: read a byte of it.
    [[maybe_unused]] volatile std::byte first = result.bytes()[0];
    times.push_back(secondsSince(begin));
  }
  return timesOf(std::move(times));
}

void work(const Case &chosen, DType dtype, Device device, const std::filesystem::path &folder,
          Clock::time_point start) {
  const auto loaded = chosen.load(folder / "weights.safetensors", dtype, device);
  std::map<int64_t, Program> programs; // By the rank of the inputs.
  programs[chosen.usualRank] = loaded.compile(chosen.usualRank);
  answer(fmt::format(R"({{"ready": true, "compile_s": {:.6f}}})", secondsSince(start)));

  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    const auto inputs = readInputs(folder, request.at("shape"), dtype, device);
    Program &program = programs[inputs[0].rank()];
    if (!program)
      program = loaded.compile(inputs[0].rank());
    auto result = [&] { return program(inputs).cast(DType::float32).to(CPU()); };
    if (request.contains("save")) {
      io::saveSafetensors(request.at("save").get<std::string>(), {{"out", result()}});
      answer(R"({"saved": true})");
    } else if (request.contains("reference")) {
      writeReference(loaded, inputs, request.at("reference").get<std::string>());
      answer(R"({"saved": true})");
    } else if (request.contains("check")) {
      const double error = errorAgainst(result(), request.at("check").get<std::string>());
      answer(std::isfinite(error) ? fmt::format(R"({{"error": {:.4e}}})", error)
                                  : R"({"error": 1e999})");
    } else {
      const auto seconds = request.at("seconds").get<double>();
      answer(device.isCPU() ? timeCalls(program, inputs, seconds)
                            : timeCallsOn(device, program, inputs, seconds));
    }
  }
}
} // namespace

int main(int argc, char **argv) {
  const auto start = Clock::now();
  CLI::App app("Times a case for a benchmark: a worker that is asked over standard input.",
               "kiln-bench");
  bool list = false;
  std::string name, dtypeName, folder, encoding, deviceName = "cpu";
  std::vector<int64_t> sizes{4096, 14336};
  double seconds = 5;
  app.add_flag("--list", list, "List the cases");
  bool quantizedGather = false;
  QuantizedGatherOptions gather;
  auto *gathers = app.add_flag("--quantized-gather", quantizedGather,
                               "Look up rows of packed tables, and of the same in float32");
  app.add_option("--rows", gather.rows, "Of each table")->needs(gathers)->capture_default_str();
  app.add_option("--columns", gather.columns, "Of each table, a multiple of 256")
      ->needs(gathers)
      ->capture_default_str();
  app.add_option("--ids", gather.ids, "Rows of a call")->needs(gathers)->capture_default_str();
  auto *linears =
      app.add_option("--quantized-linear", encoding,
                     "Time a Linear with weights packed as Q4_0, Q8_0, Q4_K, Q5_K or Q6_K");
  app.add_option("--sizes", sizes, "Its IN and OUT")
      ->expected(2)
      ->needs(linears)
      ->capture_default_str();
  app.add_option("--seconds", seconds, "For each number of rows, or for each model")
      ->capture_default_str();
  bool threads = false;
  app.add_flag("--threads", threads, "Compare calls on one thread and on all");
  std::string encoder;
  std::vector<int64_t> batch{8, 128};
  auto *fusions = app.add_option("--fusions", encoder,
                                 "Compare a sentence encoder with and without each fusion");
  fusions->type_name("FILE.safetensors");
  app.add_option("--batch", batch, "Its texts and their tokens")
      ->expected(2)
      ->needs(fusions)
      ->capture_default_str();
  bool asked = false;
  app.add_flag("--asked", asked, "Measure when asked over standard input")->needs(linears);
  ReportOptions report;
  addReportOptions(app, report);
  app.add_option("--target", compileOptions().target, "CPU features, such as x86-64-v3")
      ->capture_default_str();
  const std::map<std::string, Precision> precisions = {
      {"highest", Precision::highest}, {"high", Precision::high}, {"bf16", Precision::bf16}};
  app.add_option("--precision", compileOptions().precision,
                 "Of products of float32: highest, high or bf16")
      ->transform(CLI::CheckedTransformer(precisions));
  app.add_option("--device", deviceName, "Where: cpu or cuda, the first accelerator")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  std::string layers;
  std::vector<std::string> shapes;
  auto *draw = app.add_option("--draw", layers,
                              "Fill DATA_DIR with weights of layers of these sizes, as --layers "
                              "takes them, and with inputs; the same numbers everywhere");
  app.add_option("--draw-shapes", shapes, "Of the inputs, as 8x128")->needs(draw);
  app.add_option("CASE", name, "What to measure");
  app.add_option("DTYPE,--dtype", dtypeName, "f32 or bf16")->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("DATA_DIR", folder, "Folder of weights.safetensors and the inputs");
  try {
    app.parse(argc, argv);
    if (list) {
      for (const Case &each : benchCases())
        std::cout << fmt::format("{:<14} {}\n", each.name, each.description);
      return 0;
    }
    // Also where there is an accelerator: what is loaded is moved there.
    const DefaultsScope defaults(DType::float32, CPU());
    if (!std::getenv("KILN_NUM_THREADS"))
      setThreadCount(2); // What all workers of the comparison have.
    if (!encoder.empty()) {
      benchFusions(encoder, batch[0], batch[1], seconds);
      return 0;
    }
    if (threads) {
      benchThreads(seconds);
      return 0;
    }
    if (quantizedGather) {
      benchQuantizedGather(gather);
      return 0;
    }
    if (!encoding.empty()) {
      const auto packing = parseQuantizationEncoding(encoding);
      if (!packing)
        throw CLI::ValidationError("--quantized-linear", "no encoding is called " + encoding);
      if (asked)
        answerQuantizedLinear(*packing, sizes[0], sizes[1]);
      else
        benchQuantizedLinear(*packing, sizes[0], sizes[1], seconds);
      return 0;
    }
    const DType dtype = dtypeName == "bf16" ? DType::bfloat16 : DType::float32;
    if (runReport(report, dtype))
      return 0;
    if (folder.empty())
      throw CLI::RequiredError("CASE, DTYPE and DATA_DIR");
    if (!layers.empty()) {
      std::vector<std::vector<int64_t>> sizes;
      for (const std::string &shape : shapes)
        sizes.push_back(parseSizes(shape));
      writeDrawn(name, parseSizes(layers), sizes, folder);
      return 0;
    }
    const Device device = deviceName == "cuda" ? Accelerator() : CPU();
    work(findCase(name), dtype, device, folder, start);
    return 0;
  } catch (const CLI::CallForHelp &) {
    std::cout << app.help();
    return 0;
  } catch (const std::exception &error) {
    std::cerr << "kiln-bench: " << error.what() << '\n';
    return 2;
  }
}
