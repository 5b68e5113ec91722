#include "runtime/ArtifactMetadata.h"

namespace kiln::runtime {

/// More devices than a machine has.
constexpr int64_t maxRanks = 1024;

std::vector<std::byte> writeMetadata(const Artifact &artifact) {
  ArtifactWriter w;
  w.string(artifact.key);
  w.string(artifact.parts.compiler);
  w.string(artifact.parts.target);
  w.string(artifact.parts.options);
  w.string(artifact.parts.graph);
  w.string(artifact.madeBecause);
  w.string(artifact.compilerVersion);
  w.string(artifact.target);
  w.number(artifact.ranks);
  w.list(artifact.symbols, [&](const std::string &symbol) { w.string(symbol); });
  w.list(artifact.inputs, [&](const ArtifactInput &input) {
    w.number(static_cast<uint8_t>(input.isWeight));
    w.string(input.name);
    w.type(input.type);
    w.list(input.packings, [&](const Packing &packing) {
      w.number(static_cast<uint8_t>(packing.kind));
      w.number(packing.panel);
    });
    w.number(input.shardAxis.value_or(-1));
  });
  w.list(artifact.outputs, [&](const ArtifactOutput &output) {
    w.type(output.type);
    w.number(static_cast<uint8_t>(output.aliasOfInput.has_value()));
    w.number(output.aliasOfInput.value_or(0));
  });
  w.list(artifact.constraints, [&](const Constraint &constraint) {
    w.dim(constraint.dim);
    w.number(static_cast<uint8_t>(constraint.kind));
    w.number(constraint.low);
    w.number(constraint.high);
  });
  w.dim(artifact.workspace);
  w.dim(artifact.scratchPerThread);
  w.list(artifact.indexSites, [&](const IndexSite &site) {
    w.string(site.message);
    w.string(site.location);
  });
  w.list(artifact.kernels, [&](const std::string &kernel) { w.string(kernel); });
  w.list(artifact.costs, [&](const KernelCost &cost) {
    w.dim(cost.flops);
    w.dim(cost.weightBytes);
    w.dim(cost.otherBytes);
    w.number(static_cast<uint8_t>(cost.products));
    w.string(cost.types);
  });
  w.list(artifact.launches, [&](uint32_t kernel) { w.number(kernel); });
  w.number(artifact.entryOffset);
  writeDeviceCode(artifact.device, w);
  return std::move(w.bytes);
}

Artifact readMetadata(std::span<const std::byte> bytes, uint64_t codeBytes) {
  ArtifactReader r(bytes);
  Artifact artifact;
  artifact.key = r.string("key");
  artifact.parts.compiler = r.string("parts.compiler");
  artifact.parts.target = r.string("parts.target");
  artifact.parts.options = r.string("parts.options");
  artifact.parts.graph = r.string("parts.graph");
  artifact.madeBecause = r.string("madeBecause");
  artifact.compilerVersion = r.string("compilerVersion");
  artifact.target = r.string("target");
  artifact.ranks = r.choice<int64_t>(maxRanks + 1, "ranks");
  if (artifact.ranks == 0)
    ArtifactReader::fail("ranks", "nobody would run it");
  r.list("symbols", 4, [&](const std::string &at) { artifact.symbols.push_back(r.string(at)); });
  r.list("inputs", 27, [&](const std::string &at) {
    ArtifactInput &input = artifact.inputs.emplace_back();
    input.isWeight = r.flag(at + ".isWeight");
    input.name = r.string(at + ".name");
    input.type = r.type(at + ".type");
    r.list(at + ".packings", 9, [&](const std::string &item) {
      auto kind = static_cast<Packing::Kind>(r.choice<uint8_t>(17, item + ".kind"));
      auto panel = r.number<int64_t>(item + ".panel");
      if (kind != Packing::Kind::none && (panel <= 0 || panel > INT32_MAX))
        ArtifactReader::fail(item + ".panel", fmt::format("{} is no size of a panel", panel));
      input.packings.push_back({kind, panel});
    });
    if (auto axis = r.number<int64_t>(at + ".shardAxis"); axis != -1) {
      if (axis < 0 || axis >= input.type.rank() || !input.isWeight)
        ArtifactReader::fail(at + ".shardAxis", fmt::format("{} is no axis of a weight", axis));
      input.shardAxis = axis;
    }
  });
  auto inputs = static_cast<uint32_t>(artifact.inputs.size());
  r.list("outputs", 15, [&](const std::string &at) {
    ArtifactOutput &output = artifact.outputs.emplace_back();
    output.type = r.type(at + ".type");
    bool alias = r.flag(at + ".aliasOfInput");
    if (alias)
      output.aliasOfInput = r.choice<uint32_t>(inputs, at + ".aliasOfInput");
    else if (r.number<uint32_t>(at + ".aliasOfInput") != 0)
      ArtifactReader::fail(at + ".aliasOfInput", "is set without being one");
  });
  r.list("constraints", 21, [&](const std::string &at) {
    Constraint &constraint = artifact.constraints.emplace_back();
    constraint.dim = r.dim(at + ".dim");
    constraint.kind = static_cast<Constraint::Kind>(r.choice<uint8_t>(2, at + ".kind"));
    constraint.low = r.number<int64_t>(at + ".low");
    constraint.high = r.number<int64_t>(at + ".high");
  });
  artifact.workspace = r.dim("workspace");
  artifact.scratchPerThread = r.dim("scratchPerThread");
  r.list("indexSites", 8, [&](const std::string &at) {
    std::string message = r.string(at + ".message");
    artifact.indexSites.push_back({std::move(message), r.string(at + ".location")});
  });
  r.list("kernels", 4, [&](const std::string &at) { artifact.kernels.push_back(r.string(at)); });
  r.list("costs", 17, [&](const std::string &at) {
    KernelCost &cost = artifact.costs.emplace_back();
    cost.flops = r.dim(at + ".flops");
    cost.weightBytes = r.dim(at + ".weightBytes");
    cost.otherBytes = r.dim(at + ".otherBytes");
    cost.products = r.dtype(at + ".products");
    cost.types = r.string(at + ".types");
  });
  if (!artifact.costs.empty() && artifact.costs.size() != artifact.kernels.size())
    ArtifactReader::fail(
        "costs", fmt::format("{} of {} kernels", artifact.costs.size(), artifact.kernels.size()));
  auto kernels = static_cast<uint32_t>(artifact.kernels.size());
  r.list("launches", 4, [&](const std::string &at) {
    artifact.launches.push_back(r.choice<uint32_t>(kernels, at));
  });
  artifact.entryOffset = r.choice<int64_t>(static_cast<int64_t>(codeBytes), "entryOffset");
  artifact.device = readDeviceCode(r);
  r.end();
  return artifact;
}

} // namespace kiln::runtime
