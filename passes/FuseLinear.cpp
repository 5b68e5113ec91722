#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSELINEARPASS
#include "passes/Passes.h.inc"

namespace {

bool isLinearType(Value value) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  return isa<Float32Type, BFloat16Type, Float16Type>(element);
}

/// matmul(x, w) -> linear(x, w), transposed where w is a permute of a weight.
/// Not where w is no weight of the model (nothing could pack it once), is x as well (a kernel reads
/// its weight packed only), has batch dims or is not of static size, and not for dtypes without a
/// packed kernel.
/// w may be a dequantize: the linear gets one of its own, at the front of the block, which goes
/// into its kernel (wrapInFusion), so that decoded rows are never stored. Not where blocks lie
/// along N.
struct MatmulToLinear : OpRewritePattern<ir::MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::MatmulOp op, PatternRewriter &rewriter) const override {
    Value weight = op.getY();
    bool transposed = false;
    if (auto permute = weight.getDefiningOp<ir::PermuteOp>()) {
      if (permute.getAxes() != ArrayRef<int64_t>{1, 0})
        return rewriter.notifyMatchFailure(op, "y is permuted, but not a transposed matrix");
      weight = permute.getX();
      transposed = true;
    }
    if (auto decode = weight.getDefiningOp<ir::DequantizeOp>())
      return fusePacked(op, decode, transposed, rewriter);
    // A filter [..., N] as a matrix: its kernel reads it packed all the same.
    auto reshape = weight.getDefiningOp<ir::ReshapeOp>();
    bool isFilter = reshape && !transposed && isFilterMatrix(reshape);
    ir::PermuteOp packed = isFilter ? packedPermute(reshape) : nullptr;
    if (!isWeight(packed ? packed.getX() : isFilter ? reshape.getX() : weight))
      return rewriter.notifyMatchFailure(op, "y is not a weight");
    if (weight == op.getX())
      return rewriter.notifyMatchFailure(op, "x is the weight itself");
    auto type = cast<RankedTensorType>(weight.getType());
    if (type.getRank() != 2)
      return rewriter.notifyMatchFailure(op, "y has batch dims");
    if (!type.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "y has symbolic dims");
    if (!isLinearType(weight))
      return rewriter.notifyMatchFailure(op, "no packed kernel for this dtype");
    if (packed)
      packed->setAttr(packedAttrName, rewriter.getUnitAttr());
    rewriter.replaceOpWithNewOp<ir::LinearOp>(op, op.getX(), ValueRange{weight}, ValueRange{},
                                              transposed);
    return success();
  }

private:
  static LogicalResult fusePacked(ir::MatmulOp op, ir::DequantizeOp decode, bool transposed,
                                  PatternRewriter &rewriter) {
    auto type = cast<RankedTensorType>(decode.getType());
    if (!transposed)
      return rewriter.notifyMatchFailure(op, "blocks of y lie along N");
    if (!isWeight(decode.getX()))
      return rewriter.notifyMatchFailure(op, "y is decoded from what is not a weight");
    if (type.getRank() != 2)
      return rewriter.notifyMatchFailure(op, "y has batch dims");
    if (!type.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "y has symbolic dims");
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(op->getBlock());
    Value weight = rewriter.clone(*decode)->getResult(0);
    rewriter.setInsertionPoint(op);
    rewriter.replaceOpWithNewOp<ir::LinearOp>(op, op.getX(), ValueRange{weight}, ValueRange{},
                                              /*transposed=*/true);
    return success();
  }

  /// The permute of PyTorch's filter [N, C, ...] to [..., C, N] behind a filter's matrix, if
  /// nothing else reads either; else null.
  static ir::PermuteOp packedPermute(ir::ReshapeOp reshape) {
    auto permute = reshape.getX().getDefiningOp<ir::PermuteOp>();
    if (!permute || !permute->hasOneUse() || !reshape->hasOneUse())
      return nullptr;
    auto axes = llvm::to_vector(permute.getAxes());
    auto rank = static_cast<int64_t>(axes.size());
    for (int64_t axis = 0; axis < rank; ++axis)
      if (axes[axis] != (axis + 2 < rank ? axis + 2 : rank - 1 - axis))
        return nullptr;
    return permute;
  }
};

/// add(linear(x, w), b) -> linear(x, w, b).
/// Not where the linear has a bias already or several results, its result is used elsewhere, or b
/// is not a row of N elements.
struct AddToBias : OpRewritePattern<ir::AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ir::AddOp op, PatternRewriter &rewriter) const override {
    StringRef reason = whyNot(op.getX(), op.getY());
    if (reason.empty())
      return fuse(op, op.getX(), op.getY(), rewriter);
    StringRef other = whyNot(op.getY(), op.getX());
    if (other.empty())
      return fuse(op, op.getY(), op.getX(), rewriter);
    bool first = op.getX().getDefiningOp<ir::LinearOp>() != nullptr;
    return rewriter.notifyMatchFailure(op, Twine(first ? reason : other));
  }

private:
  /// Why `bias` cannot become the bias of the linear that makes `product`; empty if it can.
  static StringRef whyNot(Value product, Value bias) {
    auto linear = product.getDefiningOp<ir::LinearOp>();
    if (!linear)
      return "no operand is a linear";
    if (!linear.getBiases().empty() || linear.getNumResults() != 1)
      return "the linear has a bias or several results";
    if (!product.hasOneUse())
      return "the product is used elsewhere";
    auto row = cast<RankedTensorType>(bias.getType());
    auto result = cast<RankedTensorType>(product.getType());
    if (row.getRank() != 1 || !row.hasStaticShape() ||
        row.getDimSize(0) != result.getDimSize(result.getRank() - 1))
      return "what is added is not a row of N elements";
    return "";
  }

  /// At the place of the addition, where the bias is there.
  static LogicalResult fuse(ir::AddOp op, Value product, Value bias, PatternRewriter &rewriter) {
    auto linear = product.getDefiningOp<ir::LinearOp>();
    auto fused = ir::LinearOp::create(
        rewriter, rewriter.getFusedLoc({linear.getLoc(), op.getLoc()}), linear.getX(),
        linear.getWeights(), ValueRange{bias}, linear.getTransposed());
    rewriter.replaceOp(op, fused.getResults());
    return success();
  }
};

struct FuseLinearPass : impl::FuseLinearPassBase<FuseLinearPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MatmulToLinear, AddToBias>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace kiln::passes
