#include "frontend/GraphScope.h"
#include "frontend/Record.h"
#include "frontend/Trace.h"
#include "ir/ShapeRules.h"
#include "kiln/Defaults.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace kiln {

using detail::Call;
using detail::TraceScope;
using runtime::Buffer;

static std::size_t bytesOf(const Call &call, const TensorType &type) {
  if (!type.shape.isStatic())
    call.fail(ErrorKind::type, fmt::format("the shape {} is symbolic, and nothing is being traced",
                                           type.shape.str()));
  try {
    return static_cast<std::size_t>(type.sizeBytes().value());
  } catch (const ValueError &) {
    call.fail(ErrorKind::value, "more bytes than int64 counts: " + type.str());
  }
}

std::shared_ptr<Buffer> detail::allocate(const Call &call, const TensorType &type) {
  std::size_t numBytes = bytesOf(call, type);
  try {
    return Buffer::allocate(numBytes, type.device);
  } catch (const DeviceError &error) {
    call.fail(ErrorKind::device, fmt::format("{} for {}", error.what(), type.str()));
  }
}

namespace {

/// The most elements of a `constant` of a graph; larger ones are weights (docs/architecture.md).
constexpr int64_t maxConstantElements = 64;

TensorType typeFor(const Call &call, const Shape &shape, std::optional<DType> dtype,
                   std::optional<Device> device, std::optional<DType> natural = {}) {
  auto [defaultDType, defaultDevice] = defaults();
  Device place = device.value_or(defaultDevice);
  detail::checkDevice(place, call.name, call.where);
  return call.dims(
      [&] { return TensorType(dtype.value_or(natural.value_or(defaultDType)), shape, place); });
}

Tensor constantNode(const Call &call, const TensorType &type, const std::byte *bytes) {
  auto data = std::make_shared<ir::DenseData>();
  data->type = type;
  data->bytes.assign(bytes, bytes + type.sizeBytes().value());
  return call.record("constant", {},
                     {{"value", std::shared_ptr<const ir::DenseData>(std::move(data))}});
}

/// Contents that are known now: a leaf, or part of the graph where one is traced.
Tensor leaf(const Call &call, const TensorType &type, std::shared_ptr<const Buffer> buffer) {
  if (TraceScope::isActive() && type.shape.numElements().value() <= maxConstantElements)
    return constantNode(call, type, buffer->data());
  Tensor result = detail::realizedTensor(type, std::move(buffer));
  result.handle()->graph = detail::GraphScope::current();
  return result;
}

/// All elements `value`. Errors: ValueError if it does not fit.
Tensor filled(const Call &call, const TensorType &type, const Scalar &value) {
  if (TraceScope::isActive())
    return call.broadcastTo(call.scalar(value, type.dtype, type.device), type.shape);
  std::size_t elementBytes = sizeBytes(type.dtype);
  std::byte element[8];
  if (!detail::storeScalar(value, type.dtype, element))
    call.scalar(value, type.dtype, type.device); // says what is wrong
  auto buffer = detail::allocate(call, type);
  std::byte *to = buffer->mutableData();
  std::size_t total = buffer->sizeBytes();
  if (std::all_of(element, element + elementBytes,
                  [&](std::byte byte) { return byte == element[0]; })) {
    std::memset(to, static_cast<int>(element[0]), total);
  } else {
    for (std::size_t i = 0; i < total; i += elementBytes)
      std::memcpy(to + i, element, elementBytes);
  }
  return leaf(call, type, std::move(buffer));
}

/// start + i * step, i in [0, count).
template <class T, class Value>
void fillRange(std::byte *to, int64_t count, Value start, Value step) {
  for (int64_t i = 0; i < count; ++i) {
    Value value = start + static_cast<Value>(i) * step;
    T element;
    if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
      element = T(static_cast<float>(value));
    else
      element = static_cast<T>(value);
    std::memcpy(to + i * static_cast<int64_t>(sizeof(T)), &element, sizeof(T));
  }
}

template <class Value>
void fillRange(DType dtype, std::byte *to, int64_t count, Value start, Value step) {
  switch (dtype) {
  case DType::boolean:
    return fillRange<bool>(to, count, start, step);
  case DType::int8:
    return fillRange<int8_t>(to, count, start, step);
  case DType::int16:
    return fillRange<int16_t>(to, count, start, step);
  case DType::int32:
    return fillRange<int32_t>(to, count, start, step);
  case DType::int64:
    return fillRange<int64_t>(to, count, start, step);
  case DType::uint8:
    return fillRange<uint8_t>(to, count, start, step);
  case DType::uint16:
    return fillRange<uint16_t>(to, count, start, step);
  case DType::uint32:
    return fillRange<uint32_t>(to, count, start, step);
  case DType::uint64:
    return fillRange<uint64_t>(to, count, start, step);
  case DType::float16:
    return fillRange<Float16>(to, count, start, step);
  case DType::bfloat16:
    return fillRange<BFloat16>(to, count, start, step);
  case DType::float32:
    return fillRange<float>(to, count, start, step);
  case DType::float64:
    return fillRange<double>(to, count, start, step);
  }
}

/// A bound of whole numbers. Errors: ValueError for one with a fraction or beyond int64.
Bound wholeBound(const Call &call, const Bound &bound, DType dtype) {
  if (!bound.isReal)
    return bound;
  if (std::trunc(bound.real) != bound.real || !(std::abs(bound.real) < 0x1p63))
    call.fail(ErrorKind::value, fmt::format("Unsafe cast: the number {} does not fit {}",
                                            bound.real, kiln::name(dtype)));
  return static_cast<int64_t>(bound.real);
}

} // namespace

Tensor Tensor::full(const Shape &shape, Scalar value, std::optional<DType> dtype,
                    std::optional<Device> device, Where where) {
  Call call("full", where);
  return filled(call, typeFor(call, shape, dtype, device), value);
}

Tensor Tensor::zeros(const Shape &shape, std::optional<DType> dtype, std::optional<Device> device,
                     Where where) {
  Call call("zeros", where);
  return filled(call, typeFor(call, shape, dtype, device), 0);
}

Tensor Tensor::ones(const Shape &shape, std::optional<DType> dtype, std::optional<Device> device,
                    Where where) {
  Call call("ones", where);
  return filled(call, typeFor(call, shape, dtype, device), 1);
}

Tensor Tensor::zerosLike(const Tensor &other, Where where) {
  Call call("zerosLike", where);
  return filled(call, call.type(other), 0);
}

Tensor Tensor::onesLike(const Tensor &other, Where where) {
  Call call("onesLike", where);
  return filled(call, call.type(other), 1);
}

Tensor Tensor::fullLike(const Tensor &other, Scalar value, Where where) {
  Call call("fullLike", where);
  return filled(call, call.type(other), value);
}

Tensor Tensor::rangeLike(const Tensor &other, Where where) {
  Call call("rangeLike", where);
  const TensorType type = call.type(other);
  if (!type.rank())
    call.fail(ErrorKind::value, fmt::format("needs a rank of at least 1: {}", type.str()));
  return call.broadcastTo(arange(0, type.shape[-1], 1, type.dtype, type.device, where), type.shape);
}

Tensor Tensor::fromBytes(const void *data, std::size_t numBytes, DType given, const Shape &shape,
                         std::optional<DType> dtype, std::optional<Device> device, Where where,
                         const char *operation) {
  Call call(operation, where);
  TensorType type = typeFor(call, shape, given, device);
  if (bytesOf(call, type) != numBytes)
    call.fail(ErrorKind::value,
              fmt::format("{} values do not fill shape {}, which has {}",
                          numBytes / sizeBytes(given), shape.str(), shape.numElements().str()));
  auto buffer = detail::allocate(call, type);
  if (numBytes)
    std::memcpy(buffer->mutableData(), data, numBytes);
  Tensor result = leaf(call, type, std::move(buffer));
  return dtype ? call.cast(result, *dtype) : result;
}

Tensor Tensor::arange(const Bound &first, const std::optional<Bound> &second,
                      const Bound &givenStep, std::optional<DType> dtype,
                      std::optional<Device> device, Where where) {
  Call call("arange", where);
  Bound start = second ? first : Bound(0), step = givenStep;
  const Bound &stop = second ? *second : first;
  bool isReal = start.isReal || stop.isReal || step.isReal;
  TensorType type =
      typeFor(call, Shape{}, dtype, device, isReal ? std::optional<DType>() : DType::int64);
  auto number = [&](const Bound &bound) {
    return bound.isReal ? bound.real : static_cast<double>(bound.dim.value());
  };
  auto requireNumber = [&](const char *which, const Bound &bound) {
    if (!bound.isReal && !bound.dim.isStatic())
      call.fail(ErrorKind::type, fmt::format("the {} must be a number, not the symbolic {}", which,
                                             bound.dim.str()));
  };
  requireNumber("step", step);
  requireNumber("start", start);
  if (isReal)
    requireNumber("stop", stop);
  if (type.dtype == DType::boolean)
    call.fail(ErrorKind::type, "expected numbers, not booleans: dtype bool");
  if (number(step) == 0)
    call.fail(ErrorKind::value, "the step must not be 0");

  Dim count;
  if (isReal) {
    double exact = std::ceil((number(stop) - number(start)) / number(step));
    if (!(std::abs(exact) < 0x1p62))
      call.fail(ErrorKind::value, fmt::format("the bounds are too far apart: from {} to {} by {}",
                                              number(start), number(stop), number(step)));
    count = Dim(std::max<int64_t>(0, static_cast<int64_t>(exact)));
  } else {
    // ceil((stop - start) / step) by floor divisions.
    int64_t by = step.dim.value();
    count = call.dims([&] {
      Dim distance = by > 0 ? stop.dim - start.dim : start.dim - stop.dim;
      Dim magnitude = by > 0 ? Dim(by) : Dim(0) - Dim(by);
      return (distance + magnitude - Dim(1)) / magnitude;
    });
    if (count.isStatic() && count.value() < 0)
      count = Dim(0);
  }
  Shape shape{count};
  bool isInteger = !isFloat(type.dtype);
  if (isInteger)
    for (Bound *bound : {&start, &step})
      *bound = wholeBound(call, *bound, type.dtype);
  ir::Attributes attributes{{"shape", shape}, {"dtype", type.dtype}};
  if (isInteger) {
    attributes.set("start", start.dim.value());
    attributes.set("step", step.dim.value());
  } else {
    attributes.set("start", number(start));
    attributes.set("step", number(step));
  }
  if (TraceScope::isActive()) {
    Tensor result = call.record("iota", {}, std::move(attributes));
    result.handle()->value.type.device =
        type.device; // the rules know none; nobody else sees it yet
    return result;
  }
  if (ir::Inferred inferred = ir::inferType("iota", {}, attributes); !inferred)
    call.fail(inferred.error, "Unsafe cast: " + inferred.message);
  type.shape = shape;
  auto buffer = detail::allocate(call, type);
  if (isInteger)
    fillRange<int64_t>(type.dtype, buffer->mutableData(), count.value(), start.dim.value(),
                       step.dim.value());
  else
    fillRange<double>(type.dtype, buffer->mutableData(), count.value(), number(start),
                      number(step));
  return detail::realizedTensor(std::move(type), std::move(buffer));
}

} // namespace kiln
