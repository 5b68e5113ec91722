//===- Threads.cpp - What a second thread gives -------------------------------===//

#include "Threads.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <kiln/kiln.h>

using namespace kiln;
using Clock = std::chrono::steady_clock;

namespace kiln::tools {
namespace {

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// CPU time of all threads of the process.
double cpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

using Call = std::function<void()>;

struct Line {
  std::string name;
  Call one, all; // on one thread, on all
};

template <class Model> Line line(std::string name, const Model &model, const Tensor &x) {
  const TensorType type(DType::float32, {"n", x.shape()[1]}, CPU());
  auto call = [&](int64_t threads) -> Call {
    auto compiled = model.compile(CompileOptions{.threads = threads}, type);
    return [compiled, x] { compiled(x).realize(); };
  };
  return {std::move(name), call(1), call(0)};
}

/// Seconds of calls one after another, as many as fit in some milliseconds. The first is not one of
/// them: helpers that sleep wake up during it.
void timeCalls(const Call &call, std::vector<double> &times) {
  call();
  const auto start = Clock::now();
  do {
    const auto begin = Clock::now();
    call();
    times.push_back(secondsSince(begin));
  } while (secondsSince(start) < 5e-3);
}

void compareThreads(const Line &line, double seconds) {
  std::vector<double> one, all;
  for (const auto start = Clock::now(); one.empty() || secondsSince(start) < seconds;) {
    timeCalls(line.one, one);
    timeCalls(line.all, all);
  }
  std::cout << fmt::format("{:28} {:9.1f} us on 1 thread, {:9.1f} us on {}: {:.2f} times as fast\n",
                           line.name, median(one) * 1e6, median(all) * 1e6, threadCount(),
                           median(one) / median(all));
}

/// Both calls again and again, each from a thread of its own or in turns from one.
void compareCallers(const Call &first, const Call &second, double seconds) {
  first();
  second();
  const auto begin = Clock::now();
  first();
  second();
  const int rounds = std::max(1, static_cast<int>(seconds / 2 / secondsSince(begin)));
  auto measure = [&](const char *name, const std::function<void()> &work) {
    const double cpu = cpuSeconds();
    const auto start = Clock::now();
    work();
    const double wall = secondsSince(start);
    std::cout << fmt::format("{:28} {:9.1f} us for a call of each, {:.2f} CPUs busy\n", name,
                             wall * 1e6 / rounds, (cpuSeconds() - cpu) / wall);
  };
  measure("two models in turns", [&] {
    for (int i = 0; i < rounds; ++i)
      first(), second();
  });
  measure("two models at once", [&] {
    auto repeat = [&](const Call &call) {
      for (int i = 0; i < rounds; ++i)
        call();
    };
    std::thread other([&] { repeat(second); });
    repeat(first);
    other.join();
  });
}

} // namespace

void benchThreads(double seconds) {
  random::seed(1);
  auto input = [](int64_t rows, int64_t columns) {
    return random::normal({rows, columns}).realize();
  };
  const nn::Linear linear(768, 3072), narrow(384, 384);
  const nn::Sequential mlp(nn::Linear(768, 3072), nn::GELU(), nn::Linear(3072, 768));
  std::vector<Line> lines;
  for (int64_t rows : {1, 8, 64, 512})
    lines.push_back(line(fmt::format("linear {}x768x3072", rows), linear, input(rows, 768)));
  for (int64_t rows : {16, 128})
    lines.push_back(line(fmt::format("linear {}x384x384", rows), narrow, input(rows, 384)));
  lines.push_back(line("linear, gelu, linear 512x768", mlp, input(512, 768)));
  lines.push_back(line("layer_norm 4096x768", nn::LayerNorm(768), input(4096, 768)));
  for (const Line &each : lines)
    compareThreads(each, seconds);
  compareCallers(lines[3].all, lines[6].all, seconds);

  const double cpu = cpuSeconds();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  std::cout << fmt::format("a second without calls: {:.1f} ms of CPU time\n",
                           (cpuSeconds() - cpu) * 1e3);
}

} // namespace kiln::tools
