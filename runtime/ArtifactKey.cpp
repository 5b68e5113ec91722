#include "runtime/ArtifactKey.h"

#include "runtime/Checksum.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/cpu/HostCpu.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <iterator>
#include <unordered_map>
#include <vector>

namespace kiln::runtime {

std::string hashKey(std::span<const std::string_view> parts) {
  std::vector<uint64_t> sizes;
  std::vector<std::span<const std::byte>> all(1);
  for (std::string_view part : parts) {
    sizes.push_back(part.size());
    all.push_back(std::as_bytes(std::span(part)));
  }
  all[0] = std::as_bytes(std::span(sizes));
  return checksum(all).str();
}

static const std::string &thisCompiler() {
  static const std::string compiler = compilerIdentity();
  return compiler;
}

/// One text for all names of a target.
static std::string targetText(const CompileRequest &request) {
  static const std::string native = cpuKey(hostCpuFeatures());
  if (request.target == "native")
    return native;
  ParsedTarget parsed = parseTarget(request.target);
  return parsed.isKnown ? cpuKey(parsed.features) : request.target;
}

static constexpr std::string_view machineCodeFor = "machine code for ";

static std::string optionsText(const CompileRequest &request) {
  std::vector<std::string> disabled = request.disabledPasses;
  std::sort(disabled.begin(), disabled.end());
  std::string text = fmt::format("ranks {}", request.ranks);
  if (request.int8Activations)
    text += "\nint8 activations";
  if (request.precision != Precision::highest)
    text += request.precision == Precision::high ? "\nprecision high" : "\nprecision bf16";
  if (!request.chip.empty()) {
    text += "\nchip " + request.chip;
    for (const std::string &architecture : request.architectures)
      text += fmt::format("\n{}{}", machineCodeFor, architecture);
  }
  for (const std::string &pass : disabled)
    text += "\nwithout " + pass;
  return text;
}

KeyParts keyParts(std::string_view graphText, const CompileRequest &request) {
  return {thisCompiler(), targetText(request), optionsText(request), std::string(graphText)};
}

std::string artifactKey(std::string_view graphText, const CompileRequest &request) {
  std::string target = targetText(request), options = optionsText(request);
  std::string_view parts[] = {thisCompiler(), target, options, graphText};
  return hashKey(parts);
}

static std::vector<std::string_view> linesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string shippedKey(const KeyParts &parts) {
  std::string options;
  for (std::string_view line : linesOf(parts.options))
    if (!line.starts_with(machineCodeFor))
      options.append(line).append("\n");
  std::string_view all[] = {options, parts.graph};
  return hashKey(all);
}

/// A line as it may stand in a message.
static std::string quoted(std::string_view line) {
  constexpr std::size_t most = 120; // characters
  return fmt::format("\"{}{}\"", line.substr(0, most), line.size() > most ? "…" : "");
}

static std::string graphDifference(std::string_view textA, std::string_view a,
                                   std::string_view textB, std::string_view b) {
  std::vector<std::string_view> linesA = linesOf(textA), linesB = linesOf(textB);
  auto [atA, atB] = std::mismatch(linesA.begin(), linesA.end(), linesB.begin(), linesB.end());
  auto show = [](auto at, const auto &lines) {
    return at == lines.end() ? std::string("nothing") : quoted(*at);
  };
  return fmt::format("graph line {}: {} {}, {} {}", atA - linesA.begin() + 1, show(atA, linesA), a,
                     show(atB, linesB), b);
}

std::string describeDifference(const KeyParts &partsA, std::string_view a, const KeyParts &partsB,
                               std::string_view b) {
  std::string text;
  auto compare = [&](std::string_view name, const std::string &x, const std::string &y) {
    if (x == y)
      return;
    auto oneLine = [](std::string value) {
      std::replace(value.begin(), value.end(), '\n', ',');
      return quoted(value);
    };
    text += fmt::format("{}{}: {} {}, {} {}", text.empty() ? "" : "; ", name, oneLine(x), a,
                        oneLine(y), b);
  };
  compare("compiler", partsA.compiler, partsB.compiler);
  compare("target", partsA.target, partsB.target);
  compare("options", partsA.options, partsB.options);
  if (partsA.graph != partsB.graph)
    text += (text.empty() ? "" : "; ") + graphDifference(partsA.graph, a, partsB.graph, b);
  return text;
}

double similarity(const KeyParts &a, const KeyParts &b) {
  // Words count wherever they stand: a line that differs in a size still has most of its own.
  auto wordsOf = [](std::string_view text) {
    std::unordered_map<std::string_view, int64_t> words;
    while (!text.empty()) {
      std::size_t end = std::min(text.find_first_of(" \n,"), text.size());
      if (end > 0)
        ++words[text.substr(0, end)];
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
  };
  auto wordsA = wordsOf(a.graph), wordsB = wordsOf(b.graph);
  int64_t common = 0, all = 0;
  for (auto &[word, count] : wordsA) {
    auto found = wordsB.find(word);
    int64_t other = found == wordsB.end() ? 0 : found->second;
    common += std::min(count, other);
    all += std::max(count, other);
  }
  for (auto &[word, count] : wordsB)
    if (!wordsA.contains(word))
      all += count;
  double graph = all ? double(common) / double(all) : 1;
  // Of two equal graphs the one that shares the other parts as well is nearer.
  double others = (a.compiler == b.compiler) + (a.target == b.target) + (a.options == b.options);
  return graph * (0.9 + others / 30);
}

} // namespace kiln::runtime
