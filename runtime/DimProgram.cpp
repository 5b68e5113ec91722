#include "runtime/DimProgram.h"

#include "kiln/Error.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

namespace kiln::runtime {

/// Reads the canonical text of a Dim: the only view of its structure that is public.
class DimParser {
public:
  DimParser(std::string text, std::span<const std::string> symbols)
      : text(std::move(text)), symbols(symbols) {}

  std::vector<DimProgram::Instruction> parse() {
    sum();
    if (peek())
      fail();
    return std::move(code);
  }

private:
  using Op = DimProgram::Op;

  [[noreturn]] void fail() const {
    throw ValueError(fmt::format("\"{}\" is no dimension: unexpected text at {}", text, at));
  }
  char peek() {
    while (at < text.size() && text[at] == ' ')
      ++at;
    return at < text.size() ? text[at] : '\0';
  }
  bool accept(char c) {
    if (peek() != c)
      return false;
    ++at;
    return true;
  }
  void emit(Op op, int64_t operand = 0) {
    if (op == Op::number || op == Op::symbol) {
      if (++depth > DimProgram::maxDepth)
        throw ValueError(fmt::format("dimension {} is too deeply nested", text));
    } else if (op != Op::negate) {
      --depth;
    }
    code.push_back({op, operand});
  }

  void sum() {
    product();
    while (true)
      if (accept('+'))
        product(), emit(Op::add);
      else if (accept('-'))
        product(), emit(Op::subtract);
      else
        return;
  }
  void product() {
    unary();
    while (true)
      if (accept('*'))
        unary(), emit(Op::multiply);
      else if (accept('/'))
        unary(), emit(Op::divide);
      else
        return;
  }
  void unary() {
    if (!accept('-'))
      return atom();
    if (std::isdigit(static_cast<unsigned char>(peek())))
      return number(true);
    unary();
    emit(Op::negate);
  }
  void atom() {
    if (accept('(')) {
      if (++nesting > 1000)
        fail();
      sum();
      --nesting;
      if (!accept(')'))
        fail();
    } else if (std::isdigit(static_cast<unsigned char>(peek()))) {
      number(false);
    } else {
      name();
    }
  }
  void number(bool negative) {
    std::string digits = negative ? "-" : "";
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])))
      digits += text[at++];
    int64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
      fail();
    emit(Op::number, value);
  }
  void name() {
    std::size_t begin = at;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_'))
      ++at;
    if (begin == at)
      fail();
    std::string_view found = std::string_view(text).substr(begin, at - begin);
    auto symbol = std::find(symbols.begin(), symbols.end(), found);
    if (symbol == symbols.end())
      throw KeyError(fmt::format("symbolic dimension \"{}\" has no value", found));
    emit(Op::symbol, symbol - symbols.begin());
  }

  std::string text;
  std::span<const std::string> symbols;
  std::size_t at = 0;
  int depth = 0, nesting = 0;
  std::vector<DimProgram::Instruction> code;
};

DimProgram::DimProgram(const Dim &dim, std::span<const std::string> symbols) {
  if (dim.isStatic()) {
    operand = dim.value();
    return;
  }
  code = DimParser(dim.str(), symbols).parse();
  kind = Kind::program;
  if (code.size() == 1 && code[0].op == Op::symbol) {
    kind = Kind::symbol;
    operand = code[0].operand;
  }
}

std::vector<int64_t> DimProgram::words() const {
  if (kind == Kind::number)
    return {static_cast<int64_t>(Op::number), operand};
  if (kind == Kind::symbol)
    return {static_cast<int64_t>(Op::symbol), operand};
  std::vector<int64_t> result;
  for (auto [op, value] : code) {
    result.push_back(static_cast<int64_t>(op));
    result.push_back(value);
  }
  return result;
}

int64_t DimProgram::run(const int64_t *values) const {
  int64_t stack[maxDepth];
  int64_t depth = 0;
  for (auto [op, operand] : code) {
    if (op == Op::number || op == Op::symbol) {
      stack[depth++] = op == Op::number ? operand : values[operand];
      continue;
    }
    int64_t y = stack[--depth];
    if (op == Op::negate) {
      stack[depth++] = 0; // 0 - y
    }
    int64_t &x = stack[depth - 1];
    bool overflow = false;
    if (op == Op::add) {
      overflow = __builtin_add_overflow(x, y, &x);
    } else if (op == Op::subtract || op == Op::negate) {
      overflow = __builtin_sub_overflow(x, y, &x);
    } else if (op == Op::multiply) {
      overflow = __builtin_mul_overflow(x, y, &x);
    } else if (y == 0) {
      throw ValueError("a dimension is divided by zero");
    } else if (x == INT64_MIN && y == -1) {
      overflow = true;
    } else { // rounded down, not towards zero
      x = x / y - (x % y != 0 && (x < 0) != (y < 0));
    }
    if (overflow)
      throw ValueError("a dimension overflows int64");
  }
  return stack[0];
}

} // namespace kiln::runtime
