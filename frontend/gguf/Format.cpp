#include "frontend/gguf/Format.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace kiln::io::gguf {

namespace {

constexpr TensorType plain(uint32_t number, std::string_view name, DType dtype) {
  return {number, name, 1, static_cast<int64_t>(sizeBytes(dtype)), dtype, {}};
}
constexpr TensorType packed(uint32_t number, std::string_view name, QuantizationEncoding encoding) {
  return {number, name, blockElements(encoding), blockBytes(encoding), {}, encoding};
}

/// Sizes of blocks: the structs of ggml-common.h.
constexpr TensorType types[] = {
    plain(0, "F32", DType::float32),
    plain(1, "F16", DType::float16),
    packed(2, "Q4_0", QuantizationEncoding::Q4_0),
    {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},
    {7, "Q5_1", 32, 24},
    packed(8, "Q8_0", QuantizationEncoding::Q8_0),
    {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},
    {11, "Q3_K", 256, 110},
    packed(12, "Q4_K", QuantizationEncoding::Q4_K),
    packed(13, "Q5_K", QuantizationEncoding::Q5_K),
    packed(14, "Q6_K", QuantizationEncoding::Q6_K),
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136},
    plain(24, "I8", DType::int8),
    plain(25, "I16", DType::int16),
    plain(26, "I32", DType::int32),
    plain(27, "I64", DType::int64),
    plain(28, "F64", DType::float64),
    {29, "IQ1_M", 256, 56},
    plain(30, "BF16", DType::bfloat16),
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},
};

template <class Matches> const TensorType *find(Matches matches) {
  const auto *found = std::find_if(std::begin(types), std::end(types), matches);
  return found == std::end(types) ? nullptr : found;
}

} // namespace

const TensorType *tensorType(uint32_t number) {
  return find([&](const TensorType &type) { return type.number == number; });
}

const TensorType *tensorType(DType dtype) {
  return find([&](const TensorType &type) { return type.dtype == dtype; });
}

const TensorType &tensorType(QuantizationEncoding encoding) {
  return *find([&](const TensorType &type) { return type.encoding == encoding; });
}

std::string quoted(std::string_view text, std::size_t maxBytes) {
  nlohmann::json string(std::string(text.substr(0, maxBytes)));
  std::string result = string.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.size() > maxBytes ? result + "..." : result;
}

} // namespace kiln::io::gguf
