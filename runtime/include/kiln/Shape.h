#pragma once

#include "kiln/DType.h"
#include "kiln/Device.h"
#include "kiln/Dim.h"

#include <initializer_list>
#include <span>
#include <vector>

namespace kiln {

/// A list of dims, outermost first; the contents of a tensor are dense and row-major.
class Shape {
public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims(dims) {}
  explicit Shape(std::vector<Dim> dims) : dims(std::move(dims)) {}
  explicit Shape(std::span<const int64_t> sizes) : dims(sizes.begin(), sizes.end()) {}

  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  /// Negative indices count from the back. Errors: IndexError.
  const Dim &operator[](int64_t axis) const;
  auto begin() const { return dims.begin(); }
  auto end() const { return dims.end(); }
  bool empty() const { return dims.empty(); }

  bool isStatic() const;
  /// The product of all dims (1 for rank 0).
  Dim numElements() const;
  /// The sizes as numbers. Errors: TypeError if one is symbolic.
  std::vector<int64_t> sizes() const;
  std::vector<int64_t> evaluate(const DimBindings &bindings) const;
  const std::vector<Dim> &vec() const { return dims; }

  /// `[3, batch]`: as in error messages.
  std::string str() const;
  friend bool operator==(const Shape &, const Shape &) = default;

private:
  std::vector<Dim> dims;
};

/// Prints `[Dim(4), Dim(16), Dim(256)]`.
std::ostream &operator<<(std::ostream &os, const Shape &shape);

/// Element type, shape and place of a tensor. The device defaults to the default device.
/// Errors: TypeError for a negative dim ("dimensions must be non-negative").
struct TensorType {
  DType dtype = DType::float32;
  Shape shape;
  Device device;

  TensorType() = default;
  TensorType(DType dtype, Shape shape);
  TensorType(DType dtype, Shape shape, Device device);

  int64_t rank() const { return shape.rank(); }
  /// Bytes of the contents.
  Dim sizeBytes() const;
  /// `[3, batch] f32`: as in error messages.
  std::string str() const;
  friend bool operator==(const TensorType &, const TensorType &) = default;
};

std::ostream &operator<<(std::ostream &os, const TensorType &type);

} // namespace kiln
