//===- Utf8.h - Reading and repairing UTF-8 -----------------------------------===//
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiln::tools {

/// U+FFFD, what an invalid byte sequence is read as.
inline constexpr char32_t kReplacement = 0xFFFD;

/// One decoded code point.
struct Decoded {
  char32_t code; ///< The code point; U+FFFD where `valid` is false.
  bool valid;    ///< False for a byte sequence that is not UTF-8.
};

/// Decodes the code point that starts at text[position] and moves `position` behind it (at least by
/// one byte). An invalid sequence gives one U+FFFD per maximal subpart, as the Unicode standard
/// (section 3.9) recommends. Requires position < text.size().
Decoded decodeUtf8(std::string_view text, size_t &position);

/// Appends `code`, a code point other than a surrogate, to `out`.
void appendUtf8(std::string &out, char32_t code);

/// Returns `text` with U+FFFD for each invalid sequence, and adds the number of these to
/// `replaced`.
std::string repairUtf8(std::string_view text, size_t &replaced);

} // namespace kiln::tools
