#include "frontend/Sharding.h"

#include "frontend/Evaluate.h"
#include "frontend/GraphScope.h"
#include "frontend/Pieces.h"
#include "frontend/Subgraphs.h"
#include "frontend/Trace.h"
#include "frontend/Transfer.h"
#include "kiln/Shard.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace kiln::detail {

namespace {

/// A tensor as runs of entries of one axis: [outer, size, inner].
struct Runs {
  std::size_t outer = 1, size, innerElements = 1, innerBytes;

  Runs(const TensorType &type, int64_t axis) {
    std::vector<int64_t> sizes = type.shape.sizes();
    auto place = static_cast<std::size_t>(axis);
    size = static_cast<std::size_t>(sizes[place]);
    for (std::size_t i = 0; i < sizes.size(); ++i)
      if (i != place)
        (i < place ? outer : innerElements) *= static_cast<std::size_t>(sizes[i]);
    innerBytes = innerElements * sizeBytes(type.dtype);
  }
};

TensorType partType(const TensorType &whole, int64_t axis, std::size_t ranks, Device device) {
  ir::Input input{ir::Input::Role::weight, "", whole, axis};
  TensorType type = ir::localType(input, static_cast<int64_t>(ranks));
  type.device = device;
  return type;
}

/// Copies entries [begin, begin + count) of each run of `from` into the runs of `to`.
void copyEntries(const std::byte *from, const Runs &fromRuns, std::size_t begin, std::size_t count,
                 std::byte *to, const Runs &toRuns, std::size_t toBegin) {
  if (std::size_t bytes = count * fromRuns.innerBytes)
    for (std::size_t run = 0; run < fromRuns.outer; ++run)
      std::memcpy(to + (run * toRuns.size + toBegin) * toRuns.innerBytes,
                  from + (run * fromRuns.size + begin) * fromRuns.innerBytes, bytes);
}

/// What is to be cut of a tensor for one device.
struct Cut {
  int64_t axis;
  std::size_t begin, count; // entries that are there; the others of the part are zeros
  TensorType part;
  std::source_location where;
};

/// The contents of `source` as far as the cut wants them: no more than that is made of what is
/// drawn or converted.
std::shared_ptr<const runtime::Buffer> cutOf(const std::shared_ptr<Node> &source, const Cut &cut) {
  const TensorType &whole = source->type();
  std::shared_ptr<Node> converted;
  if (!source->isRealized()) {
    std::lock_guard lock(nodeMutex());
    if (source->op == "cast" && source->operands.size() == 1)
      converted = source->operands.front();
  }
  if (converted) {
    Cut before = cut;
    before.part.dtype = converted->type().dtype;
    Tensor part = realizedTensor(before.part, cutOf(converted, before));
    return contents(part.cast(cut.part.dtype, cut.where), "shard", cut.where);
  }
  checkDevice(cut.part.device, "shard", cut.where);
  auto buffer = allocate(Call("shard", cut.where), cut.part);
  Runs from(whole, cut.axis), to(cut.part, cut.axis);
  std::byte *data = buffer->mutableData();
  if (cut.count < to.size && buffer->sizeBytes())
    std::memset(data, 0, buffer->sizeBytes());
  if (!source->isRealized() && source->fill) {
    for (std::size_t run = 0; run < from.outer; ++run)
      if (std::size_t count = cut.count * from.innerElements)
        source->fill(data + run * to.size * to.innerBytes,
                     static_cast<int64_t>((run * from.size + cut.begin) * from.innerElements),
                     static_cast<int64_t>(count));
  } else {
    auto all = contents(Tensor(source), "shard", cut.where);
    copyEntries(all->data(), from, cut.begin, cut.count, data, to, 0);
  }
  return buffer;
}

std::string listed(const Devices &devices) {
  std::string text;
  for (Device device : devices)
    text += (text.empty() ? "" : ", ") + device.str();
  return text;
}

} // namespace

Sharding::Sharding(std::shared_ptr<Node> source, int64_t axis,
                   std::shared_ptr<const Devices> devices, const std::source_location &where)
    : axis(axis), devices(std::move(devices)), type(source->type()), where(where),
      source(std::move(source)) {}

const std::vector<runtime::TensorValue> &Sharding::parts() {
  std::lock_guard lock(mutex);
  if (!source)
    return made;
  GraphScope outside(nullptr);
  std::size_t ranks = devices->size();
  auto size = static_cast<std::size_t>(type.shape[axis].value());
  std::vector<runtime::TensorValue> values;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    Cut cut{axis, 0, 0, partType(type, axis, ranks, (*devices)[rank]), where};
    auto each = static_cast<std::size_t>(cut.part.shape[axis].value());
    cut.begin = std::min(size, rank * each);
    cut.count = std::min(size - cut.begin, each);
    auto buffer = cutOf(source, cut);
    values.push_back({std::move(cut.part), std::move(buffer)});
  }
  made = std::move(values);
  source.reset();
  return made;
}

std::shared_ptr<const runtime::Buffer> Sharding::whole(Device device) {
  const std::vector<runtime::TensorValue> &all = parts();
  TensorType placed = type;
  placed.device = device;
  checkDevice(device, "shard", where);
  auto buffer = allocate(Call("shard", where), placed);
  Runs to(type, axis);
  std::size_t begin = 0;
  for (const runtime::TensorValue &part : all) {
    Runs from(part.type, axis);
    std::size_t count = std::min(from.size, to.size - begin);
    copyEntries(part.buffer->data(), from, 0, count, buffer->mutableData(), to, begin);
    begin += count;
  }
  return buffer;
}

void Sharding::read(const std::function<void(std::span<const std::byte>)> &sink) {
  const std::vector<runtime::TensorValue> &all = parts();
  Runs runs(type, axis);
  for (std::size_t run = 0; run < runs.outer; ++run) {
    std::size_t left = runs.size;
    for (const runtime::TensorValue &part : all) {
      Runs own(part.type, axis);
      std::size_t count = std::min(own.size, left);
      sink(part.buffer->bytes().subspan(run * own.size * own.innerBytes, count * own.innerBytes));
      left -= count;
    }
  }
}

void checkDevices(const Call &call, const Devices &devices) {
  if (devices.empty() || devices.size() > maxShards)
    call.fail(ErrorKind::value,
              fmt::format("expected 1 to {} devices, got {}", maxShards, devices.size()));
  for (std::size_t i = 0; i < devices.size(); ++i)
    if (std::count(devices.begin(), devices.end(), devices[i]) > 1)
      call.fail(ErrorKind::value,
                fmt::format("device {} is named twice: {}", devices[i].str(), listed(devices)));
}

Tensor shardTensor(const Call &call, const Tensor &x, int64_t axis, const Devices &devices) {
  checkDevices(call, devices);
  const TensorType &type = call.type(x);
  axis = call.axis(axis, type);
  const std::shared_ptr<Node> &node = x.handle();
  if (node->sharding && node->sharding->axis == axis && *node->sharding->devices == devices)
    return x;
  Node::State state = node->state.load(std::memory_order_acquire);
  if (node->graph || state == Node::State::symbolic || !type.shape.isStatic() ||
      (state == Node::State::pending && TraceScope::isActive()))
    call.fail(ErrorKind::type,
              fmt::format("only a tensor whose contents do not depend on arguments "
                          "can be split: x {}",
                          type.str()));
  if (devices.size() == 1)
    return node->sharding ? wholeOn(call, x, devices.front()) : lazilyOn(call, x, devices.front());
  auto sharding =
      std::make_shared<Sharding>(node, axis, std::make_shared<const Devices>(devices), call.where);
  bool isThere = node->isRealized() && std::all_of(devices.begin(), devices.end(),
                                                   [](Device device) { return device.isCPU(); });
  if (isThere) // and need not stay
    sharding->parts();
  TensorType placed = type;
  placed.device = devices.front();
  Tensor result = lazyTensor(
      std::move(placed), [sharding, first = devices.front()] { return sharding->whole(first); },
      call.where);
  result.handle()->devices = sharding->devices;
  result.handle()->sharding = std::move(sharding);
  result.handle()->movedFrom = node;
  return result;
}

Tensor wholeOn(const Call &call, const Tensor &x, Device device) {
  const std::shared_ptr<Node> &node = nodeOf(x, call.name, call.where);
  if (!node->sharding)
    return x.to(device, call.where);
  checkDevice(device, call.name, call.where);
  TensorType type = node->type();
  type.device = device;
  Tensor result = lazyTensor(
      std::move(type), [split = node->sharding, device] { return split->whole(device); },
      call.where);
  result.handle()->movedFrom = node;
  return result;
}

Tensor shardLike(const Call &call, const Tensor &x, const Sharding &like) {
  return shardTensor(call, x, like.axis, *like.devices);
}

std::vector<Tensor> replicate(const Call &call, const Tensor &x, const Devices &devices) {
  const std::shared_ptr<Node> &source = nodeOf(x, call.name, call.where);
  if (devices.size() == 1 && source->type().device == devices.front())
    return {x};
  auto replicas = std::make_shared<Replicas>();
  std::vector<Tensor> results;
  for (Device device : devices) {
    auto node = std::make_shared<Node>();
    node->op = "replica";
    node->operands = {source};
    node->value.type = source->type();
    node->value.type.device = device;
    node->where = call.where;
    node->replicas = replicas;
    node->devices = source->devices;
    node->subgraphCall = SubgraphScope::current();
    checkGraph(*node, call.name, call.where);
    replicas->nodes.push_back(node);
    results.emplace_back(node);
  }
  for (const Tensor &result : results)
    boundPending(result.handle());
  return results;
}

std::shared_ptr<const Devices> devicesOf(const Call &call,
                                         const std::vector<std::shared_ptr<Node>> &operands) {
  std::shared_ptr<const Devices> devices;
  for (const std::shared_ptr<Node> &operand : operands) {
    // What is there is on one device, but for parameters.
    if (!operand->devices || (operand->isRealized() && !operand->sharding))
      continue;
    if (!devices)
      devices = operand->devices;
    if (*devices == *operand->devices)
      continue;
    if (operand->sharding || TraceScope::isActive() || GraphScope::current())
      call.fail(ErrorKind::value,
                fmt::format("operands are split over different devices: {} and {}",
                            listed(*devices), listed(*operand->devices)));
    contents(Tensor(operand), call.name, call.where);
  }
  return devices;
}

std::vector<Replica> dropReplicas(PendingGraph &graph) {
  std::vector<Replica> dropped;
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(),
                   [](const auto &node) { return node->replicas != nullptr; }))
    return dropped;
  std::size_t numLeaves = graph.leaves.size();
  std::vector<ir::ValueId> renumbered;
  auto renumber = [&](ir::ValueId &id) {
    if (id >= numLeaves)
      id = renumbered[id - numLeaves];
  };
  PendingGraph rest;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ir::ValueId &id : graph.operands[i])
      renumber(id);
    if (graph.nodes[i]->replicas) {
      renumbered.push_back(graph.operands[i].front());
      dropped.push_back({std::move(graph.nodes[i]), renumbered.back()});
      continue;
    }
    renumbered.push_back(static_cast<ir::ValueId>(numLeaves + rest.nodes.size()));
    rest.nodes.push_back(std::move(graph.nodes[i]));
    rest.operands.push_back(std::move(graph.operands[i]));
    rest.isHeld.push_back(graph.isHeld[i]);
  }
  for (ir::ValueId &id : graph.outputs)
    renumber(id);
  graph.nodes = std::move(rest.nodes);
  graph.operands = std::move(rest.operands);
  graph.isHeld = std::move(rest.isHeld);
  return dropped;
}

std::shared_ptr<const Devices> devicesOf(const PendingGraph &graph) {
  std::shared_ptr<const Devices> devices;
  for (const std::shared_ptr<Node> &leaf : graph.leaves) {
    if (!leaf->sharding)
      continue;
    if (devices && *devices != *leaf->sharding->devices)
      throw ValueError(fmt::format("tensors of one program are split over different devices: {} "
                                   "and {}",
                                   listed(*devices), listed(*leaf->sharding->devices)));
    devices = leaf->sharding->devices;
  }
  return devices;
}

runtime::TensorValue resultOn(Device device, const Devices &devices,
                              std::vector<std::vector<runtime::TensorValue>> &results,
                              std::size_t output) {
  auto found = std::find(devices.begin(), devices.end(), device);
  std::size_t rank = found == devices.end() ? 0 : static_cast<std::size_t>(found - devices.begin());
  runtime::TensorValue value = results[rank][output];
  value.type.device = device;
  if (value.buffer->device() != device)
    value.buffer = runtime::Buffer::copyOf(*value.buffer, device);
  return value;
}

runtime::RankedWeight rankedWeight(const Node &leaf) {
  if (leaf.sharding)
    return {nullptr, leaf.sharding->parts()};
  return {&leaf.value};
}

void splitInputs(ir::Graph &graph, const PendingGraph &pending) {
  bool isSplit = false;
  for (std::size_t i = 0; i < pending.leaves.size(); ++i)
    if (const auto &sharding = pending.leaves[i]->sharding) {
      graph.inputs[i].shardAxis = sharding->axis;
      isSplit = true;
    }
  if (!isSplit)
    return;
  using Data = std::shared_ptr<const ir::DenseData>;
  for (ir::Input &input : graph.inputs)
    input.type.device = CPU();
  for (ir::Node &node : graph.nodes) {
    node.type.device = CPU();
    if (const ir::Attribute *value = node.attributes.find("value"))
      if (const Data *data = std::get_if<Data>(value); data && (*data)->type.device != CPU()) {
        auto placed = std::make_shared<ir::DenseData>(**data);
        placed->type.device = CPU();
        node.attributes.set("value", Data(std::move(placed)));
      }
  }
}

} // namespace kiln::detail

namespace kiln {

Tensor shard(const Tensor &whole, int64_t axis, const std::vector<Device> &devices, Where where) {
  detail::Call call("shard", where);
  detail::checkDevices(call, devices);
  for (Device device : devices)
    detail::checkDevice(device, "shard", where);
  return detail::shardTensor(call, whole, axis, devices);
}

} // namespace kiln
