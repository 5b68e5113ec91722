#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

/// Operations along axes: normalisation, products, attention, gather.
namespace kiln {

using detail::Call;

static Tensor alongAxis(const Call &call, std::string_view op, const Tensor &x, int64_t axis) {
  return call.record(op, {x}, {{"axis", call.axis(axis, call.type(x))}});
}

Tensor softmax(const Tensor &x, int64_t axis, Where where) {
  Call call("softmax", where);
  return alongAxis(call, "softmax", call.toFloat(x), axis);
}

Tensor logSoftmax(const Tensor &x, int64_t axis, Where where) {
  Call call("logSoftmax", where);
  Tensor values = call.toWide(x);
  Tensor shifted = call.record("sub", {values, alongAxis(call, "max", values, axis)});
  Tensor total = alongAxis(call, "sum", call.record("exp", {shifted}), axis);
  return call.cast(call.record("sub", {shifted, call.record("log", {total})}), call.floatOf(x));
}

Tensor layerNorm(const Tensor &x, const Tensor &weight, const Tensor &bias, double epsilon,
                 Where where) {
  return Call("layerNorm", where).record("layer_norm", {x, weight, bias}, {{"epsilon", epsilon}});
}
Tensor layerNorm(const Tensor &x, double epsilon, Where where) {
  return Call("layerNorm", where).record("layer_norm", {x}, {{"epsilon", epsilon}});
}

Tensor rmsNorm(const Tensor &x, const Tensor &weight, double epsilon, Where where) {
  Call call("rmsNorm", where);
  const TensorType &type = call.type(x);
  if (!(epsilon > 0))
    call.fail(ErrorKind::value, fmt::format("epsilon must be positive, got {}", epsilon));
  if (!isFloat(type.dtype))
    call.fail(ErrorKind::type, "expected a float dtype: x " + type.str());
  if (type.rank() < 1 || call.type(weight).shape != Shape{type.shape[-1]})
    call.fail(ErrorKind::value, fmt::format("weight {} does not match dimension of reduction: x {}",
                                            weight.type().str(), type.str()));
  // Squares of half floats would overflow at 256.
  Tensor values = call.toWide(x);
  Tensor square = alongAxis(call, "mean", call.record("mul", {values, values}), -1);
  Tensor scale = call.record(
      "rsqrt", {call.record("add", {square, call.scalar(epsilon, values.dtype(), type.device)})});
  Tensor normal = call.cast(call.record("mul", {values, scale}), call.floatOf(x));
  return call.binary("mul", normal, weight);
}

Tensor matmul(const Tensor &x, const Tensor &y, Where where) {
  Call call("matmul", where);
  const TensorType &left = call.type(x), &right = call.type(y);
  if (!left.rank() || !right.rank())
    call.fail(ErrorKind::value, fmt::format("operands need a rank of at least 1: x {}, y {}",
                                            left.str(), right.str()));
  DType dtype = call.promote(left.dtype, right.dtype);
  bool isRow = left.rank() == 1, isColumn = right.rank() == 1;
  if ((isRow || isColumn) && left.shape[-1] != right.shape[isColumn ? 0 : -2])
    call.fail(ErrorKind::value,
              fmt::format("inner dims differ: x {}, y {}", left.str(), right.str()));

  Tensor a = call.cast(x, dtype), b = call.cast(y, dtype);
  if (isRow)
    a = call.reshape(a, Shape{Dim(1), left.shape[0]});
  if (isColumn)
    b = call.reshape(b, Shape{right.shape[0], Dim(1)});
  Tensor result = call.record("matmul", {a, b});
  if (!isRow && !isColumn)
    return result;
  std::vector<Dim> dims = result.shape().vec();
  if (isColumn)
    dims.pop_back();
  if (isRow)
    dims.erase(dims.end() - (isColumn ? 1 : 2));
  return call.reshape(result, Shape(std::move(dims)));
}

Tensor outer(const Tensor &x, const Tensor &y, Where where) {
  Call call("outer", where);
  const TensorType &left = call.type(x), &right = call.type(y);
  if (left.rank() != 1 || right.rank() != 1)
    call.fail(ErrorKind::value,
              fmt::format("operands must be of rank 1: x {}, y {}", left.str(), right.str()));
  Tensor column = call.reshape(x, Shape{left.shape[0], Dim(1)});
  return call.binary("mul", column, y);
}

/// Of float64, in which no kernel computes it: made of products and a softmax. `scores` are stored.
static Tensor attentionInDouble(const Call &call, const std::vector<Tensor> &operands,
                                double scale) {
  const Tensor &q = operands[0], &k = operands[1], &v = operands[2];
  Shape own = q.shape(), keys = k.shape();
  // Heads that share a head of k and v lie one behind the other: as more rows of one head.
  std::vector<Dim> dims(own.begin(), own.end() - 3);
  dims.push_back(keys[-3]);
  dims.push_back(own[-3] / keys[-3] * own[-2]);
  auto withLast = [&](const Dim &last) {
    std::vector<Dim> all = dims;
    all.push_back(last);
    return Shape(all);
  };
  auto number = [&](double value) { return call.scalar(value, DType::float64, q.device()); };
  std::vector<int64_t> axes(static_cast<std::size_t>(own.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  Tensor scores =
      call.record("matmul", {call.reshape(q, withLast(own[-1])), call.permute(k, axes)});
  scores = call.record("mul", {scores, number(scale)});
  const double infinity = std::numeric_limits<double>::infinity();
  if (operands.size() > 3) {
    std::vector<Dim> full(own.begin(), own.end() - 1);
    full.push_back(keys[-2]);
    Tensor mask = call.reshape(call.broadcastTo(operands[3], Shape(full)), withLast(keys[-2]));
    scores = mask.dtype() == DType::boolean
                 ? call.record("select", {mask, scores, number(-infinity)})
                 : call.record("add", {scores, mask});
  }
  Tensor result = call.record("matmul", {alongAxis(call, "softmax", scores, -1), v});
  // Who attends to nothing gets zeros, where softmax has NaN.
  Tensor attended = call.cast(call.record("ne", {scores, number(-infinity)}), DType::int64);
  Tensor isSome = call.record(
      "gt", {alongAxis(call, "sum", attended, -1), call.scalar(0, DType::int64, q.device())});
  result = call.record("select", {isSome, result, number(0)});
  std::vector<Dim> target(own.begin(), own.end() - 1);
  target.push_back(v.shape()[-1]);
  return call.reshape(result, Shape(target));
}

Tensor attention(const Tensor &q, const Tensor &k, const Tensor &v,
                 const std::optional<Tensor> &mask, std::optional<double> scale, Where where) {
  Call call("attention", where);
  const TensorType &query = call.type(q);
  if (!scale) {
    if (!query.rank() || !query.shape[-1].isStatic())
      call.fail(ErrorKind::type, fmt::format("the scale must be given where the last dim of q is "
                                             "not a number: q {}",
                                             query.str()));
    // Of empty vectors every score is 0, whatever the scale.
    scale = 1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(1, query.shape[-1].value())));
  }
  std::vector<Tensor> operands = {q, k, v};
  if (mask)
    operands.push_back(*mask);
  Tensor result = call.record("attention", operands, {{"scale", *scale}}); // checks them
  return query.dtype == DType::float64 ? attentionInDouble(call, operands, *scale) : result;
}

Tensor gather(const Tensor &table, const Tensor &indices, int64_t axis, Where where) {
  Call call("gather", where);
  return call.record("gather", {table, indices}, {{"axis", call.axis(axis, call.type(table))}});
}

Tensor dequantize(const Tensor &packed, QuantizationEncoding encoding, Where where) {
  Call call("dequantize", where);
  return call.record("dequantize", {packed}, {{"encoding", std::string(name(encoding))}});
}

} // namespace kiln
