#include "runtime/core/DimExpr.h"

#include <algorithm>

namespace kiln::detail {

std::strong_ordering compareAtoms(const AtomRef &a, const AtomRef &b) {
  if (a == b)
    return std::strong_ordering::equal;
  if (a->isName() != b->isName())
    return a->isName() ? std::strong_ordering::less : std::strong_ordering::greater;
  if (a->isName())
    return a->name.compare(b->name) <=> 0;
  if (auto order = a->numerator <=> b->numerator; order != 0)
    return order;
  return a->denominator <=> b->denominator;
}

std::strong_ordering compareMonomials(const Monomial &a, const Monomial &b) {
  if (a.size() != b.size())
    return a.size() <=> b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (auto order = compareAtoms(a[i], b[i]); order != 0)
      return 0 <=> order; // the atom that comes first makes the greater monomial
  return std::strong_ordering::equal;
}

std::optional<Polynomial> add(const Polynomial &a, const Polynomial &b) {
  Polynomial sum;
  sum.reserve(a.size() + b.size());
  auto i = a.begin(), j = b.begin();
  while (i != a.end() && j != b.end()) {
    auto order = compareMonomials(i->atoms, j->atoms);
    if (order > 0) {
      sum.push_back(*i++);
    } else if (order < 0) {
      sum.push_back(*j++);
    } else {
      int64_t coefficient;
      if (__builtin_add_overflow(i->coefficient, j->coefficient, &coefficient))
        return std::nullopt;
      if (coefficient != 0)
        sum.push_back({i->atoms, coefficient});
      ++i, ++j;
    }
  }
  sum.insert(sum.end(), i, a.end());
  sum.insert(sum.end(), j, b.end());
  return sum;
}

static std::optional<Polynomial> multiply(const Polynomial &a, const Term &b) {
  Polynomial product;
  product.reserve(a.size());
  for (const Term &term : a) {
    Term next;
    if (__builtin_mul_overflow(term.coefficient, b.coefficient, &next.coefficient))
      return std::nullopt;
    std::merge(term.atoms.begin(), term.atoms.end(), b.atoms.begin(), b.atoms.end(),
               std::back_inserter(next.atoms),
               [](const AtomRef &x, const AtomRef &y) { return compareAtoms(x, y) < 0; });
    product.push_back(std::move(next));
  }
  return product;
}

std::optional<Polynomial> multiply(const Polynomial &a, const Polynomial &b) {
  if (a.size() < b.size()) // a sum of fewer parts
    return multiply(b, a);
  if (b.size() == 1)
    return multiply(a, b.front());
  std::optional<Polynomial> product(std::in_place);
  for (const Term &term : b) {
    auto part = multiply(a, term);
    if (!part || !(product = add(*product, *part)))
      return std::nullopt;
  }
  return product;
}

std::optional<Polynomial> negate(const Polynomial &a) { return multiply(a, Term{{}, -1}); }

std::optional<Monomial> divide(const Monomial &a, const Monomial &b) {
  Monomial quotient;
  auto next = b.begin();
  for (const AtomRef &atom : a) {
    if (next != b.end() && compareAtoms(atom, *next) == 0)
      ++next;
    else
      quotient.push_back(atom);
  }
  if (next != b.end())
    return std::nullopt;
  return quotient;
}

static std::size_t combine(std::size_t seed, std::size_t value) {
  // The finaliser's constant of SplitMix64 (Steele et al., 2014).
  return (seed ^ value) * 0xbf58476d1ce4e5b9u + (seed >> 29);
}

Dim DimExpr::make(Polynomial terms) {
  Dim dim;
  if (terms.empty())
    return dim;
  if (terms.size() == 1 && terms.front().atoms.empty()) {
    dim.number = terms.front().coefficient;
    return dim;
  }
  auto depthOf = [](const Dim &part) { return of(part) ? of(part)->depth : 0; };
  std::size_t hash = terms.size(), depth = 0;
  for (const Term &term : terms) {
    hash = combine(hash, std::hash<int64_t>()(term.coefficient));
    for (const AtomRef &atom : term.atoms) {
      if (atom->isName()) {
        hash = combine(hash, std::hash<std::string>()(atom->name));
        continue;
      }
      hash = combine(hash, combine(atom->numerator.hash(), atom->denominator.hash()));
      depth = std::max({depth, 1 + depthOf(atom->numerator), 1 + depthOf(atom->denominator)});
    }
  }
  dim.expression = std::make_shared<const DimExpr>(DimExpr{std::move(terms), hash, depth});
  return dim;
}

Dim DimExpr::makeAtom(Atom atom) {
  return make({Term{{std::make_shared<const Atom>(std::move(atom))}, 1}});
}

Polynomial DimExpr::polynomial(const Dim &dim) {
  if (const DimExpr *expression = of(dim))
    return expression->terms;
  if (dim.number == 0)
    return {};
  return {Term{{}, dim.number}};
}

} // namespace kiln::detail
