#include "tools/kiln-opt/GraphLabels.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"
#include "passes/Fusing.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace kiln {
namespace {

constexpr size_t longestLine = 48;      // characters: about the width of two boxes
constexpr int64_t shownElements = 4;    // of a constant
constexpr size_t shownAttributes = 6;   // of an operation
constexpr const char *ellipsis = "..."; // ASCII: no font lacks it

bool continuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::string elementTypeLabel(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

std::string numberLabel(Attribute value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto number = dyn_cast<FloatAttr>(value))
    os << llvm::format("%.4g", number.getValueAsDouble());
  else
    value.print(os, /*elideType=*/true);
  return text;
}

template <class Range> std::string join(const Range &values) {
  std::string text = "[";
  for (const auto &value : values)
    text += (text.size() > 1 ? ", " : "") + std::to_string(value);
  return text + "]";
}

struct AttributeLabel {
  MLIRContext *context;

  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const {
    std::string text;
    llvm::raw_string_ostream(text) << llvm::format("%.4g", value);
    return text;
  }
  std::string operator()(const std::string &value) const { return value; }
  std::string operator()(DType value) const {
    return elementTypeLabel(ir::toMlirType(context, value));
  }
  std::string operator()(const std::vector<int64_t> &value) const { return join(value); }
  std::string operator()(const Shape &value) const { return value.str(); }
  std::string operator()(const std::shared_ptr<const ir::DenseData> &value) const {
    return constantLabel(ir::toMlirAttribute(context, *value));
  }
};

/// Whether an attribute says no more than the type of the result, which stands at the edges.
bool repeatsType(Operation *op, const std::string &name, const ir::Attribute &value) {
  if (op->getNumResults() != 1 || !ir::isKilnTensor(op->getResult(0).getType()))
    return false;
  TensorType type = ir::toTensorType(op->getResult(0).getType());
  if (const auto *shape = std::get_if<Shape>(&value))
    return name == "shape" && *shape == type.shape;
  const auto *dtype = std::get_if<DType>(&value);
  return dtype && *dtype == type.dtype;
}

} // namespace

std::string shorten(StringRef text, size_t longest) {
  if (text.size() <= longest)
    return text.str();
  // The end of a name ("...layer.3.weight") says more than its beginning.
  size_t head = longest / 3, tail = text.size() - (longest - head - strlen(ellipsis));
  while (head > 0 && continuesCharacter(text[head]))
    --head;
  while (tail < text.size() && continuesCharacter(text[tail]))
    ++tail;
  return (text.take_front(head) + ellipsis + text.drop_front(tail)).str();
}

std::string typeLabel(Type type) {
  if (!ir::isKilnTensor(type))
    return shorten(elementTypeLabel(type), longestLine);
  return shorten(ir::shapeOf(type).str(), longestLine) + " " +
         elementTypeLabel(cast<RankedTensorType>(type).getElementType());
}

std::string constantLabel(Attribute value) {
  auto elements = dyn_cast<DenseElementsAttr>(value);
  if (!elements)
    return ellipsis;
  if (elements.isSplat())
    return numberLabel(elements.getSplatValue<Attribute>());
  std::string text = "[";
  for (auto [index, element] : llvm::enumerate(elements.getValues<Attribute>())) {
    text += index ? ", " : "";
    if (static_cast<int64_t>(index) == shownElements) {
      text += ellipsis;
      break;
    }
    text += numberLabel(element);
  }
  return text + "]";
}

std::string operationLabel(Operation *op) {
  StringRef name = op->getName().getStringRef();
  name.consume_front("kiln.");
  std::string text = name.str();
  if (auto callee = op->getAttrOfType<FlatSymbolRefAttr>("callee"))
    text += " @" + shorten(callee.getValue(), longestLine);
  size_t shown = 0;
  for (const auto &[key, value] : ir::attributesOf(op)) {
    bool isDtype = std::holds_alternative<DType>(value);
    if (repeatsType(op, key, value) && !(isDtype && isa<ir::CastOp>(op)))
      continue;
    if (++shown > shownAttributes)
      return text + "\n" + ellipsis;
    text += "\n" +
            shorten(key + " " + std::visit(AttributeLabel{op->getContext()}, value), longestLine);
  }
  return text;
}

Operation *findAnchor(Block &body) {
  Operation *anchor = nullptr;
  for (Operation &op : body.without_terminator()) {
    if (op.hasTrait<ir::KilnElementwise>() || op.hasTrait<ir::KilnView>() ||
        passes::isRepeatable(&op) ||
        isa<ir::GatherOp, ir::GatherElementsOp, ir::ConcatOp, ir::DequantizeOp>(op))
      continue;
    // A product may have a layer_norm behind it, which does not make it another kernel.
    if (isa<ir::LinearOp, ir::MatmulOp, ir::AttentionOp>(op))
      return &op;
    if (!anchor)
      anchor = &op;
  }
  return anchor;
}

} // namespace kiln
