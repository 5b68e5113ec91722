#include "passes/Reads.h"

#include "ir/TypeConversion.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace kiln::passes {

static Shape shapeOf(Value value) { return ir::shapeOf(value.getType()); }

Reads::Reads(ir::FusionOp fusion) {
  Block &body = fusion.getBody().front();
  // Results of one shape are stored at one place.
  SmallVector<std::pair<Shape, unsigned>> roots;
  for (Value result : body.getTerminator()->getOperands()) {
    Shape shape = shapeOf(result);
    auto *root = llvm::find_if(roots, [&](const auto &known) { return known.first == shape; });
    if (root == roots.end())
      root = roots.insert(roots.end(), {shape, next++});
    add(result, {root->second, shape.numElements(), false});
  }
  for (Operation &op : llvm::drop_begin(llvm::reverse(body))) {
    Places places;
    for (Value result : op.getResults())
      llvm::append_range(places, placesOf.lookup(result));
    emitted += places.size();
    visit(op, places);
  }
}

/// Where the operands of an operation that is read at `places` are read.
void Reads::visit(Operation &op, const Places &places) {
  bool isElementwise = op.hasTrait<ir::KilnElementwise>();
  if (!isElementwise && !op.hasTrait<ir::KilnView>() &&
      !isa<ir::ConcatOp, ir::GatherOp, ir::GatherElementsOp, ir::DequantizeOp>(op)) {
    // An anchor: it goes through its operand once.
    for (Value operand : op.getOperands())
      add(operand, {next++, shapeOf(op.getOperand(0)).numElements(), false});
    return;
  }
  Shape shape = shapeOf(op.getResult(0));
  auto concat = dyn_cast<ir::ConcatOp>(op);
  // A part's elements are read where it is; those of a rebind are counted in other names.
  bool recounts = concat || isa<ir::RebindOp>(op);
  Dim elements = recounts ? shape.numElements() : Dim(); // once: a sum of all parts' sizes
  for (const Place &place : places)
    for (Value operand : op.getOperands()) {
      if (isElementwise && shapeOf(operand) == shape) {
        add(operand, place);
        continue;
      }
      // Each lane of gather_elements has an index of its own.
      Place inner = {next++, place.elements, place.oneByOne || isa<ir::GatherElementsOp>(op)};
      if (recounts && place.elements == elements)
        inner.elements = shapeOf(operand).numElements();
      if (concat)
        inner.oneByOne |= static_cast<int64_t>(concat.getAxis()) == shape.rank() - 1;
      add(operand, inner);
    }
}

void Reads::add(Value value, const Place &place) {
  Places &places = placesOf[value];
  if (llvm::none_of(places, [&](const Place &known) { return known.number == place.number; }))
    places.push_back(place);
}

bool Reads::atMostOnce(Value value, bool costly) const {
  Dim total = 0;
  for (const Place &place : placesOf.lookup(value)) {
    if (costly && place.oneByOne)
      return false;
    total = total + place.elements;
  }
  Dim elements = shapeOf(value).numElements();
  return total == elements ||
         (total.isStatic() && elements.isStatic() && total.value() <= elements.value());
}

size_t Reads::numPlaces(Value value) const { return placesOf.lookup(value).size(); }

} // namespace kiln::passes
