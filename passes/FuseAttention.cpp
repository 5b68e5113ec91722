#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "ir/TypeConversion.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEATTENTIONPASS
#include "passes/Passes.h.inc"

namespace {

/// Whether `axes` leaves all axes in place but swaps `first` and `first + 1`, counted from the
/// back (-2 for a transposed matrix).
bool swaps(ArrayRef<int64_t> axes, int64_t first) {
  int64_t rank = axes.size(), at = rank + first;
  if (at < 0 || at + 1 >= rank)
    return false;
  for (int64_t axis = 0; axis < rank; ++axis) {
    int64_t expected = axis == at ? at + 1 : axis == at + 1 ? at : axis;
    if (axes[axis] != expected)
      return false;
  }
  return true;
}

/// The one number that a constant holds everywhere.
std::optional<double> splatNumber(Value value) {
  DenseElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || !constant.isSplat() ||
      !isa<FloatType>(constant.getElementType()))
    return std::nullopt;
  return constant.getSplatValue<APFloat>().convertToDouble();
}

/// What scores = matmul(q, permute(k)) may go through before the softmax.
struct Scores {
  double scale = 1;
  Value mask;
};

/// matmul(softmax([add|select](mul|div(matmul(q, kᵀ), number), mask)), v) -> attention(q, k, v,
/// mask). Not where the scores are used elsewhere (they would have to be stored), the softmax runs
/// along another axis, the number is none, leading dims broadcast, or what is masked off is not
/// -inf.
struct MatmulsToAttention : OpRewritePattern<ir::MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::MatmulOp op, PatternRewriter &rewriter) const override {
    auto refuse = [&](const char *reason) { return rewriter.notifyMatchFailure(op, reason); };
    auto softmax = op.getX().getDefiningOp<ir::SoftmaxOp>();
    if (!softmax)
      return refuse("x is not a softmax");
    int64_t rank = cast<RankedTensorType>(softmax.getType()).getRank();
    if (rank < 3)
      return refuse("no axis of heads");
    if (static_cast<int64_t>(softmax.getAxis()) != rank - 1)
      return refuse("the softmax runs along another axis");
    if (!softmax->hasOneUse())
      return refuse("the weights are used elsewhere");

    Scores scores;
    Value value = softmax.getX();
    if (auto add = value.getDefiningOp<ir::AddOp>()) {
      if (!value.hasOneUse())
        return refuse("the scores are used elsewhere");
      bool left = isScores(add.getX());
      scores.mask = left ? add.getY() : add.getX();
      value = left ? add.getX() : add.getY();
    } else if (auto select = value.getDefiningOp<ir::SelectOp>()) {
      auto off = splatNumber(select.getOperand(2));
      if (!off || *off != -std::numeric_limits<double>::infinity())
        return refuse("what is masked off is not -inf");
      if (!value.hasOneUse())
        return refuse("the scores are used elsewhere");
      scores.mask = select.getOperand(0);
      value = select.getOperand(1);
    }
    if (!takeScale(value, scores.scale))
      return refuse("the scores are used elsewhere");
    auto product = value.getDefiningOp<ir::MatmulOp>();
    if (!product || !value.hasOneUse())
      return refuse("no product whose only use are the scores");
    auto permute = product.getY().getDefiningOp<ir::PermuteOp>();
    if (!permute || !swaps(permute.getAxes(), -2))
      return refuse("the scores are not a product with a transposed k");
    Value q = product.getX(), k = permute.getX(), v = op.getY();
    if (!sameLeading({q, k, v}))
      return refuse("leading dims broadcast");
    Type element = cast<RankedTensorType>(q.getType()).getElementType();
    if (!element.isF32() && !element.isBF16() && !element.isF16())
      return refuse("no attention kernel for this dtype");
    if (scores.mask && cast<RankedTensorType>(scores.mask.getType()).getRank() > rank)
      return refuse("the mask has more dims than the scores");
    rewriter.replaceOpWithNewOp<ir::AttentionOp>(op, op.getType(), q, k, v, scores.mask,
                                                 rewriter.getF64FloatAttr(scores.scale),
                                                 rewriter.getStringAttr("bhsd"));
    return success();
  }

  /// Whether a value leads to a product, perhaps through a scale.
  static bool isScores(Value value) {
    double scale = 1;
    return takeScale(value, scale) && value.getDefiningOp<ir::MatmulOp>();
  }

  /// Steps over mul(x, number) and div(x, number). False if that value is used elsewhere.
  static bool takeScale(Value &value, double &scale) {
    Operation *op = value.getDefiningOp();
    if (!op || !isa<ir::MulOp, ir::DivOp>(op))
      return true;
    auto number = splatNumber(op->getOperand(1));
    if (!number)
      return true;
    scale = isa<ir::MulOp>(op) ? *number : 1 / *number;
    bool once = value.hasOneUse();
    value = op->getOperand(0);
    return once;
  }

  static bool sameLeading(ArrayRef<Value> values) {
    Shape first = ir::shapeOf(values.front().getType());
    return llvm::all_of(values, [&](Value value) {
      Shape shape = ir::shapeOf(value.getType());
      if (shape.rank() != first.rank())
        return false;
      for (int64_t axis = 0; axis < shape.rank() - 2; ++axis)
        if (!(shape[axis] == first[axis]))
          return false;
      return true;
    });
  }
};

/// attention(permute(q), permute(k), permute(v)) -> permute(attention(q, k, v) in layout bshd),
/// where the permutes swap heads and positions: nothing is moved before the kernel reads it.
/// Not where one operand is not so permuted.
struct TakeInPermutes : OpRewritePattern<ir::AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::AttentionOp op, PatternRewriter &rewriter) const override {
    if (op.getLayout() != "bhsd")
      return rewriter.notifyMatchFailure(op, "in layout bshd already");
    SmallVector<Value> operands;
    for (Value operand : {op.getQ(), op.getK(), op.getV()}) {
      auto permute = operand.getDefiningOp<ir::PermuteOp>();
      if (!permute || !swaps(permute.getAxes(), -3))
        return rewriter.notifyMatchFailure(op, "q, k or v is not a permute of heads and positions");
      operands.push_back(permute.getX());
    }
    SmallVector<int64_t> axes(cast<RankedTensorType>(op.getType()).getRank());
    std::iota(axes.begin(), axes.end(), 0);
    std::swap(axes[axes.size() - 3], axes[axes.size() - 2]);
    Shape shape = ir::shapeOf(op.getType());
    std::vector<Dim> moved;
    for (int64_t axis : axes)
      moved.push_back(shape[axis]);
    TensorType type = ir::toTensorType(op.getType());
    type.shape = Shape(moved);
    auto attention = ir::AttentionOp::create(
        rewriter, op.getLoc(), ir::toMlirType(getContext(), type), operands[0], operands[1],
        operands[2], op.getMask(), op.getScaleAttr(), rewriter.getStringAttr("bshd"));
    rewriter.replaceOpWithNewOp<ir::PermuteOp>(op, op.getType(), attention, axes);
    return success();
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
