//===- ChromeTrace.cpp - Recorded times for Perfetto and chrome://tracing -----===//

#include "ChromeTrace.h"

#include <algorithm>
#include <fstream>
#include <map>

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/DimProgram.h"
#include "runtime/Executable.h"

namespace kiln::tools {

namespace {
using nlohmann::json;

/// Writes events one by one: a trace of many calls is large.
class Writer {
public:
  Writer(std::ostream &out, int64_t startNs) : out(out), startNs(startNs) {
    out << R"({"displayTimeUnit":"ns","traceEvents":[)";
  }

  void complete(const std::string &name, const char *category, int64_t thread, int64_t beginNs,
                int64_t endNs, json args) {
    put({{"name", name},
         {"cat", category},
         {"ph", "X"},
         {"pid", getpid()},
         {"tid", thread},
         {"ts", static_cast<double>(beginNs - startNs) * 1e-3},
         {"dur", static_cast<double>(endNs - beginNs) * 1e-3},
         {"args", std::move(args)}});
  }
  void nameThread(int64_t thread, const std::string &name) {
    put({{"name", "thread_name"},
         {"ph", "M"},
         {"pid", getpid()},
         {"tid", thread},
         {"args", {{"name", name}}}});
  }
  void end(int64_t droppedCalls) {
    out << R"(],"otherData":)" << json{{"droppedCalls", droppedCalls}} << "}\n";
  }

private:
  void put(const json &event) { out << (std::exchange(first, false) ? "\n" : ",\n") << event; }

  std::ostream &out;
  int64_t startNs;
  bool first = true;
};

/// What is told of a launch: the same for all calls of one size, so it is made once for each.
json argsOf(const runtime::Artifact &artifact, const runtime::ProfiledCall &call, int64_t kernel) {
  if (kernel >= static_cast<int64_t>(artifact.costs.size()))
    return json::object();
  const runtime::KernelCost &cost = artifact.costs[static_cast<size_t>(kernel)];
  auto value = [&](const Dim &dim) {
    return static_cast<double>(
        runtime::DimProgram(dim, artifact.symbols).evaluate(call.symbols.data()));
  };
  return {{"types", runtime::withSizes(cost.types, artifact, call.symbols.data())},
          {"GFLOP", value(cost.flops) * 1e-9},
          {"weights MB", value(cost.weightBytes) * 1e-6},
          {"other MB", value(cost.otherBytes) * 1e-6}};
}

class CallWriter {
public:
  explicit CallWriter(Writer &writer) : writer(writer) {}

  void write(const runtime::ProfiledCall &call) {
    const runtime::Artifact &artifact = call.executable->artifact();
    json sizes = json::object();
    for (size_t i = 0; i < artifact.symbols.size(); ++i)
      sizes[artifact.symbols[i]] = call.symbols[i];
    writer.complete("call", "call", call.thread, call.beginNs, call.endNs, sizes);
    for (const runtime::ProfiledLaunch &launch : call.launches)
      writer.complete(nameOf(artifact, launch.launch), "kernel", call.thread, launch.beginNs,
                      launch.endNs, args(call, launch.launch));
    for (const runtime::ProfiledPiece &piece : call.pieces)
      writer.complete(nameOf(artifact, piece.launch), "tasks", piece.thread, piece.beginNs,
                      piece.endNs, json::object());
  }

private:
  static std::string nameOf(const runtime::Artifact &artifact, int64_t launch) {
    if (launch < 0 || launch >= static_cast<int64_t>(artifact.launches.size()))
      return "copy or collective";
    return artifact.kernels[artifact.launches[static_cast<size_t>(launch)]];
  }

  const json &args(const runtime::ProfiledCall &call, int64_t launch) {
    static const json none = json::object();
    const runtime::Artifact &artifact = call.executable->artifact();
    if (launch < 0 || launch >= static_cast<int64_t>(artifact.launches.size()))
      return none;
    const int64_t kernel = artifact.launches[static_cast<size_t>(launch)];
    auto [found, isNew] = known[{call.executable.get(), call.symbols}].try_emplace(kernel);
    if (isNew)
      found->second = argsOf(artifact, call, kernel);
    return found->second;
  }

  Writer &writer;
  std::map<std::pair<const void *, std::vector<int64_t>>, std::map<int64_t, json>> known;
};

int64_t firstTime(const runtime::Profile &profile) {
  int64_t first = INT64_MAX;
  for (const auto &phase : profile.phases)
    first = std::min(first, phase.beginNs);
  for (const auto &call : profile.calls)
    first = std::min(first, call.beginNs);
  return first == INT64_MAX ? 0 : first;
}
} // namespace

void writeChromeTrace(const std::filesystem::path &file, const runtime::Profile &profile) {
  std::filesystem::path part = file;
  part += fmt::format(".{}.part", getpid());
  std::ofstream out(part);
  Writer writer(out, firstTime(profile));
  std::map<int64_t, bool> threads; // whether something was called from it
  for (const auto &phase : profile.phases) {
    json notes = json::object();
    for (const auto &[name, text] : phase.notes)
      notes[name] = text;
    writer.complete(phase.name, "phase", phase.thread, phase.beginNs, phase.endNs, notes);
    threads[phase.thread] = true;
  }
  CallWriter calls(writer);
  for (const auto &call : profile.calls) {
    calls.write(call);
    threads[call.thread] = true;
    for (const auto &piece : call.pieces)
      threads.try_emplace(piece.thread, false);
  }
  int64_t callers = 0, workers = 0;
  for (const auto &[thread, calls] : threads)
    writer.nameThread(thread, calls ? fmt::format("caller {}", callers++)
                                    : fmt::format("worker {}", workers++));
  writer.end(profile.droppedCalls);
  out.close();
  std::error_code error;
  if (out)
    std::filesystem::rename(part, file, error);
  if (out && !error)
    return;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  throw IoError("[profile] cannot write " + file.string());
}

} // namespace kiln::tools
