#include "frontend/SymboliseRules.h"
#include "kiln/DimSum.h"

#include <algorithm>

namespace kiln::detail {

namespace {

Dims numbers(const std::vector<int64_t> &sizes) { return Dims(sizes.begin(), sizes.end()); }

Dims broadcastAll(DimSolver &solver, const std::vector<Dims> &operands) {
  Dims result;
  for (const Dims &dims : operands) {
    if (dims.size() > result.size())
      result.insert(result.begin(), dims.size() - result.size(), Dim(1));
    std::size_t shift = result.size() - dims.size();
    for (std::size_t i = 0; i < dims.size(); ++i)
      result[shift + i] = solver.broadcast(result[shift + i], dims[i]);
  }
  return result;
}

Dim product(const DimSolver &solver, const Dims &dims, std::size_t begin, std::size_t end) {
  Dim result = 1;
  for (std::size_t i = begin; i < end; ++i)
    result = result * solver.resolve(dims[i]);
  return result;
}

/// Names for `sizes` whose product is that of from[begin, end): a single size is the product; of
/// several, each takes a number or a name of the product that has its value.
Dims matchGroup(DimSolver &solver, const Dims &from, std::size_t begin, std::size_t end,
                const std::vector<int64_t> &sizes) {
  Dim whole = product(solver, from, begin, end);
  if (sizes.size() == 1)
    return {whole};
  std::vector<std::string> free;
  for (const std::string &name : whole.names())
    free.push_back(name);
  Dims result;
  Dim reached = 1;
  for (int64_t size : sizes) {
    auto name = std::find_if(free.begin(), free.end(), [&](const std::string &text) {
      return solver.value(Dim(std::string_view(text))) == size;
    });
    result.push_back(name == free.end() ? Dim(size) : Dim(std::string_view(*name)));
    if (name != free.end())
      free.erase(name);
    reached = reached * result.back();
  }
  if (reached == whole)
    return result;
  solver.makeStatic(whole);
  return numbers(sizes);
}

/// A matcher's position: from[i], to[j], each group as short as possible.
struct Cursor {
  std::size_t i = 0, j = 0;
};

/// Ends of the next group behind `at`, below the ends; false if there is none.
bool nextGroup(const std::vector<int64_t> &from, const std::vector<int64_t> &to, Cursor at,
               std::size_t fromEnd, std::size_t toEnd, Cursor &groupEnd) {
  groupEnd = {at.i + 1, at.j + 1};
  if (groupEnd.i > fromEnd || groupEnd.j > toEnd)
    return false;
  int64_t left = from[at.i], right = to[at.j];
  while (left != right)
    if (left < right) {
      if (groupEnd.i == fromEnd)
        return false;
      left *= from[groupEnd.i++];
    } else {
      if (groupEnd.j == toEnd)
        return false;
      right *= to[groupEnd.j++];
    }
  return true;
}

} // namespace

Dims matchReshape(DimSolver &solver, const Dims &given, const std::vector<int64_t> &to,
                  int64_t inferredAxis) {
  Dims from;
  std::vector<int64_t> sizes;
  for (const Dim &dim : given) {
    from.push_back(solver.resolve(dim));
    sizes.push_back(solver.value(dim));
  }
  auto giveUp = [&] {
    for (const Dim &dim : from)
      solver.makeStatic(dim);
    return numbers(to);
  };
  // A product tells which sizes belong together, but not with a size of 0 in it: a prime stands for
  // that, so that an empty batch is grouped as any other.
  constexpr int64_t prime = 1000003;
  std::vector<int64_t> left = sizes, right = to;
  for (std::vector<int64_t> *list : {&left, &right}) {
    std::replace(list->begin(), list->end(), int64_t{0}, prime);
    int64_t product = 1;
    for (int64_t size : *list)
      if (__builtin_mul_overflow(product, size, &product))
        return giveUp();
  }

  // From the right, up to the dim that was left to be inferred: it takes what remains.
  std::size_t fromEnd = from.size(), toEnd = to.size();
  Dims tail;
  if (inferredAxis >= 0) {
    std::vector<int64_t> fromBack(left.rbegin(), left.rend()), toBack(right.rbegin(), right.rend());
    std::vector<int64_t> sizesBack(to.rbegin(), to.rend());
    Dims dimsBack(from.rbegin(), from.rend());
    std::size_t stop = to.size() - static_cast<std::size_t>(inferredAxis) - 1;
    Cursor at, end;
    while (at.j < stop && nextGroup(fromBack, toBack, at, from.size(), stop, end)) {
      Dims group = matchGroup(solver, dimsBack, at.i, end.i,
                              {sizesBack.begin() + static_cast<std::ptrdiff_t>(at.j),
                               sizesBack.begin() + static_cast<std::ptrdiff_t>(end.j)});
      tail.insert(tail.end(), group.begin(), group.end());
      at = end;
    }
    fromEnd -= at.i;
    toEnd -= at.j;
    std::reverse(tail.begin(), tail.end());
  }

  Dims result;
  Cursor at, end;
  while (at.j < toEnd) {
    // The last one takes all that is left: sizes of 1 behind it belong to it.
    bool isLast = at.j + 1 == toEnd;
    if (isLast)
      end = {fromEnd, toEnd};
    else if (at.i == fromEnd && to[at.j] == 1)
      end = {at.i, at.j + 1};
    else if (!nextGroup(left, right, at, fromEnd, toEnd, end))
      return giveUp();
    Dims group = matchGroup(solver, from, at.i, end.i,
                            {to.begin() + static_cast<std::ptrdiff_t>(at.j),
                             to.begin() + static_cast<std::ptrdiff_t>(end.j)});
    for (std::size_t k = 0; k < group.size(); ++k)
      if (solver.value(group[k]) != to[at.j + k])
        return giveUp();
    result.insert(result.end(), group.begin(), group.end());
    at = end;
  }
  // What is left of the operand are sizes of 1.
  for (; at.i < fromEnd; ++at.i)
    solver.makeStatic(from[at.i]);
  result.insert(result.end(), tail.begin(), tail.end());
  return result;
}

namespace {

SymbolicNode symboliseSlice(DimSolver &solver, const Node &node, const Dims &x,
                            const std::vector<int64_t> &sizes) {
  const auto &starts = node.attributes.get<Shape>("starts");
  const auto &stops = node.attributes.get<Shape>("stops");
  const auto &steps = node.attributes.get<std::vector<int64_t>>("steps");
  Dims result, newStarts, newStops;
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto axis = static_cast<int64_t>(i);
    int64_t size = solver.value(x[i]), start = starts[axis].value(), stop = stops[axis].value();
    uint8_t hint = i < node.hints.size() ? node.hints[i] : 0;
    Dim first = hint & startFromEnd ? x[i] - Dim(size - start) : Dim(start);
    Dim last;
    if (hint & stopFromEnd)
      last = x[i] - Dim(size - stop);
    else if (steps[i] == 1 && !(hint & startFromEnd))
      last = first + solver.fresh(stop - start, true);
    else
      last = Dim(stop);
    newStarts.push_back(first);
    newStops.push_back(last);
    result.push_back(steps[i] == 1 ? last - first
                                   : (last - first + Dim(steps[i] - 1)) / Dim(steps[i]));
    if (solver.value(result.back()) != sizes[i]) { // cannot be; then rather numbers
      solver.makeStatic(x[i]);
      result.back() = Dim(sizes[i]);
    }
  }
  return {std::move(result), {{"starts", newStarts}, {"stops", newStops}}};
}

SymbolicNode symboliseBroadcast(DimSolver &solver, const Dims &x,
                                const std::vector<int64_t> &sizes) {
  Dims result;
  std::size_t shift = sizes.size() - x.size();
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    bool isKept = i >= shift && solver.value(x[i - shift]) == sizes[i];
    if (isKept) {
      result.push_back(x[i - shift]);
      continue;
    }
    if (i >= shift)
      solver.makeStatic(x[i - shift]);
    result.push_back(solver.fresh(sizes[i], true));
  }
  return {result, {{"shape", result}}};
}

Dims symboliseMatmul(DimSolver &solver, const Dims &x, const Dims &y) {
  solver.unify(x.back(), y[y.size() - 2]);
  Dims result = broadcastAll(solver, {Dims(x.begin(), x.end() - 2), Dims(y.begin(), y.end() - 2)});
  result.push_back(x[x.size() - 2]);
  result.push_back(y.back());
  return result;
}

Dims symboliseAttention(DimSolver &solver, const std::vector<Dims> &operands) {
  const Dims &q = operands[0], &k = operands[1], &v = operands[2];
  std::size_t rank = q.size();
  solver.unify(q[rank - 1], k[rank - 1]);
  solver.unify(k[rank - 2], v[rank - 2]);
  // How the heads are shared is part of the program.
  for (const Dims *dims : {&q, &k, &v})
    solver.makeStatic((*dims)[rank - 3]);
  for (std::size_t i = 0; i + 3 < rank; ++i) {
    solver.unify(q[i], k[i]);
    solver.unify(k[i], v[i]);
  }
  if (operands.size() > 3) {
    Dims scores(q.begin(), q.end() - 1);
    scores.push_back(k[rank - 2]);
    broadcastAll(solver, {scores, operands[3]});
  }
  Dims result(q.begin(), q.end() - 1);
  result.push_back(v.back());
  return result;
}

Dims symboliseConcat(DimSolver &solver, const std::vector<Dims> &operands, std::size_t axis) {
  Dims result = operands.front(), parts;
  for (const Dims &operand : operands) {
    parts.push_back(operand[axis]);
    for (std::size_t i = 0; i < result.size(); ++i)
      if (i != axis)
        solver.unify(result[i], operand[i]);
  }
  result[axis] = sumOfDims(std::move(parts));
  return result;
}

/// Along other axes there may be fewer indices than elements; where there are as many, that is
/// meant.
void symboliseElementIndices(DimSolver &solver, const std::vector<Dims> &operands,
                             std::size_t axis) {
  const Dims &x = operands[0], &indices = operands[1];
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i != axis && solver.value(x[i]) == solver.value(indices[i]))
      solver.unify(x[i], indices[i]);
    if (operands.size() > 2)
      solver.unify(indices[i], operands[2][i]);
  }
}

Dims symboliseScatter(DimSolver &solver, const std::vector<Dims> &operands) {
  const Dims &x = operands[0], &updates = operands[2];
  solver.unify(operands[1][0], updates[0]);
  for (std::size_t i = 1; i < x.size(); ++i)
    solver.unify(x[i], updates[i]);
  return x;
}

bool isReduction(std::string_view op) {
  constexpr std::string_view reductions[] = {"sum",  "mean",   "max",   "min",
                                             "prod", "argmax", "argmin"};
  return std::find(std::begin(reductions), std::end(reductions), op) != std::end(reductions);
}

bool isElementwise(std::string_view op) {
  static const std::vector<std::string_view> names = {
#define KILN_UNARY(op, kind) #op,
#define KILN_BINARY(op, kind) #op,
#include "ir/Elementwise.def"
      "select", "cast", "softmax", "cumsum"};
  return std::find(names.begin(), names.end(), op) != names.end();
}

} // namespace

SymbolicNode symboliseNode(DimSolver &solver, const Node &node, const std::vector<Dims> &operands,
                           const std::vector<int64_t> &sizes) {
  std::string_view op = node.op;
  auto axis = [&] { return static_cast<std::size_t>(node.attributes.get<int64_t>("axis")); };
  if (isElementwise(op))
    return {broadcastAll(solver, operands), {}};
  if (op == "matmul")
    return {symboliseMatmul(solver, operands[0], operands[1]), {}};
  if (op == "reshape" && !node.hints.empty() && node.hints[0] == joinsAxes) {
    Dims result(sizes.size(), Dim(1));
    for (std::size_t i = 0; i < operands[0].size(); ++i)
      if (uint8_t target = node.hints[i + 1])
        result[target - 1u] = result[target - 1u] * operands[0][i];
      else
        solver.makeStatic(operands[0][i]);
    return {result, {{"shape", result}}};
  }
  if (op == "reshape") {
    int64_t inferredAxis = node.hints.empty() ? -1 : node.hints[0] - 1;
    Dims result = matchReshape(solver, operands[0], sizes, inferredAxis);
    return {result, {{"shape", result}}};
  }
  if (op == "permute") {
    Dims result;
    for (int64_t from : node.attributes.get<std::vector<int64_t>>("axes"))
      result.push_back(operands[0][static_cast<std::size_t>(from)]);
    return {std::move(result), {}};
  }
  if (op == "windows") {
    auto number = [&](const char *name) { return node.attributes.get<int64_t>(name); };
    Dims result = operands[0];
    Dim covered = number("dilation") * (number("size") - 1) + 1;
    Dim count = (result[axis()] - covered) / Dim(number("stride")) + 1;
    result[axis()] = count;
    result.insert(result.begin() + static_cast<std::ptrdiff_t>(axis()) + 1, Dim(number("size")));
    return {std::move(result), {}};
  }
  if (op == "broadcast_to")
    return symboliseBroadcast(solver, operands[0], sizes);
  if (op == "slice")
    return symboliseSlice(solver, node, operands[0], sizes);
  if (op == "concat")
    return {symboliseConcat(solver, operands, axis()), {}};
  if (op == "gather") {
    Dims result = operands[0];
    auto place = result.erase(result.begin() + static_cast<std::ptrdiff_t>(axis()));
    result.insert(place, operands[1].begin(), operands[1].end());
    return {std::move(result), {}};
  }
  if (op == "scatter")
    return {symboliseScatter(solver, operands), {}};
  if (op == "gather_elements" || op == "scatter_elements") {
    symboliseElementIndices(solver, operands, axis());
    return {operands[op == "gather_elements" ? 1 : 0], {}};
  }
  if (op == "dequantize") { // how long a packed row is, is part of the program
    Dims result = operands[0];
    solver.makeStatic(result.back());
    result.back() = Dim(sizes.back());
    return {std::move(result), {}};
  }
  if (op == "argsort") {
    Dims result = operands[0];
    if (node.hints.empty() || node.hints[0] != sortsAll)
      result[axis()] = Dim(sizes[axis()]);
    return {result, {{"count", {result[axis()]}}}};
  }
  if (isReduction(op)) {
    Dims result = operands[0];
    result[axis()] = Dim(1);
    return {std::move(result), {}};
  }
  if (op == "layer_norm") {
    for (std::size_t i = 1; i < operands.size(); ++i)
      solver.unify(operands[0].back(), operands[i].back());
    return {operands[0], {}};
  }
  if (op == "attention" && !node.type().device.isCPU()) { // widths of rows are in registers there
    solver.makeStatic(operands[0].back());
    solver.makeStatic(operands[2].back());
  }
  if (op == "attention")
    return {symboliseAttention(solver, operands), {}};
  if (op == "iota") {
    Dims result = {solver.fresh(sizes[0], true)};
    return {result, {{"shape", result}}};
  }
  // Nothing is known of it: its operands keep their sizes.
  for (const Dims &dims : operands)
    for (const Dim &dim : dims)
      solver.makeStatic(dim);
  return {numbers(sizes), {}};
}

} // namespace kiln::detail
