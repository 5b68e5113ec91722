#include "kiln/Tensor.h"

#include "frontend/Evaluate.h"
#include "frontend/Transfer.h"

#include <cstring>
#include <fmt/format.h>

namespace kiln {

using detail::Call;

const TensorType &Tensor::type(Where where) const {
  if (!node)
    throw TypeError("[Tensor] the tensor is empty: it has neither type nor contents" +
                    atLocation(where));
  return node->value.type;
}

int64_t Tensor::numElements(Where where) const {
  Dim count;
  try {
    count = type(where).shape.numElements();
  } catch (const ValueError &) {
    Call("numElements", where)
        .fail(ErrorKind::value, "more elements than int64 counts: " + type().str());
  }
  if (!count.isStatic())
    Call("numElements", where)
        .fail(ErrorKind::type, fmt::format("the number of elements of {} is symbolic: {}",
                                           type().str(), count.str()));
  return count.value();
}

bool Tensor::isRealized() const { return node && node->isRealized(); }

const Tensor &Tensor::realize(Where where) const {
  detail::contents(*this, "realize", where);
  return *this;
}

const void *Tensor::readData(DType dtype, const char *operation, Where where) const {
  Call call(operation, where);
  if (DType own = call.type(*this).dtype; own != dtype)
    call.fail(ErrorKind::type, fmt::format("the tensor is {}, not {}; cast it first", type().str(),
                                           kiln::name(dtype)));
  return detail::contents(*this, operation, where)->data();
}

void Tensor::readItem(void *value, DType dtype, Where where) const {
  Call call("item", where);
  const Shape &shape = call.type(*this).shape;
  if (shape.isStatic() && numElements() != 1)
    call.fail(ErrorKind::value,
              fmt::format("the tensor {} has {} elements, not one", type().str(), numElements()));
  std::memcpy(value, readData(dtype, "item", where), sizeBytes(dtype));
}

std::span<const std::byte> Tensor::bytes(Where where) const {
  return detail::contents(*this, "bytes", where)->bytes();
}

void detail::realizeAll(std::span<const Tensor *const> tensors) {
  std::vector<std::shared_ptr<Node>> nodes;
  for (const Tensor *tensor : tensors)
    nodes.push_back(nodeOf(*tensor, "realize", std::source_location::current()));
  if (!nodes.empty())
    evaluate(nodes, "realize", nodes.front()->where);
}

Tensor Tensor::to(Device device, Where where) const {
  Call call("to", where);
  if (call.type(*this).device == device)
    return *this;
  detail::checkDevice(device, "to", where);
  // A tensor that nobody has read yet stays unread: loading replaces initial values.
  if (node->state.load(std::memory_order_acquire) == detail::Node::State::lazy)
    return detail::lazilyOn(call, *this, device);
  TensorType target(dtype(), shape(), device);
  auto buffer = detail::contents(*this, "to", where);
  return detail::realizedTensor(std::move(target), detail::copyTo(*buffer, device, "to", where));
}

Tensor Tensor::cast(DType dtype, Where where) const {
  return Call("cast", where).cast(*this, dtype);
}

} // namespace kiln
