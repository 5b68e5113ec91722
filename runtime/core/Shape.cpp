#include "kiln/Shape.h"
#include "kiln/Defaults.h"
#include "kiln/Error.h"

#include <algorithm>

namespace kiln {

const Dim &Shape::operator[](int64_t axis) const {
  int64_t index = axis < 0 ? axis + rank() : axis;
  if (index < 0 || index >= rank())
    throw IndexError("[Shape] axis " + std::to_string(axis) + " is out of range for rank " +
                     std::to_string(rank()) + ": " + str());
  return dims[static_cast<std::size_t>(index)];
}

bool Shape::isStatic() const {
  return std::all_of(dims.begin(), dims.end(), [](const Dim &dim) { return dim.isStatic(); });
}

Dim Shape::numElements() const {
  // An empty shape has no elements, however large its other dims.
  for (const Dim &dim : dims)
    if (dim.isStatic() && dim.value() == 0)
      return 0;
  Dim product = 1;
  for (bool isStatic : {true, false}) // numbers first: products of expressions cost more
    for (const Dim &dim : dims)
      if (dim.isStatic() == isStatic)
        product = product * dim;
  return product;
}

std::vector<int64_t> Shape::sizes() const {
  std::vector<int64_t> result;
  result.reserve(dims.size());
  for (const Dim &dim : dims)
    result.push_back(dim.value());
  return result;
}

std::vector<int64_t> Shape::evaluate(const DimBindings &bindings) const {
  std::vector<int64_t> result;
  result.reserve(dims.size());
  for (const Dim &dim : dims)
    result.push_back(dim.evaluate(bindings));
  return result;
}

std::string Shape::str() const {
  std::string text = "[";
  for (const Dim &dim : dims)
    text += (text.size() > 1 ? ", " : "") + dim.str();
  return text + "]";
}

std::ostream &operator<<(std::ostream &os, const Shape &shape) {
  os << "[";
  const char *separator = "";
  for (const Dim &dim : shape) {
    os << separator << dim;
    separator = ", ";
  }
  return os << "]";
}

TensorType::TensorType(DType dtype, Shape shape)
    : TensorType(dtype, std::move(shape), defaults().second) {}

TensorType::TensorType(DType dtype, Shape shape, Device device)
    : dtype(dtype), shape(std::move(shape)), device(device) {
  auto bytes = static_cast<int64_t>(kiln::sizeBytes(dtype));
  bool overflows = false, isEmpty = false;
  for (const Dim &dim : this->shape) {
    if (!dim.isStatic())
      continue;
    if (dim.value() < 0)
      throw TypeError("[TensorType] dimensions must be non-negative: " + str());
    isEmpty = isEmpty || dim.value() == 0;
    overflows = overflows || __builtin_mul_overflow(bytes, dim.value(), &bytes);
  }
  if (overflows && !isEmpty)
    throw ValueError("[TensorType] overflow of int64 in the number of bytes of " + str());
}

Dim TensorType::sizeBytes() const { return shape.numElements() * Dim(kiln::sizeBytes(dtype)); }

std::string TensorType::str() const { return shape.str() + " " + std::string(shortName(dtype)); }

std::ostream &operator<<(std::ostream &os, const TensorType &type) {
  return os << "TensorType(" << type.dtype << ", " << type.shape << ", " << type.device << ")";
}

} // namespace kiln
