#include "ir/InterpreterElements.h"
#include "ir/InterpreterOps.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

/// Operations along an axis.
namespace kiln::ir {

using Results = std::vector<Array>;

/// Each row's elements combined from the first to the last by an elementwise operation, unrounded.
static Scalar combine(const Array &x, const Row &row, std::string_view op, Scalar value) {
  const ElementFunction *function = findElementFunction(op);
  for (int64_t i = 0; i < row.count; ++i)
    value = function->apply(x.dtype, value, x.values[static_cast<size_t>(row.at(i))]);
  return value;
}

static Results reduce(const OpCall &call, std::string_view op, double first) {
  const Array &x = call.operand(0);
  Array result = call.result();
  for (const Row &row : rowsOf(x.sizes, call.axis()))
    result.set(
        row.index,
        combine(x, row, op, isFloat(x.dtype) ? real(first) : integer(static_cast<int64_t>(first))));
  return {result};
}

static Results sum(const OpCall &call) { return reduce(call, "add", 0); }
static Results prod(const OpCall &call) { return reduce(call, "mul", 1); }

static Results mean(const OpCall &call) {
  const Array &x = call.operand(0);
  Array result = call.result();
  for (const Row &row : rowsOf(x.sizes, call.axis()))
    result.set(row.index,
               real(combine(x, row, "add", real(0)).real / static_cast<double>(row.count)));
  return {result};
}

/// Where in a row the largest (smallest) element is: the first of equals, the first NaN before all.
static int64_t findExtremum(const Array &x, const Row &row, std::string_view isBetter) {
  const ElementFunction *better = findElementFunction(isBetter);
  auto at = [&](int64_t i) { return x.values[static_cast<size_t>(row.at(i))]; };
  auto isNan = [&](int64_t i) { return isFloat(x.dtype) && std::isnan(at(i).real); };
  int64_t best = 0;
  for (int64_t i = 1; i < row.count && !isNan(best); ++i)
    if (isNan(i) || better->apply(x.dtype, at(i), at(best)).integer)
      best = i;
  return best;
}

/// The result for each row is what `take` makes of the place of its extremum.
template <class F> static Results extremum(const OpCall &call, std::string_view isBetter, F take) {
  const Array &x = call.operand(0);
  Array result = call.result();
  for (const Row &row : rowsOf(x.sizes, call.axis()))
    if (row.count > 0)
      result.set(row.index, take(x, row, findExtremum(x, row, isBetter)));
  return {result};
}
static Scalar takeValue(const Array &x, const Row &row, int64_t place) {
  return x.values[static_cast<size_t>(row.at(place))];
}
static Scalar takePlace(const Array &, const Row &, int64_t place) { return integer(place); }

static Results max(const OpCall &call) { return extremum(call, "gt", takeValue); }
static Results min(const OpCall &call) { return extremum(call, "lt", takeValue); }
static Results argmax(const OpCall &call) { return extremum(call, "gt", takePlace); }
static Results argmin(const OpCall &call) { return extremum(call, "lt", takePlace); }

static Results softmax(const OpCall &call) {
  const Array &x = call.operand(0);
  Array result = call.result();
  for (const Row &row : rowsOf(x.sizes, call.axis())) {
    double largest = -std::numeric_limits<double>::infinity(), total = 0;
    for (int64_t i = 0; i < row.count; ++i)
      largest = std::fmax(largest, x.realAt(row.at(i)));
    for (int64_t i = 0; i < row.count; ++i)
      total += std::exp(x.realAt(row.at(i)) - largest);
    for (int64_t i = 0; i < row.count; ++i)
      result.set(row.at(i), real(std::exp(x.realAt(row.at(i)) - largest) / total));
  }
  return {result};
}

/// Of all elements before each one, itself among them or not; unrounded until it is stored.
static Results cumsum(const OpCall &call) {
  const Array &x = call.operand(0);
  Array result = call.result();
  bool exclusive = call.attributes.getOr("exclusive", false);
  bool reverse = call.attributes.getOr("reverse", false);
  const ElementFunction *add = findElementFunction("add");
  for (const Row &row : rowsOf(x.sizes, call.axis())) {
    Scalar total = isFloat(x.dtype) ? real(0) : integer(0);
    for (int64_t i = 0; i < row.count; ++i) {
      int64_t place = row.at(reverse ? row.count - 1 - i : i);
      Scalar before = total;
      total = add->apply(x.dtype, total, x.values[static_cast<size_t>(place)]);
      result.set(place, exclusive ? before : total);
    }
  }
  return {result};
}

/// Whether `a` stands before `b` in ascending order: a NaN behind every number, beside every NaN.
static bool isBefore(DType dtype, Scalar a, Scalar b) {
  if (isFloat(dtype) && (std::isnan(a.real) || std::isnan(b.real)))
    return !std::isnan(a.real);
  return findElementFunction("lt")->apply(dtype, a, b).integer != 0;
}

static Results argsort(const OpCall &call) {
  const Array &x = call.operand(0);
  Array result = call.result();
  bool descending = call.attributes.getOr("descending", false);
  std::vector<Row> places = rowsOf(result.sizes, call.axis());
  for (const Row &row : rowsOf(x.sizes, call.axis())) {
    std::vector<int64_t> order(static_cast<size_t>(row.count));
    std::iota(order.begin(), order.end(), 0);
    auto at = [&](int64_t i) { return x.values[static_cast<size_t>(row.at(i))]; };
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      if (isBefore(x.dtype, at(a), at(b)))
        return !descending;
      if (isBefore(x.dtype, at(b), at(a)))
        return descending;
      return a < b;
    });
    const Row &place = places[static_cast<size_t>(row.index)];
    for (int64_t i = 0; i < place.count; ++i)
      result.set(place.at(i), integer(order[static_cast<size_t>(i)]));
  }
  return {result};
}

static Results layerNorm(const OpCall &call) {
  const Array &x = call.operand(0);
  Array result = call.result();
  bool affine = call.operands.size() == 3;
  double epsilon = call.attributes.get<double>("epsilon");
  for (const Row &row : rowsOf(x.sizes, x.rank() - 1)) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < row.count; ++i)
      mean += x.realAt(row.at(i)) / static_cast<double>(row.count);
    for (int64_t i = 0; i < row.count; ++i)
      variance += std::pow(x.realAt(row.at(i)) - mean, 2) / static_cast<double>(row.count);
    for (int64_t i = 0; i < row.count; ++i) {
      double value = (x.realAt(row.at(i)) - mean) / std::sqrt(variance + epsilon);
      if (affine)
        value = value * call.operand(1).realAt(i) + call.operand(2).realAt(i);
      result.set(row.at(i), real(value));
    }
  }
  return {result};
}

std::span<const OpEntry> rowFunctions() {
  static const OpEntry entries[] = {
      {"sum", sum},       {"prod", prod},       {"mean", mean},
      {"max", max},       {"min", min},         {"argmax", argmax},
      {"argmin", argmin}, {"softmax", softmax}, {"layer_norm", layerNorm},
      {"cumsum", cumsum}, {"argsort", argsort},
  };
  return entries;
}

} // namespace kiln::ir
