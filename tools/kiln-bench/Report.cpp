//===- Report.cpp - The kernels of a case against the machine -----------------===//

#include "Report.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include <fmt/format.h>

#include "runtime/DimProgram.h"
#include "runtime/Executable.h"

namespace kiln::tools {

namespace {
using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The median of calls that go on for a second, at least 5 and at most 2,000 of them.
double timeCalls(const Program &program, const std::vector<Tensor> &inputs) {
  std::vector<double> times;
  const auto start = Clock::now();
  while (times.size() < 5 || (times.size() < 2000 && secondsSince(start) < 1)) {
    const auto begin = Clock::now();
    program(inputs).realize();
    times.push_back(secondsSince(begin));
  }
  return median(times);
}
} // namespace

Report analyse(const std::vector<runtime::ProfiledCall> &calls, const Machine &machine) {
  Report report;
  const runtime::ProfiledCall &first = calls.front();
  const runtime::Artifact &artifact = first.executable->artifact();
  auto value = [&](const Dim &dim) {
    return static_cast<double>(
        runtime::DimProgram(dim, artifact.symbols).evaluate(first.symbols.data()));
  };
  double allWeights = 0;
  for (const uint32_t kernel : artifact.launches)
    allWeights += value(artifact.costs[kernel].weightBytes);

  std::vector<KernelReport> kernels(artifact.kernels.size());
  for (size_t launch = 0; launch < artifact.launches.size(); ++launch) {
    const uint32_t number = artifact.launches[launch];
    const runtime::KernelCost &cost = artifact.costs[number];
    KernelReport &kernel = kernels[number];
    kernel.name = artifact.kernels[number];
    kernel.products = cost.products;
    ++kernel.launches;
    std::vector<double> times;
    for (const auto &call : calls)
      for (const auto &timed : call.launches)
        if (timed.launch == static_cast<int64_t>(launch))
          times.push_back(static_cast<double>(timed.endNs - timed.beginNs) * 1e-9);
    kernel.seconds += median(times);
    const double flops = value(cost.flops), weights = value(cost.weightBytes),
                 others = value(cost.otherBytes);
    kernel.flops += flops;
    kernel.weightBytes += weights;
    kernel.otherBytes += others;
    const double computing = flops / machine.flopsOf(cost.products);
    const double fromWeights = weights / machine.bandwidthFor(allWeights);
    const double moving = fromWeights + others / machine.bandwidthFor(others);
    kernel.boundSeconds += std::max(computing, moving);
    const bool inMemory = allWeights > static_cast<double>(machine.lastCacheBytes)
                              ? fromWeights > moving / 2
                              : others > static_cast<double>(machine.lastCacheBytes);
    kernel.limit = computing > moving ? "products" : inMemory ? "memory" : "cache";
  }
  for (KernelReport &kernel : kernels)
    if (kernel.launches)
      report.kernels.push_back(std::move(kernel));
  std::sort(report.kernels.begin(), report.kernels.end(), [](const auto &a, const auto &b) {
    return std::tie(b.seconds, a.name) < std::tie(a.seconds, b.name);
  });
  std::vector<double> times;
  for (const auto &call : calls)
    times.push_back(static_cast<double>(call.endNs - call.beginNs) * 1e-9);
  report.watchedSeconds = median(times);
  return report;
}

Report reportOf(const Program &program, const std::vector<Tensor> &inputs, const Machine &machine) {
  for (int i = 0; i < 3; ++i)
    program(inputs).realize();
  const double alone = timeCalls(program, inputs);
  runtime::Profiler::start();
  timeCalls(program, inputs);
  Report report = analyse(runtime::Profiler::stop().calls, machine);
  report.callSeconds = alone;
  return report;
}

std::string reportTable(const Report &report) {
  std::string text =
      fmt::format("{:>3} {:>8} {:>10} {:>6} {:>9} {:>8} {:>9} {:>6}  {}\n", "", "launches",
                  "a call", "share", "GFLOP/s", "GB/s", "limit", "of it", "kernel");
  double all = 0, bound = 0;
  for (const KernelReport &kernel : report.kernels) {
    all += kernel.seconds;
    bound += kernel.boundSeconds;
  }
  auto line = [&](const std::string &number, const std::string &launches, double seconds,
                  double flops, double bytes, const char *limit, double bound,
                  const std::string &name) {
    text +=
        fmt::format("{:>3} {:>8} {:>7.1f} us {:>4.0f} % {:>9.1f} {:>8.1f} {:>9} {:>4.0f} %  {}\n",
                    number, launches, seconds * 1e6, seconds / all * 100, flops / seconds * 1e-9,
                    bytes / seconds * 1e-9, limit, bound / seconds * 100, name);
  };
  int number = 0;
  double flops = 0, bytes = 0;
  for (const KernelReport &k : report.kernels) {
    line(std::to_string(++number), std::to_string(k.launches), k.seconds, k.flops, k.bytes(),
         k.limit, k.boundSeconds, k.name);
    flops += k.flops;
    bytes += k.bytes();
  }
  line("", "", all, flops, bytes, "", bound, "all kernels");
  text += fmt::format("a call: {:.1f} us ({:.1f} us in it while it is watched)\n",
                      report.callSeconds * 1e6, report.watchedSeconds * 1e6);
  return text;
}

} // namespace kiln::tools
