//===- Unicode.cpp - Character classes of the BERT tokenizer ------------------===//

#include "Unicode.h"

#include <algorithm>
#include <iterator>

#include <utf8proc.h>

namespace kiln::tools {

namespace {
struct Range {
  char32_t first, last;
};

template <size_t N> bool contains(const Range (&ranges)[N], char32_t c) {
  const Range *it =
      std::upper_bound(std::begin(ranges), std::end(ranges), c,
                       [](char32_t value, const Range &r) { return value < r.first; });
  return it != std::begin(ranges) && c <= std::prev(it)->last;
}
} // namespace

#include "UnicodeRanges.inc"

bool isNonspacingMark(char32_t c) { return c >= 0x300 && contains(kNonspacingMarks, c); }

bool isControl(char32_t c) { return contains(kControls, c); }

bool isWhitespace(char32_t c) {
  if (c < 0x80)
    return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isPunctuation(char32_t c) { return contains(kPunctuation, c); }

bool isCjk(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

uint8_t combiningClass(char32_t c) {
  return static_cast<uint8_t>(
      utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class);
}

int decompose(char32_t c, char32_t (&out)[kMaxExpansion]) {
  utf8proc_int32_t parts[kMaxExpansion];
  int lastBoundClass = 0; // Only used for grapheme breaks.
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, kMaxExpansion,
                              static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE), &lastBoundClass);
  if (count <= 0 || count > kMaxExpansion) {
    out[0] = c;
    return 1;
  }
  std::copy_n(parts, count, out);
  return static_cast<int>(count);
}

int toLower(char32_t c, char32_t (&out)[kMaxExpansion]) {
  // The one code point whose lower case, regardless of context, is more than one
  // (SpecialCasing.txt); utf8proc_tolower knows the simple mappings only.
  if (c == 0x130) {
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  if (c < 0x80)
    out[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
  else
    out[0] = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
  return 1;
}

} // namespace kiln::tools
