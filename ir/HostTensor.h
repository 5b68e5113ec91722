#pragma once

#include "ir/Graph.h"

#include <cstring>
#include <span>
#include <stdexcept>

/// Tensors in host memory as the interpreter takes and gives them; no MLIR.
namespace kiln::ir {

/// Dense row-major contents of static shape.
using HostTensor = DenseData;

/// Errors: std::logic_error if the number of values is not that of the shape.
template <class T> HostTensor makeHostTensor(std::span<const T> values, Shape shape) {
  HostTensor tensor{TensorType(dtypeOf<T>(), std::move(shape), CPU()), {}};
  if (tensor.type.shape.numElements() != Dim(static_cast<int64_t>(values.size())))
    throw std::logic_error("makeHostTensor: wrong number of values");
  tensor.bytes.resize(values.size_bytes());
  if (!values.empty())
    std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
  return tensor;
}
template <class T> HostTensor makeHostTensor(const std::vector<T> &values, Shape shape) {
  return makeHostTensor(std::span<const T>(values), std::move(shape));
}

/// Errors: std::logic_error if T is not the tensor's dtype.
template <class T> std::vector<T> valuesOf(const HostTensor &tensor) {
  if (tensor.type.dtype != dtypeOf<T>())
    throw std::logic_error("valuesOf: wrong dtype");
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty())
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

} // namespace kiln::ir
