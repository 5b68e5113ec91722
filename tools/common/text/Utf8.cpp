//===- Utf8.cpp - Reading and repairing UTF-8 ---------------------------------===//

#include "Utf8.h"

#include <cstdint>

namespace kiln::tools {

Decoded decodeUtf8(std::string_view text, size_t &position) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(position++);
  if (lead < 0x80)
    return {lead, true};

  // The range of the second byte excludes overlong forms, surrogates and what is beyond U+10FFFF.
  int following = 0;
  uint8_t low = 0x80, high = 0xBF;
  char32_t code = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    following = 1;
    code = lead & 0x1F;
  } else if ((lead & 0xF0) == 0xE0) {
    following = 2;
    code = lead & 0x0F;
    low = lead == 0xE0 ? 0xA0 : 0x80;
    high = lead == 0xED ? 0x9F : 0xBF;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    following = 3;
    code = lead & 0x07;
    low = lead == 0xF0 ? 0x90 : 0x80;
    high = lead == 0xF4 ? 0x8F : 0xBF;
  } else {
    return {kReplacement, false};
  }
  for (; following > 0; --following) {
    if (position == text.size() || byte(position) < low || byte(position) > high)
      return {kReplacement, false};
    code = code << 6 | (byte(position++) & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code, true};
}

void appendUtf8(std::string &out, char32_t code) {
  auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80)
    return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

std::string repairUtf8(std::string_view text, size_t &replaced) {
  std::string out;
  out.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    const size_t start = position;
    const Decoded c = decodeUtf8(text, position);
    if (c.valid) {
      out.append(text, start, position - start);
    } else {
      appendUtf8(out, kReplacement);
      ++replaced;
    }
  }
  return out;
}

} // namespace kiln::tools
