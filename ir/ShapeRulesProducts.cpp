#include "ir/ShapeRulesFamilies.h"

#include <array>
#include <cmath>

namespace kiln::ir::rules {

std::vector<TensorType> matmul(const Use &use) {
  const TensorType &x = use[0], &y = use[1];
  if (x.rank() < 2 || y.rank() < 2)
    fail(ErrorKind::value, "C1", "expected operands of rank 2 or more: {}", show("x", x, "y", y));
  requireSameDType(x, "x", y, "y", "C2");
  requireNumber(x, "x", "C3");
  if (x.shape[-1] != y.shape[-2])
    fail(ErrorKind::value, "C4", "inner dims differ: {}", show("x", x, "y", y));
  Inferred batch =
      broadcastShapes(std::array{Shape(concatenate(leading(x.shape, x.rank() - 2), {})),
                                 Shape(concatenate(leading(y.shape, y.rank() - 2), {}))});
  if (!batch)
    fail(ErrorKind::value, "C5", "batch {}: {}", batch.message, show("x", x, "y", y));
  Shape shape = concatenate(batch.type.shape.vec(), std::array{x.shape[-2], y.shape[-1]});
  return {{x.dtype, std::move(shape), x.device}};
}

std::vector<TensorType> linear(const Use &use) {
  const TensorType &x = use[0];
  auto weights = static_cast<std::size_t>(use.attributes.getOr<int64_t>("weights", 1));
  bool transposed = use.attributes.getOr<bool>("transposed", true);
  if (weights < 1 || weights > use.size() ||
      (use.size() != 1 + weights && use.size() != 1 + 2 * weights))
    fail(ErrorKind::type, "C1",
         "expected x, {} weights and no bias or one for each, got {} operands", weights,
         use.size());
  if (x.rank() < 1)
    fail(ErrorKind::value, "C2", "expected a rank of 1 or more: {}", show("x", x));
  requireNumber(x, "x", "C3");
  std::vector<TensorType> results;
  for (std::size_t i = 0; i < weights; ++i) {
    const TensorType &weight = use[1 + i];
    requireSameDType(x, "x", weight, "weight", "C4");
    if (weight.rank() != 2)
      fail(ErrorKind::value, "C5", "expected a weight of rank 2: {}", show("weight", weight));
    if (x.shape[-1] != weight.shape[transposed ? 1 : 0])
      fail(ErrorKind::value, "C6", "inner dims differ: {}", show("x", x, "weight", weight));
    const Dim &columns = weight.shape[transposed ? 0 : 1];
    if (use.size() > 1 + weights) {
      const TensorType &bias = use[1 + weights + i];
      requireSameDType(x, "x", bias, "bias", "C4");
      if (bias.shape != Shape{columns})
        fail(ErrorKind::value, "C7", "expected a bias of shape [{}]: {}", columns.str(),
             show("weight", weight, "bias", bias));
    }
    Shape shape = concatenate(leading(x.shape, x.rank() - 1), std::array{columns});
    results.emplace_back(x.dtype, std::move(shape), x.device);
  }
  return results;
}

/// Axes of heads, sequence and features, from the front.
struct HeadAxes {
  int64_t heads, sequence, features;
};

static void checkMask(const Use &use, const TensorType &scores) {
  const TensorType &mask = use[3];
  if (mask.dtype != DType::boolean && mask.dtype != scores.dtype)
    fail(ErrorKind::type, "C7", "expected a mask of booleans or of the dtype of q: {}",
         show("q", use[0], "mask", mask));
  if (mask.rank() > scores.rank() || findUnbroadcastable(mask.shape, scores.shape))
    fail(ErrorKind::value, "C8", "the mask does not broadcast to [..., H, Sq, Sk], {}: {}",
         scores.shape.str(), show("mask", mask));
}

std::vector<TensorType> attention(const Use &use) {
  const TensorType &q = use[0], &k = use[1], &v = use[2];
  auto all = [&] { return show("q", q, "k", k) + ", " + show("v", v); };
  auto layout = use.attributes.getOr<std::string>("layout", "bhsd");
  if (layout != "bhsd" && layout != "bshd")
    fail(ErrorKind::value, "C9", "expected layout \"bhsd\" or \"bshd\", got \"{}\"", layout);
  if (q.rank() < 3 || k.rank() != q.rank() || v.rank() != q.rank())
    fail(ErrorKind::value, "C1", "expected operands of one rank, 3 or more: {}", all());
  requireSameDType(q, "q", k, "k", "C2");
  requireSameDType(q, "q", v, "v", "C2");
  requireFloat(q, "q", "C3");

  int64_t rank = q.rank();
  bool headsFirst = layout == "bhsd";
  HeadAxes axis{headsFirst ? rank - 3 : rank - 2, headsFirst ? rank - 2 : rank - 3, rank - 1};
  for (int64_t a = 0; a < rank - 3; ++a)
    if (q.shape[a] != k.shape[a] || q.shape[a] != v.shape[a])
      fail(ErrorKind::value, "C4", "batch dims of axis {} differ: {}", a, all());
  if (q.shape[axis.features] != k.shape[axis.features])
    fail(ErrorKind::value, "C5", "head sizes differ: {}", show("q", q, "k", k));
  if (k.shape[axis.heads] != v.shape[axis.heads] ||
      k.shape[axis.sequence] != v.shape[axis.sequence])
    fail(ErrorKind::value, "C5", "heads or lengths differ: {}", show("k", k, "v", v));
  const Dim &heads = q.shape[axis.heads], &keyHeads = k.shape[axis.heads];
  bool isMultiple = heads == keyHeads || (keyHeads != 0 && (heads / keyHeads) * keyHeads == heads);
  if (!isMultiple)
    fail(ErrorKind::value, "C6", "{} heads of q are no multiple of {} heads of k: {}", heads.str(),
         keyHeads.str(), show("q", q, "k", k));
  if (use.size() == 4) {
    Shape scores = concatenate(leading(q.shape, rank - 3),
                               std::array{heads, q.shape[axis.sequence], k.shape[axis.sequence]});
    checkMask(use, {q.dtype, std::move(scores), q.device});
  }
  if (!std::isfinite(use.attributes.get<double>("scale")))
    fail(ErrorKind::value, "C10", "scale must be finite, got {}",
         use.attributes.get<double>("scale"));
  std::vector<Dim> dims = q.shape.vec();
  dims.back() = v.shape[axis.features];
  return {{q.dtype, Shape(std::move(dims)), q.device}};
}

} // namespace kiln::ir::rules
