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

/// Of an image's code; its number stands behind it.
constexpr std::string_view codeLabel = ".Lkiln_code";

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

/// The Table of an image.
std::string tableText(DataWriter &data, const ExportedModel &model, std::size_t index) {
  const ExportedImage &image = model.images[index];
  const Artifact &artifact = image.artifact;
  auto buffer = [&](const std::string &name, const TensorType &type, int64_t alias) {
    return data.text(name) + data.number(static_cast<int64_t>(sizeBytes(type.dtype))) +
           data.program(numElements(type), artifact.symbols) + data.number(alias);
  };
  std::string requirements, symbols, arguments, outputs, weights, slots, bounds, sites;
  int64_t numRequirements = 0, numArguments = 0, numSlots = 0;
  for (const CpuRequirement &need : cpuRequirements(parseTarget(artifact.target).features)) {
    requirements += data.text(need.name) + data.number(need.leaf) + data.number(need.subleaf) +
                    data.number(need.reg) + data.number(need.bit) + data.number(need.state);
    ++numRequirements;
  }
  for (const std::string &symbol : artifact.symbols)
    symbols += data.text(symbol);
  std::vector<int64_t> firstSlot;
  std::size_t numWeights = 0;
  for (const ArtifactInput &input : artifact.inputs) {
    firstSlot.push_back(numSlots);
    for (std::size_t i = 0; i < std::max<std::size_t>(input.packings.size(), 1); ++i, ++numSlots)
      slots += data.number(input.isWeight ? static_cast<int64_t>(image.weights[numWeights++])
                                          : -1 - numArguments);
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
  return data.text(model.name) + data.text(model.key) + data.text(artifact.target) +
         data.address(fmt::format("{}{} + {}", codeLabel, index, artifact.entryOffset)) +
         counted(static_cast<std::size_t>(numRequirements), requirements) +
         counted(artifact.symbols.size(), symbols) +
         counted(static_cast<std::size_t>(numArguments), arguments) +
         counted(artifact.outputs.size(), outputs) + counted(model.weightBytes.size(), weights) +
         counted(static_cast<std::size_t>(numSlots), slots) +
         counted(artifact.constraints.size(), bounds) + counted(artifact.indexSites.size(), sites) +
         data.program(artifact.workspace, artifact.symbols) +
         data.program(artifact.scratchPerThread, artifact.symbols);
}

/// All tables, and the list of them.
std::string tablesText(const ExportedModel &model) {
  DataWriter data;
  std::string tables;
  for (std::size_t i = 0; i < model.images.size(); ++i)
    tables += data.list(tableText(data, model, i));
  std::string images = data.number(static_cast<int64_t>(model.images.size())) + data.list(tables);
  return "\n\t.section .data.rel.ro,\"aw\",@progbits\n" + data.str() +
         "\t.p2align 3\n\t.hidden kiln_aot_images\n\t.globl kiln_aot_images\nkiln_aot_images:\n" +
         images;
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
  const Artifact &first = model.images.front().artifact;
  for (const auto &[artifact, weights] : model.images) {
    if (artifact.ranks != 1)
      throw CompileError(
          fmt::format("the model runs on {} devices; an object runs on one", artifact.ranks));
    if (!artifact.device.empty())
      throw CompileError("the model runs on an accelerator; an object runs on the CPU");
    for (const ArtifactInput &input : artifact.inputs)
      for (const Packing &packing : input.packings)
        if (!input.isWeight && packing.kind != Packing::Kind::none)
          throw CompileError(
              fmt::format("{} is packed for each call, which an object cannot", input.name));
    // Sizes, arguments and outputs are described once.
    if (artifact.symbols != first.symbols || artifact.inputs.size() != first.inputs.size() ||
        artifact.outputs.size() != first.outputs.size())
      throw CompileError(fmt::format("the code for {} and that for {} are not of one model",
                                     first.target, artifact.target));
  }
}

std::string exportedAssembly(const ExportedModel &model) {
  checkExport(model);
  std::string text = aotRuntimeText;
  for (std::size_t i = 0; i < model.images.size(); ++i) {
    text += fmt::format("\n\t.text\n\t.p2align 12\n{}{}:", codeLabel, i);
    text += bytesText(model.images[i].artifact.code);
  }
  text += tablesText(model);
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
  append(model.key.data(), 32);
  append(&at, 8); // of the whole file
  append(&count, 8);
  append(offsets.data(), 8 * offsets.size());
  return bytes;
}

} // namespace kiln::runtime
