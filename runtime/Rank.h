#pragma once

#include "runtime/CallContext.h"
#include "runtime/Collective.h"
#include "runtime/RankedModel.h"
#include "runtime/WorkspacePool.h"
#include "runtime/cuda/RankOnDevice.h"

#include <optional>

namespace kiln::runtime {

/// What one rank runs with.
struct RankedModel::Rank {
  std::vector<TensorValue> arguments;
  std::vector<const TensorValue *> inputs;
  std::vector<const void *> slots;
  std::vector<std::shared_ptr<const Buffer>> held;
  std::vector<TensorValue> results;
  std::unique_ptr<WorkspacePool::Lease> workspace;
  std::unique_ptr<cuda::RankOnDevice> onDevice; // on an accelerator, in the workspace's place
  std::unique_ptr<Collective> collective;
  /// Made by the rank's own thread, whose pool it names.
  std::optional<CallContext> context;

  void placeArguments(const Executable &executable, std::span<const TensorValue *const> given,
                      Device device);
};

} // namespace kiln::runtime
