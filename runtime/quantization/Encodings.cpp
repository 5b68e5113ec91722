#include "kiln/Quantization.h"

#include <algorithm>

namespace kiln {

namespace {
constexpr std::string_view names[] = {"Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"};

// No field is forgotten and none overlaps.
static_assert(blocks::Q4_0::quants + 16 == blocks::Q4_0::bytes);
static_assert(blocks::Q8_0::quants + 32 == blocks::Q8_0::bytes);
static_assert(blocks::Q4_K::scales + 12 == blocks::Q4_K::quants);
static_assert(blocks::Q4_K::quants + 128 == blocks::Q4_K::bytes);
static_assert(blocks::Q5_K::scales + 12 == blocks::Q5_K::highBits);
static_assert(blocks::Q5_K::highBits + 32 == blocks::Q5_K::quants);
static_assert(blocks::Q5_K::quants + 128 == blocks::Q5_K::bytes);
static_assert(blocks::Q6_K::quants + 128 == blocks::Q6_K::highBits);
static_assert(blocks::Q6_K::highBits + 64 == blocks::Q6_K::scales);
static_assert(blocks::Q6_K::scales + 16 == blocks::Q6_K::scale);
static_assert(blocks::Q6_K::scale + 2 == blocks::Q6_K::bytes);

} // namespace

std::string_view name(QuantizationEncoding encoding) {
  return names[static_cast<std::size_t>(encoding)];
}

std::optional<QuantizationEncoding> parseQuantizationEncoding(std::string_view text) {
  auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  for (std::size_t i = 0; i < std::size(names); ++i)
    if (std::ranges::equal(text, names[i], {}, upper))
      return static_cast<QuantizationEncoding>(i);
  return std::nullopt;
}

std::ostream &operator<<(std::ostream &os, QuantizationEncoding encoding) {
  return os << name(encoding);
}

} // namespace kiln
