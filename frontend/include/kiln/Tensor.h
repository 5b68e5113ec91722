#pragma once

#include "kiln/Error.h"
#include "kiln/Operand.h"
#include "kiln/Shape.h"

#include <initializer_list>
#include <memory>
#include <optional>
#include <ostream>
#include <source_location>
#include <span>
#include <string>
#include <utility>
#include <vector>

struct DLManagedTensor; // <dlpack/dlpack.h>

namespace kiln {

namespace detail {
struct Node; // frontend/Node.h

/// The C++ types that are elements of tensors.
template <class T>
concept Element =
    std::is_arithmetic_v<T> || std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
} // namespace detail

/// The place of a call; a default argument of all operations, for their errors.
using Where = std::source_location;

/// A cheap handle on shared, immutable contents. An operation records a node; contents are
/// computed when they are read, everything pending below them as one graph. Safe to keep in
/// `auto`, to copy and to use from many threads.
/// Errors: a mistake in shapes, dtypes or devices is thrown by the operation that makes it.
class Tensor {
public:
  /// Empty: no contents; anything but assignment is a TypeError.
  Tensor() = default;

  // Making tensors. The dtype and device default to those of defaults().

  static Tensor zeros(const Shape &shape, std::optional<DType> dtype = {},
                      std::optional<Device> device = {}, Where where = Where::current());
  static Tensor ones(const Shape &shape, std::optional<DType> dtype = {},
                     std::optional<Device> device = {}, Where where = Where::current());
  /// Errors: ValueError if `value` does not fit the dtype.
  static Tensor full(const Shape &shape, Scalar value, std::optional<DType> dtype = {},
                     std::optional<Device> device = {}, Where where = Where::current());
  static Tensor zerosLike(const Tensor &other, Where where = Where::current());
  static Tensor onesLike(const Tensor &other, Where where = Where::current());
  static Tensor fullLike(const Tensor &other, Scalar value, Where where = Where::current());
  /// Of the type of `other`, which has an axis at least: 0, 1, … along the last one.
  static Tensor rangeLike(const Tensor &other, Where where = Where::current());

  /// A scalar of the dtype of `value` unless another is given.
  template <detail::Element T>
  static Tensor constant(T value, std::optional<DType> dtype = {},
                         std::optional<Device> device = {}, Where where = Where::current()) {
    return fromBytes(&value, sizeof(T), dtypeOf<T>(), Shape{}, dtype, device, where);
  }
  /// Nested lists up to four deep: `constant({{1, 2}, {3, 4}})` has shape [2, 2].
  /// Errors: ValueError if rows differ in length.
  template <detail::Element T>
  static Tensor constant(std::initializer_list<T> values, std::optional<DType> dtype = {},
                         std::optional<Device> device = {}, Where where = Where::current()) {
    return fromBytes(values.begin(), values.size() * sizeof(T), dtypeOf<T>(), Shape{values.size()},
                     dtype, device, where);
  }
  template <detail::Element T>
  static Tensor constant(std::initializer_list<std::initializer_list<T>> values,
                         std::optional<DType> dtype = {}, std::optional<Device> device = {},
                         Where where = Where::current()) {
    return fromNested<T>(values, dtype, device, where);
  }
  template <detail::Element T>
  static Tensor
  constant(std::initializer_list<std::initializer_list<std::initializer_list<T>>> values,
           std::optional<DType> dtype = {}, std::optional<Device> device = {},
           Where where = Where::current()) {
    return fromNested<T>(values, dtype, device, where);
  }
  template <detail::Element T>
  static Tensor constant(
      std::initializer_list<std::initializer_list<std::initializer_list<std::initializer_list<T>>>>
          values,
      std::optional<DType> dtype = {}, std::optional<Device> device = {},
      Where where = Where::current()) {
    return fromNested<T>(values, dtype, device, where);
  }

  /// Of one axis.
  template <detail::Element T>
    requires(!std::is_same_v<T, bool>)
  static Tensor constant(const std::vector<T> &values, std::optional<DType> dtype = {},
                         std::optional<Device> device = {}, Where where = Where::current()) {
    return fromData(values, Shape{values.size()}, dtype, device, where);
  }

  /// Copies `values`, row-major. Errors: ValueError if their number is not that of the shape.
  template <class T, std::size_t N>
    requires detail::Element<std::remove_cv_t<T>>
  static Tensor fromData(std::span<T, N> values, const Shape &shape,
                         std::optional<DType> dtype = {}, std::optional<Device> device = {},
                         Where where = Where::current(), const char *operation = "fromData") {
    return fromBytes(values.data(), values.size_bytes(), dtypeOf<std::remove_cv_t<T>>(), shape,
                     dtype, device, where, operation);
  }
  template <detail::Element T>
    requires(!std::is_same_v<T, bool>)
  static Tensor fromData(const std::vector<T> &values, const Shape &shape,
                         std::optional<DType> dtype = {}, std::optional<Device> device = {},
                         Where where = Where::current()) {
    return fromData(std::span<const T>(values), shape, dtype, device, where);
  }

  /// The memory of another library, without a copy; it must not change any more. The tensor calls
  /// the capsule's deleter when it needs the memory no longer. After an error the capsule is still
  /// the caller's. Errors: ValueError for strides that are not dense and row-major, for memory that
  /// is not aligned to the elements and for a broken capsule; TypeError for a dtype that there is
  /// not here; DeviceError for memory that the host cannot read.
  static Tensor fromDLPack(DLManagedTensor *managed, Where where = Where::current());
  /// The contents for another library, without a copy: read only. The caller owns the capsule and
  /// calls its deleter once; the memory lives until then.
  DLManagedTensor *toDLPack(Where where = Where::current()) const;

  /// start, start + step, … up to but without stop; `arange(n)` counts from 0. int64 for whole
  /// bounds, else the default dtype. Bounds may be dims.
  /// Errors: ValueError if step is zero.
  static Tensor arange(const Bound &start, const std::optional<Bound> &stop = {},
                       const Bound &step = 1, std::optional<DType> dtype = {},
                       std::optional<Device> device = {}, Where where = Where::current());

  /// The value of a dim: rank 0, int64, on the CPU. It, and scalars that are computed of such
  /// values, go to the device of whatever they are used with.
  /// Errors: ValueError for a symbolic one outside of a trace ("eager mode").
  static Tensor fromDim(const Dim &dim, Where where = Where::current());

  // What it is. Errors: TypeError if empty.

  const TensorType &type(Where where = Where::current()) const;
  const Shape &shape(Where where = Where::current()) const { return type(where).shape; }
  int64_t rank(Where where = Where::current()) const { return type(where).shape.rank(); }
  DType dtype(Where where = Where::current()) const { return type(where).dtype; }
  Device device(Where where = Where::current()) const { return type(where).device; }
  /// The size of one axis. Errors: IndexError.
  const Dim &size(int64_t axis, Where where = Where::current()) const {
    return type(where).shape[axis];
  }
  /// Errors: TypeError if the shape is symbolic.
  int64_t numElements(Where where = Where::current()) const;
  /// Whether this handle has a tensor.
  bool defined() const { return node != nullptr; }
  /// Whether the contents are there already.
  bool isRealized() const;

  // Reading. Errors: TypeError while tracing, and where T is not the dtype's type.

  /// Computes the contents now. Errors: whatever the compiler and the kernels report.
  const Tensor &realize(Where where = Where::current()) const;
  /// Errors: ValueError unless there is exactly one element.
  template <detail::Element T> T item(Where where = Where::current()) const {
    T value;
    readItem(&value, dtypeOf<T>(), where);
    return value;
  }
  /// The contents, row-major; lives as long as a handle on this tensor does. On an accelerator:
  /// copied to the host.
  template <detail::Element T> std::span<const T> data(Where where = Where::current()) const {
    return {static_cast<const T *>(readData(dtypeOf<T>(), "data", where)),
            static_cast<std::size_t>(numElements())};
  }
  template <detail::Element T> std::vector<T> toVector(Where where = Where::current()) const {
    const auto *begin = static_cast<const T *>(readData(dtypeOf<T>(), "toVector", where));
    return std::vector<T>(begin, begin + numElements());
  }
  /// The bytes of the contents, row-major.
  std::span<const std::byte> bytes(Where where = Where::current()) const;

  // Other views and conversions. Negative axes count from the back.

  Tensor to(Device device, Where where = Where::current()) const;
  Tensor cast(DType dtype, Where where = Where::current()) const;
  /// Swaps the last two axes. Errors: ValueError below rank 2.
  Tensor T(Where where = Where::current()) const;
  Tensor transpose(int64_t axis0, int64_t axis1, Where where = Where::current()) const;
  Tensor permute(const std::vector<int64_t> &axes, Where where = Where::current()) const;
  /// One dim may be -1. Errors: ValueError unless the numbers of elements are provably equal.
  Tensor reshape(const Shape &shape, Where where = Where::current()) const;
  /// `x.reshape(2, -1, 4)`.
  template <class... Rest>
    requires(std::is_convertible_v<const Rest &, Dim> && ...)
  Tensor reshape(const DimAt &first, const Rest &...rest) const {
    return reshape(Shape{first.dim, Dim(rest)...}, first.where);
  }
  Tensor broadcastTo(const Shape &shape, Where where = Where::current()) const;
  /// Other dims of the same sizes: `x.rebind({"batch", Dim("dim") / 4 * 4})`. What cannot be told
  /// before sizes are known is checked when the model is called; a name that is no dim of an input
  /// is introduced. Errors: ValueError for another rank, or sizes that differ.
  Tensor rebind(const Shape &shape, Where where = Where::current()) const;
  /// Drops an axis of size 1. Errors: ValueError if its size is another.
  Tensor squeeze(int64_t axis, Where where = Where::current()) const;
  Tensor unsqueeze(int64_t axis, Where where = Where::current()) const;
  /// Joins the axes from start to end, both included.
  Tensor flatten(int64_t startAxis = 0, int64_t endAxis = -1, Where where = Where::current()) const;
  /// Takes an axis apart into `sizes`, one of which may be -1.
  Tensor unflatten(int64_t axis, const Shape &sizes, Where where = Where::current()) const;
  /// As transpose.
  Tensor swapaxes(int64_t axis0, int64_t axis1, Where where = Where::current()) const;
  /// Reverses the order along some axes.
  Tensor flip(const std::vector<int64_t> &axes, Where where = Where::current()) const;
  /// The whole tensor `repeats[i]` times along axis i; more repeats than axes add axes in front.
  /// Errors: ValueError for fewer repeats than axes.
  Tensor repeat(const std::vector<int64_t> &repeats, Where where = Where::current()) const;
  Tensor repeatInterleave(int64_t repeats, int64_t axis = 0, Where where = Where::current()) const;
  /// Parts of `size` (the last may be smaller), or of the given sizes.
  std::vector<Tensor> split(int64_t size, int64_t axis = 0, Where where = Where::current()) const;
  std::vector<Tensor> split(const std::vector<int64_t> &sizes, int64_t axis = 0,
                            Where where = Where::current()) const;
  /// At most `count` parts of equal size, but for the last.
  std::vector<Tensor> chunk(int64_t count, int64_t axis = 0, Where where = Where::current()) const;
  /// The entries along an axis, without that axis.
  std::vector<Tensor> unbind(int64_t axis = 0, Where where = Where::current()) const;
  /// x[0]: the first entry along axis 0, without that axis.
  Tensor operator[](At at) const;
  Tensor slice(const std::vector<Index> &index, Where where = Where::current()) const;

  // As the free functions of Ops.h. Reductions keep the reduced axes with size 1; of nullopt they
  // flatten first, so that one element of shape [1] is left.

  Tensor sum(const Axes &axes = -1, Where where = Where::current()) const;
  Tensor mean(const Axes &axes = -1, Where where = Where::current()) const;
  Tensor prod(const Axes &axes = -1, Where where = Where::current()) const;
  Tensor max(const Axes &axes = -1, Where where = Where::current()) const;
  Tensor min(const Axes &axes = -1, Where where = Where::current()) const;
  Tensor argmax(int64_t axis = -1, Where where = Where::current()) const;
  Tensor argmax(std::nullopt_t, Where where = Where::current()) const;
  Tensor argmin(int64_t axis = -1, Where where = Where::current()) const;
  Tensor cumsum(int64_t axis = -1, Where where = Where::current()) const;
  Tensor argsort(int64_t axis = -1, bool descending = false, Where where = Where::current()) const;
  std::pair<Tensor, Tensor> topK(int64_t k, int64_t axis = -1,
                                 Where where = Where::current()) const;
  Tensor nonzero(Where where = Where::current()) const;
  Tensor argmin(std::nullopt_t, Where where = Where::current()) const;
  /// Without the reduced axes.
  Tensor amax(const Axes &axes = std::nullopt, Where where = Where::current()) const;
  Tensor amin(const Axes &axes = std::nullopt, Where where = Where::current()) const;
  Tensor clamp(std::optional<Scalar> low, std::optional<Scalar> high = {},
               Where where = Where::current()) const;
  Tensor maskedFill(const Tensor &mask, Scalar value, Where where = Where::current()) const;

  /// For the library itself.
  explicit Tensor(std::shared_ptr<detail::Node> node) : node(std::move(node)) {}
  const std::shared_ptr<detail::Node> &handle() const { return node; }

private:
  static Tensor fromBytes(const void *data, std::size_t sizeBytes, DType type, const Shape &shape,
                          std::optional<DType> dtype, std::optional<Device> device, Where where,
                          const char *operation = "constant");
  template <class T, class List>
  static Tensor fromNested(const List &values, std::optional<DType> dtype,
                           std::optional<Device> device, Where where) {
    std::vector<int64_t> sizes;
    collectSizes<T>(values, sizes);
    struct Plain { // std::vector<bool> has no elements to point to
      T value;
    };
    std::vector<Plain> flat;
    std::pair<int64_t, int64_t> uneven{-1, -1}; // sizes of two rows
    collectValues<T>(values, sizes.data(), flat, uneven);
    if (uneven.first != uneven.second)
      throw ValueError("[constant] rows differ in length: " + std::to_string(uneven.first) +
                       " and " + std::to_string(uneven.second) + atLocation(where));
    return fromBytes(flat.data(), flat.size() * sizeof(T), dtypeOf<T>(),
                     Shape(std::span<const int64_t>(sizes)), dtype, device, where);
  }
  template <class T, class List>
  static void collectSizes(const List &list, std::vector<int64_t> &sizes) {
    sizes.push_back(static_cast<int64_t>(list.size()));
    if constexpr (!std::is_same_v<typename List::value_type, T>) {
      if (list.size())
        collectSizes<T>(*list.begin(), sizes);
    }
  }
  template <class T, class List, class Flat>
  static void collectValues(const List &list, const int64_t *size, Flat &flat,
                            std::pair<int64_t, int64_t> &uneven) {
    if (static_cast<int64_t>(list.size()) != *size)
      uneven = {*size, static_cast<int64_t>(list.size())};
    for (const auto &entry : list)
      if constexpr (std::is_same_v<typename List::value_type, T>)
        flat.push_back({entry});
      else if (uneven.first == uneven.second)
        collectValues<T>(entry, size + 1, flat, uneven);
  }
  void readItem(void *value, DType dtype, Where where) const;
  const void *readData(DType dtype, const char *operation, Where where) const;

  std::shared_ptr<detail::Node> node;
};

/// `Tensor([1 2 3], dtype=float32, device=cpu:0)`: four significant digits, one cell width; dims
/// beyond two are tiled; above 1,000 elements three items of each end of a dim. Reads the contents.
std::ostream &operator<<(std::ostream &os, const Tensor &tensor);

namespace detail {
void realizeAll(std::span<const Tensor *const> tensors);
}

/// Computes several tensors as one graph.
template <class... Tensors>
  requires(std::is_same_v<std::remove_cvref_t<Tensors>, Tensor> && ...)
void realize(const Tensors &...tensors) {
  const Tensor *const list[] = {&tensors...};
  detail::realizeAll(list);
}

// Elementwise, broadcasting as in NumPy, promotion as in PyTorch. Comparisons are IEEE's and give
// booleans; true division of integers gives float32; `%` has the sign of the divisor.

Tensor operator+(const Operand &x, const Operand &y);
Tensor operator-(const Operand &x, const Operand &y);
Tensor operator*(const Operand &x, const Operand &y);
Tensor operator/(const Operand &x, const Operand &y);
Tensor operator%(const Operand &x, const Operand &y);
Tensor operator-(const Operand &x);
Tensor operator==(const Operand &x, const Operand &y);
Tensor operator!=(const Operand &x, const Operand &y);
Tensor operator<(const Operand &x, const Operand &y);
Tensor operator<=(const Operand &x, const Operand &y);
Tensor operator>(const Operand &x, const Operand &y);
Tensor operator>=(const Operand &x, const Operand &y);
Tensor operator&(const Operand &x, const Operand &y);
Tensor operator|(const Operand &x, const Operand &y);
Tensor operator^(const Operand &x, const Operand &y);
Tensor operator~(const Operand &x);

// The handle takes the result; the tensor that it had stays what it is.

inline Tensor &operator+=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) + y; }
inline Tensor &operator-=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) - y; }
inline Tensor &operator*=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) * y; }
inline Tensor &operator/=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) / y; }
inline Tensor &operator%=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) % y; }
inline Tensor &operator&=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) & y; }
inline Tensor &operator|=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) | y; }
inline Tensor &operator^=(Tensor &x, const Operand &y) { return x = Operand(x, y.where) ^ y; }

} // namespace kiln
