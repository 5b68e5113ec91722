#pragma once

#include "ir/HostTensor.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

/// Tensors while they are interpreted.
namespace kiln::ir {

using Sizes = std::vector<int64_t>;

/// One element: a float as double, everything else as int64 (uint64 by its bits). Which of the two
/// the dtype of its array says.
union Scalar {
  double real;
  int64_t integer;
};
inline Scalar real(double value) { return {.real = value}; }
inline Scalar integer(int64_t value) { return {.integer = value}; }

/// A value as one of `dtype`: floats rounded (float16 and bfloat16 by way of float32, as compiled
/// code computes them), integers wrapped, booleans 0 or 1.
Scalar roundTo(DType dtype, Scalar value);

/// Row-major elements, each a value of the dtype.
struct Array {
  DType dtype = DType::float32;
  Sizes sizes;
  std::vector<Scalar> values;

  Array(DType dtype, Sizes sizes);
  explicit Array(const HostTensor &tensor);
  HostTensor toHost() const;

  int64_t rank() const { return static_cast<int64_t>(sizes.size()); }
  int64_t numElements() const { return static_cast<int64_t>(values.size()); }
  double realAt(int64_t offset) const { return values[static_cast<size_t>(offset)].real; }
  int64_t integerAt(int64_t offset) const { return values[static_cast<size_t>(offset)].integer; }
  /// Stores a computed value, rounded to the dtype.
  void set(int64_t offset, Scalar value) {
    values[static_cast<size_t>(offset)] = roundTo(dtype, value);
  }
};

/// Values are shared, never changed.
using ArrayPtr = std::shared_ptr<const Array>;

int64_t product(std::span<const int64_t> sizes);
/// Row-major strides, in elements.
Sizes stridesOf(const Sizes &sizes);
/// The strides with which an array of `sizes` is read as one of `result`: 0 where it repeats.
Sizes broadcastStrides(const Sizes &sizes, const Sizes &result);
/// base + sum(index[i] * strides[i]) for each index of `sizes`, in row-major order.
Sizes offsetsOf(const Sizes &sizes, const Sizes &strides, int64_t base = 0);

/// The elements along one axis: `offset`, `offset + stride`, …, `count` of them.
struct Row {
  int64_t index, offset, stride, count;
  int64_t at(int64_t i) const { return offset + i * stride; }
};
/// All rows along `axis`, in row-major order of the others.
std::vector<Row> rowsOf(const Sizes &sizes, int64_t axis);

} // namespace kiln::ir
