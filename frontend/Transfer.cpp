#include "frontend/Transfer.h"

#include "frontend/GraphScope.h"
#include "frontend/Sharding.h"
#include "frontend/Trace.h"

#include <fmt/format.h>

namespace kiln::detail {

std::shared_ptr<const runtime::Buffer> copyTo(const runtime::Buffer &buffer, Device device,
                                              std::string_view operation,
                                              const std::source_location &where) {
  checkDevice(device, operation, where);
  try {
    return runtime::Buffer::copyOf(buffer, device);
  } catch (const DeviceError &error) {
    throw DeviceError(fmt::format("[{}] cannot copy from {} to {}: {}{}", operation,
                                  buffer.device().str(), device.str(), error.what(),
                                  atLocation(where)));
  }
}

Tensor lazilyOn(const Call &call, const Tensor &x, Device device) {
  const std::shared_ptr<Node> &node = nodeOf(x, call.name, call.where);
  TensorType type = node->type();
  if (type.device == device)
    return x;
  type.device = device;
  Node::State state = node->state.load(std::memory_order_acquire);
  if (state == Node::State::pending && node->op == "constant") { // the graph's own, as it is
    auto data = std::make_shared<ir::DenseData>(
        *node->attributes.get<std::shared_ptr<const ir::DenseData>>("value"));
    data->type = type;
    return call.record("constant", {},
                       {{"value", std::shared_ptr<const ir::DenseData>(std::move(data))}});
  }
  if (state == Node::State::symbolic || (state == Node::State::pending && TraceScope::isActive()))
    return x;
  auto make = [node, device, name = std::string(call.name), where = call.where] {
    if (node->sharding)
      return node->sharding->whole(device);
    if (!node->isRealized()) {
      GraphScope outside(nullptr);
      contents(Tensor(node), name, where);
    }
    return copyTo(*node->value.buffer, device, name, where);
  };
  Tensor result = lazyTensor(std::move(type), std::move(make), call.where);
  result.handle()->graph = node->graph;
  result.handle()->movedFrom = node;
  result.handle()->fill = node->fill;
  return result;
}

} // namespace kiln::detail
