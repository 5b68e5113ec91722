#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace standin::ptx {

/// The text of a module as names, numbers and signs, from front to back. What begins with a name
/// or a sign may have space before it.
class Scanner {
public:
  explicit Scanner(std::string_view source);

  [[noreturn]] void fail(const std::string &message) const; // PtxError with the line
  /// The text that comes next, in quotes: for messages.
  std::string quoted() const { return '"' + text.substr(at, 20) + '"'; }
  int line() const;
  std::size_t position() const { return at; }
  /// What was read since `begin`, in one line.
  std::string since(std::size_t begin) const;

  bool atEnd(); // but for space
  bool peek(char c);
  bool accept(char c);
  void expect(char c);
  void skipLine();
  void skipTo(char c);

  bool peekName();
  std::string name();
  /// ".name" without its dot: ".global", ".v4".
  std::string directive();
  /// Such a name that comes next, of an instruction or a register, without space: ".u32",
  /// "::cluster". Empty if there is none.
  std::string suffix();
  int64_t integer();
  /// An integer, or the bits of a floating-point constant.
  int64_t number();

  struct Constant {
    enum class Kind : uint8_t { integer, real32, real64 } kind = Kind::integer;
    int64_t value = 0; // of reals their bits
  };
  /// A constant with its sign; of integers also a sum of two.
  Constant constant();

private:
  void skipSpace();
  char charAt(std::size_t i) const { return i < text.size() ? text[i] : '\0'; }

  std::string text;
  std::size_t at = 0;
};

} // namespace standin::ptx
