//===- Unicode.h - Character classes of the BERT tokenizer --------------------===//
//
// What counts as a control character, white space, punctuation or an accent follows the tokenizers
// that the model was trained and published with, not the newest Unicode version.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

namespace kiln::tools {

/// Mn: accents, points and other marks without a width of their own.
bool isNonspacingMark(char32_t c);

/// Cc, Cf or Co, but not tab, line feed or carriage return, which are white space.
bool isControl(char32_t c);

/// Unicode's White_Space property.
bool isWhitespace(char32_t c);

/// P*, and all of !-/ :-@ [-` {-~ .
bool isPunctuation(char32_t c);

/// Chinese characters: each is a word. The blocks are those of BERT's multilingual release; Hangul,
/// Hiragana and Katakana are not among them.
bool isCjk(char32_t c);

/// The canonical combining class: 0 for a starter, else the key of the canonical order.
uint8_t combiningClass(char32_t c);

/// At most so many code points come out of `decompose` and `toLower` (Unicode's longest canonical
/// decomposition has 4).
inline constexpr int kMaxExpansion = 8;

/// Writes the full canonical decomposition of `c` to `out` and returns its length.
int decompose(char32_t c, char32_t (&out)[kMaxExpansion]);

/// Writes the full lower-case mapping of `c`, regardless of context, to `out`; returns its length.
int toLower(char32_t c, char32_t (&out)[kMaxExpansion]);

} // namespace kiln::tools
