#include "frontend/DimSolver.h"

#include <algorithm>
#include <charconv>

namespace kiln::detail {

Dim DimSolver::fresh(int64_t value, bool isSoft) {
  names.push_back({value, isSoft, {}});
  return Dim(std::string_view("d" + std::to_string(names.size() - 1)));
}

std::size_t DimSolver::indexOf(const Dim &name) const {
  std::string text = name.str();
  std::size_t index = 0;
  std::from_chars(text.data() + 1, text.data() + text.size(), index);
  return index;
}

Dim DimSolver::resolve(const Dim &dim) const {
  if (dim.isStatic())
    return dim;
  if (dim.isName()) {
    const Name &name = names[indexOf(dim)];
    return name.bound ? resolve(*name.bound) : dim;
  }
  std::map<std::string, Dim, std::less<>> values;
  for (const std::string &name : dim.names())
    if (Dim known = resolve(Dim(std::string_view(name))); known != Dim(std::string_view(name)))
      values.emplace(name, known);
  return values.empty() ? dim : dim.substitute(values);
}

int64_t DimSolver::value(const Dim &dim) const {
  if (dim.isStatic())
    return dim.value();
  if (dim.isName())
    return names[indexOf(dim)].value;
  DimBindings bindings;
  for (const std::string &name : dim.names())
    bindings.emplace(name, names[indexOf(Dim(std::string_view(name)))].value);
  return dim.evaluate(bindings);
}

void DimSolver::makeStatic(const Dim &dim) {
  Dim known = resolve(dim);
  for (const std::string &text : known.names()) {
    Name &name = names[indexOf(Dim(std::string_view(text)))];
    name.bound = Dim(name.value);
  }
}

void DimSolver::unify(const Dim &first, const Dim &second) {
  Dim a = resolve(first), b = resolve(second);
  if (a == b)
    return;
  auto bind = [&](const Dim &name, const Dim &to) { names[indexOf(name)].bound = to; };
  if (a.isName() && b.isName()) {
    std::size_t i = indexOf(a), j = indexOf(b);
    // A name of an input stands for a soft one; else the earlier for the later.
    bool keepsFirst = names[i].isSoft == names[j].isSoft ? i < j : !names[i].isSoft;
    keepsFirst ? bind(b, a) : bind(a, b);
  } else if (a.isName() && b.isStatic()) {
    bind(a, b);
  } else if (b.isName() && a.isStatic()) {
    bind(b, a);
  } else if (a.isName() && names[indexOf(a)].isSoft && !b.names().contains(a.str())) {
    bind(a, b);
  } else if (b.isName() && names[indexOf(b)].isSoft && !a.names().contains(b.str())) {
    bind(b, a);
  } else if (!unifyNames(a, b)) {
    // Expressions: soft names in them, say of edges that are put around both, may be all that
    // tells them apart.
    for (const Dim &dim : {a, b})
      for (const std::string &text : dim.names())
        if (names[indexOf(Dim(std::string_view(text)))].isSoft)
          makeStatic(Dim(std::string_view(text)));
    if (resolve(a) == resolve(b))
      return;
    makeStatic(a);
    makeStatic(b);
  }
}

bool DimSolver::unifyNames(const Dim &a, const Dim &b) {
  auto onlyIn = [&](const Dim &dim, const Dim &other) {
    std::vector<std::size_t> indices;
    std::set<std::string> others = other.names();
    for (const std::string &text : dim.names())
      if (!others.contains(text))
        indices.push_back(indexOf(Dim(std::string_view(text))));
    std::sort(indices.begin(), indices.end());
    return indices;
  };
  auto dimOf = [](std::size_t index) { return Dim(std::string_view("d" + std::to_string(index))); };
  std::vector<std::size_t> left = onlyIn(a, b), right = onlyIn(b, a);
  if (left.size() != right.size())
    return false;
  std::map<std::string, Dim, std::less<>> pairs;
  for (std::size_t index : right) {
    auto match = std::find_if(left.begin(), left.end(), [&](std::size_t candidate) {
      return names[candidate].value == names[index].value;
    });
    if (match == left.end())
      return false;
    pairs.emplace(dimOf(index).str(), dimOf(*match));
    left.erase(match);
  }
  if (b.substitute(pairs) != a)
    return false;
  for (const auto &[name, dim] : pairs)
    unify(dim, Dim(std::string_view(name)));
  return true;
}

Dim DimSolver::broadcast(const Dim &first, const Dim &second) {
  Dim a = resolve(first), b = resolve(second);
  if (a == b)
    return a;
  int64_t left = value(a), right = value(b);
  if (left == right) {
    if (left == 1 && a.isStatic())
      return b;
    if (left == 1 && b.isStatic())
      return a;
    unify(a, b);
    return resolve(a);
  }
  makeStatic(left == 1 ? a : b);
  return left == 1 ? b : a;
}

void DimSolver::finish() {
  for (Name &name : names)
    if (name.isSoft && !name.bound)
      name.bound = Dim(name.value);
}

} // namespace kiln::detail
