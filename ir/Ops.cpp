#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"
#include "ir/TypeConversion.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace kiln::ir {

static Inferred refused(ErrorKind kind, std::string message) {
  Inferred inferred;
  inferred.error = kind;
  inferred.message = std::move(message);
  return inferred;
}

/// ShapeRules on types of the dialect. `operation` is the full name, "kiln.matmul".
static std::vector<Inferred> infer(StringRef operation, TypeRange operands,
                                   const Attributes &attributes) {
  std::vector<TensorType> types;
  for (Type operand : operands) {
    if (!isKilnTensor(operand))
      return {refused(ErrorKind::type, "operands must be tensors of a kiln dtype with known dims")};
    types.push_back(toTensorType(operand));
  }
  operation.consume_front("kiln.");
  try {
    return inferTypes(std::string_view(operation), types, attributes);
  } catch (const std::exception &error) { // an attribute of another kind
    return {
        refused(ErrorKind::value, error.what() + std::string(", or of a type that kiln has not"))};
  }
}

static std::string describe(const Inferred &inferred) {
  return inferred.label.empty() ? inferred.message : "(" + inferred.label + ") " + inferred.message;
}

LogicalResult inferResultTypes(StringRef operation, MLIRContext *context,
                               std::optional<Location> location, TypeRange operands,
                               DictionaryAttr attributes, SmallVectorImpl<Type> &results) {
  for (const Inferred &inferred : infer(operation, operands, toAttributes(attributes))) {
    if (!inferred)
      return emitOptionalError(location, "'", operation, "' op ", describe(inferred));
    results.push_back(toMlirType(context, inferred.type));
  }
  return success();
}

/// Whether the results have the types that the rules give for the operands.
static LogicalResult verifyResults(Operation *op, const Attributes &attributes) {
  std::vector<Inferred> rules =
      infer(op->getName().getStringRef(), op->getOperandTypes(), attributes);
  if (!rules[0])
    return op->emitOpError() << describe(rules[0]);
  if (rules.size() != op->getNumResults())
    return op->emitOpError() << "has " << op->getNumResults() << " results, expected "
                             << rules.size();
  for (auto [type, inferred] : llvm::zip(op->getResultTypes(), rules))
    if (Type expected = toMlirType(op->getContext(), inferred.type); type != expected)
      return op->emitOpError() << "has result type " << type << ", expected " << expected;
  return success();
}

LogicalResult verifyTyped(Operation *op) { return verifyResults(op, attributesOf(op)); }

//===----------------------------------------------------------------------===//
// gather
//===----------------------------------------------------------------------===//

TensorType GatherOp::wholeTableType() {
  TensorType table = toTensorType(getTable().getType());
  if (std::optional<uint64_t> total = getTotal()) {
    std::vector<Dim> dims = table.shape.vec();
    dims[getAxis()] = static_cast<int64_t>(*total);
    table.shape = Shape(std::move(dims));
  }
  return table;
}

//===----------------------------------------------------------------------===//
// linear
//===----------------------------------------------------------------------===//

/// The rules get all operands in one list and the number of weights beside it.
static Attributes linearAttributes(size_t weights, bool transposed) {
  return {{"transposed", transposed}, {"weights", static_cast<int64_t>(weights)}};
}

void LinearOp::build(OpBuilder &builder, OperationState &state, Value x, ValueRange weights,
                     ValueRange biases, bool transposed) {
  SmallVector<Type> operands{x.getType()}, results;
  llvm::append_range(operands, weights.getTypes());
  llvm::append_range(operands, biases.getTypes());
  for (const Inferred &inferred :
       infer("linear", operands, linearAttributes(weights.size(), transposed))) {
    if (!inferred)
      llvm::report_fatal_error(StringRef("kiln.linear: " + describe(inferred)));
    results.push_back(toMlirType(builder.getContext(), inferred.type));
  }
  build(builder, state, results, x, weights, biases, transposed);
}

LogicalResult LinearOp::verify() {
  return verifyResults(*this, linearAttributes(getWeights().size(), getTransposed()));
}

//===----------------------------------------------------------------------===//
// fusion, launch
//===----------------------------------------------------------------------===//

/// fusion (%a = %x : type, …) -> (types) attributes {…} { … }
ParseResult FusionOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  auto parseInput = [&]() -> ParseResult {
    return failure(parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
                   parser.parseOperand(operands.emplace_back()) ||
                   parser.parseColonType(arguments.back().type));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseInput) ||
      parser.parseArrowTypeList(result.types))
    return failure();
  for (auto [operand, argument] : llvm::zip(operands, arguments))
    if (parser.resolveOperand(operand, argument.type, result.operands))
      return failure();
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  return parser.parseRegion(*result.addRegion(), arguments);
}

void FusionOp::print(OpAsmPrinter &printer) {
  printer << " (";
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer, [&](auto pair) {
    auto [argument, input] = pair;
    printer << argument << " = " << input << " : " << input.getType();
  });
  printer << ')';
  printer.printArrowTypeList(getResultTypes());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult FusionOp::verify() {
  if (TypeRange(getInputs()) != TypeRange(getBody().getArgumentTypes()))
    return emitOpError() << "has inputs of other types than its region's arguments";
  auto yield = llvm::dyn_cast<YieldOp>(getBody().front().back());
  if (!yield)
    return emitOpError() << "expects a region that ends with kiln.yield";
  if (TypeRange(yield.getValues()) != TypeRange(getResults()))
    return emitOpError() << "yields other types than those of its results";
  for (Operation &op : getBody().front())
    if (!llvm::isa<KilnDialect>(op.getDialect()) || op.getNumRegions() != 0 ||
        llvm::isa<LaunchOp>(op))
      return op.emitOpError() << "may not stand in a kiln.fusion";
  return success();
}

/// Kernels launch no others, so that there are no cycles.
LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (auto parent = (*this)->getParentOfType<FunctionOpInterface>();
      parent && parent->hasAttr(kernelAttrName))
    return emitOpError() << "may not stand in a kernel";
  auto kernel = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(*this, getKernelAttr());
  if (!kernel || !kernel->hasAttr(kernelAttrName))
    return emitOpError() << getKernelAttr() << " is not a function with " << kernelAttrName;
  if (TypeRange(kernel.getArgumentTypes()) != TypeRange(getInputs()) ||
      TypeRange(kernel.getResultTypes()) != TypeRange(getResults()))
    return emitOpError() << "has operands or results of other types than those of "
                         << getKernelAttr();
  return success();
}

} // namespace kiln::ir
