//===- CompileBudget.cpp - What compiling costs a fresh process ---------------===//

#include "CompileBudget.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "Drawn.h"

extern char **environ;

namespace kiln::tools {

namespace {
using Clock = std::chrono::steady_clock;

struct Line {
  const char *name;
  const char *caseName;
  std::vector<int64_t> layers;
  bool cached = false; ///< With a filled cache.
  double budget = 0;   ///< Seconds of `compile`; 0: none.
  std::unique_ptr<DrawnWeights> weights = {};
  std::vector<double> compile = {}, load = {}, ready = {};
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Runs this program again; returns its first line of output and the seconds until it came.
std::pair<std::string, double> ask(const std::vector<std::string> &arguments) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<char *> words{const_cast<char *>(program.c_str())};
  for (const std::string &argument : arguments)
    words.push_back(const_cast<char *>(argument.c_str()));
  words.push_back(nullptr);
  int ends[2];
  if (pipe(ends))
    throw IoError("[compile-budget] no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  const auto start = Clock::now();
  pid_t child = 0;
  const int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char buffer[4096];
  double seconds = 0;
  for (ssize_t count; !failed && (count = read(ends[0], buffer, sizeof buffer)) > 0;) {
    if (text.empty())
      seconds = std::chrono::duration<double>(Clock::now() - start).count();
    text.append(buffer, static_cast<size_t>(count));
  }
  close(ends[0]);
  int status = 1;
  if (!failed)
    waitpid(child, &status, 0);
  if (status != 0 || text.empty())
    throw IoError("[compile-budget] a process that was to compile failed");
  return {text.substr(0, text.find('\n')), seconds};
}

void measure(Line &line, const std::string &cache) {
  setenv("KILN_CACHE_DIR", line.cached ? cache.c_str() : "off", 1);
  const auto [answer, seconds] =
      ask({"--compile-once", line.caseName, "--weights", line.weights->file().string()});
  const auto told = nlohmann::json::parse(answer);
  if (line.cached && told.at("cache") == "none" && line.compile.empty() && line.ready.empty()) {
    line.ready.push_back(-1); // it filled the cache: does not count
    measure(line, cache);
    line.ready.erase(line.ready.begin());
    return;
  }
  if ((told.at("cache") == "disk") != line.cached)
    throw IoError("[compile-budget] the cache does not work here");
  line.compile.push_back(told.at("compile_s").get<double>());
  line.load.push_back(told.at("load_s").get<double>());
  line.ready.push_back(seconds);
}
} // namespace

void benchCompileBudget(int rounds) {
  std::vector<Line> lines;
  lines.push_back({"Linear(768, 3072)", "linear", {768, 3072}, false, 0.040});
  lines.push_back({"mlp 768, 3072, 768", "mlp", {768, 3072, 768}, false, 0.060});
  lines.push_back({"encoder", "minilm", {384, 1536, 6}, false, 0.400});
  lines.push_back({"encoder, filled cache", "minilm", {384, 1536, 6}, true, 0.080});
  lines.push_back({"small encoder, 6 layers", "minilm", {96, 384, 6}});
  lines.push_back({"small encoder, 48 layers", "minilm", {96, 384, 48}});
  for (Line &line : lines)
    line.weights = std::make_unique<DrawnWeights>(line.caseName, line.layers);
  const std::string cache = (lines[0].weights->file().parent_path() / "cache").string();
  for (int round = 0; round < rounds; ++round)
    for (Line &line : lines)
      measure(line, cache);
  std::cout << fmt::format("{:<26} {:>12} {:>12} {:>12}\n", "", "compile", "budget", "process");
  for (const Line &line : lines)
    std::cout << fmt::format("{:<26} {:>9.1f} ms {:>12} {:>9.1f} ms\n", line.name,
                             median(line.compile) * 1e3,
                             line.budget > 0 ? fmt::format("{:.0f} ms", line.budget * 1e3) : "",
                             median(line.ready) * 1e3);
  const double few = median(lines[4].compile), many = median(lines[5].compile);
  std::cout << fmt::format(
      "48 layers / 6 layers: {:.2f} (budget 1.3), without packing their weights "
      "{:.2f}\n",
      many / few, (many - median(lines[5].load)) / (few - median(lines[4].load)));
}

} // namespace kiln::tools
