#include "frontend/Record.h"
#include "frontend/gguf/Rows.h"
#include "kiln/Gguf.h"

#include <fmt/format.h>

namespace kiln::quantization {

namespace {

using kiln::detail::Call;

/// The shape of `x` with rows of another length.
Shape withRows(const Shape &shape, int64_t length) {
  std::vector<int64_t> sizes = shape.sizes();
  sizes.back() = length;
  return Shape(std::span<const int64_t>(sizes));
}

/// The length of the rows. Errors: ValueError unless it is a multiple of `unit`.
int64_t rowLength(const Call &call, const Tensor &x, std::string_view what, int64_t unit,
                  QuantizationEncoding encoding) {
  int64_t length = x.rank() ? x.shape()[x.rank() - 1].value() : 1;
  if (x.rank() == 0 || length % unit != 0)
    call.fail(ErrorKind::value,
              fmt::format("rows of {} {}, but the blocks of {} have {}: {}", length, what,
                          kiln::name(encoding), unit, x.type().str()));
  return length;
}

} // namespace

Tensor quantize(const Tensor &values, QuantizationEncoding encoding, Where where) {
  Call call("quantize", where);
  auto contents = kiln::detail::contents(values, "quantize", where);
  if (!io::gguf::canWiden(values.dtype()))
    call.fail(ErrorKind::type,
              fmt::format("expected float16, bfloat16 or float32: values {}", values.type().str()));
  int64_t length = rowLength(call, values, "elements", blockElements(encoding), encoding);
  TensorType type(DType::uint8, withRows(values.shape(), packedRowBytes(encoding, length)),
                  values.device());
  auto buffer = runtime::Buffer::allocate(static_cast<std::size_t>(type.sizeBytes().value()),
                                          values.device());
  int64_t bad =
      io::gguf::encode(encoding, values.dtype(), contents->bytes(), buffer->mutableData());
  if (bad >= 0)
    call.fail(ErrorKind::value,
              fmt::format("{} cannot hold the elements {} to {}: they are not finite, or too large",
                          kiln::name(encoding), bad * blockElements(encoding),
                          (bad + 1) * blockElements(encoding) - 1));
  return kiln::detail::realizedTensor(std::move(type), std::move(buffer));
}

Tensor dequantize(const Tensor &packed, QuantizationEncoding encoding, Where where) {
  Call call("dequantize", where);
  auto contents = kiln::detail::contents(packed, "dequantize", where);
  if (packed.dtype() != DType::uint8)
    call.fail(ErrorKind::type, fmt::format("expected uint8: packed {}", packed.type().str()));
  int64_t length = rowLength(call, packed, "bytes", blockBytes(encoding), encoding);
  TensorType type(DType::float32,
                  withRows(packed.shape(), length / blockBytes(encoding) * blockElements(encoding)),
                  packed.device());
  auto buffer = runtime::Buffer::allocate(static_cast<std::size_t>(type.sizeBytes().value()),
                                          packed.device());
  io::gguf::decode(encoding, contents->bytes(), buffer->mutableAs<float>());
  return kiln::detail::realizedTensor(std::move(type), std::move(buffer));
}

} // namespace kiln::quantization
