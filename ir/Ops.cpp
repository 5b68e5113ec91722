#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"
#include "ir/TypeConversion.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace kiln::ir {

/// ShapeRules on types of the dialect. `operation` is the full name, "kiln.matmul".
static Inferred infer(StringRef operation, TypeRange operands, const Attributes &attributes) {
  std::vector<TensorType> types;
  for (Type operand : operands) {
    if (!isKilnTensor(operand))
      return {{}, ErrorKind::type, "operands must be tensors of a kiln dtype with known dims", ""};
    types.push_back(toTensorType(operand));
  }
  operation.consume_front("kiln.");
  try {
    return inferType(std::string_view(operation), types, attributes);
  } catch (const std::exception &error) { // an attribute that is not there, an overflow of dims
    return {{}, ErrorKind::value, error.what(), ""};
  }
}

static std::string describe(const Inferred &inferred) {
  return inferred.label.empty() ? inferred.message
                                : "(" + inferred.label + ") " + inferred.message;
}

LogicalResult inferResultTypes(StringRef operation, MLIRContext *context,
                               std::optional<Location> location, TypeRange operands,
                               DictionaryAttr attributes, SmallVectorImpl<Type> &results) {
  Inferred inferred = infer(operation, operands, toAttributes(attributes));
  if (!inferred)
    return emitOptionalError(location, "'", operation, "' op ", describe(inferred));
  results.push_back(toMlirType(context, inferred.type));
  return success();
}

/// Whether `result` has the type that the rules give for the operands.
static LogicalResult verifyResult(Operation *op, OpResult result, TypeRange operands,
                                  const Attributes &attributes) {
  Inferred inferred = infer(op->getName().getStringRef(), operands, attributes);
  if (!inferred)
    return op->emitOpError() << describe(inferred);
  Type expected = toMlirType(op->getContext(), inferred.type);
  if (result.getType() != expected)
    return op->emitOpError() << "has result type " << result.getType() << ", expected " << expected;
  return success();
}

LogicalResult verifyTyped(Operation *op) {
  return verifyResult(op, op->getResult(0), op->getOperandTypes(), attributesOf(op));
}

//===----------------------------------------------------------------------===//
// linear
//===----------------------------------------------------------------------===//

/// The operands of one of the products: x, its weight and, if there are any, its bias.
static SmallVector<Type> typesOfProduct(Type x, TypeRange weights, TypeRange biases, size_t index) {
  SmallVector<Type> types{x, weights[index]};
  if (!biases.empty())
    types.push_back(biases[index]);
  return types;
}

void LinearOp::build(OpBuilder &builder, OperationState &state, Value x, ValueRange weights,
                     ValueRange biases, bool transposed) {
  Attributes attributes{{"transposed", transposed}};
  SmallVector<Type> results;
  for (size_t i = 0; i < weights.size(); ++i) {
    Inferred inferred =
        infer("linear", typesOfProduct(x.getType(), weights.getTypes(), biases.getTypes(), i),
              attributes);
    if (!inferred)
      llvm::report_fatal_error(StringRef("kiln.linear: " + describe(inferred)));
    results.push_back(toMlirType(builder.getContext(), inferred.type));
  }
  build(builder, state, results, x, weights, biases, transposed);
}

LogicalResult LinearOp::verify() {
  if (getWeights().empty() || getNumResults() != getWeights().size())
    return emitOpError() << "has " << getWeights().size() << " weights and " << getNumResults()
                         << " results, expected one result for each of at least one weight";
  if (!getBiases().empty() && getBiases().size() != getWeights().size())
    return emitOpError() << "has " << getBiases().size() << " biases for " << getWeights().size()
                         << " weights, expected none or one for each";
  Attributes attributes{{"transposed", getTransposed()}};
  for (size_t i = 0; i < getNumResults(); ++i) {
    SmallVector<Type> operands = typesOfProduct(getX().getType(), getWeights().getTypes(),
                                                getBiases().getTypes(), i);
    if (failed(verifyResult(*this, (*this)->getResult(i), operands, attributes)))
      return failure();
  }
  return success();
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
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer,
                        [&](auto pair) {
                          auto [argument, input] = pair;
                          printer << argument << " = " << input << " : " << input.getType();
                        });
  printer << ") ";
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

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
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
