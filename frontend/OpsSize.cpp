#include "frontend/Record.h"
#include "frontend/Trace.h"
#include "kiln/Ops.h"

#include <fmt/format.h>

/// Sizes: as values, and under other names.
namespace kiln {

using detail::Call;

Tensor fromDim(const Dim &dim, Where where) {
  Call call("fromDim", where);
  auto ofSizes = [](Tensor scalar) {
    scalar.handle()->isOfSizes = true; // nobody else sees it yet
    return scalar;
  };
  if (dim.isStatic())
    return ofSizes(Tensor::constant(dim.value(), DType::int64, CPU(), where));
  if (!detail::TraceScope::isActive())
    call.fail(ErrorKind::value,
              fmt::format("a symbolic dim has no value in eager mode: {}", dim.str()));
  return ofSizes(call.record("size", {}, {{"dim", Shape{dim}}}));
}

Tensor Tensor::fromDim(const Dim &dim, Where where) { return kiln::fromDim(dim, where); }

namespace {

[[noreturn]] void failRebind(const Call &call, const Shape &expected, const TensorType &got) {
  call.fail(ErrorKind::value,
            fmt::format("rebind shape check failed: expected shape {}, but got {} on {}",
                        expected.str(), got.str(), got.device.str()));
}

/// Outside of a trace sizes are known, and names mean nothing beyond the call: each must be one
/// size.
void checkSizes(const Call &call, const TensorType &type, const Shape &shape) {
  DimBindings sizes;
  for (int64_t axis = 0; axis < type.rank(); ++axis)
    if (shape[axis].isName())
      sizes.try_emplace(shape[axis].str(), type.shape[axis].value());
  for (int64_t axis = 0; axis < type.rank(); ++axis) {
    for (const std::string &name : shape[axis].names())
      if (!sizes.contains(name))
        call.fail(ErrorKind::value,
                  fmt::format("\"{}\" has no size in eager mode: {}", name, shape.str()));
    if (shape[axis].evaluate(sizes) != type.shape[axis].value())
      failRebind(call, Shape(std::span<const int64_t>(shape.evaluate(sizes))), type);
  }
}

} // namespace

Tensor rebind(const Tensor &x, const Shape &shape, Where where) {
  Call call("rebind", where);
  const TensorType &type = call.type(x);
  if (shape.rank() != type.rank())
    call.fail(ErrorKind::value,
              fmt::format("rebind shape check failed: expected rank {} of shape {}, "
                          "but got {} on {}",
                          shape.rank(), shape.str(), type.str(), type.device.str()));
  for (int64_t axis = 0; axis < type.rank(); ++axis)
    if (Dim difference = type.shape[axis] - shape[axis];
        difference.isStatic() && difference != Dim(0))
      failRebind(call, shape, type);
  if (!detail::TraceScope::isActive() && type.shape.isStatic()) {
    checkSizes(call, type, shape);
    return x;
  }
  return shape == type.shape ? x : call.record("rebind", {x}, {{"shape", shape}});
}

Tensor Tensor::rebind(const Shape &shape, Where where) const {
  return kiln::rebind(*this, shape, where);
}

} // namespace kiln
