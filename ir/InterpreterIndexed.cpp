#include "ir/InterpreterElements.h"
#include "ir/InterpreterOps.h"
#include "kiln/Error.h"

#include <map>
#include <string>
#include <utility>

/// Operations that read or write places which other values say.
namespace kiln::ir {

using Results = std::vector<Array>;

/// Throws IndexError for the first index outside [0, bound).
static void checkIndices(const std::string &op, const Array &indices, int64_t bound) {
  for (int64_t position = 0; position < indices.numElements(); ++position)
    if (int64_t index = indices.integerAt(position); index < 0 || index >= bound)
      throw IndexError("[" + op + "] index " + std::to_string(index) + " at position " +
                       std::to_string(position) + " is out of range [0, " + std::to_string(bound) +
                       ")");
}

static Results gather(const OpCall &call) {
  const Array &table = call.operand(0), &indices = call.operand(1);
  auto axis = static_cast<size_t>(call.axis());
  int64_t rows = table.sizes[axis];
  bool isPart = call.attributes.find("total") != nullptr;
  checkIndices("gather", indices, call.attributes.getOr<int64_t>("total", rows));
  int64_t first = isPart ? call.rank * rows : 0; // the row that the table begins with
  // Along the indices' axes table stands still; a row's place is then added.
  Sizes strides = stridesOf(table.sizes);
  int64_t stride = strides[axis];
  Sizes inner(strides.begin() + static_cast<ptrdiff_t>(axis) + 1, strides.end());
  strides.resize(axis);
  Sizes which(strides.size(), 0); // the same walk over the indices
  for (int64_t own : stridesOf(indices.sizes)) {
    strides.push_back(0);
    which.push_back(own);
  }
  strides.insert(strides.end(), inner.begin(), inner.end());
  which.resize(strides.size(), 0);

  Sizes sizes = call.result().sizes;
  Sizes offsets = offsetsOf(sizes, strides), positions = offsetsOf(sizes, which);
  Array result = call.result(); // zeros
  for (size_t i = 0; i < offsets.size(); ++i)
    if (int64_t row = indices.integerAt(positions[i]) - first; row >= 0 && row < rows)
      result.values[i] = table.values[static_cast<size_t>(offsets[i] + row * stride)];
  return {result};
}

/// Puts `update` into an element, or combines the two as the attribute `reduction` says.
static void combine(const OpCall &call, Array &result, int64_t place, Scalar update) {
  static const std::map<std::string_view, std::string_view> functions = {
      {"add", "add"}, {"mul", "mul"}, {"max", "maximum"}, {"min", "minimum"}};
  auto found = functions.find(call.attributes.get<std::string>("reduction"));
  if (found != functions.end())
    update = findElementFunction(found->second)
                 ->apply(result.dtype, result.values[static_cast<size_t>(place)], update);
  result.set(place, update);
}

static Results scatter(const OpCall &call) {
  const Array &x = call.operand(0), &indices = call.operand(1), &updates = call.operand(2);
  checkIndices("scatter", indices, x.sizes[0]);
  Array result = x;
  int64_t columns = product(std::span(x.sizes).subspan(1));
  for (int64_t i = 0; i < indices.numElements(); ++i)
    for (int64_t column = 0; column < columns; ++column)
      combine(call, result, indices.integerAt(i) * columns + column,
              updates.values[static_cast<size_t>(i * columns + column)]);
  return {result};
}

/// Where in x the element of each index is: at its own place, but along the axis at the index.
static Sizes elementOffsets(const OpCall &call) {
  const Array &x = call.operand(0), &indices = call.operand(1);
  auto axis = static_cast<size_t>(call.axis());
  Sizes strides = stridesOf(x.sizes);
  int64_t stride = std::exchange(strides[axis], 0);
  Sizes offsets = offsetsOf(indices.sizes, strides);
  for (size_t i = 0; i < offsets.size(); ++i)
    offsets[i] += indices.integerAt(static_cast<int64_t>(i)) * stride;
  return offsets;
}

static Results gatherElements(const OpCall &call) {
  checkIndices("gather_elements", call.operand(1),
               call.operand(0).sizes[static_cast<size_t>(call.axis())]);
  return moved(call, elementOffsets(call));
}

static Results scatterElements(const OpCall &call) {
  checkIndices("scatter_elements", call.operand(1),
               call.operand(0).sizes[static_cast<size_t>(call.axis())]);
  Array result = call.operand(0);
  Sizes offsets = elementOffsets(call);
  for (size_t i = 0; i < offsets.size(); ++i)
    combine(call, result, offsets[i], call.operand(2).values[i]);
  return {result};
}

std::span<const OpEntry> indexedFunctions() {
  static const OpEntry entries[] = {{"gather", gather},
                                    {"scatter", scatter},
                                    {"gather_elements", gatherElements},
                                    {"scatter_elements", scatterElements}};
  return entries;
}

} // namespace kiln::ir
