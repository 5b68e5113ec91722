#pragma once

#include "frontend/Node.h"
#include "kiln/Operand.h"

#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::detail {

/// One call of a public operation: what its errors are called, where it was written, and the nodes
/// that it records.
class Call {
public:
  Call(std::string_view name, const std::source_location &where) : name(name), where(where) {}

  std::string_view name;
  std::source_location where;
  /// Whether views of what is there share its memory at once. Else they stay part of the graph,
  /// which then knows how their sizes hang together with those of the whole.
  bool sharesMemory = true;

  /// Throws the class of `kind` with "[name] message (at file:line)".
  [[noreturn]] void fail(ErrorKind kind, const std::string &message) const;
  const TensorType &type(const Tensor &x) const;
  /// Axis in [0, rank). Errors: IndexError.
  int64_t axis(int64_t axis, int64_t rank) const;
  /// An axis of x. Errors: IndexError that names x.
  int64_t axis(int64_t axis, const TensorType &x) const;
  /// What `make` gives: arithmetic on dims, whose errors are then this call's.
  template <class F> auto dims(F &&make) const {
    try {
      return make();
    } catch (const Error &) {
      rethrow();
    }
  }
  /// In a handler: the current error as one of this call.
  [[noreturn]] void rethrow() const;

  /// Records `op` if the shape rules accept it. Errors: theirs; ValueError for different devices.
  Tensor record(std::string_view op, const std::vector<Tensor> &operands,
                ir::Attributes attributes = {}, std::vector<uint8_t> hints = {}) const;

  /// kiln::promote. Errors: TypeError of this call.
  DType promote(DType a, DType b) const;
  Tensor cast(const Tensor &x, DType dtype) const;
  /// x, or float32 if its dtype is no float.
  Tensor toFloat(const Tensor &x) const;
  /// The dtype of toFloat(x).
  DType floatOf(const Tensor &x) const;
  /// x as float64 if it is that, else as float32: for several steps that are rounded once.
  Tensor toWide(const Tensor &x) const;
  Tensor reshape(const Tensor &x, Shape shape) const;
  /// A reshape that joins, drops and inserts whole axes: `targets` says for each axis of x which
  /// axis of the result it is part of, or -1.
  Tensor joinAxes(const Tensor &x, Shape shape, const std::vector<int64_t> &targets) const;
  Tensor permute(const Tensor &x, std::vector<int64_t> axes) const;
  Tensor broadcastTo(const Tensor &x, Shape shape) const;
  /// The value of a dim that is a name, rank 0, int64, where the other operands are.
  Tensor sizeOf(const Dim &dim, Device device) const;
  /// The entries of one axis in reverse order.
  Tensor reverse(const Tensor &x, int64_t axis) const;
  /// A rank-0 constant. Errors: ValueError ("Unsafe cast") if the value does not fit the dtype.
  Tensor scalar(const Scalar &value, DType dtype, Device device) const;

  enum class Kind : uint8_t { arithmetic, comparison, division, bits };
  /// Records a binary op on operands that are brought to one dtype.
  Tensor binary(std::string_view op, const Operand &x, const Operand &y,
                Kind kind = Kind::arithmetic) const;
  /// Both sides as tensors of one dtype; a number takes that of the tensor.
  std::pair<Tensor, Tensor> promoted(const Operand &x, const Operand &y,
                                     Kind kind = Kind::arithmetic) const;
};

/// Memory for a tensor. Errors: TypeError for a symbolic shape; ValueError for more bytes than
/// int64 counts; DeviceError if there is no such memory, which says how much was asked for.
std::shared_ptr<runtime::Buffer> allocate(const Call &call, const TensorType &type);

/// Writes `value` as one element. False if it does not fit.
bool storeScalar(const Scalar &value, DType dtype, std::byte *to);
/// The dtype of a number that stands beside no tensor.
DType scalarDType(const Scalar &value);

} // namespace kiln::detail
