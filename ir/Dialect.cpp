#include "ir/KilnDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

#include "ir/KilnDialect.cpp.inc"

namespace kiln::ir {

// Element types are written once where operands and result have one type, else as a function type.
static ParseResult parseElementTypes(OpAsmParser &parser, llvm::ArrayRef<Type *> operands,
                                     Type &result) {
  SMLoc location = parser.getCurrentLocation();
  FunctionType function;
  Type type;
  if (parser.parseType(type))
    return failure();
  if (!(function = llvm::dyn_cast<FunctionType>(type))) {
    for (Type *operand : operands)
      *operand = type;
    result = type;
    return success();
  }
  if (function.getNumInputs() != operands.size() || function.getNumResults() != 1)
    return parser.emitError(location) << "expected " << operands.size() << " operands and a result";
  for (auto [operand, input] : llvm::zip(operands, function.getInputs()))
    *operand = input;
  result = function.getResult(0);
  return success();
}
static ParseResult parseElementTypes(OpAsmParser &parser, Type &x, Type &result) {
  return parseElementTypes(parser, {&x}, result);
}
static ParseResult parseElementTypes(OpAsmParser &parser, Type &x, Type &y, Type &result) {
  return parseElementTypes(parser, {&x, &y}, result);
}

static void printElementTypes(OpAsmPrinter &printer, Operation *op, Type, Type result) {
  if (llvm::all_equal(op->getOperandTypes()) && op->getOperand(0).getType() == result)
    printer << result;
  else
    printer.printFunctionalType(op);
}
static void printElementTypes(OpAsmPrinter &printer, Operation *op, Type x, Type, Type result) {
  printElementTypes(printer, op, x, result);
}

} // namespace kiln::ir

#define GET_OP_CLASSES
#include "ir/KilnOps.cpp.inc"

namespace kiln::ir {

void KilnDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "ir/KilnOps.cpp.inc"
      >();
}

Operation *KilnDialect::materializeConstant(OpBuilder &builder, mlir::Attribute value, Type type,
                                            Location location) {
  auto elements = llvm::dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, location, type, elements);
}

} // namespace kiln::ir
