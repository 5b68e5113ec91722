#include "ir/DimsAttr.h"

#include "kiln/Error.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#define GET_ATTRDEF_CLASSES
#include "ir/KilnAttributes.cpp.inc"

namespace kiln::ir {

void KilnDialect::registerAttributes() { addAttributes<DimsAttr>(); }

ArrayRef<Dim> DimsAttr::getDims() const { return getImpl()->dims; }

bool DimsAttr::isStatic() const {
  return llvm::all_of(getDims(), [](const Dim &dim) { return dim.isStatic(); });
}

mlir::Attribute DimsAttr::encodingFor(MLIRContext *context, ArrayRef<Dim> dims) {
  if (llvm::all_of(dims, [](const Dim &dim) { return dim.isStatic(); }))
    return {};
  return get(context, dims);
}

/// One dim: the longest run of tokens that may stand in one; `Dim::parse` knows the grammar.
static ParseResult parseDim(AsmParser &parser, SmallVectorImpl<Dim> &dims) {
  SMLoc begin = parser.getCurrentLocation();
  APInt integer;
  StringRef keyword;
  int depth = 0;
  auto parseToken = [&] {
    if (succeeded(parser.parseOptionalLParen())) {
      ++depth;
      return true;
    }
    if (depth > 0 && succeeded(parser.parseOptionalRParen())) {
      --depth;
      return true;
    }
    return succeeded(parser.parseOptionalStar()) || succeeded(parser.parseOptionalPlus()) ||
           succeeded(parser.parseOptionalMinus()) || succeeded(parser.parseOptionalSlash()) ||
           succeeded(parser.parseOptionalKeyword(&keyword)) ||
           parser.parseOptionalInteger(integer).has_value();
  };
  while (parseToken()) {
  }
  const char *end = parser.getCurrentLocation().getPointer();
  StringRef text = StringRef(begin.getPointer(), end - begin.getPointer()).trim();
  try {
    dims.push_back(Dim::parse(std::string_view(text)));
  } catch (const kiln::Error &error) {
    return parser.emitError(begin) << error.what();
  }
  return success();
}

mlir::Attribute DimsAttr::parse(AsmParser &parser, Type) {
  SmallVector<Dim> dims;
  if (parser.parseLess())
    return {};
  if (failed(parser.parseOptionalGreater())) { // `<>` is the shape of a scalar
    auto parseOne = [&] { return parseDim(parser, dims); };
    if (parser.parseCommaSeparatedList(parseOne) || parser.parseGreater())
      return {};
  }
  return get(parser.getContext(), dims);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(getDims(), printer, [&](const Dim &dim) { printer << dim.str(); });
  printer << '>';
}

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getDims().size())
    return emitError() << "encoding " << *this << " has " << getDims().size()
                       << " dims for a tensor of rank " << shape.size();
  for (auto [axis, size, dim] : llvm::enumerate(shape, getDims())) {
    int64_t expected = dim.isStatic() ? dim.value() : ShapedType::kDynamic;
    if (size != expected)
      return emitError() << "encoding " << *this << " differs from the shape in axis " << axis;
  }
  if (isStatic())
    return emitError() << "encoding " << *this << " has no symbolic dim; static tensors have none";
  return success();
}

} // namespace kiln::ir
