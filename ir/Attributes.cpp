#include "ir/KilnDialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

// Attributes of the dialect on operations and arguments of other dialects.

using namespace mlir;

namespace kiln::ir {

/// {dim = #kiln.dims<n>, between = array<i64: 1, 64>} or {dim = …, multiple_of = 8 : i64}.
static LogicalResult verifyConstraint(Operation *op, mlir::Attribute attribute) {
  auto entry = llvm::dyn_cast<DictionaryAttr>(attribute);
  auto dim = entry ? entry.getAs<DimsAttr>("dim") : DimsAttr();
  if (!dim || dim.getDims().size() != 1)
    return op->emitError() << constraintsAttrName << ": " << attribute << " names no dim";
  auto bounds = entry.getAs<DenseI64ArrayAttr>("between");
  auto factor = entry.getAs<IntegerAttr>("multiple_of");
  if (bounds ? bounds.size() != 2 || factor : !factor || !factor.getType().isSignlessInteger(64))
    return op->emitError() << constraintsAttrName << ": " << attribute
                           << " is neither 'between' two bounds nor 'multiple_of' a factor";
  return success();
}

LogicalResult KilnDialect::verifyOperationAttribute(Operation *op, NamedAttribute named) {
  if (named.getName() == constraintsAttrName) {
    auto entries = llvm::dyn_cast<ArrayAttr>(named.getValue());
    if (!llvm::isa<ModuleOp>(op) || !entries)
      return op->emitError() << constraintsAttrName << " is a list, on a module";
    for (mlir::Attribute entry : entries)
      if (failed(verifyConstraint(op, entry)))
        return failure();
  }
  if (named.getName() == kernelAttrName && !llvm::isa<FunctionOpInterface>(op))
    return op->emitError() << kernelAttrName << " may stand on functions only";
  if (named.getName() == ranksAttrName) {
    auto ranks = llvm::dyn_cast<IntegerAttr>(named.getValue());
    if (!llvm::isa<ModuleOp>(op) || !ranks || !ranks.getType().isSignlessInteger(64) ||
        ranks.getInt() < 1)
      return op->emitError() << ranksAttrName << " is a positive number, on a module";
  }
  return success();
}

/// `kiln.shard = <axis>` of a weight, and `kiln.whole = <size>` beside it.
static LogicalResult verifyShard(Operation *op, unsigned argument, NamedAttribute named) {
  auto function = llvm::dyn_cast<FunctionOpInterface>(op);
  auto number = llvm::dyn_cast<IntegerAttr>(named.getValue());
  auto type = function ? llvm::dyn_cast<RankedTensorType>(function.getArgumentTypes()[argument])
                       : RankedTensorType();
  auto refuse = [&](const char *reason) {
    return op->emitError() << named.getName().getValue() << " of argument " << argument << reason;
  };
  if (!type || !number || !number.getType().isSignlessInteger(64))
    return refuse(" is no 64-bit integer, on a tensor");
  auto axis = function.getArgAttrOfType<IntegerAttr>(argument, shardAttrName);
  if (named.getName() == wholeAttrName && !axis)
    return refuse(" is there without kiln.shard");
  if (named.getName() == shardAttrName &&
      (number.getInt() < 0 || number.getInt() >= type.getRank()))
    return refuse(" is no axis of it");
  auto role = function.getArgAttrOfType<StringAttr>(argument, roleAttrName);
  if (!role || role.getValue() != "weight")
    return refuse(": only weights are split");
  return success();
}

LogicalResult KilnDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned argument,
                                                    NamedAttribute named) {
  if (named.getName() == shardAttrName || named.getName() == wholeAttrName)
    return verifyShard(op, argument, named);
  if (named.getName() != roleAttrName)
    return success();
  auto role = llvm::dyn_cast<StringAttr>(named.getValue());
  if (!role || (role.getValue() != "argument" && role.getValue() != "weight"))
    return op->emitError() << roleAttrName << " of argument " << argument
                           << " is neither \"argument\" nor \"weight\"";
  return success();
}

} // namespace kiln::ir
