#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "ir/TypeConversion.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <numeric>

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEATTENTIONPASS
#include "passes/Passes.h.inc"

namespace {

/// The axes of `rank` in order, but for `first` and the one behind it, which change places;
/// counted from the back (-2 for a transposed matrix).
SmallVector<int64_t> swapped(int64_t rank, int64_t first) {
  SmallVector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[rank + first], axes[rank + first + 1]);
  return axes;
}

bool isSwap(ArrayRef<int64_t> axes, int64_t first) {
  auto rank = static_cast<int64_t>(axes.size());
  return rank + first >= 0 && axes == ArrayRef<int64_t>(swapped(rank, first));
}

Shape shapeOf(Value value) { return ir::shapeOf(value.getType()); }

Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

/// `value` with the dims of `axes`.
Value permuted(OpBuilder &b, Location loc, Value value, ArrayRef<int64_t> axes) {
  return ir::PermuteOp::create(b, loc, value, axes);
}

/// A scalar constant, of a float or an integer type.
Value scalar(OpBuilder &b, Location loc, Type element, double number) {
  auto type = RankedTensorType::get({}, element);
  Attribute value;
  if (auto floats = dyn_cast<FloatType>(element))
    value = b.getFloatAttr(floats, number);
  else
    value = b.getIntegerAttr(b.getI64Type(), static_cast<int64_t>(number));
  return ir::ConstantOp::create(b, loc, DenseElementsAttr::get(type, value));
}

/// The one number that a constant holds everywhere.
std::optional<double> splatNumber(Value value) {
  DenseElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || !constant.isSplat() ||
      !isa<FloatType>(constant.getElementType()))
    return std::nullopt;
  APFloat number = constant.getSplatValue<APFloat>();
  bool exact;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &exact);
  return number.convertToDouble();
}

/// What scores = matmul(q, kᵀ) went through before the softmax.
struct Scores {
  Value product = {}; // null where it is of another form: see `refusal`
  Value mask = {};
  double scale = 1;
  const char *refusal = nullptr;

  static Scores refused(const char *reason) {
    Scores scores;
    scores.refusal = reason;
    return scores;
  }
};

/// Steps over mul(x, number), mul(number, x) and div(x, number).
Value withoutScale(Value value, double &scale) {
  if (auto mul = value.getDefiningOp<ir::MulOp>()) {
    for (auto [x, y] : {std::pair(mul.getX(), mul.getY()), std::pair(mul.getY(), mul.getX())})
      if (auto number = splatNumber(y)) {
        scale = *number;
        return x;
      }
  } else if (auto div = value.getDefiningOp<ir::DivOp>()) {
    if (auto number = splatNumber(div.getY())) {
      scale = 1 / *number;
      return div.getX();
    }
  }
  return value;
}

bool isScaledProduct(Value value) {
  double scale = 1;
  return withoutScale(value, scale).getDefiningOp<ir::MatmulOp>() != nullptr;
}

Scores takeApart(Value value) {
  Scores scores;
  if (auto add = value.getDefiningOp<ir::AddOp>()) {
    if (!value.hasOneUse())
      return Scores::refused("the masked scores are used elsewhere");
    bool left = isScaledProduct(add.getX());
    scores.mask = left ? add.getY() : add.getX();
    value = left ? add.getX() : add.getY();
  } else if (auto select = value.getDefiningOp<ir::SelectOp>()) {
    auto off = splatNumber(select.getY());
    if (!off || *off != -std::numeric_limits<double>::infinity())
      return Scores::refused("what is masked off is not -inf");
    if (!value.hasOneUse())
      return Scores::refused("the masked scores are used elsewhere");
    scores.mask = select.getCondition();
    value = select.getX();
  }
  Value product = withoutScale(value, scores.scale);
  if (!std::isfinite(scores.scale))
    return Scores::refused("the scale is not finite");
  if (!product.getDefiningOp<ir::MatmulOp>())
    return Scores::refused("the scores are no product");
  if (!value.hasOneUse() || !product.hasOneUse())
    return Scores::refused("the scores are used elsewhere");
  scores.product = product;
  return scores;
}

bool sameLeading(ArrayRef<Value> values) {
  Shape first = shapeOf(values.front());
  return llvm::all_of(values, [&](Value value) {
    Shape shape = shapeOf(value);
    if (shape.rank() != first.rank())
      return false;
    for (int64_t axis = 0; axis < shape.rank() - 2; ++axis)
      if (!(shape[axis] == first[axis]))
        return false;
    return true;
  });
}

/// Where the mask lets a query attend to nothing, softmax gives NaN but attention zeros: whether
/// that is so, as [..., H, Sq, 1] or what broadcasts to it, of the rank of the scores. Null where
/// there are no keys at all: then both give zeros.
Value attendsToNothing(OpBuilder &b, Location loc, Value mask, int64_t rank, const Dim &keys) {
  if (keys == Dim(0))
    return {};
  if (!elementOf(mask).isInteger(1)) {
    Value none = scalar(b, loc, elementOf(mask), -std::numeric_limits<double>::infinity());
    mask = ir::GtOp::create(b, loc, mask, none);
  }
  Value ones = ir::CastOp::create(b, loc, mask, TypeAttr::get(b.getI64Type()));
  Value count = ir::SumOp::create(b, loc, ones, b.getI64IntegerAttr(shapeOf(mask).rank() - 1));
  Value least = scalar(b, loc, b.getI64Type(), 1);
  if (!keys.isStatic()) {
    auto dim = ir::DimsAttr::get(b.getContext(), {keys});
    least = ir::MinimumOp::create(b, loc, ir::SizeOp::create(b, loc, dim), least);
  }
  Value nothing = ir::LtOp::create(b, loc, count, least);
  std::vector<Dim> dims(rank - shapeOf(nothing).rank(), Dim(1));
  if (dims.empty())
    return nothing;
  Shape shape = shapeOf(nothing);
  dims.insert(dims.end(), shape.begin(), shape.end());
  return ir::ReshapeOp::create(b, loc, nothing, ir::DimsAttr::get(b.getContext(), dims));
}

/// matmul(softmax([add|select](mul|div(matmul(q, kᵀ), number), mask)), v) -> attention(q, k, v,
/// mask), NaN where the mask lets a query attend to nothing.
/// Not where the scores are used elsewhere (they would have to be stored), the softmax runs along
/// another axis, leading dims broadcast, the mask widens the scores, or what is masked off is not
/// -inf.
struct MatmulsToAttention : OpRewritePattern<ir::MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::MatmulOp op, PatternRewriter &rewriter) const override {
    auto refuse = [&](const char *reason) { return rewriter.notifyMatchFailure(op, reason); };
    auto softmax = op.getX().getDefiningOp<ir::SoftmaxOp>();
    if (!softmax)
      return refuse("x is not a softmax");
    int64_t rank = shapeOf(softmax).rank();
    if (rank < 3)
      return refuse("no axis of heads");
    if (static_cast<int64_t>(softmax.getAxis()) != rank - 1)
      return refuse("the softmax runs along another axis");
    if (!softmax->hasOneUse())
      return refuse("the weights are used elsewhere");

    Scores scores = takeApart(softmax.getX());
    if (scores.refusal)
      return refuse(scores.refusal);
    if (shapeOf(softmax.getX()) != shapeOf(scores.product))
      return refuse("the mask or the scale widens the scores");
    if (scores.mask && shapeOf(scores.mask).rank() == 0)
      return refuse("the mask is a scalar");
    auto product = scores.product.getDefiningOp<ir::MatmulOp>();
    Value q = product.getX(), transposed = product.getY(), v = op.getY();
    if (!sameLeading({q, transposed, v}))
      return refuse("leading dims broadcast");
    Type element = elementOf(q);
    if (!element.isF32() && !element.isBF16() && !element.isF16())
      return refuse("no attention kernel for this dtype");

    Location loc = op.getLoc();
    Value k = transpose(rewriter, loc, transposed);
    Value result = ir::AttentionOp::create(rewriter, loc, op.getType(), q, k, v, scores.mask,
                                           rewriter.getF64FloatAttr(scores.scale),
                                           rewriter.getStringAttr("bhsd"));
    if (Value nothing =
            scores.mask ? attendsToNothing(rewriter, loc, scores.mask, rank, shapeOf(softmax)[-1])
                        : Value()) {
      Value nan = scalar(rewriter, loc, element, std::numeric_limits<double>::quiet_NaN());
      result = ir::SelectOp::create(rewriter, loc, nothing, nan, result);
    }
    rewriter.replaceOp(op, result);
    return success();
  }

  /// A matrix with its last two axes swapped; what is permuted already is so once at most.
  static Value transpose(OpBuilder &b, Location loc, Value value) {
    SmallVector<int64_t> axes = swapped(shapeOf(value).rank(), -2);
    if (auto permute = value.getDefiningOp<ir::PermuteOp>()) {
      for (int64_t &axis : axes)
        axis = permute.getAxes()[axis];
      value = permute.getX();
    }
    return llvm::is_sorted(axes) ? value : permuted(b, loc, value, axes);
  }
};

/// attention(permute(q), permute(k), permute(v)) -> permute(attention(q, k, v) in layout bshd),
/// where the permutes swap heads and positions: nothing is moved before the kernel reads it. A
/// select behind it, as MatmulsToAttention makes it, goes before the permute.
/// Not where one operand is not so permuted.
struct TakeInPermutes : OpRewritePattern<ir::AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::AttentionOp op, PatternRewriter &rewriter) const override {
    if (op.getLayout() != "bhsd")
      return rewriter.notifyMatchFailure(op, "in layout bshd already");
    SmallVector<Value> operands;
    for (Value operand : {op.getQ(), op.getK(), op.getV()}) {
      auto permute = operand.getDefiningOp<ir::PermuteOp>();
      if (!permute || !isSwap(permute.getAxes(), -3))
        return rewriter.notifyMatchFailure(op, "q, k or v is not a permute of heads and positions");
      operands.push_back(permute.getX());
    }
    SmallVector<int64_t> axes = swapped(shapeOf(op).rank(), -3);
    TensorType type = ir::toTensorType(op.getType());
    type.shape = permutedShape(type.shape, axes);
    Value attention = ir::AttentionOp::create(
        rewriter, op.getLoc(), ir::toMlirType(getContext(), type), operands[0], operands[1],
        operands[2], op.getMask(), op.getScaleAttr(), rewriter.getStringAttr("bshd"));
    if (ir::SelectOp select = selectBehind(op)) {
      rewriter.setInsertionPoint(select);
      Value condition = permutedCondition(rewriter, select, axes);
      attention =
          ir::SelectOp::create(rewriter, select.getLoc(), condition, select.getX(), attention);
      rewriter.replaceOp(select, permuted(rewriter, op.getLoc(), attention, axes));
      rewriter.eraseOp(op);
    } else {
      rewriter.replaceOp(op, permuted(rewriter, op.getLoc(), attention, axes));
    }
    return success();
  }

private:
  static Shape permutedShape(const Shape &shape, ArrayRef<int64_t> axes) {
    std::vector<Dim> dims;
    for (int64_t axis : axes)
      dims.push_back(shape[axis]);
    return Shape(dims);
  }

  /// select(condition, number, attention), the only user of the attention.
  static ir::SelectOp selectBehind(ir::AttentionOp op) {
    auto select = op->hasOneUse() ? dyn_cast<ir::SelectOp>(*op->user_begin()) : ir::SelectOp();
    if (!select || select.getY() != op.getResult() || shapeOf(select) != shapeOf(op) ||
        shapeOf(select.getX()).rank() != 0 ||
        shapeOf(select.getCondition()).rank() != shapeOf(op).rank())
      return {};
    return select;
  }

  /// A view where only axes of size 1 move.
  static Value permutedCondition(OpBuilder &b, ir::SelectOp select, ArrayRef<int64_t> axes) {
    Value condition = select.getCondition();
    Shape shape = shapeOf(condition), moved = permutedShape(shape, axes);
    if (shape == moved && shape[-3] == Dim(1))
      return condition;
    if (shape[-3] == Dim(1) || shape[-2] == Dim(1))
      return ir::ReshapeOp::create(b, select.getLoc(), condition,
                                   ir::DimsAttr::get(b.getContext(), moved.vec()));
    return permuted(b, select.getLoc(), condition, axes);
  }
};

struct FuseAttentionPass : impl::FuseAttentionPassBase<FuseAttentionPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MatmulsToAttention, TakeInPermutes>(&getContext());
    // Permutes that meet their inverse behind the attention go.
    ir::PermuteOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace kiln::passes
