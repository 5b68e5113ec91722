#include "standin/ptx/Scanner.h"

#include "standin/ptx/Ptx.h"

#include <algorithm>
#include <bit>
#include <cctype>

namespace standin::ptx {
namespace {

bool isNameStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%';
}
bool isNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%';
}

std::string withoutComments(std::string_view source) {
  std::string result(source);
  for (std::size_t i = 0; i + 1 < result.size(); ++i) {
    if (result[i] == '"') { // strings of directives
      for (++i; i < result.size() && result[i] != '"'; ++i)
        ;
      continue;
    }
    bool isLine = result[i] == '/' && result[i + 1] == '/';
    bool isBlock = result[i] == '/' && result[i + 1] == '*';
    if (!isLine && !isBlock)
      continue;
    for (; i < result.size(); ++i) {
      if (isLine && result[i] == '\n')
        break;
      bool ends = isBlock && result[i] == '*' && i + 1 < result.size() && result[i + 1] == '/';
      if (result[i] != '\n')
        result[i] = ' ';
      if (ends) {
        result[i + 1] = ' ';
        break;
      }
    }
  }
  return result;
}

} // namespace

Scanner::Scanner(std::string_view source) : text(withoutComments(source)) {}

void Scanner::fail(const std::string &message) const {
  throw PtxError("PTX line " + std::to_string(line()) + ": " + message);
}

int Scanner::line() const {
  auto end = text.begin() + static_cast<std::ptrdiff_t>(at);
  return static_cast<int>(std::count(text.begin(), end, '\n') + 1);
}

std::string Scanner::since(std::size_t begin) const {
  std::string result = text.substr(begin, at - begin);
  for (char &c : result)
    if (c == '\n' || c == '\t')
      c = ' ';
  result.erase(0, result.find_first_not_of(' '));
  return result;
}

void Scanner::skipSpace() {
  while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])))
    ++at;
}

bool Scanner::atEnd() {
  skipSpace();
  return at >= text.size();
}

bool Scanner::peek(char c) {
  skipSpace();
  return at < text.size() && text[at] == c;
}

bool Scanner::accept(char c) {
  if (!peek(c))
    return false;
  ++at;
  return true;
}

void Scanner::expect(char c) {
  if (!accept(c))
    fail(std::string("expected '") + c + "' at " + quoted());
}

bool Scanner::peekName() {
  skipSpace();
  return isNameStart(charAt(at));
}

std::string Scanner::name() {
  skipSpace();
  std::size_t begin = at;
  if (at >= text.size() || !isNameStart(text[at]))
    fail("expected a name at " + quoted());
  while (at < text.size() && isNameChar(text[at]))
    ++at;
  return text.substr(begin, at - begin);
}

std::string Scanner::directive() {
  expect('.');
  std::size_t begin = at;
  while (at < text.size() && isNameChar(text[at]))
    ++at;
  return text.substr(begin, at - begin);
}

std::string Scanner::suffix() {
  if (charAt(at) != '.' && charAt(at) != ':')
    return "";
  while (charAt(at) == '.' || charAt(at) == ':')
    ++at;
  std::size_t begin = at;
  while (isNameChar(charAt(at)))
    ++at;
  return text.substr(begin, at - begin);
}

void Scanner::skipLine() {
  while (at < text.size() && text[at] != '\n')
    ++at;
}

void Scanner::skipTo(char c) {
  while (at < text.size() && text[at] != c)
    ++at;
  expect(c);
}

int64_t Scanner::integer() {
  skipSpace();
  bool isNegative = accept('-');
  skipSpace();
  std::size_t used = 0;
  if (at >= text.size() || !std::isdigit(static_cast<unsigned char>(text[at])))
    fail("expected a number at " + quoted());
  std::string digits;
  while (at + used < text.size() && std::isalnum(static_cast<unsigned char>(text[at + used])))
    digits += text[at + used++];
  at += used;
  if (digits.back() == 'U')
    digits.pop_back();
  int base = 10;
  std::size_t skip = 0;
  if (digits.starts_with("0x") || digits.starts_with("0X"))
    base = 16, skip = 2;
  else if (digits.starts_with("0b") || digits.starts_with("0B"))
    base = 2, skip = 2;
  else if (digits.size() > 1 && digits[0] == '0')
    base = 8, skip = 1;
  uint64_t value = std::stoull(digits.substr(skip), nullptr, base);
  return static_cast<int64_t>(isNegative ? 0 - value : value);
}

int64_t Scanner::number() {
  skipSpace();
  if (text.compare(at, 2, "0f") == 0 || text.compare(at, 2, "0F") == 0 ||
      text.compare(at, 2, "0d") == 0 || text.compare(at, 2, "0D") == 0) {
    std::size_t begin = at + 2;
    at = begin;
    while (at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])))
      ++at;
    return static_cast<int64_t>(std::stoull(text.substr(begin, at - begin), nullptr, 16));
  }
  return integer();
}

Scanner::Constant Scanner::constant() {
  skipSpace();
  const bool isNegative = charAt(at) == '-';
  const std::size_t digits = at + (isNegative ? 1 : 0);
  const char second = charAt(digits + 1);
  const bool isReal32 = second == 'f' || second == 'F', isReal64 = second == 'd' || second == 'D';
  if (charAt(digits) == '0' && (isReal32 || isReal64)) {
    at = digits;
    auto bits = static_cast<uint64_t>(number());
    if (isNegative)
      bits ^= isReal32 ? 0x80000000u : uint64_t{1} << 63;
    return {isReal32 ? Constant::Kind::real32 : Constant::Kind::real64, static_cast<int64_t>(bits)};
  }
  std::size_t end = digits;
  while (std::isdigit(static_cast<unsigned char>(charAt(end))))
    ++end;
  if (charAt(end) == '.') { // 1.5
    std::size_t used = 0;
    double value = std::stod(text.substr(at, 40), &used);
    at += used;
    return {Constant::Kind::real64, std::bit_cast<int64_t>(value)};
  }
  int64_t value = integer();
  if (accept('+'))
    value += integer();
  return {Constant::Kind::integer, value};
}

} // namespace standin::ptx
