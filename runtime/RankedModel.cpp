#include "runtime/Rank.h"

#include "kiln/Error.h"
#include "runtime/CallContext.h"
#include "runtime/Collective.h"
#include "runtime/DeviceThreads.h"
#include "runtime/ThreadPool.h"
#include "runtime/WorkspacePool.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>

#include <fmt/format.h>

namespace kiln::runtime {

std::shared_ptr<const RankedModel> RankedModel::bind(std::shared_ptr<const Executable> executable,
                                                     std::vector<Device> devices,
                                                     std::span<const RankedWeight> weights,
                                                     int64_t mostThreads) {
  const Artifact &artifact = executable->artifact();
  if (static_cast<int64_t>(devices.size()) != artifact.ranks)
    throw ValueError(fmt::format("expected {} devices, got {}", artifact.ranks, devices.size()));
  for (Device device : devices)
    if (device.isCPU() == executable->isOnAccelerator() && device.index() >= 0 &&
        (device.isCPU() || device.index() < acceleratorCount()))
      throw ValueError(fmt::format("device {}: the program is for {}", device.str(),
                                   device.isCPU() ? "accelerators" : "CPUs"));
  for (std::size_t i = 0; i < devices.size(); ++i)
    if (std::find(devices.begin(), devices.begin() + static_cast<std::ptrdiff_t>(i), devices[i]) !=
        devices.begin() + static_cast<std::ptrdiff_t>(i))
      throw ValueError(fmt::format("device {} is named twice", devices[i].str()));
  executable->checkCount("weights", executable->weightInputs.size(), weights.size());
  std::shared_ptr<RankedModel> model(new RankedModel);
  for (std::size_t rank = 0; rank < devices.size(); ++rank) {
    std::vector<TensorValue> own;
    std::vector<const TensorValue *> pointers;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const ArtifactInput &input = artifact.inputs[executable->weightInputs[i]];
      if (!weights[i].whole && weights[i].parts.size() != devices.size())
        throw ValueError(fmt::format("weight {}: {} parts for {} devices", input.name,
                                     weights[i].parts.size(), devices.size()));
      own.push_back(weights[i].whole ? *weights[i].whole : weights[i].parts[rank]);
      own.back().type.device = input.type.device; // the artifact serves any devices
    }
    for (const TensorValue &value : own)
      pointers.push_back(&value);
    model->bound.push_back(executable->bindWeights(pointers, devices[rank]));
  }
  model->owner = std::move(executable);
  model->places = std::move(devices);
  model->mostThreads = mostThreads;
  return model;
}

/// Copies the arguments to the device where they are on another, and fills in their slots.
void RankedModel::Rank::placeArguments(const Executable &executable,
                                       std::span<const TensorValue *const> given, Device device) {
  const Artifact &artifact = executable.artifact();
  for (std::size_t i = 0; i < given.size(); ++i) {
    uint32_t input = executable.argumentInputs[i];
    TensorValue &value = arguments[i];
    value = {given[i]->type, given[i]->buffer};
    if (const Buffer &source = *given[i]->buffer; source.device() != device)
      value.buffer = Buffer::copyOf(source, device);
    inputs[input] = &value;
    std::size_t slot = executable.firstSlot[input];
    const std::vector<Packing> &packings = artifact.inputs[input].packings;
    for (std::size_t k = 0; k < std::max<std::size_t>(packings.size(), 1); ++k)
      slots[slot++] =
          executable.packedInput(value, packings.empty() ? Packing{} : packings[k], held);
  }
}

void RankedModel::runOnCpus(std::deque<Rank> &ranks, const int64_t *symbols,
                            int64_t threads) const {
  DeviceThreads::instance().run(places, threads, [&](int64_t index, ThreadPool &pool) {
    Rank &rank = ranks[static_cast<std::size_t>(index)];
    CallContext &context = rank.context.emplace(*rank.collective, pool, threads);
    try {
      owner->enter(context, rank.slots.data(), symbols);
    } catch (...) { // an entry that is linked into this process
      context.fail(std::current_exception());
    }
    rank.collective->finish();
  });
}

std::vector<std::vector<TensorValue>>
RankedModel::run(std::span<const TensorValue *const> arguments,
                 std::span<const int64_t> symbols) const {
  const Executable &exe = *owner;
  exe.checkCount("arguments", exe.argumentInputs.size(), arguments.size());
  if (!symbols.empty())
    exe.checkCount("values of symbols", exe.description.symbols.size(), symbols.size());

  // All ranks are given the same sizes, so what holds of one holds of all.
  std::vector<TensorValue> checked;
  std::vector<const TensorValue *> inputs = bound.front()->inputs;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    checked.push_back(*arguments[i]);
    checked.back().type.device = exe.description.inputs[exe.argumentInputs[i]].type.device;
  }
  for (std::size_t i = 0; i < arguments.size(); ++i)
    inputs[exe.argumentInputs[i]] = &checked[i];
  std::vector<int64_t> solved(exe.description.symbols.size() + 1); // never null
  exe.guards.checkCall(inputs.data(), solved.data(), symbols.empty() ? nullptr : symbols.data());

  auto numRanks = static_cast<int64_t>(places.size());
  int64_t all = ThreadPool::instance().threads();
  if (mostThreads > 0)
    all = std::min(all, mostThreads);
  int64_t threads = std::max<int64_t>(all / numRanks, 1);
  std::vector<std::unique_ptr<Collective>> collectives = makeInProcessCollectives(numRanks);
  std::deque<Rank> ranks(places.size());
  for (std::size_t r = 0; r < places.size(); ++r) {
    Rank &rank = ranks[r];
    rank.inputs = bound[r]->inputs;
    rank.slots = bound[r]->slots;
    rank.arguments.resize(arguments.size());
    rank.placeArguments(exe, arguments, places[r]);
    rank.results = exe.makeOutputs(rank.inputs.data(), rank.slots.data(), solved.data(), places[r]);
    rank.collective = std::move(collectives[r]);
    if (exe.isOnAccelerator())
      continue;
    rank.workspace.reset(new WorkspacePool::Lease(
        WorkspacePool::instance().take(exe.workspaceBytes(solved.data(), threads), places[r])));
    rank.slots.back() = rank.workspace->data();
  }
  if (exe.isOnAccelerator())
    runOnAccelerators(ranks, solved.data());
  else
    runOnCpus(ranks, solved.data(), threads);

  for (const Rank &rank : ranks)
    if (std::exception_ptr error = rank.context->error())
      try {
        std::rethrow_exception(error);
      } catch (const CollectiveAborted &) { // another rank has the reason
      }
  CallContext &first = *ranks.front().context;
  std::vector<std::vector<TensorValue>> results;
  for (Rank &rank : ranks) {
    if (rank.context->error())
      throw CompileError("the ranks of a call do not make the same collective calls");
    if (&*rank.context != &first)
      first.takeReport(*rank.context);
    results.push_back(std::move(rank.results));
  }
  first.raiseIndexError(exe.description, solved.data());
  return results;
}

} // namespace kiln::runtime
