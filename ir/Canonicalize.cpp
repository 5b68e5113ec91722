#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "mlir/IR/PatternMatch.h"

#include <limits>

// Rewrites to simpler operations with exactly the same result. What is a constant or an operand
// already: Folds.cpp.

using namespace mlir;

namespace kiln::ir {
namespace {

/// permute(permute(x, a), b) -> permute(x, a[b]).
struct ComposePermutes : OpRewritePattern<PermuteOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PermuteOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<PermuteOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no permute");
    SmallVector<int64_t> axes;
    for (int64_t axis : op.getAxes())
      axes.push_back(inner.getAxes()[axis]);
    rewriter.replaceOpWithNewOp<PermuteOp>(op, op.getType(), inner.getX(), axes);
    return success();
  }
};

/// reshape(reshape(x, a), b) -> reshape(x, b); broadcast_to alike.
template <class View> struct ComposeShapes : OpRewritePattern<View> {
  using OpRewritePattern<View>::OpRewritePattern;
  LogicalResult matchAndRewrite(View op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().template getDefiningOp<View>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is another operation");
    rewriter.replaceOpWithNewOp<View>(op, op.getType(), inner.getX(), op.getShapeAttr());
    return success();
  }
};

/// gather(dequantize(x), i) -> dequantize(gather(x, i)) along another axis than the last one: only
/// the rows that are looked up are decoded.
struct DecodeLater : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    auto decode = op.getTable().getDefiningOp<DequantizeOp>();
    if (!decode || !decode->hasOneUse())
      return rewriter.notifyMatchFailure(op, "the table is not packed, or read decoded");
    auto axis = static_cast<int64_t>(op.getAxis());
    if (axis + 1 == llvm::cast<RankedTensorType>(decode.getType()).getRank())
      return rewriter.notifyMatchFailure(op, "rows are not read whole");
    if (op.getTotal())
      return rewriter.notifyMatchFailure(op, "rows of other ranks are zeros, not zero bytes");
    auto rows = GatherOp::create(rewriter, op.getLoc(), decode.getX(), op.getIndices(), axis,
                                 /*total=*/nullptr);
    rewriter.replaceOpWithNewOp<DequantizeOp>(op, op.getType(), rows, decode.getEncodingAttr());
    return success();
  }
};

/// Bits of the significand (integers: of the magnitude), and the range as a power of two.
struct Precision {
  int digits, maxExponent;
};
Precision precisionOf(DType dtype) {
  switch (dtype) {
  case DType::boolean:
    return {1, 1};
  case DType::float16:
    return {11, 16};
  case DType::bfloat16:
    return {8, 128};
  case DType::float32:
    return {24, 128};
  case DType::float64:
    return {53, 1024};
  default:
    int bits = 8 * static_cast<int>(sizeBytes(dtype)) - isSigned(dtype);
    return {bits, bits};
  }
}

/// Whether each value of `from` is one of `to`.
bool isWidening(DType from, DType to) {
  if (isFloat(from) ? !isFloat(to) : isSigned(from) && isUnsigned(to))
    return false;
  Precision a = precisionOf(from), b = precisionOf(to);
  return a.digits <= b.digits && a.maxExponent <= b.maxExponent;
}

/// cast(cast(x, wide), dtype) -> cast(x, dtype), or x where that is its dtype.
/// Not where the first cast may round or wrap. Not where integers go by way of floats to integers
/// that do not hold them: floats saturate, integers wrap.
struct ComposeCasts : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<CastOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no cast");
    DType from = toTensorType(inner.getX().getType()).dtype;
    DType middle = toTensorType(inner.getType()).dtype, to = toTensorType(op.getType()).dtype;
    if (!isWidening(from, middle))
      return rewriter.notifyMatchFailure(op, "the first cast may change values");
    if (isInteger(from) && isFloat(middle) && isInteger(to) && !isWidening(from, to))
      return rewriter.notifyMatchFailure(op, "floats saturate where integers wrap");
    rewriter.replaceOpWithNewOp<CastOp>(op, op.getType(), inner.getX(), op.getDtype());
    return success();
  }
};

/// add(broadcast_to(x), y) -> add(x, y), and so for every elementwise operation.
/// Not where the result gets its shape from that operand.
struct BroadcastImplicitly : OpTraitRewritePattern<KilnElementwise> {
  explicit BroadcastImplicitly(MLIRContext *context) : OpTraitRewritePattern(context) {}
  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    for (OpOperand &operand : op->getOpOperands()) {
      auto broadcast = operand.get().getDefiningOp<BroadcastToOp>();
      if (!broadcast)
        continue;
      SmallVector<Type> types(op->getOperandTypes()), results;
      types[operand.getOperandNumber()] = broadcast.getX().getType();
      auto attributes = llvm::dyn_cast_or_null<DictionaryAttr>(op->getPropertiesAsAttribute());
      if (failed(inferResultTypes(op->getName().getStringRef(), op->getContext(), std::nullopt,
                                  types, attributes, results)) ||
          results[0] != op->getResult(0).getType())
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getX()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is broadcast to what another one says");
  }
};

} // namespace

void PermuteOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ComposePermutes>(context);
}
void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ComposeShapes<ReshapeOp>>(context);
}
void BroadcastToOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ComposeShapes<BroadcastToOp>>(context);
}
void CastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ComposeCasts>(context);
}
void DequantizeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DecodeLater>(context);
}
void KilnDialect::getCanonicalizationPatterns(RewritePatternSet &patterns) const {
  patterns.add<BroadcastImplicitly>(getContext());
}

} // namespace kiln::ir
