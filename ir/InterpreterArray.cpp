#include "ir/InterpreterArray.h"

namespace kiln::ir {

/// Calls `f` with a null value of the C++ type of `dtype`.
template <class F> static auto withType(DType dtype, F f) {
  switch (dtype) {
  case DType::boolean:
  case DType::uint8:
    return f(uint8_t());
  case DType::int8:
    return f(int8_t());
  case DType::int16:
    return f(int16_t());
  case DType::int32:
    return f(int32_t());
  case DType::int64:
    return f(int64_t());
  case DType::uint16:
    return f(uint16_t());
  case DType::uint32:
    return f(uint32_t());
  case DType::uint64:
    return f(uint64_t());
  case DType::float16:
    return f(Float16());
  case DType::bfloat16:
    return f(BFloat16());
  case DType::float32:
    return f(float());
  case DType::float64:
    return f(double());
  }
  throw std::logic_error("unknown dtype");
}

/// The element as it is stored, and back.
template <class T> static T store(Scalar value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
    return T(static_cast<float>(value.real));
  else if constexpr (std::is_floating_point_v<T>)
    return static_cast<T>(value.real);
  else
    return static_cast<T>(value.integer);
}
template <class T> static Scalar load(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
    return real(static_cast<float>(value));
  else if constexpr (std::is_floating_point_v<T>)
    return real(value);
  else
    return integer(static_cast<int64_t>(value));
}

Scalar roundTo(DType dtype, Scalar value) {
  if (dtype == DType::boolean)
    return integer(value.integer != 0);
  return withType(dtype, [&](auto type) { return load(store<decltype(type)>(value)); });
}

Array::Array(DType dtype, Sizes sizes)
    : dtype(dtype), sizes(std::move(sizes)),
      values(static_cast<size_t>(product(this->sizes)), Scalar{.integer = 0}) {}

Array::Array(const HostTensor &tensor) : Array(tensor.type.dtype, tensor.type.shape.sizes()) {
  if (tensor.bytes.size() != values.size() * sizeBytes(dtype))
    throw std::logic_error("a host tensor's bytes do not fill its shape");
  withType(dtype, [&](auto type) {
    for (size_t i = 0; i < values.size(); ++i) {
      std::memcpy(&type, tensor.bytes.data() + i * sizeof(type), sizeof(type));
      values[i] = load(type);
    }
  });
}

HostTensor Array::toHost() const {
  HostTensor tensor{TensorType(dtype, Shape(std::span<const int64_t>(sizes)), CPU()), {}};
  tensor.bytes.resize(values.size() * sizeBytes(dtype));
  withType(dtype, [&](auto type) {
    for (size_t i = 0; i < values.size(); ++i) {
      type = store<decltype(type)>(values[i]);
      std::memcpy(tensor.bytes.data() + i * sizeof(type), &type, sizeof(type));
    }
  });
  return tensor;
}

int64_t product(std::span<const int64_t> sizes) {
  int64_t total = 1;
  for (int64_t size : sizes)
    total *= size;
  return total;
}

Sizes stridesOf(const Sizes &sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;)
    strides[i - 1] = strides[i] * sizes[i];
  return strides;
}

Sizes broadcastStrides(const Sizes &sizes, const Sizes &result) {
  Sizes own = stridesOf(sizes);
  Sizes strides(result.size(), 0);
  size_t missing = result.size() - sizes.size();
  for (size_t i = 0; i < sizes.size(); ++i)
    strides[missing + i] = sizes[i] == result[missing + i] ? own[i] : 0;
  return strides;
}

Sizes offsetsOf(const Sizes &sizes, const Sizes &strides, int64_t base) {
  Sizes offsets{base};
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    Sizes next;
    next.reserve(offsets.size() * static_cast<size_t>(sizes[axis]));
    for (int64_t offset : offsets)
      for (int64_t i = 0; i < sizes[axis]; ++i)
        next.push_back(offset + i * strides[axis]);
    offsets = std::move(next);
  }
  return offsets;
}

std::vector<Row> rowsOf(const Sizes &sizes, int64_t axis) {
  Sizes strides = stridesOf(sizes);
  int64_t stride = strides[static_cast<size_t>(axis)];
  int64_t count = sizes[static_cast<size_t>(axis)];
  Sizes others = sizes;
  others[static_cast<size_t>(axis)] = 1;
  std::vector<Row> rows;
  for (int64_t offset : offsetsOf(others, strides))
    rows.push_back({static_cast<int64_t>(rows.size()), offset, stride, count});
  return rows;
}

} // namespace kiln::ir
