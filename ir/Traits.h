#pragma once

#include "mlir/IR/OpDefinition.h"

#include <optional>

/// What operations of the dialect have in common: the traits of KilnDialect.td.
namespace kiln::ir {

/// The result types that ShapeRules give for an operation; errors are reported at `location`, if
/// there is one, as "'kiln.matmul' op (C2) inner dims differ: …".
llvm::LogicalResult inferResultTypes(llvm::StringRef operation, mlir::MLIRContext *context,
                                     std::optional<mlir::Location> location,
                                     mlir::TypeRange operands, mlir::DictionaryAttr attributes,
                                     llvm::SmallVectorImpl<mlir::Type> &results);
/// The same for an operation that is there, and whether its results have these types.
llvm::LogicalResult verifyTyped(mlir::Operation *op);
/// The value of an operation all of whose operands are constant; failure where it is not exact.
llvm::LogicalResult foldConstants(mlir::Operation *op, llvm::ArrayRef<mlir::Attribute> operands,
                                  llvm::SmallVectorImpl<mlir::OpFoldResult> &results);

/// The result's type follows from operands and attributes by ShapeRules, which also hold all
/// constraints.
template <class ConcreteOp> class Typed : public mlir::OpTrait::TraitBase<ConcreteOp, Typed> {
public:
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) { return verifyTyped(op); }

  static llvm::LogicalResult inferReturnTypes(mlir::MLIRContext *context,
                                              std::optional<mlir::Location> location,
                                              mlir::ValueRange operands,
                                              mlir::DictionaryAttr attributes,
                                              mlir::OpaqueProperties properties, mlir::RegionRange,
                                              llvm::SmallVectorImpl<mlir::Type> &results) {
    // An operation that is being built has its attributes in one place or the other.
    if constexpr (ConcreteOp::hasProperties())
      if (properties)
        attributes = llvm::dyn_cast_or_null<mlir::DictionaryAttr>(ConcreteOp::getPropertiesAsAttr(
            context, *properties.as<typename ConcreteOp::Properties *>()));
    return inferResultTypes(ConcreteOp::getOperationName(), context, location, operands.getTypes(),
                            attributes, results);
  }
};

/// Each element of the result depends on one element of each operand: the one at the same place,
/// after broadcasting.
template <class ConcreteOp>
class KilnElementwise : public mlir::OpTrait::TraitBase<ConcreteOp, KilnElementwise> {};

/// Each element of the result is an element of the one operand; its place follows from its own.
template <class ConcreteOp>
class KilnView : public mlir::OpTrait::TraitBase<ConcreteOp, KilnView> {};

/// The elements of x along `axis` become one.
template <class ConcreteOp>
class KilnReduction : public mlir::OpTrait::TraitBase<ConcreteOp, KilnReduction> {};

template <class ConcreteOp>
class FoldsConstants : public mlir::OpTrait::TraitBase<ConcreteOp, FoldsConstants> {
public:
  static llvm::LogicalResult foldTrait(mlir::Operation *op,
                                       llvm::ArrayRef<mlir::Attribute> operands,
                                       llvm::SmallVectorImpl<mlir::OpFoldResult> &results) {
    return foldConstants(op, operands, results);
  }
};

} // namespace kiln::ir
