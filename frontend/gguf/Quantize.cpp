#include "frontend/Record.h"
#include "frontend/gguf/Rows.h"
#include "kiln/Gguf.h"

#include <fmt/format.h>

namespace kiln::quantization {

namespace {

using kiln::detail::Call;

/// The shape of packed `values`. Errors: ValueError unless their rows are whole blocks.
Shape packedShape(const Call &call, const Tensor &values, QuantizationEncoding encoding) {
  std::vector<int64_t> sizes = values.shape().sizes();
  int64_t unit = blockElements(encoding), length = sizes.empty() ? 1 : sizes.back();
  if (length % unit != 0)
    call.fail(ErrorKind::value,
              fmt::format("rows of {} elements, but the blocks of {} have {}: {}", length,
                          kiln::name(encoding), unit, values.type().str()));
  sizes.back() = packedRowBytes(encoding, length);
  return Shape(std::span<const int64_t>(sizes));
}

} // namespace

Tensor quantize(const Tensor &values, QuantizationEncoding encoding, Where where) {
  Call call("quantize", where);
  auto contents = kiln::detail::contents(values, "quantize", where);
  if (!io::gguf::canWiden(values.dtype()))
    call.fail(ErrorKind::type,
              fmt::format("expected float16, bfloat16 or float32: values {}", values.type().str()));
  TensorType type(DType::uint8, packedShape(call, values, encoding), values.device());
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

} // namespace kiln::quantization
