//===- ReportCommand.cpp - kiln-bench --report --------------------------------===//

#include "ReportCommand.h"

#include <chrono>
#include <fstream>
#include <iostream>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "Cases.h"
#include "CompileBudget.h"
#include "Drawn.h"
#include "Machine.h"
#include "Report.h"
#include "tools/common/PhaseTable.h"

namespace kiln::tools {

namespace {
/// The file of weights that is given, or one that is drawn and gone with this object.
class WeightsOf {
public:
  WeightsOf(const ReportOptions &options, const Case &chosen) : given(options.weights) {
    if (given.empty())
      drawn.emplace(chosen.name, options.layers.empty() ? usualSizes(chosen.name).layers
                                                        : parseSizes(options.layers));
  }
  std::filesystem::path file() const { return drawn ? drawn->file() : given; }

private:
  std::filesystem::path given;
  std::optional<DrawnWeights> drawn;
};

void report(const ReportOptions &options, DType dtype) {
  const Case &chosen = findCase(options.report);
  const WeightsOf weights(options, chosen);
  const auto shape =
      options.shape.empty() ? usualSizes(chosen.name).shape : parseSizes(options.shape);
  const Program program =
      chosen.load(weights.file(), dtype, CPU()).compile(static_cast<int64_t>(shape.size()));
  const auto inputs = drawInputs(chosen.name, weights.file(), shape, dtype);
  program(inputs).realize(); // a mistake in the sizes shows before the machine is measured
  const Machine machine = measureMachine(threadCount());
  const Report made = reportOf(program, inputs, machine);
  const std::string title =
      fmt::format("{} {}, {}", chosen.name, dtype == DType::bfloat16 ? "bfloat16" : "float32",
                  fmt::join(shape, "x"));
  std::cout << describe(machine) << '\n' << title << '\n' << reportTable(made);
  if (options.timing)
    std::cout << '\n' << phaseTable(program.stats());
  if (options.roofline.empty())
    return;
  std::ofstream file(options.roofline);
  file << rooflineSvg(made, machine, title);
  file.close();
  if (!file)
    throw IoError("[report] cannot write " + options.roofline);
}

/// Loads and compiles a case once, and says what that took: what --compile-budget starts.
void compileOnce(const ReportOptions &options, DType dtype) {
  const Case &chosen = findCase(options.compileOnce);
  const WeightsOf weights(options, chosen);
  const auto loaded = chosen.load(weights.file(), dtype, CPU());
  const auto start = std::chrono::steady_clock::now();
  const Program program = loaded.compile(chosen.usualRank);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  std::cout << fmt::format(R"({{"compile_s": {:.6f}, "load_s": {:.6f}, "cache": "{}"}})",
                           spent.count(), program.stats().loadSeconds,
                           name(program.stats().cacheHit))
            << std::endl;
  if (options.timing)
    std::cout << phaseTable(program.stats());
}
} // namespace

void addReportOptions(CLI::App &app, ReportOptions &options) {
  auto *report = app.add_option(
      "--report", options.report,
      "Measure the machine, then a case: time, GFLOP/s, GB/s and the share of the machine's limit "
      "of each kernel");
  report->type_name("CASE");
  app.add_option("--shape", options.shape, "Of the inputs of --report, as 8x128")->needs(report);
  app.add_option("--layers", options.layers,
                 "Sizes of the layers of a case whose weights are drawn: linear INxOUT, mlp "
                 "INxHIDDENxOUT, gather_linear VOCABULARYxINxOUT, layer_norm SIZE, conv2d "
                 "HEIGHTxWIDTHxINxOUT, minilm HIDDENxINTERMEDIATExLAYERS");
  app.add_option("--weights", options.weights, "Weights of the case, in the place of drawn ones")
      ->type_name("FILE.safetensors");
  app.add_option("--roofline", options.roofline, "Draw the report as a picture")
      ->type_name("FILE.svg")
      ->needs(report);
  app.add_flag("--timing", options.timing,
               "With --report or --compile-once: the phases of compiling, too");
  app.add_option("--compile-once", options.compileOnce,
                 "Load and compile a case once, and say what that took")
      ->type_name("CASE")
      ->excludes(report);
  app.add_flag("--compile-budget", options.budget,
               "Measure compiling in fresh processes, without a cache and with a filled one")
      ->excludes(report);
  app.add_option("--rounds", options.rounds, "Of --compile-budget; medians are taken")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
}

bool runReport(const ReportOptions &options, DType dtype) {
  if (!options.report.empty())
    report(options, dtype);
  else if (!options.compileOnce.empty())
    compileOnce(options, dtype);
  else if (options.budget)
    benchCompileBudget(options.rounds);
  else
    return false;
  return true;
}

} // namespace kiln::tools
