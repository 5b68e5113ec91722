#pragma once

#include "ir/Graph.h"

#include <cstring>

/// Elements of tensors by their dtype.
namespace kiln::test {

/// Calls `visit` with a value of the C++ type of the dtype.
template <class Visit> auto withType(DType dtype, Visit visit) {
  switch (dtype) {
  case DType::boolean:
    return visit(bool());
  case DType::int8:
    return visit(int8_t());
  case DType::int16:
    return visit(int16_t());
  case DType::int32:
    return visit(int32_t());
  case DType::int64:
    return visit(int64_t());
  case DType::uint8:
    return visit(uint8_t());
  case DType::uint16:
    return visit(uint16_t());
  case DType::uint32:
    return visit(uint32_t());
  case DType::uint64:
    return visit(uint64_t());
  case DType::float16:
    return visit(Float16());
  case DType::bfloat16:
    return visit(BFloat16());
  case DType::float32:
    return visit(float());
  case DType::float64:
    break;
  }
  return visit(double());
}

/// As a double: of 64-bit integers the nearest.
inline double loadElement(DType dtype, const std::byte *data, std::size_t index) {
  return withType(dtype, [&](auto value) {
    std::memcpy(&value, data + index * sizeof(value), sizeof(value));
    if constexpr (std::is_class_v<decltype(value)>)
      return static_cast<double>(static_cast<float>(value));
    else
      return static_cast<double>(value);
  });
}

/// A number that the dtype has, or rounded to it.
inline void storeElement(ir::DenseData &tensor, std::size_t index, double number) {
  withType(tensor.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    T value;
    if constexpr (std::is_class_v<T>)
      value = T(static_cast<float>(number));
    else
      value = static_cast<T>(number);
    std::memcpy(tensor.bytes.data() + index * sizeof(T), &value, sizeof(T));
  });
}

inline std::size_t numElements(const ir::DenseData &tensor) {
  return tensor.bytes.size() / sizeBytes(tensor.type.dtype);
}

} // namespace kiln::test
