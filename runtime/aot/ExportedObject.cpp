// An exported model's object: the runtime's text and the model's table as data (Runtime.c says what
// lies where in it).
#include "kiln/Error.h"
#include "runtime/DimProgram.h"
#include "runtime/aot/Export.h"
#include "runtime/cpu/HostCpu.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fmt/format.h>

namespace kiln::runtime {

/// Runtime.c, compiled (tools/cmake/KilnAot.cmake).
extern const char *const aotRuntimeText;

namespace {

/// Data in assembly text: words that may name others.
class DataWriter {
public:
  /// A new piece of data; returns its label.
  std::string begin() {
    std::string label = fmt::format(".Lkiln_data{}", pieces.size());
    pieces.push_back(fmt::format("\t.p2align 3\n{}:\n", label));
    return label;
  }
  static std::string number(int64_t value) { return fmt::format("\t.quad {}\n", value); }
  static std::string address(const std::string &label) {
    return fmt::format("\t.quad {}\n", label);
  }
  /// A list of words that are there already.
  std::string list(const std::string &words) {
    std::string label = begin();
    pieces.back() += words.empty() ? number(0) : words;
    return address(label);
  }
  std::string text(std::string_view value) {
    std::string label = begin();
    pieces.back() += "\t.asciz \"";
    for (char c : value)
      pieces.back() += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    pieces.back() += "\"\n";
    return address(label);
  }
  /// A Program: its address and its length.
  std::string program(const Dim &dim, const std::vector<std::string> &symbols) {
    std::vector<int64_t> words = DimProgram(dim, symbols).words();
    std::string code;
    for (int64_t word : words)
      code += number(word);
    return list(code) + number(static_cast<int64_t>(words.size() / 2));
  }
  std::string str() const {
    std::string all;
    for (const std::string &piece : pieces)
      all += piece;
    return all;
  }

private:
  std::vector<std::string> pieces;
};

Dim numElements(const TensorType &type) {
  Dim result = 1;
  for (const Dim &dim : type.shape)
    result = result * dim;
  return result;
}

/// The features of a target's canonical name, `x86-64-v4+avx512vnni`.
CpuFeatures featuresOf(std::string_view target) {
  CpuFeatures features;
  std::string_view level = target.substr(0, target.find('+'));
  for (int i = 0; i < numCpuLevels; ++i)
    if (cpuLevel(i).name == level)
      features = cpuLevel(i).features;
  while (target.find('+') != target.npos) {
    target.remove_prefix(target.find('+') + 1);
    if (auto feature = featureByName(target.substr(0, target.find('+'))))
      features.add(*feature);
  }
  return features;
}

std::string bytesText(std::span<const std::byte> bytes) {
  constexpr std::size_t perLine = 32;
  std::string text;
  text.reserve(bytes.size() * 5);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text += i % perLine == 0 ? "\n\t.byte " : ",";
    text += std::to_string(std::to_integer<unsigned>(bytes[i]));
  }
  return text + "\n";
}

std::string tableText(const ExportedModel &model) {
  const Artifact &artifact = model.artifact;
  DataWriter data;
  auto buffer = [&](const std::string &name, const TensorType &type, int64_t alias) {
    return data.text(name) + data.number(static_cast<int64_t>(sizeBytes(type.dtype))) +
           data.program(numElements(type), artifact.symbols) + data.number(alias);
  };
  std::string requirements, symbols, arguments, outputs, weights, slots, bounds, sites;
  int64_t numRequirements = 0, numArguments = 0, numSlots = 0, numWeights = 0;
  for (const CpuRequirement &need : cpuRequirements(featuresOf(artifact.target))) {
    requirements += data.text(need.name) + data.number(need.leaf) + data.number(need.subleaf) +
                    data.number(need.reg) + data.number(need.bit) + data.number(need.state);
    ++numRequirements;
  }
  for (const std::string &symbol : artifact.symbols)
    symbols += data.text(symbol);
  std::vector<int64_t> firstSlot;
  for (const ArtifactInput &input : artifact.inputs) {
    firstSlot.push_back(numSlots);
    for (std::size_t i = 0; i < std::max<std::size_t>(input.packings.size(), 1); ++i, ++numSlots)
      slots += data.number(input.isWeight ? numWeights++ : -1 - numArguments);
    if (!input.isWeight)
      arguments += buffer(fmt::format("argument {}", numArguments++), input.type, -1);
  }
  for (std::size_t size : model.weightBytes)
    weights += data.number(static_cast<int64_t>(size));
  for (std::size_t i = 0; i < artifact.outputs.size(); ++i) {
    const ArtifactOutput &output = artifact.outputs[i];
    outputs += buffer(fmt::format("output {}", i), output.type,
                      output.aliasOfInput ? firstSlot[*output.aliasOfInput] : -1);
  }
  for (const Constraint &constraint : artifact.constraints)
    bounds += data.program(constraint.dim, artifact.symbols) +
              data.number(constraint.kind == Constraint::Kind::multipleOf) +
              data.number(constraint.low) + data.number(constraint.high) +
              data.text(constraint.dim.str());
  for (const IndexSite &site : artifact.indexSites)
    sites += data.text(site.message +
                       (site.location.empty() ? "" : fmt::format(" (at {})", site.location)));
  auto counted = [&](std::size_t count, const std::string &words) {
    return data.number(static_cast<int64_t>(count)) + data.list(words);
  };
  std::string table =
      data.text(model.name) + data.text(artifact.key) +
      data.address(fmt::format(".Lkiln_code + {}", artifact.entryOffset)) +
      counted(static_cast<std::size_t>(numRequirements), requirements) +
      counted(artifact.symbols.size(), symbols) +
      counted(static_cast<std::size_t>(numArguments), arguments) +
      counted(artifact.outputs.size(), outputs) + counted(model.weightBytes.size(), weights) +
      counted(static_cast<std::size_t>(numSlots), slots) +
      counted(artifact.constraints.size(), bounds) + counted(artifact.indexSites.size(), sites) +
      data.program(artifact.workspace, artifact.symbols) +
      data.program(artifact.scratchPerThread, artifact.symbols);
  return "\n\t.section .data.rel.ro,\"aw\",@progbits\n" + data.str() +
         "\t.p2align 3\n\t.hidden kiln_aot_table\n\t.globl kiln_aot_table\nkiln_aot_table:\n" +
         table;
}

std::string replaceAll(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

} // namespace

void checkExport(const ExportedModel &model) {
  const std::string &name = model.name;
  bool isName = !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
                std::all_of(name.begin(), name.end(), [](unsigned char c) {
                  return c < 128 && (std::isalnum(c) || c == '_');
                });
  if (!isName)
    throw ValueError(fmt::format("name \"{}\": expected a name of C: letters, digits and _", name));
  if (model.artifact.ranks != 1)
    throw CompileError(
        fmt::format("the model runs on {} devices; an object runs on one", model.artifact.ranks));
  for (const ArtifactInput &input : model.artifact.inputs)
    for (const Packing &packing : input.packings)
      if (!input.isWeight && packing.kind != Packing::Kind::none)
        throw CompileError(
            fmt::format("{} is packed for each call, which an object cannot", input.name));
}

std::string exportedAssembly(const ExportedModel &model) {
  checkExport(model);
  std::string text = aotRuntimeText;
  text += "\n\t.text\n\t.p2align 12\n.Lkiln_code:";
  text += bytesText(model.artifact.code);
  text += tableText(model);
  text += "\n\t.section \".note.GNU-stack\",\"\",@progbits\n";
  return replaceAll(std::move(text), "kiln_aot", model.name);
}

std::vector<std::byte> weightsHeader(const ExportedModel &model, std::vector<int64_t> &offsets) {
  constexpr int64_t alignment = 64;
  auto count = static_cast<int64_t>(model.weightBytes.size());
  int64_t at = 8 + 32 + 16 + 8 * count;
  offsets.clear();
  for (std::size_t size : model.weightBytes) {
    at = (at + alignment - 1) / alignment * alignment;
    offsets.push_back(at);
    at += static_cast<int64_t>(size);
  }
  std::vector<std::byte> bytes;
  auto append = [&](const void *data, std::size_t size) {
    const auto *raw = static_cast<const std::byte *>(data);
    bytes.insert(bytes.end(), raw, raw + size);
  };
  append("KILNWTS\n", 8);
  append(model.artifact.key.data(), 32);
  append(&at, 8); // of the whole file
  append(&count, 8);
  append(offsets.data(), 8 * offsets.size());
  return bytes;
}

} // namespace kiln::runtime
