#include "Fuzzing.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::fuzz {
namespace {

using Tokens = std::vector<std::string>;

/// Words, numbers, white space, quoted strings; all else one by one.
Tokens split(std::string_view text) {
  auto kind = [](char c) {
    auto letter = static_cast<unsigned char>(c);
    return std::isalnum(letter) || c == '_' || c == '.' ? 1 : std::isspace(letter) ? 2 : 0;
  };
  Tokens tokens;
  for (std::size_t begin = 0, end; begin < text.size(); begin = end) {
    if (text[begin] == '"')
      end = std::min(text.find('"', begin + 1), text.size() - 1) + 1;
    else
      end = begin + 1;
    while (kind(text[begin]) && end < text.size() && kind(text[end]) == kind(text[begin]))
      ++end;
    tokens.emplace_back(text.substr(begin, end - begin));
  }
  return tokens;
}

bool isNumber(const std::string &token) {
  return std::isdigit(static_cast<unsigned char>(token[0]));
}

/// Takes the line at `place` out of `tokens` and returns it.
Tokens takeLine(Tokens &tokens, std::size_t place) {
  auto isEnd = [](const std::string &token) { return token.find('\n') != token.npos; };
  auto at = tokens.begin() + static_cast<std::ptrdiff_t>(place);
  auto begin = std::find_if(std::make_reverse_iterator(at), tokens.rend(), isEnd).base();
  auto end = std::find_if(at, tokens.end(), isEnd);
  if (end != tokens.end())
    ++end;
  Tokens line(begin, end);
  tokens.erase(begin, end);
  return line;
}

void mutate(Tokens &tokens, Draw &draw) {
  static const char *const numbers[] = {"0",
                                        "1",
                                        "2",
                                        "-1",
                                        "3",
                                        "7",
                                        "8",
                                        "16",
                                        "17",
                                        "64",
                                        "127",
                                        "128",
                                        "513",
                                        "4294967296",
                                        "9223372036854775807",
                                        "18446744073709551615",
                                        "2.5e44",
                                        "null"};
  std::size_t place = draw.below(tokens.size());
  switch (draw.below(8)) {
  case 0: // another token of the text
    tokens[place] = tokens[draw.below(tokens.size())];
    return;
  case 1:
  case 2: // another number
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (std::string &token = tokens[(place + i) % tokens.size()]; isNumber(token)) {
        token = numbers[draw.below(std::size(numbers))];
        return;
      }
    return;
  case 3: // one number everywhere
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (std::string old = tokens[(place + i) % tokens.size()]; isNumber(old)) {
        std::ranges::replace(tokens, old, std::string(numbers[draw.below(std::size(numbers))]));
        return;
      }
    return;
  case 4:
    takeLine(tokens, place);
    return;
  case 5: { // a line elsewhere, or twice
    bool twice = draw.oneIn(2);
    Tokens copy = tokens, line = takeLine(copy, place);
    if (!twice)
      tokens = copy;
    tokens.insert(tokens.begin() + static_cast<std::ptrdiff_t>(draw.below(tokens.size() + 1)),
                  line.begin(), line.end());
    return;
  }
  case 6: // one name in the place of another one, everywhere
    if (std::string old = tokens[place], other = tokens[draw.below(tokens.size())];
        std::isalpha(static_cast<unsigned char>(old[0])) &&
        std::isalpha(static_cast<unsigned char>(other[0])))
      std::ranges::replace(tokens, old, other);
    return;
  default:
    std::swap(tokens[place], tokens[draw.below(tokens.size())]);
  }
}

} // namespace

std::size_t mutateText(uint8_t *data, std::size_t size, std::size_t maxSize, Draw &draw) {
  Tokens tokens = split({reinterpret_cast<const char *>(data), size});
  for (std::size_t count = 1 + draw.below(4); count-- > 0 && !tokens.empty();)
    mutate(tokens, draw);
  std::string text;
  for (const std::string &token : tokens)
    text += token;
  size = std::min(text.size(), maxSize);
  std::copy_n(text.begin(), size, data);
  return size;
}

} // namespace kiln::fuzz
