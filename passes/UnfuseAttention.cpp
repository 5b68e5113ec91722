#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "ir/TypeConversion.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <limits>
#include <numeric>

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_UNFUSEATTENTIONPASS
#include "passes/Passes.h.inc"

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// attention(q, k, v, mask) -> matmul(softmax(matmul(q, kᵀ) * scale + mask), v), zeros where the
/// mask lets a query attend to nothing.
struct AttentionToMatmuls : OpRewritePattern<ir::AttentionOp> {
  AttentionToMatmuls(MLIRContext *context, int64_t mostDepth, int64_t mostColumns)
      : OpRewritePattern(context), mostDepth(mostDepth), mostColumns(mostColumns) {}

  LogicalResult matchAndRewrite(ir::AttentionOp op, PatternRewriter &rewriter) const override {
    if (isNarrow(op.getQ(), mostDepth) && isNarrow(op.getV(), mostColumns))
      return rewriter.notifyMatchFailure(op, "a kernel holds its rows");
    if (typeOf(op.getQ()).getElementType().isF64())
      return rewriter.notifyMatchFailure(op, "no kernel computes softmax in float64");
    Emitter e{rewriter, op.getLoc()};
    const bool headsLast = op.getLayout() == "bshd";
    auto operand = [&](Value value) {
      value = e.cast(value, rewriter.getF32Type());
      return headsLast ? e.swapAxes(value, 3, 2) : value;
    };
    Value q = operand(op.getQ()), k = operand(op.getK()), v = operand(op.getV());
    const Shape own = ir::shapeOf(q.getType()), keys = ir::shapeOf(k.getType());
    std::vector<Dim> scoreDims(own.begin(), own.end() - 1);
    scoreDims.push_back(keys[-2]);
    // Heads that share a head of k and v lie one behind the other: as more rows of one head.
    std::vector<Dim> joined(own.begin(), own.end() - 3);
    joined.push_back(keys[-3]);
    joined.push_back(own[-3] / keys[-3] * own[-2]);
    auto withLast = [](std::vector<Dim> dims, const Dim &last) {
      dims.push_back(last);
      return dims;
    };

    Value scores = ir::MatmulOp::create(rewriter, e.loc, e.reshape(q, withLast(joined, own[-1])),
                                        e.swapAxes(k, 2, 1));
    scores = ir::MulOp::create(rewriter, e.loc, scores, e.number(op.getScale().convertToDouble()));
    Value nothing;
    if (Value mask = op.getMask()) {
      scores = e.reshape(scores, scoreDims);
      if (typeOf(mask).getElementType().isInteger(1))
        scores = ir::SelectOp::create(rewriter, e.loc, mask, scores, e.number(-infinity));
      else
        scores = ir::AddOp::create(rewriter, e.loc, scores, e.cast(mask, rewriter.getF32Type()));
      scores = e.reshape(scores, withLast(joined, keys[-2]));
      Value largest = ir::MaxOp::create(rewriter, e.loc, scores, e.lastAxis(scores));
      nothing = ir::EqOp::create(rewriter, e.loc, largest, e.number(-infinity));
    }
    Value weights = ir::SoftmaxOp::create(rewriter, e.loc, scores, e.lastAxis(scores));
    Value result = ir::MatmulOp::create(rewriter, e.loc, weights, v);
    if (nothing)
      result = ir::SelectOp::create(rewriter, e.loc, nothing, e.number(0), result);
    std::vector<Dim> resultDims(own.begin(), own.end() - 1);
    result = e.reshape(result, withLast(resultDims, ir::shapeOf(v.getType())[-1]));
    if (headsLast)
      result = e.swapAxes(result, 3, 2);
    rewriter.replaceOp(op, e.cast(result, typeOf(op.getResult()).getElementType()));
    return success();
  }

private:
  static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
  static bool isNarrow(Value value, int64_t most) {
    const Dim width = ir::shapeOf(value.getType())[-1];
    return width.isStatic() && width.value() <= most;
  }

  struct Emitter {
    PatternRewriter &b;
    Location loc;

    Value number(double value) {
      auto type = RankedTensorType::get({}, b.getF32Type());
      auto attribute = DenseElementsAttr::get(type, static_cast<float>(value));
      return ir::ConstantOp::create(b, loc, attribute);
    }
    Value cast(Value value, Type element) {
      if (typeOf(value).getElementType() == element)
        return value;
      return ir::CastOp::create(b, loc, value, TypeAttr::get(element));
    }
    Value reshape(Value value, const std::vector<Dim> &dims) {
      if (ir::shapeOf(value.getType()) == Shape(dims))
        return value;
      return ir::ReshapeOp::create(b, loc, value, ir::DimsAttr::get(b.getContext(), dims));
    }
    /// Two axes, counted from the back, change places.
    Value swapAxes(Value value, int64_t one, int64_t other) {
      SmallVector<int64_t> axes(typeOf(value).getRank());
      std::iota(axes.begin(), axes.end(), 0);
      std::swap(axes[axes.size() - one], axes[axes.size() - other]);
      return ir::PermuteOp::create(b, loc, value, axes);
    }
    IntegerAttr lastAxis(Value value) { return b.getI64IntegerAttr(typeOf(value).getRank() - 1); }
  };

  int64_t mostDepth, mostColumns;
};

struct UnfuseAttentionPass : impl::UnfuseAttentionPassBase<UnfuseAttentionPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<AttentionToMatmuls>(&getContext(), mostDepth, mostColumns);
    // Permutes that meet their inverse go.
    ir::PermuteOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace kiln::passes
