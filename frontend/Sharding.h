#pragma once

#include "frontend/PendingGraph.h"
#include "frontend/Record.h"
#include "runtime/RankedModel.h"

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

/// Tensors that are split over devices, and results that are on each of them.
namespace kiln::detail {

using Devices = std::vector<Device>;

/// The contents of a leaf, split along an axis: a part of ceil(size / devices) entries on each
/// device, those that are beyond the end filled with zeros. Parts are made when they are first
/// wanted and live as long as the leaf.
class Sharding {
public:
  /// `source`: what is split; it is let go when the parts are there.
  Sharding(std::shared_ptr<Node> source, int64_t axis, std::shared_ptr<const Devices> devices,
           const std::source_location &where);

  const int64_t axis;
  const std::shared_ptr<const Devices> devices;

  /// One for each device, made if they are not there yet. Thread-safe.
  /// Errors: those of the source; DeviceError.
  const std::vector<runtime::TensorValue> &parts();
  /// A copy of the whole. Errors: as parts.
  std::shared_ptr<const runtime::Buffer> whole(Device device);
  /// Gives the bytes of the whole in order, in pieces, without a copy. Errors: as parts.
  void read(const std::function<void(std::span<const std::byte>)> &sink);

private:
  const TensorType type; // of the whole
  const std::source_location where;
  std::mutex mutex;
  std::shared_ptr<Node> source; // null when the parts are there
  std::vector<runtime::TensorValue> made;
};

/// Errors: ValueError for no devices, more than `maxShards`, one that is named twice.
void checkDevices(const Call &call, const Devices &devices);
inline constexpr std::size_t maxShards = 8;

/// x split over devices, see kiln::shard; devices need not be there before the contents are read.
/// Errors: ValueError for what checkDevices refuses; IndexError for an axis that x does not have;
/// TypeError if x depends on an argument of what is being traced.
Tensor shardTensor(const Call &call, const Tensor &x, int64_t axis, const Devices &devices);
/// x split as `like` is: itself if it is already.
Tensor shardLike(const Call &call, const Tensor &x, const Sharding &like);

/// A tensor that is split as one that is whole, on one device; any other as it is there. Copied
/// when its contents are first wanted. Errors: as Tensor::to.
Tensor wholeOn(const Call &call, const Tensor &x, Device device);

/// The same values on each of the devices: those that the ranks of a program computed there.
std::vector<Tensor> replicate(const Call &call, const Tensor &x, const Devices &devices);

/// The results of one call of `replicate`: whoever computes one has them all.
struct Replicas {
  std::vector<std::weak_ptr<Node>> nodes;
};

/// What a pending node is computed on: the devices of the split leaves below it, null for one
/// device. Errors: ValueError if operands are split over different devices while a graph is
/// recorded; outside of one the contents of one of them are computed, whose errors come then.
std::shared_ptr<const Devices> devicesOf(const Call &call,
                                         const std::vector<std::shared_ptr<Node>> &operands);

/// A copy of a value that a program computes, by a `replicate` that was taken out of the graph.
struct Replica {
  std::shared_ptr<Node> node;
  ir::ValueId source; // in the graph without replicas
};
/// Takes the replicas out of a graph: their users use what they are copies of, and so do the
/// outputs. Returns those that were taken out.
std::vector<Replica> dropReplicas(PendingGraph &graph);

/// The devices of the split leaves of a graph; null if there are none.
/// Errors: ValueError if they are not the same for all.
std::shared_ptr<const Devices> devicesOf(const PendingGraph &graph);

/// What a program on `devices` gave as its `output`, as it is on `device`: copied there if it is
/// none of them.
runtime::TensorValue resultOn(Device device, const Devices &devices,
                              std::vector<std::vector<runtime::TensorValue>> &results,
                              std::size_t output);

/// A leaf as a weight of a program that runs on several devices.
runtime::RankedWeight rankedWeight(const Node &leaf);

/// Writes the split leaves of `pending` into the inputs of its graph, and names one device for
/// all: the program serves any devices.
void splitInputs(ir::Graph &graph, const PendingGraph &pending);

} // namespace kiln::detail
