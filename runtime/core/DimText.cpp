#include "kiln/DimSum.h"
#include "runtime/core/DimExpr.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace kiln {

using namespace detail;

namespace {

/// Text: `batch * 4 - 1`. Code: `Dim("batch") * Dim(4) + Dim(-1)`.
enum class Style { text, code };

/// Canonical terms have remainders without sign: (x + 1) / 5 - 1. Readers expect (x - 4) / 5, so
/// negative terms go back into the first division by a number that has such a remainder.
Polynomial readable(const Polynomial &terms) {
  auto isFraction = [](const Term &term) {
    return term.coefficient == 1 && term.atoms.size() == 1 && !term.atoms[0]->isName() &&
           term.atoms[0]->denominator.isStatic() && !term.atoms[0]->numerator.isStatic();
  };
  auto fraction = std::find_if(terms.begin(), terms.end(), isFraction);
  if (fraction == terms.end())
    return terms;
  Atom atom = *fraction->atoms[0];
  Polynomial numerator = DimExpr::polynomial(atom.numerator), result;
  std::size_t position = 0;
  for (const Term &term : terms) {
    auto same = std::find_if(numerator.begin(), numerator.end(), [&](const Term &inner) {
      return compareMonomials(inner.atoms, term.atoms) == 0;
    });
    int64_t whole;
    if (term.coefficient < 0 && same != numerator.end() && same->coefficient > 0 &&
        same->coefficient < atom.denominator.value() &&
        !__builtin_mul_overflow(term.coefficient, atom.denominator.value(), &whole)) {
      same->coefficient += whole; // below 0: whole is at most -denominator
      continue;
    }
    if (&term == &*fraction)
      position = result.size();
    result.push_back(term);
  }
  atom.numerator = DimExpr::make(std::move(numerator));
  result[position].atoms = {std::make_shared<const Atom>(std::move(atom))};
  return result;
}

std::string printSum(const Polynomial &terms, Style style);

std::string printDim(const Dim &dim, Style style, bool asDenominator) {
  Polynomial terms = DimExpr::polynomial(dim);
  std::string text = printSum(terms, style);
  bool single = terms.size() <= 1;
  bool plain = dim.isStatic() || dim.isName();
  return (asDenominator ? plain : single) ? text : "(" + text + ")";
}

std::string printAtom(const Atom &atom, Style style) {
  if (atom.isName())
    return style == Style::code ? "Dim(\"" + atom.name + "\")" : atom.name;
  return printDim(atom.numerator, style, false) + " / " + printDim(atom.denominator, style, true);
}

std::string printNumber(int64_t value, Style style) {
  std::string text = std::to_string(value);
  return style == Style::code ? "Dim(" + text + ")" : text;
}

/// A product, or its negation if `negated`.
std::string printTerm(const Term &term, Style style, bool negated) {
  int64_t coefficient = negated ? -term.coefficient : term.coefficient;
  if (term.atoms.empty())
    return printNumber(coefficient, style);
  bool alone = term.atoms.size() == 1 && term.coefficient == 1;
  std::string text;
  for (const AtomRef &atom : term.atoms) {
    std::string factor = printAtom(*atom, style);
    text += text.empty() ? "" : " * ";
    text += alone || atom->isName() ? factor : "(" + factor + ")";
  }
  return coefficient == 1 ? text : text + " * " + printNumber(coefficient, style);
}

std::string printSum(const Polynomial &terms, Style style) {
  if (terms.empty())
    return printNumber(0, style);
  std::string text;
  for (const Term &term : readable(terms)) {
    bool minus = style == Style::text && term.coefficient < 0 && term.coefficient != INT64_MIN;
    if (text.empty())
      text += minus ? "-" : "";
    else
      text += minus ? " - " : " + ";
    text += printTerm(term, style, minus);
  }
  return text;
}

/// Recursive descent over
///   sum     = product {("+" | "-") product}
///   product = factor {("*" | "/" | "//") factor}
///   factor  = "-" factor | number | name | "(" sum ")"
class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {}

  Dim parse() {
    Dim dim = sum();
    if (!rest().empty())
      fail("expected an operator or the end");
    return dim;
  }

private:
  std::string_view text;
  std::size_t position = 0;
  std::size_t depth = 0;

  [[noreturn]] void fail(const std::string &expected) {
    throw ValueError("[Dim] cannot read \"" + std::string(text) + "\": " + expected +
                     " at position " + std::to_string(position));
  }

  std::string_view rest() {
    while (position < text.size() && (text[position] == ' ' || text[position] == '\t'))
      ++position;
    return text.substr(position);
  }

  bool take(std::string_view token) {
    if (!rest().starts_with(token))
      return false;
    position += token.size();
    return true;
  }

  Dim sum() {
    std::vector<Dim> parts = {product()};
    while (true) {
      if (take("+"))
        parts.push_back(product());
      else if (take("-"))
        parts.push_back(-product());
      else
        return parts.size() == 1 ? std::move(parts.front()) : sumOfDims(std::move(parts));
    }
  }

  Dim product() {
    Dim value = factor();
    while (true) {
      if (take("*"))
        value = value * factor();
      else if (take("//") || take("/"))
        value = value / factor();
      else
        return value;
    }
  }

  Dim factor() {
    if (++depth > 4 * maxDepth)
      fail("too many levels");
    Dim value = primary();
    --depth;
    return value;
  }

  Dim primary() {
    bool minus = take("-");
    std::string_view input = rest();
    if (!input.empty() && input[0] >= '0' && input[0] <= '9')
      return number(minus);
    if (minus)
      return -factor();
    if (take("(")) {
      Dim value = sum();
      if (!take(")"))
        fail("expected \")\"");
      return value;
    }
    std::size_t length = 0;
    while (length < input.size() &&
           (std::isalnum(static_cast<unsigned char>(input[length])) || input[length] == '_'))
      ++length;
    if (length == 0)
      fail("expected a number, a name or \"(\"");
    position += length;
    return Dim(input.substr(0, length));
  }

  /// The sign belongs to the literal: -9223372036854775808 has no positive counterpart.
  Dim number(bool minus) {
    std::string digits(minus ? "-" : "");
    while (position < text.size() && text[position] >= '0' && text[position] <= '9')
      digits += text[position++];
    int64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
      fail("the number " + digits + " does not fit int64");
    return value;
  }
};

} // namespace

std::string Dim::str() const { return printSum(DimExpr::polynomial(*this), Style::text); }

Dim Dim::parse(std::string_view text) { return Parser(text).parse(); }

std::ostream &operator<<(std::ostream &os, const Dim &dim) {
  return os << printSum(DimExpr::polynomial(dim), Style::code);
}

} // namespace kiln
