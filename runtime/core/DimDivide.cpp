// Floor division of polynomials. All rules hold for all integers with a non-zero divisor:
//   floor((s*q + r) / q)         == s + floor(r / q)
//   floor(-p / -q)               == floor(p / q)
//   floor(m*p / (m*q))           == floor(p / q)              m a common factor
//   floor((g*p + k) / (g*c))     == floor((p + floor(k/g)) / c)   c > 0, g > 0
//   floor((floor(p/q) + k) / c)  == floor((p + k*q) / (q*c))  c > 0

#include "runtime/core/DimExpr.h"

#include <numeric>

namespace kiln::detail {
namespace {

struct Division {
  Polynomial quotient, rest;
};

bool isConstant(const Polynomial &p) { return p.size() == 1 && p.front().atoms.empty(); }

/// Coefficients of the rest that stand before a multiple of q's leading monomial are in
/// [0, leading coefficient). Nothing where a number overflows or the rest does not shrink in time.
std::optional<Division> reduce(Polynomial p, const Polynomial &q) {
  Division result;
  const Term &lead = q.front();
  for (std::size_t steps = 0; !p.empty(); ++steps) {
    if (steps > maxTerms || p.size() > maxTerms)
      return std::nullopt;
    auto factor = divide(p.front().atoms, lead.atoms);
    int64_t times = factor ? floorDivide(p.front().coefficient, lead.coefficient) : 0;
    if (times == 0) {
      result.rest.push_back(p.front());
      p.erase(p.begin());
      continue;
    }
    result.quotient.push_back({*factor, times});
    auto part = multiply(q, Polynomial{result.quotient.back()});
    auto minus = part ? negate(*part) : std::nullopt;
    auto next = minus ? add(p, *minus) : std::nullopt;
    if (!next)
      return std::nullopt;
    // What is left of the leading term is smaller than the divisor's: it belongs to the rest.
    if (!next->empty() && compareMonomials(next->front().atoms, p.front().atoms) == 0) {
      result.rest.push_back(next->front());
      next->erase(next->begin());
    }
    p = std::move(*next);
  }
  return result;
}

Monomial commonFactor(const Monomial &a, const Monomial &b) {
  Monomial common;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    auto order = compareAtoms(*i, *j);
    if (order == 0)
      common.push_back(*i);
    i += order <= 0;
    j += order >= 0;
  }
  return common;
}

/// The greatest common divisor of `a` and the magnitude of `b`, which may be 2^63.
uint64_t commonDivisor(uint64_t a, int64_t b) {
  return std::gcd(a, b < 0 ? 0 - static_cast<uint64_t>(b) : static_cast<uint64_t>(b));
}

/// Takes factors that `rest` and `q` share out of both; true if there was one.
bool cancel(Polynomial &rest, Polynomial &q) {
  Monomial atoms = q.front().atoms;
  uint64_t common = 0;
  for (const Term &term : q) {
    atoms = commonFactor(atoms, term.atoms);
    common = commonDivisor(common, term.coefficient);
  }
  // An added constant need not be a multiple where the divisor is one: it is rounded down.
  bool rounds = isConstant(q);
  for (const Term &term : rest) {
    atoms = commonFactor(atoms, term.atoms);
    if (!(rounds && term.atoms.empty()))
      common = commonDivisor(common, term.coefficient);
  }
  int64_t number = std::in_range<int64_t>(common) ? static_cast<int64_t>(common) : 1;
  if (atoms.empty() && number == 1)
    return false;
  for (Polynomial *p : {&rest, &q}) {
    for (Term &term : *p) {
      term.atoms = *divide(term.atoms, atoms);
      term.coefficient = floorDivide(term.coefficient, number);
    }
  }
  if (rest.back().coefficient == 0) // the constant, rounded down
    rest.pop_back();
  return true;
}

/// `floor(a / b) + k` over a positive constant: one division instead of two.
std::optional<Dim> flatten(const Polynomial &rest, const Polynomial &q) {
  const Term &first = rest.front();
  bool one = first.coefficient == 1 && first.atoms.size() == 1 && !first.atoms[0]->isName();
  if (!isConstant(q) || !one || rest.size() > 2 || (rest.size() == 2 && !rest[1].atoms.empty()))
    return std::nullopt;
  const Atom &inner = *first.atoms[0];
  Polynomial divisor = DimExpr::polynomial(inner.denominator);
  auto shift = rest.size() == 2 ? multiply(divisor, {rest[1]}) : Polynomial();
  auto numerator = shift ? add(DimExpr::polynomial(inner.numerator), *shift) : std::nullopt;
  auto product = multiply(divisor, q);
  if (!numerator || !product)
    return std::nullopt;
  return floorDivide(*numerator, *product);
}

Dim divisionAtom(const Polynomial &a, const Polynomial &b) {
  return DimExpr::makeAtom(
      {.name = {}, .numerator = DimExpr::make(a), .denominator = DimExpr::make(b)});
}

} // namespace

int64_t floorDivide(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

Dim floorDivide(const Polynomial &a, const Polynomial &b) {
  if (b.front().coefficient < 0) {
    auto minusA = negate(a), minusB = negate(b);
    return minusA && minusB ? floorDivide(*minusA, *minusB) : divisionAtom(a, b);
  }
  auto division = reduce(a, b);
  if (!division)
    return divisionAtom(a, b);
  auto &[quotient, rest] = *division;
  if (rest.empty())
    return DimExpr::make(std::move(quotient));

  Polynomial divisor = b;
  Dim fraction;
  if (cancel(rest, divisor))
    fraction = rest.empty() ? Dim() : floorDivide(rest, divisor);
  else if (auto flat = flatten(rest, divisor))
    fraction = std::move(*flat);
  else
    fraction = divisionAtom(rest, divisor);
  auto sum = add(quotient, DimExpr::polynomial(fraction));
  return sum ? DimExpr::make(std::move(*sum)) : divisionAtom(a, b);
}

} // namespace kiln::detail
