#pragma once

#include "runtime/Executable.h"

#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace kiln::runtime {

/// A weight of a program that runs on several devices.
struct RankedWeight {
  /// The same on all: copied, once, to those that do not have it. Or null:
  const TensorValue *whole = nullptr;
  /// A part on each device, all of one type.
  std::span<const TensorValue> parts = {};
};

/// One program with its weights on a list of devices: a call runs it once on each at the same time,
/// as ranks 0, 1, … of one collective. Immutable: any number of threads may call it at once; calls
/// that share a device come one after the other there.
class RankedModel {
public:
  /// `mostThreads`: of all devices together, if it is not 0, but at least one for each.
  /// Errors: ValueError if the devices are not as many as the artifact's ranks, or one is named
  /// twice; otherwise as Executable::bindWeights.
  static std::shared_ptr<const RankedModel> bind(std::shared_ptr<const Executable> executable,
                                                 std::vector<Device> devices,
                                                 std::span<const RankedWeight> weights,
                                                 int64_t mostThreads = 0);

  /// The outputs of each rank, on its device. Arguments are copied to the devices that do not have
  /// them; where they come from is not checked. Otherwise as Executable::run: all that may fail on
  /// any rank, but for bad indices, comes before the first rank starts.
  std::vector<std::vector<TensorValue>> run(std::span<const TensorValue *const> arguments,
                                            std::span<const int64_t> symbols = {}) const;

  const std::vector<Device> &devices() const { return places; }
  const Executable &executable() const { return *owner; }

private:
  struct Rank;
  RankedModel() = default;
  void runOnCpus(std::deque<Rank> &ranks, const int64_t *symbols, int64_t threads) const;
  /// Enqueues a call's work on all devices and, where indices are checked, waits for it.
  void runOnAccelerators(std::deque<Rank> &ranks, const int64_t *symbols) const;
  std::shared_ptr<const Executable> owner;
  std::vector<Device> places;
  int64_t mostThreads = 0;
  std::vector<std::shared_ptr<const BoundModel>> bound; // of each rank
};

} // namespace kiln::runtime
