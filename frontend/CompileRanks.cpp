#include "frontend/CompiledState.h"

#include <algorithm>
#include <fmt/format.h>

/// Compiled models on several devices.
namespace kiln::detail {

std::vector<ResultPlace> shareOutputs(PendingGraph &pending,
                                      const std::vector<std::shared_ptr<Node>> &results) {
  std::vector<ir::ValueId> outputs;
  std::vector<ResultPlace> places;
  for (std::size_t i = 0; i < results.size(); ++i) {
    auto found = std::find(outputs.begin(), outputs.end(), pending.outputs[i]);
    places.push_back(
        {static_cast<std::size_t>(found - outputs.begin()), results[i]->type().device});
    if (found == outputs.end())
      outputs.push_back(pending.outputs[i]);
  }
  pending.outputs = std::move(outputs);
  return places;
}

void bindRanks(CompiledState &state, std::shared_ptr<const runtime::Executable> executable,
               Recorded &recorded, std::size_t numArguments) {
  const std::vector<std::shared_ptr<Node>> &leaves = recorded.pending.leaves;
  std::vector<runtime::RankedWeight> weights;
  for (std::size_t i = 0; i < leaves.size(); ++i)
    if (i < numArguments)
      state.argumentDevices.push_back(leaves[i]->type().device);
    else
      weights.push_back(rankedWeight(*leaves[i]));
  state.places = std::move(recorded.places);
  state.ranked = runtime::RankedModel::bind(std::move(executable), *recorded.devices, weights,
                                            state.mostThreads);
}

std::vector<runtime::TensorValue> callRanks(const CompiledState &state,
                                            std::span<const runtime::TensorValue *const> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (Device got = inputs[i]->type.device; got != state.argumentDevices[i])
      throw ValueError(fmt::format("argument {}: expected device {}, got {}", i,
                                   state.argumentDevices[i].str(), got.str()));
  auto byRank = state.ranked->run(inputs);
  std::vector<runtime::TensorValue> results;
  for (const ResultPlace &place : state.places)
    results.push_back(resultOn(place.device, state.ranked->devices(), byRank, place.output));
  return results;
}

} // namespace kiln::detail
