#include "passes/Partition.h"

#include "kiln/DType.h"
#include "kiln/Quantization.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Kind = Layout::Kind;

int64_t rankOf(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

FailureOr<bool> done(Layouts &layouts, Operation *op, Layout layout) {
  if (failed(layouts.retype(op, layout)))
    return failure();
  return true;
}

/// Dim `axis` of an attribute that is a shape becomes the size of a part.
void setDim(Operation *op, StringRef name, int64_t axis, int64_t size) {
  auto dims = llvm::to_vector(op->getAttrOfType<ir::DimsAttr>(name).getDims());
  dims[axis] = size;
  op->setAttr(name, ir::DimsAttr::get(op->getContext(), dims));
}

ArrayRef<Dim> dimsOf(Operation *op, StringRef name) {
  return op->getAttrOfType<ir::DimsAttr>(name).getDims();
}

int64_t axisOf(Operation *op) { return op->getAttrOfType<IntegerAttr>("axis").getInt(); }

/// The operands of an operation that broadcasts, for a result of `rank` split along `axis`: what is
/// stretched along it stays whole. None where one cannot be split into equal parts.
std::optional<SmallVector<Value>> partsFor(Layouts &layouts, ValueRange operands, int64_t rank,
                                           int64_t axis, int64_t size) {
  SmallVector<Value> parts;
  for (Value operand : operands) {
    int64_t own = axis - rank + rankOf(operand);
    Layout layout = layouts.of(operand);
    if (own >= 0 && layout == Layout::split(own, size)) {
      parts.push_back(operand);
      continue;
    }
    Value whole = layouts.whole(operand);
    if (own >= 0 && layouts.wholeSize(whole, own) != 1)
      whole = layouts.part(whole, own);
    if (!whole)
      return std::nullopt;
    parts.push_back(whole);
  }
  return parts;
}

/// An operation on parts of its operands, for a result that is split so.
FailureOr<bool> onParts(Layouts &layouts, Operation *op, int64_t rank, Layout layout) {
  auto parts = partsFor(layouts, op->getOperands(), rank, layout.axis, layout.size);
  if (!parts)
    return false;
  op->setOperands(*parts);
  return done(layouts, op, layout);
}

/// Where the first split operand is in the result; none where there is none, or where it is
/// stretched.
std::optional<Layout> splitResult(Layouts &layouts, ValueRange operands, const Shape &result) {
  for (Value operand : operands)
    if (Layout layout = layouts.of(operand); layout.kind == Kind::split) {
      int64_t axis = layout.axis + result.rank() - rankOf(operand);
      if (result[axis] == Dim(layout.size))
        return Layout::split(axis, layout.size);
    }
  return std::nullopt;
}

/// Whether an operation adds two values of one shape of which each element is on one rank. Then the
/// sum over the ranks has no more than two numbers to add, and is rounded as theirs: one reduction
/// instead of two.
bool isSumOfTwo(Layouts &layouts, Operation *op) {
  Type type = op->getResult(0).getType();
  return isa<ir::AddOp, ir::SubOp>(op) && llvm::all_of(op->getOperands(), [&](Value operand) {
           return layouts.of(operand).isOnOneRank && operand.getType() == type &&
                  operand.hasOneUse();
         });
}

FailureOr<bool> elementwise(Layouts &layouts, Operation *op) {
  if (isSumOfTwo(layouts, op))
    return done(layouts, op, Layout::partial(/*isOnOneRank=*/false));
  Shape shape = ir::shapeOf(op->getResult(0).getType());
  auto layout = splitResult(layouts, op->getOperands(), shape);
  if (!layout)
    return false;
  return onParts(layouts, op, shape.rank(), *layout);
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

FailureOr<bool> permute(Layouts &layouts, Operation *op) {
  Layout x = layouts.of(op->getOperand(0));
  if (x.kind != Kind::split)
    return false;
  ArrayRef<int64_t> axes = cast<ir::PermuteOp>(op).getAxes();
  return done(layouts, op, Layout::split(llvm::find(axes, x.axis) - axes.begin(), x.size));
}

FailureOr<bool> broadcastTo(Layouts &layouts, Operation *op) {
  auto layout = splitResult(layouts, op->getOperands(), ir::shapeOf(op->getResult(0).getType()));
  if (!layout)
    return false;
  setDim(op, "shape", layout->axis, ir::partSize(layout->size, layouts.ranks));
  return done(layouts, op, *layout);
}

/// Parts of x are parts of the result where as much stands before both axes; where one axis is cut
/// into several or several are one, the parts must be equal.
FailureOr<bool> reshape(Layouts &layouts, Operation *op) {
  Value x = op->getOperand(0);
  Layout layout = layouts.of(x);
  if (layout.kind == Kind::partial) { // as much to reduce behind it: others may make it less
    if (!x.hasOneUse())
      return false;
    return done(layouts, op, layout);
  }
  if (layout.kind != Kind::split)
    return false;
  Shape from = layouts.wholeShape(x);
  ArrayRef<Dim> to = dimsOf(op, "shape");
  Dim before = 1, seen = 1;
  for (int64_t axis = 0; axis < layout.axis; ++axis)
    before = before * from[axis];
  for (auto [axis, dim] : llvm::enumerate(to)) {
    if (seen == before && dim.isStatic() && !(dim == Dim(1) && layout.size != 1)) {
      bool isSame = dim == Dim(layout.size);
      bool isEven = layout.size % layouts.ranks == 0 && dim.value() % layouts.ranks == 0;
      if (!isSame && !isEven)
        return false;
      int64_t size = dim.value();
      setDim(op, "shape", axis, ir::partSize(size, layouts.ranks));
      return done(layouts, op, Layout::split(axis, size));
    }
    seen = seen * dim;
  }
  return false;
}

FailureOr<bool> rebind(Layouts &layouts, Operation *op) {
  Layout x = layouts.of(op->getOperand(0));
  if (x.kind == Kind::partial && op->getOperand(0).hasOneUse())
    return done(layouts, op, x);
  if (x.kind != Kind::split || !dimsOf(op, "shape")[x.axis].isStatic())
    return false;
  setDim(op, "shape", x.axis, ir::partSize(x.size, layouts.ranks));
  return done(layouts, op, x);
}

/// Along other axes.
FailureOr<bool> slice(Layouts &layouts, Operation *op) {
  Layout x = layouts.of(op->getOperand(0));
  if (x.kind != Kind::split || !(dimsOf(op, "starts")[x.axis] == Dim(0)) ||
      !(dimsOf(op, "stops")[x.axis] == Dim(x.size)) ||
      cast<ir::SliceOp>(op).getSteps()[x.axis] != 1)
    return false;
  setDim(op, "stops", x.axis, ir::partSize(x.size, layouts.ranks));
  return done(layouts, op, x);
}

FailureOr<bool> concat(Layouts &layouts, Operation *op) {
  Shape shape = ir::shapeOf(op->getResult(0).getType());
  auto layout = splitResult(layouts, op->getOperands(), shape);
  if (!layout || layout->axis == axisOf(op))
    return false;
  return onParts(layouts, op, shape.rank(), *layout);
}

/// A part of a table gives the rows that it has, and zeros for those of others: a sum over the
/// ranks. Columns of a table give columns.
FailureOr<bool> gather(Layouts &layouts, Operation *op) {
  auto gather = cast<ir::GatherOp>(op);
  Layout table = layouts.of(gather.getTable());
  if (table.kind != Kind::split)
    return false;
  auto axis = static_cast<int64_t>(gather.getAxis());
  gather.getIndicesMutable().assign(layouts.whole(gather.getIndices()));
  if (table.axis != axis) {
    int64_t moved = rankOf(gather.getIndices()) - 1;
    return done(layouts, op,
                Layout::split(table.axis < axis ? table.axis : table.axis + moved, table.size));
  }
  if (gather.getTotal())
    return false;
  gather.setTotal(table.size);
  if (ir::toTensorType(gather.getType()).dtype != DType::boolean)
    return done(layouts, op, Layout::partial(/*isOnOneRank=*/true));
  // Sums are of numbers.
  OpBuilder b(op);
  Type byte = b.getIntegerType(8, /*isSigned=*/false), truth = b.getI1Type();
  b.setInsertionPointAfter(op);
  auto number = ir::CastOp::create(b, op->getLoc(), gather, byte);
  auto sum = ir::AllReduceOp::create(b, op->getLoc(), number, "sum");
  auto result = ir::CastOp::create(b, op->getLoc(), sum, truth);
  gather.getResult().replaceAllUsesExcept(result, number);
  return true;
}

//===----------------------------------------------------------------------===//
// Products and rows
//===----------------------------------------------------------------------===//

/// Whether a product with the rows of y has fewer elements than its x.
bool isNarrowing(const Shape &y) {
  Dim inner = y[-2], columns = y[-1];
  return inner.isStatic() && columns.isStatic() && columns.value() < inner.value();
}

FailureOr<bool> matmul(Layouts &layouts, Operation *op) {
  Value x = op->getOperand(0), y = op->getOperand(1);
  Layout left = layouts.of(x), right = layouts.of(y);
  int64_t xRank = rankOf(x), yRank = rankOf(y), rank = rankOf(op->getResult(0));
  auto with = [&](Value newX, Value newY, Layout layout) -> FailureOr<bool> {
    op->setOperands({newX, newY});
    return done(layouts, op, layout);
  };
  // Products of rows that are on one rank are on one rank: reduced where they are smaller.
  if (left.isOnOneRank && right.kind == Kind::whole && yRank == 2 && x.hasOneUse() &&
      isNarrowing(ir::shapeOf(y.getType())))
    return with(x, y, left);
  // Columns of y are columns of the result, along whose rows x is whole.
  if (right.isSplit(yRank - 1))
    return with(layouts.whole(x), y, Layout::split(rank - 1, right.size));
  // Parts of the inner dim on both sides: each rank has a part of the sum.
  if (right.isSplit(yRank - 2)) {
    Value part = layouts.part(x, xRank - 1);
    if (!part)
      return false;
    return with(part, y, Layout::partial(/*isOnOneRank=*/false));
  }
  // Rows of x.
  if (left.isSplit(xRank - 2) && right.kind == Kind::whole)
    return with(x, y, Layout::split(rank - 2, left.size));
  // Batches: along the axes before the last two, both sides broadcast.
  for (auto [operand, layout] : {std::pair(x, left), std::pair(y, right)}) {
    if (layout.kind != Kind::split || layout.axis >= rankOf(operand) - 2)
      continue;
    int64_t axis = layout.axis + rank - rankOf(operand);
    if (!(ir::shapeOf(op->getResult(0).getType())[axis] == Dim(layout.size)))
      continue;
    auto parts = partsFor(layouts, {x, y}, rank, axis, layout.size);
    if (parts)
      return with((*parts)[0], (*parts)[1], Layout::split(axis, layout.size));
  }
  return false;
}

/// Heads: each is for itself.
FailureOr<bool> attention(Layouts &layouts, Operation *op) {
  auto attention = cast<ir::AttentionOp>(op);
  int64_t rank = rankOf(attention.getQ()), heads = rank - 3;
  if (attention.getLayout() != "bhsd" || !layouts.of(attention.getQ()).isSplit(heads))
    return false;
  SmallVector<Value> operands;
  for (Value operand : {attention.getQ(), attention.getK(), attention.getV()})
    operands.push_back(layouts.part(operand, heads));
  if (!llvm::all_of(operands, [](Value value) { return bool(value); }))
    return false;
  int64_t size = layouts.wholeSize(attention.getQ(), heads);
  if (size % layouts.ranks != 0 || layouts.wholeSize(operands[1], heads) % layouts.ranks != 0)
    return false;
  if (Value mask = attention.getMask()) {
    auto part = partsFor(layouts, mask, rank, heads, size);
    if (!part)
      return false;
    operands.push_back((*part)[0]);
  }
  op->setOperands(operands);
  return done(layouts, op, Layout::split(heads, size));
}

/// Operations along one axis, split along another.
FailureOr<bool> alongAxis(Layouts &layouts, Operation *op) {
  Layout x = layouts.of(op->getOperand(0));
  if (x.kind != Kind::split || x.axis == axisOf(op))
    return false;
  return done(layouts, op, x);
}

/// Rows, or whole blocks of each row.
FailureOr<bool> dequantize(Layouts &layouts, Operation *op) {
  Layout x = layouts.of(op->getOperand(0));
  if (x.kind != Kind::split)
    return false;
  if (x.axis != rankOf(op->getOperand(0)) - 1)
    return done(layouts, op, x);
  auto name = cast<ir::DequantizeOp>(op).getEncoding();
  auto encoding = *parseQuantizationEncoding(std::string_view(name));
  int64_t blocks = x.size / blockBytes(encoding);
  if (x.size % blockBytes(encoding) != 0 || blocks % layouts.ranks != 0)
    return false;
  return done(layouts, op, Layout::split(x.axis, blocks * blockElements(encoding)));
}

/// Operations on each row of x: those along its last axis.
FailureOr<bool> onRows(Layouts &layouts, Operation *op) {
  Layout x = layouts.of(op->getOperand(0));
  if (x.kind != Kind::split || x.axis == rankOf(op->getOperand(0)) - 1)
    return false;
  for (OpOperand &operand : llvm::drop_begin(op->getOpOperands()))
    operand.set(layouts.whole(operand.get()));
  return done(layouts, op, x);
}

} // namespace

PartitionRule findPartitionRule(Operation *op) {
  static const llvm::StringMap<PartitionRule> rules = {
      {"permute", permute},     {"broadcast_to", broadcastTo},
      {"reshape", reshape},     {"rebind", rebind},
      {"slice", slice},         {"concat", concat},
      {"gather", gather},       {"matmul", matmul},
      {"attention", attention}, {"softmax", alongAxis},
      {"cumsum", alongAxis},    {"argsort", alongAxis},
      {"layer_norm", onRows},   {"dequantize", dequantize},
  };
  if (op->hasTrait<ir::KilnElementwise>())
    return elementwise;
  if (op->hasTrait<ir::KilnReduction>())
    return alongAxis;
  return rules.lookup(op->getName().stripDialect());
}

} // namespace kiln::passes
