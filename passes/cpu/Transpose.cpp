#include "passes/cpu/Transpose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {

/// Of x and y by groups of 4 words: those at the places `places`, 0 to 3 of x, 4 to 7 of y.
static Value shuffleInGroups(FunctionEmitter &f, Value x, Value y, ArrayRef<int64_t> places) {
  const int64_t lanes = f.lanes();
  SmallVector<int64_t> mask;
  for (int64_t group = 0; group < lanes; group += 4)
    for (int64_t place : places)
      mask.push_back(place < 4 ? group + place : lanes + group + place - 4);
  return vector::ShuffleOp::create(f.b, x, y, mask);
}

/// Every second group of 4 words, from `first` on: those of x, then those of y.
static Value everySecondGroup(FunctionEmitter &f, Value x, Value y, int64_t first) {
  const int64_t lanes = f.lanes();
  SmallVector<int64_t> mask;
  for (int64_t vector = 0; vector < 2; ++vector)
    for (int64_t group = first; group < lanes / 4; group += 2)
      for (int64_t place = 0; place < 4; ++place)
        mask.push_back(vector * lanes + group * 4 + place);
  return vector::ShuffleOp::create(f.b, x, y, mask);
}

void emitTranspose(FunctionEmitter &f, MutableArrayRef<Value> vectors) {
  const auto lanes = int64_t(vectors.size());
  // Columns of four rows each: of rows 4 r to 4 r + 3, by group of words.
  for (int64_t row = 0; row < lanes; row += 4) {
    MutableArrayRef<Value> v = vectors.slice(row, 4);
    Value low01 = shuffleInGroups(f, v[0], v[1], {0, 4, 1, 5});
    Value high01 = shuffleInGroups(f, v[0], v[1], {2, 6, 3, 7});
    Value low23 = shuffleInGroups(f, v[2], v[3], {0, 4, 1, 5});
    Value high23 = shuffleInGroups(f, v[2], v[3], {2, 6, 3, 7});
    v[0] = shuffleInGroups(f, low01, low23, {0, 1, 4, 5});
    v[1] = shuffleInGroups(f, low01, low23, {2, 3, 6, 7});
    v[2] = shuffleInGroups(f, high01, high23, {0, 1, 4, 5});
    v[3] = shuffleInGroups(f, high01, high23, {2, 3, 6, 7});
  }
  // Vector 4 r + c has in group g: column 4 g + c of rows 4 r on. Groups as the rows of a matrix:
  // the same again, by halves.
  for (int64_t c = 0; c < 4; ++c) {
    SmallVector<Value> rows;
    for (int64_t row = 0; row < lanes; row += 4)
      rows.push_back(vectors[row + c]);
    // Splits even and odd groups until each vector has one group of all rows.
    SmallVector<SmallVector<Value>> parts = {rows};
    while (parts.front().size() > 1) {
      SmallVector<SmallVector<Value>> halves;
      for (int64_t first : {0, 1})
        for (ArrayRef<Value> part : parts) {
          SmallVector<Value> half;
          for (size_t i = 0; i < part.size(); i += 2)
            half.push_back(everySecondGroup(f, part[i], part[i + 1], first));
          halves.push_back(half);
        }
      parts = std::move(halves);
    }
    for (auto [group, part] : llvm::enumerate(parts))
      vectors[int64_t(group) * 4 + c] = part.front();
  }
}

} // namespace kiln::passes
