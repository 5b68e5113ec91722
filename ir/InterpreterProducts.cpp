#include "ir/InterpreterOps.h"

#include <cmath>
#include <limits>

/// Matrix products and attention.
namespace kiln::ir {

using Results = std::vector<Array>;

/// A matrix inside an array: element (i, j) is at base + i * rowStride + j * columnStride.
struct Matrix {
  const Array &array;
  int64_t base, rowStride, columnStride;
  Scalar at(int64_t i, int64_t j) const {
    return array.values[static_cast<size_t>(base + i * rowStride + j * columnStride)];
  }
};

/// sum over k of x(i, k) * y(k, j), in double or wrapping.
static Scalar dot(const Matrix &x, const Matrix &y, int64_t i, int64_t j, int64_t depth) {
  if (isFloat(x.array.dtype)) {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k)
      sum += x.at(i, k).real * y.at(k, j).real;
    return real(sum);
  }
  uint64_t sum = 0;
  for (int64_t k = 0; k < depth; ++k)
    sum += static_cast<uint64_t>(x.at(i, k).integer) * static_cast<uint64_t>(y.at(k, j).integer);
  return integer(static_cast<int64_t>(sum));
}

/// Sizes without the last two.
static Sizes batchOf(const Sizes &sizes) { return Sizes(sizes.begin(), sizes.end() - 2); }
/// Where each matrix of an array begins, when its batch is read as one of `batch`.
static Sizes matricesOf(const Array &array, const Sizes &batch) {
  int64_t matrix = product(std::span(array.sizes).last(2));
  Sizes strides = broadcastStrides(batchOf(array.sizes), batch);
  for (int64_t &stride : strides)
    stride *= matrix;
  return offsetsOf(batch, strides);
}

static Results matmul(const OpCall &call) {
  const Array &x = call.operand(0), &y = call.operand(1);
  Array result = call.result();
  Sizes batch = batchOf(result.sizes);
  int64_t rows = result.sizes[batch.size()], columns = result.sizes.back(), depth = x.sizes.back();
  Sizes xs = matricesOf(x, batch), ys = matricesOf(y, batch);
  int64_t next = 0;
  for (size_t b = 0; b < xs.size(); ++b)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        result.set(next++, dot({x, xs[b], depth, 1}, {y, ys[b], columns, 1}, i, j, depth));
  return {result};
}

static Results linear(const OpCall &call) {
  const Array &x = call.operand(0);
  bool transposed = call.attributes.getOr<bool>("transposed", true);
  size_t weights = call.types.size();
  bool biased = call.operands.size() > 1 + weights;
  int64_t depth = x.sizes.back();
  Results results;
  for (size_t w = 0; w < weights; ++w) {
    const Array &weight = call.operand(1 + w);
    Array result = call.result(w);
    int64_t columns = result.sizes.back();
    Matrix y = transposed ? Matrix{weight, 0, 1, depth} : Matrix{weight, 0, columns, 1};
    for (int64_t at = 0; at < result.numElements(); ++at) {
      int64_t j = at % columns;
      Scalar value = dot({x, 0, depth, 1}, y, at / columns, j, depth);
      if (biased && isFloat(x.dtype))
        value.real += call.operand(1 + weights + w).realAt(j);
      else if (biased)
        value.integer =
            static_cast<int64_t>(static_cast<uint64_t>(value.integer) +
                                 static_cast<uint64_t>(call.operand(1 + weights + w).integerAt(j)));
      result.set(at, value);
    }
    results.push_back(std::move(result));
  }
  return results;
}

/// Where the parts of q, k, v and of the result lie: [..., H, S, D], or [..., S, H, D].
struct Heads {
  Heads(const Sizes &sizes, bool headsLast) : strides(stridesOf(sizes)) {
    size_t rank = sizes.size();
    headAxis = rank - (headsLast ? 2 : 3);
    rowAxis = rank - (headsLast ? 3 : 2);
    heads = sizes[headAxis];
    rows = sizes[rowAxis];
    width = sizes.back();
    batch = product(std::span(sizes).first(rank - 3));
  }
  Matrix matrix(const Array &array, int64_t b, int64_t head) const {
    return {array, b * heads * rows * width + head * strides[headAxis], strides[rowAxis], 1};
  }
  Sizes strides;
  size_t headAxis, rowAxis;
  int64_t heads, rows, width, batch;
};

/// Adds the mask to the scores of one query, or takes out what it forbids.
static void applyMask(const Array &mask, const Sizes &offsets, int64_t first,
                      std::vector<double> &scores) {
  for (size_t j = 0; j < scores.size(); ++j) {
    int64_t at = offsets[static_cast<size_t>(first) + j];
    if (isFloat(mask.dtype))
      scores[j] += mask.realAt(at);
    else if (!mask.integerAt(at))
      scores[j] = -std::numeric_limits<double>::infinity();
  }
}

/// The weights of the keys; all zero where every key is masked out.
static void softmax(std::vector<double> &scores) {
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (double score : scores)
    largest = std::fmax(largest, score);
  if (std::isinf(largest) && largest < 0)
    largest = 0;
  for (double &score : scores)
    total += score = std::exp(score - largest);
  for (double &score : scores)
    score = total == 0 ? 0 : score / total;
}

static Results attention(const OpCall &call) {
  bool headsLast = call.attributes.getOr<std::string>("layout", "bhsd") == "bshd";
  double scale = call.attributes.get<double>("scale");
  const Array &q = call.operand(0), &k = call.operand(1), &v = call.operand(2);
  Array result = call.result();
  Heads qs(q.sizes, headsLast), ks(k.sizes, headsLast), vs(v.sizes, headsLast),
      outs(result.sizes, headsLast);
  const Array *mask = call.operands.size() > 3 ? &call.operand(3) : nullptr;
  Sizes scoreSizes = Sizes(q.sizes.begin(), q.sizes.end() - 3), maskOffsets; // [..., H, Sq, Sk]
  scoreSizes.insert(scoreSizes.end(), {qs.heads, qs.rows, ks.rows});
  if (mask)
    maskOffsets = offsetsOf(scoreSizes, broadcastStrides(mask->sizes, scoreSizes));

  std::vector<double> scores(static_cast<size_t>(ks.rows));
  for (int64_t b = 0; b < qs.batch; ++b)
    for (int64_t head = 0; head < qs.heads; ++head) {
      int64_t shared = head / (qs.heads / ks.heads); // several query heads may share a key head
      Matrix query = qs.matrix(q, b, head), key = ks.matrix(k, b, shared),
             value = vs.matrix(v, b, shared), out = outs.matrix(result, b, head);
      std::swap(key.rowStride, key.columnStride); // kᵀ
      for (int64_t i = 0; i < qs.rows; ++i) {
        for (int64_t j = 0; j < ks.rows; ++j)
          scores[static_cast<size_t>(j)] = dot(query, key, i, j, qs.width).real * scale;
        if (mask)
          applyMask(*mask, maskOffsets, ((b * qs.heads + head) * qs.rows + i) * ks.rows, scores);
        softmax(scores);
        for (int64_t e = 0; e < vs.width; ++e) {
          double sum = 0;
          for (int64_t j = 0; j < ks.rows; ++j)
            sum += scores[static_cast<size_t>(j)] * value.at(j, e).real;
          result.set(out.base + i * out.rowStride + e, real(sum));
        }
      }
    }
  return {result};
}

std::span<const OpEntry> productFunctions() {
  static const OpEntry entries[] = {
      {"matmul", matmul}, {"linear", linear}, {"attention", attention}};
  return entries;
}

} // namespace kiln::ir
