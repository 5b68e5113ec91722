#pragma once

#include "ir/Graph.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

#include <optional>

/// Types and attributes of ir/Graph and of the dialect, each as the other. No operation is known
/// here.
namespace kiln::ir {

/// `i1` for booleans, `i8`… for signed and `ui8`… for unsigned integers.
mlir::Type toMlirType(mlir::MLIRContext *context, DType dtype);
/// None for a type that is no dtype.
std::optional<DType> toDType(mlir::Type elementType);

/// The device is not part of the type.
mlir::RankedTensorType toMlirType(mlir::MLIRContext *context, const TensorType &type);
mlir::RankedTensorType toMlirType(mlir::MLIRContext *context, DType dtype, const Shape &shape);
/// On CPU(0). The type is one that `isKilnTensor` accepts.
TensorType toTensorType(mlir::Type type);
/// The dims of such a type.
Shape shapeOf(mlir::Type type);

mlir::Attribute toMlirAttribute(mlir::MLIRContext *context, const Attribute &attribute);
/// None for an attribute that a graph's node cannot have, such as operandSegmentSizes.
std::optional<Attribute> toAttribute(mlir::Attribute attribute);
/// Of all attributes that a node can have. `dictionary` may be null.
Attributes toAttributes(mlir::DictionaryAttr dictionary);
/// What an operation does, that is its inherent attributes.
Attributes attributesOf(mlir::Operation *op);

mlir::DenseElementsAttr toMlirAttribute(mlir::MLIRContext *context, const DenseData &data);
DenseData toDenseData(mlir::DenseElementsAttr attribute);

mlir::ArrayAttr toMlirAttribute(mlir::MLIRContext *context,
                                const std::vector<Constraint> &constraints);
std::vector<Constraint> toConstraints(mlir::ArrayAttr attribute);

} // namespace kiln::ir
