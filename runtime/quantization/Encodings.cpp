#include "kiln/Quantization.h"

#include <algorithm>

namespace kiln {

namespace {
constexpr std::string_view names[] = {"Q4_0", "Q8_0", "Q4_K", "Q5_K", "Q6_K"};
}

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
