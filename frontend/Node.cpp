#include "frontend/Node.h"

#include "frontend/Evaluate.h"
#include "frontend/GraphScope.h"
#include "runtime/HostMemory.h"

#include <fmt/format.h>

namespace kiln::detail {

Node::~Node() {
  // The last holder of an operand takes over its operands, so that nothing recurses.
  std::vector<std::shared_ptr<Node>> orphans = std::move(operands);
  while (!orphans.empty()) {
    std::shared_ptr<Node> node = std::move(orphans.back());
    orphans.pop_back();
    if (node.use_count() != 1)
      continue;
    for (std::shared_ptr<Node> &operand : node->operands)
      orphans.push_back(std::move(operand));
    node->operands.clear();
  }
}

std::mutex &nodeMutex() {
  static std::mutex mutex;
  return mutex;
}

const std::shared_ptr<Node> &nodeOf(const Tensor &tensor, std::string_view operation,
                                    const std::source_location &where) {
  if (!tensor.defined())
    throw TypeError(fmt::format("[{}] the tensor is empty{}", operation, atLocation(where)));
  return tensor.handle();
}

Tensor realizedTensor(TensorType type, std::shared_ptr<const runtime::Buffer> buffer) {
  auto node = std::make_shared<Node>();
  node->value.type = std::move(type);
  node->value.buffer = std::move(buffer);
  node->state.store(Node::State::realized, std::memory_order_release);
  return Tensor(std::move(node));
}

Tensor lazyTensor(TensorType type, std::function<std::shared_ptr<const runtime::Buffer>()> make,
                  const std::source_location &where) {
  auto node = std::make_shared<Node>();
  node->value.type = std::move(type);
  node->make = std::move(make);
  node->where = where;
  node->state.store(Node::State::lazy, std::memory_order_release);
  return Tensor(std::move(node));
}

std::shared_ptr<const runtime::Buffer> contents(const Tensor &tensor, std::string_view operation,
                                                const std::source_location &where) {
  const std::shared_ptr<Node> &node = nodeOf(tensor, operation, where);
  if (node->graph || (GraphScope::current() && !node->isRealized())) {
    const std::string &graph = node->graph ? *node->graph : *GraphScope::current();
    throw TypeError(fmt::format("[{}] Can't realize from a graph context: {} is {} graph \"{}\"{}",
                                operation, node->type().str(),
                                node->graph ? "part of" : "not computed within", graph,
                                atLocation(where)));
  }
  if (!node->isRealized()) {
    const std::shared_ptr<Node> list[] = {node};
    evaluate(list, operation, where);
  }
  return node->value.buffer;
}

void checkDevice(Device device, std::string_view operation, const std::source_location &where) {
  if (!device.isCPU() && (device.index() < 0 || device.index() >= acceleratorCount()))
    throw DeviceError(fmt::format("[{}] there is no device {}: {} accelerator(s) found; name CPU() "
                                  "in its place, or run where there is one{}",
                                  operation, device.str(), acceleratorCount(), atLocation(where)));
  if (device.isCPU() && (device.index() < 0 || device.index() >= runtime::numVirtualDevices))
    throw DeviceError(fmt::format("[{}] there is no device {}: the virtual CPU devices are cpu:0 "
                                  "to cpu:{}{}",
                                  operation, device.str(), runtime::numVirtualDevices - 1,
                                  atLocation(where)));
}

} // namespace kiln::detail
