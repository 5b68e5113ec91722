#include "ir/InterpreterElements.h"
#include "ir/InterpreterOps.h"

#include <algorithm>

/// Operations of programs that several devices run at the same time.
namespace kiln::ir {

using Results = std::vector<Array>;

/// In the order of the ranks; 16-bit floats are summed in float32 and rounded once.
static Array allReduce(const Attributes &, std::span<const ArrayPtr> x) {
  DType dtype = x[0]->dtype;
  DType sumType = sizeBytes(dtype) == 2 && isFloat(dtype) ? DType::float32 : dtype;
  const ElementFunction &add = *findElementFunction("add");
  Array result(dtype, x[0]->sizes);
  for (int64_t i = 0; i < result.numElements(); ++i) {
    Scalar sum = x[0]->values[static_cast<size_t>(i)];
    for (const ArrayPtr &other : x.subspan(1))
      sum = roundTo(sumType, add.apply(sumType, sum, other->values[static_cast<size_t>(i)]));
    result.set(i, sum);
  }
  return result;
}

/// Elements of one entry along the axis, and how many such runs of entries there are.
struct Runs {
  int64_t outer, inner;
};
static Runs runsOf(const Array &x, int64_t axis) {
  auto a = static_cast<size_t>(axis);
  std::span<const int64_t> sizes(x.sizes);
  return {product(sizes.first(a)), product(sizes.subspan(a + 1))};
}

static Array allGather(const Attributes &attributes, std::span<const ArrayPtr> x) {
  auto axis = attributes.get<int64_t>("axis");
  auto ranks = static_cast<int64_t>(x.size());
  if (attributes.get<int64_t>("ranks") != ranks)
    throw ValueError("[all_gather] of " + std::to_string(attributes.get<int64_t>("ranks")) +
                     " ranks, there are " + std::to_string(ranks));
  Sizes sizes = x[0]->sizes;
  sizes[static_cast<size_t>(axis)] *= ranks;
  Array result(x[0]->dtype, sizes);
  int64_t outer = runsOf(*x[0], axis).outer;
  int64_t run = outer ? x[0]->numElements() / outer : 0;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t rank = 0; rank < ranks; ++rank)
      std::copy_n(x[static_cast<size_t>(rank)]->values.begin() + o * run, run,
                  result.values.begin() + (o * ranks + rank) * run);
  return result;
}

Array partOf(const Array &whole, int64_t axis, int64_t size, int64_t rank) {
  Sizes sizes = whole.sizes;
  int64_t all = std::exchange(sizes[static_cast<size_t>(axis)], size);
  Array part(whole.dtype, sizes);
  auto [outer, inner] = runsOf(whole, axis);
  int64_t begin = std::min(rank * size, all), count = std::min(size, all - begin);
  for (int64_t o = 0; o < outer; ++o)
    std::copy_n(whole.values.begin() + (o * all + begin) * inner, count * inner,
                part.values.begin() + o * size * inner);
  return part;
}

static Results localSlice(const OpCall &call) {
  int64_t size = call.types[0].shape[call.axis()].value();
  if (call.rank >= call.attributes.get<int64_t>("ranks"))
    throw ValueError("[local_slice] rank " + std::to_string(call.rank) + " of " +
                     std::to_string(call.attributes.get<int64_t>("ranks")));
  return {partOf(call.operand(0), call.axis(), size, call.rank)};
}

CollectiveFunction findCollective(std::string_view op) {
  return op == "all_reduce" ? allReduce : op == "all_gather" ? allGather : nullptr;
}

std::span<const OpEntry> rankFunctions() {
  static const OpEntry entries[] = {{"local_slice", localSlice}};
  return entries;
}

} // namespace kiln::ir
