#include "kiln/DimSum.h"
#include "runtime/core/DimExpr.h"

#include <algorithm>

namespace kiln {

using namespace detail;

namespace detail {
void throwOverflow(const Dim &a, const char *op, const Dim &b) {
  throw ValueError("[Dim] overflow of int64 in (" + a.str() + ") " + op + " (" + b.str() + ")");
}
} // namespace detail

namespace {

bool isValidName(std::string_view name) {
  auto isLetter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  return !name.empty() && isLetter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return isLetter(c) || (c >= '0' && c <= '9');
  });
}

/// The polynomial as a Dim, unless it is beyond the limits of DimExpr.h.
Dim checked(std::optional<Polynomial> result, const Dim &a, const char *op, const Dim &b) {
  if (!result)
    throwOverflow(a, op, b);
  if (result->size() > maxTerms || (!result->empty() && result->front().atoms.size() > maxFactors))
    throw ValueError("[Dim] too large: an expression has at most " + std::to_string(maxTerms) +
                     " terms of " + std::to_string(maxFactors) + " factors");
  return DimExpr::make(std::move(*result));
}

int64_t evaluateAtom(const Atom &atom, const DimBindings &bindings) {
  if (atom.isName()) {
    auto found = bindings.find(atom.name);
    if (found == bindings.end())
      throw KeyError("[Dim] no size is known for \"" + atom.name + "\"");
    return found->second;
  }
  int64_t numerator = atom.numerator.evaluate(bindings);
  int64_t denominator = atom.denominator.evaluate(bindings);
  if (denominator == 0)
    throw ValueError("[Dim] division by zero: " + atom.numerator.str() + " by " +
                     atom.denominator.str());
  if (denominator == -1 && numerator == INT64_MIN)
    throwOverflow(numerator, "/", denominator);
  return floorDivide(numerator, denominator);
}

void collectNames(const Dim &dim, std::set<std::string> &names) {
  const DimExpr *expression = DimExpr::of(dim);
  if (!expression)
    return;
  for (const Term &term : expression->terms) {
    for (const AtomRef &atom : term.atoms) {
      if (atom->isName()) {
        names.insert(atom->name);
      } else {
        collectNames(atom->numerator, names);
        collectNames(atom->denominator, names);
      }
    }
  }
}

using Program = std::vector<Dim::Step>;

void appendProgram(const Dim &dim, Program &program) {
  using Kind = Dim::Step::Kind;
  auto push = [&](Kind kind, int64_t number = 0, std::string name = {}) {
    program.push_back({kind, number, std::move(name)});
  };
  const DimExpr *expression = DimExpr::of(dim);
  if (!expression)
    return push(Kind::number, dim.value());
  bool firstTerm = true;
  for (const Term &term : expression->terms) {
    bool firstFactor = term.coefficient == 1 && !term.atoms.empty();
    if (!firstFactor)
      push(Kind::number, term.coefficient);
    for (const AtomRef &atom : term.atoms) {
      if (atom->isName()) {
        push(Kind::name, 0, atom->name);
      } else {
        appendProgram(atom->numerator, program);
        appendProgram(atom->denominator, program);
        push(Kind::floorDivide);
      }
      if (!firstFactor)
        push(Kind::multiply);
      firstFactor = false;
    }
    if (!firstTerm)
      push(Kind::add);
    firstTerm = false;
  }
}

std::strong_ordering compareTerms(const Polynomial &a, const Polynomial &b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (auto order = compareMonomials(a[i].atoms, b[i].atoms); order != 0)
      return order;
    if (auto order = a[i].coefficient <=> b[i].coefficient; order != 0)
      return order;
  }
  return a.size() <=> b.size();
}

} // namespace

Dim::Dim(const char *name) : Dim(std::string_view(name)) {}

Dim::Dim(std::string_view name) {
  if (!isValidName(name))
    throw ValueError("[Dim] Invalid name \"" + std::string(name) +
                     "\": expected [A-Za-z_][A-Za-z0-9_]*");
  *this = DimExpr::makeAtom({.name = std::string(name), .numerator = {}, .denominator = {}});
}

void Dim::throwOutOfRange() { throw ValueError("[Dim] the size does not fit int64"); }

int64_t Dim::value() const {
  if (!isStatic())
    throw TypeError("[Dim] conversions only supported for static dims, not for " + str());
  return number;
}

bool Dim::isName() const {
  if (!expression || expression->terms.size() != 1)
    return false;
  const Term &term = expression->terms.front();
  return term.coefficient == 1 && term.atoms.size() == 1 && term.atoms.front()->isName();
}

std::set<std::string> Dim::names() const {
  std::set<std::string> names;
  collectNames(*this, names);
  return names;
}

int64_t Dim::evaluate(const DimBindings &bindings) const {
  if (!expression)
    return number;
  if (isName())
    return evaluateAtom(*expression->terms.front().atoms.front(), bindings);
  __int128 sum = 0; // of at most maxTerms int64
  for (const Term &term : expression->terms) {
    int64_t product = term.coefficient;
    for (const AtomRef &atom : term.atoms)
      if (__builtin_mul_overflow(product, evaluateAtom(*atom, bindings), &product))
        throw ValueError("[Dim] overflow of int64 in the value of " + str());
    sum += product;
  }
  if (sum < INT64_MIN || sum > INT64_MAX)
    throw ValueError("[Dim] overflow of int64 in the value of " + str());
  return static_cast<int64_t>(sum);
}

Dim Dim::substitute(const std::map<std::string, Dim, std::less<>> &values) const {
  if (!expression)
    return *this;
  std::vector<Dim> parts;
  for (const Term &term : expression->terms) {
    Dim product = term.coefficient;
    for (const AtomRef &atom : term.atoms) {
      if (!atom->isName())
        product =
            product * (atom->numerator.substitute(values) / atom->denominator.substitute(values));
      else if (auto found = values.find(atom->name); found != values.end())
        product = product * found->second;
      else
        product = product * DimExpr::make({Term{{atom}, 1}});
    }
    parts.push_back(std::move(product));
  }
  return sumOfDims(std::move(parts));
}

Dim operator+(const Dim &a, const Dim &b) {
  if (a.isStatic() && b.isStatic()) {
    int64_t sum;
    if (__builtin_add_overflow(a.number, b.number, &sum))
      throwOverflow(a, "+", b);
    return sum;
  }
  return checked(add(DimExpr::polynomial(a), DimExpr::polynomial(b)), a, "+", b);
}

Dim sumOfDims(std::vector<Dim> parts) {
  if (parts.empty())
    return 0;
  for (std::size_t step = 1; step < parts.size(); step *= 2) // by pairs, pairs of pairs, …
    for (std::size_t i = 0; i + step < parts.size(); i += 2 * step)
      parts[i] = parts[i] + parts[i + step];
  return std::move(parts.front());
}

Dim operator-(const Dim &a) {
  if (a.isStatic() && a.number != INT64_MIN)
    return -a.number;
  auto negated = negate(DimExpr::polynomial(a));
  if (!negated)
    throwOverflow(0, "-", a);
  return DimExpr::make(std::move(*negated));
}

Dim operator-(const Dim &a, const Dim &b) {
  if (a.isStatic() && b.isStatic()) {
    int64_t difference;
    if (__builtin_sub_overflow(a.number, b.number, &difference))
      throwOverflow(a, "-", b);
    return difference;
  }
  auto negated = negate(DimExpr::polynomial(b));
  return checked(negated ? add(DimExpr::polynomial(a), *negated) : std::nullopt, a, "-", b);
}

Dim operator*(const Dim &a, const Dim &b) {
  if (a.isStatic() && b.isStatic()) {
    int64_t product;
    if (__builtin_mul_overflow(a.number, b.number, &product))
      throwOverflow(a, "*", b);
    return product;
  }
  Polynomial p = DimExpr::polynomial(a), q = DimExpr::polynomial(b);
  if (p.size() * q.size() > maxTerms)
    return checked(Polynomial(maxTerms + 1), a, "*", b); // throws
  return checked(multiply(p, q), a, "*", b);
}

Dim operator/(const Dim &a, const Dim &b) {
  if (b.isStatic() && b.number == 0)
    throw ValueError("[Dim] division by zero: " + a.str() + " by 0");
  if (a.isStatic() && b.isStatic()) {
    if (a.number == INT64_MIN && b.number == -1)
      throwOverflow(a, "/", b);
    return floorDivide(a.number, b.number);
  }
  Dim quotient = floorDivide(DimExpr::polynomial(a), DimExpr::polynomial(b));
  if (quotient.expression && quotient.expression->depth > maxDepth)
    throw ValueError("[Dim] too large: more than " + std::to_string(maxDepth) +
                     " divisions within each other");
  return quotient;
}

bool operator==(const Dim &a, const Dim &b) {
  if (!a.expression || !b.expression)
    return !a.expression && !b.expression && a.number == b.number;
  return a.expression == b.expression ||
         (a.expression->hash == b.expression->hash &&
          compareTerms(a.expression->terms, b.expression->terms) == 0);
}

std::strong_ordering operator<=>(const Dim &a, const Dim &b) {
  if (!a.expression && !b.expression)
    return a.number <=> b.number;
  if (!a.expression || !b.expression)
    return a.expression ? std::strong_ordering::greater : std::strong_ordering::less;
  if (a.expression == b.expression)
    return std::strong_ordering::equal;
  return compareTerms(a.expression->terms, b.expression->terms);
}

std::size_t Dim::hash() const {
  return expression ? expression->hash : std::hash<int64_t>()(number);
}

std::vector<Dim::Step> Dim::program() const {
  std::vector<Step> program;
  appendProgram(*this, program);
  return program;
}

Constraint Dim::between(int64_t low, int64_t high) const {
  if (low < 0 || low > high)
    throw ValueError("[Dim] between(" + std::to_string(low) + ", " + std::to_string(high) +
                     "): expected 0 <= low <= high");
  return {*this, Constraint::Kind::between, low, high};
}

Constraint Dim::multipleOf(int64_t factor) const {
  if (factor < 1)
    throw ValueError("[Dim] multipleOf(" + std::to_string(factor) + "): expected at least 1");
  return {*this, Constraint::Kind::multipleOf, factor, 0};
}

} // namespace kiln
