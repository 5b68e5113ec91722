#include "frontend/nn/embedding/PackedTable.h"

#include "frontend/RandomFill.h"
#include "kiln/Gguf.h"
#include "kiln/Module.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace kiln::nn::embedding {

using kiln::detail::Call;

/// A table of float32 drawn and packed.
static Tensor lazyPacked(const Call &call, const Dim &rows, int64_t columns,
                         QuantizationEncoding encoding) {
  if (columns % blockElements(encoding) != 0)
    call.fail(ErrorKind::value,
              fmt::format("hiddenDim {} is not a multiple of the {} elements of a block of {}",
                          columns, blockElements(encoding), kiln::name(encoding)));
  Tensor values = kiln::detail::lazyRandom(kiln::detail::Distribution::normal,
                                           TensorType(DType::float32, {rows, columns}, CPU()), 0, 1,
                                           call.where);
  const int64_t rowBytes = packedRowBytes(encoding, columns);
  auto draw = values.handle()->fill;
  Tensor table = kiln::detail::lazyTensor(
      TensorType(DType::uint8, {rows, rowBytes}, CPU()),
      [=, where = call.where, name = std::string(call.name)]() mutable {
        Tensor packed = quantization::quantize(std::exchange(values, {}), encoding, where);
        return kiln::detail::contents(packed, name, where);
      },
      call.where);
  // Whole rows, some at a time: a part needs little more memory than it has.
  table.handle()->fill = [=, where = call.where, name = std::string(call.name)](
                             std::byte *to, int64_t first, int64_t count) {
    constexpr int64_t rowsAtOnce = 256;
    for (int64_t row = first / rowBytes; row * rowBytes < first + count; row += rowsAtOnce) {
      int64_t last = (first + count + rowBytes - 1) / rowBytes;
      TensorType type(DType::float32, {std::min(rowsAtOnce, last - row), columns}, CPU());
      auto drawn = kiln::detail::allocate(Call(name, where), type);
      draw(drawn->mutableData(), row * columns, type.shape.numElements().value());
      Tensor packed =
          quantization::quantize(kiln::detail::realizedTensor(type, drawn), encoding, where);
      auto bytes = kiln::detail::contents(packed, name, where);
      int64_t begin = std::max(first, row * rowBytes);
      int64_t end =
          std::min(first + count, row * rowBytes + static_cast<int64_t>(bytes->sizeBytes()));
      std::memcpy(to + (begin - first), bytes->data() + (begin - row * rowBytes),
                  static_cast<std::size_t>(end - begin));
    }
  };
  return table;
}

Tensor lazyTable(const Call &call, const Dim &vocabSize, const Dim &hiddenDim, DType dtype,
                 std::optional<QuantizationEncoding> encoding) {
  auto check = [&](const char *field, const Dim &dim) {
    if (!dim.isStatic() || dim.value() < 0)
      call.fail(ErrorKind::type,
                fmt::format("{} must be a non-negative number, not {}", field, dim.str()));
  };
  check("vocabSize", vocabSize);
  check("hiddenDim", hiddenDim);
  if (!encoding)
    return kiln::detail::lazyRandom(kiln::detail::Distribution::normal,
                                    TensorType(dtype, {vocabSize, hiddenDim}, CPU()), 0, 1,
                                    call.where);
  if (!isFloat(dtype))
    call.fail(ErrorKind::type, fmt::format("rows of {} are decoded to floats, not to {}",
                                           kiln::name(*encoding), kiln::name(dtype)));
  return lazyPacked(call, vocabSize, hiddenDim.value(), *encoding);
}

Dim rowElements(const Tensor &table, std::optional<QuantizationEncoding> encoding) {
  const Dim &length = table.shape()[1];
  return encoding ? length / Dim(blockBytes(*encoding)) * Dim(blockElements(*encoding)) : length;
}

Tensor decodedRows(const Tensor &rows, std::optional<QuantizationEncoding> encoding, DType dtype,
                   Where where) {
  return encoding ? dequantize(rows, *encoding, where).cast(dtype, where) : rows;
}

void describeTable(Description &to, const Tensor &table,
                   std::optional<QuantizationEncoding> encoding, DType dtype) {
  to.field("vocab_size", table.shape()[0])
      .field("hidden_dim", rowElements(table, encoding))
      .field("dtype", encoding ? dtype : table.dtype());
  if (encoding)
    to.field("quantization_encoding", *encoding);
}

} // namespace kiln::nn::embedding
