#include "ir/TypeConversion.h"

#include "ir/KilnDialect.h"

#include "mlir/IR/Builders.h"

#include <cstring>

namespace kiln::ir {

mlir::Type toMlirType(mlir::MLIRContext *context, DType dtype) {
  mlir::Builder builder(context);
  unsigned bits = dtype == DType::boolean ? 1 : 8 * static_cast<unsigned>(sizeBytes(dtype));
  switch (dtype) {
  case DType::float16:
    return builder.getF16Type();
  case DType::bfloat16:
    return builder.getBF16Type();
  case DType::float32:
    return builder.getF32Type();
  case DType::float64:
    return builder.getF64Type();
  default:
    return isUnsigned(dtype) ? builder.getIntegerType(bits, /*isSigned=*/false)
                             : builder.getIntegerType(bits);
  }
}

std::optional<DType> toDType(mlir::Type elementType) {
  for (int i = 0; i <= static_cast<int>(DType::float64); ++i)
    if (toMlirType(elementType.getContext(), static_cast<DType>(i)) == elementType)
      return static_cast<DType>(i);
  return std::nullopt;
}

mlir::RankedTensorType toMlirType(mlir::MLIRContext *context, DType dtype, const Shape &shape) {
  llvm::SmallVector<int64_t> sizes;
  for (const Dim &dim : shape)
    sizes.push_back(dim.isStatic() ? dim.value() : mlir::ShapedType::kDynamic);
  return mlir::RankedTensorType::get(sizes, toMlirType(context, dtype),
                                     DimsAttr::encodingFor(context, shape.vec()));
}

mlir::RankedTensorType toMlirType(mlir::MLIRContext *context, const TensorType &type) {
  return toMlirType(context, type.dtype, type.shape);
}

bool isKilnTensor(mlir::Type type) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  if (!tensor || !toDType(tensor.getElementType()))
    return false;
  // The encoding's own verifier has compared it with the shape.
  return tensor.getEncoding() ? llvm::isa<DimsAttr>(tensor.getEncoding()) : tensor.hasStaticShape();
}

Shape shapeOf(mlir::Type type) {
  auto tensor = llvm::cast<mlir::RankedTensorType>(type);
  if (auto dims = llvm::dyn_cast_or_null<DimsAttr>(tensor.getEncoding()))
    return Shape(std::vector<Dim>(dims.getDims().begin(), dims.getDims().end()));
  return Shape(std::vector<Dim>(tensor.getShape().begin(), tensor.getShape().end()));
}

TensorType toTensorType(mlir::Type type) {
  auto tensor = llvm::cast<mlir::RankedTensorType>(type);
  return TensorType(*toDType(tensor.getElementType()), shapeOf(type), CPU());
}

mlir::DenseElementsAttr toMlirAttribute(mlir::MLIRContext *context, const DenseData &data) {
  mlir::RankedTensorType type = toMlirType(context, data.type);
  if (data.type.dtype == DType::boolean) { // whose buffer is not one byte for each element
    llvm::SmallVector<bool> values;
    for (std::byte value : data.bytes)
      values.push_back(value != std::byte{0});
    return mlir::DenseElementsAttr::get(type, values);
  }
  llvm::ArrayRef<char> raw(reinterpret_cast<const char *>(data.bytes.data()), data.bytes.size());
  return mlir::DenseElementsAttr::getFromRawBuffer(type, raw);
}

DenseData toDenseData(mlir::DenseElementsAttr attribute) {
  DenseData data{toTensorType(attribute.getType()), {}};
  if (data.type.dtype == DType::boolean) {
    for (bool value : attribute.getValues<bool>())
      data.bytes.push_back(std::byte{value});
    return data;
  }
  llvm::ArrayRef<char> raw = attribute.getRawData();
  size_t total = static_cast<size_t>(attribute.getNumElements()) * sizeBytes(data.type.dtype);
  data.bytes.resize(total);
  for (size_t done = 0; done < total; done += raw.size()) // a splat is stored once
    std::memcpy(data.bytes.data() + done, raw.data(), raw.size());
  return data;
}

namespace {
/// One overload for each alternative of `Attribute`.
struct ToMlir {
  mlir::Builder builder;
  mlir::Attribute operator()(bool value) { return builder.getBoolAttr(value); }
  mlir::Attribute operator()(int64_t value) { return builder.getI64IntegerAttr(value); }
  mlir::Attribute operator()(double value) { return builder.getF64FloatAttr(value); }
  mlir::Attribute operator()(const std::string &value) { return builder.getStringAttr(value); }
  mlir::Attribute operator()(DType value) {
    return mlir::TypeAttr::get(toMlirType(builder.getContext(), value));
  }
  mlir::Attribute operator()(const std::vector<int64_t> &value) {
    return builder.getDenseI64ArrayAttr(value);
  }
  mlir::Attribute operator()(const Shape &value) {
    return DimsAttr::get(builder.getContext(), value.vec());
  }
  mlir::Attribute operator()(const std::shared_ptr<const DenseData> &value) {
    return toMlirAttribute(builder.getContext(), *value);
  }
};
} // namespace

mlir::Attribute toMlirAttribute(mlir::MLIRContext *context, const Attribute &attribute) {
  return std::visit(ToMlir{mlir::Builder(context)}, attribute);
}

/// True; a splat of any size is short as text. Errors: ValueError.
static bool checkSize(mlir::DenseElementsAttr value) {
  constexpr int64_t mostElements = int64_t{1} << 24;
  Dim count = 1;
  for (const Dim &size : shapeOf(value.getType()))
    count = count * size;
  if (count.value() > mostElements)
    throw ValueError("[constant] more than " + std::to_string(mostElements) +
                     " elements: make it a weight");
  return true;
}

std::optional<Attribute> toAttribute(mlir::Attribute attribute) {
  if (auto value = llvm::dyn_cast<mlir::BoolAttr>(attribute))
    return Attribute(value.getValue());
  if (auto value = llvm::dyn_cast<mlir::IntegerAttr>(attribute))
    return Attribute(value.getInt());
  if (auto value = llvm::dyn_cast<mlir::FloatAttr>(attribute))
    return Attribute(value.getValueAsDouble());
  if (auto value = llvm::dyn_cast<mlir::StringAttr>(attribute))
    return Attribute(value.str());
  if (auto value = llvm::dyn_cast<mlir::DenseI64ArrayAttr>(attribute))
    return Attribute(std::vector<int64_t>(value.asArrayRef()));
  if (auto value = llvm::dyn_cast<DimsAttr>(attribute))
    return Attribute(Shape(std::vector<Dim>(value.getDims().begin(), value.getDims().end())));
  if (auto value = llvm::dyn_cast<mlir::DenseElementsAttr>(attribute))
    if (isKilnTensor(value.getType()) && checkSize(value))
      return Attribute(std::make_shared<const DenseData>(toDenseData(value)));
  if (auto value = llvm::dyn_cast<mlir::TypeAttr>(attribute))
    if (std::optional<DType> dtype = toDType(value.getValue()))
      return Attribute(*dtype);
  return std::nullopt;
}

Attributes toAttributes(mlir::DictionaryAttr dictionary) {
  Attributes attributes;
  if (!dictionary)
    return attributes;
  for (mlir::NamedAttribute named : dictionary)
    if (std::optional<Attribute> value = toAttribute(named.getValue()))
      attributes.set(named.getName().str(), std::move(*value));
  return attributes;
}

Attributes attributesOf(mlir::Operation *op) {
  return toAttributes(llvm::dyn_cast_or_null<mlir::DictionaryAttr>(op->getPropertiesAsAttribute()));
}

mlir::ArrayAttr toMlirAttribute(mlir::MLIRContext *context,
                                const std::vector<Constraint> &constraints) {
  mlir::Builder builder(context);
  llvm::SmallVector<mlir::Attribute> entries;
  for (const Constraint &constraint : constraints) {
    mlir::NamedAttribute dim = builder.getNamedAttr("dim", DimsAttr::get(context, constraint.dim));
    mlir::NamedAttribute bound =
        constraint.kind == Constraint::Kind::between
            ? builder.getNamedAttr("between",
                                   builder.getDenseI64ArrayAttr({constraint.low, constraint.high}))
            : builder.getNamedAttr("multiple_of", builder.getI64IntegerAttr(constraint.low));
    entries.push_back(builder.getDictionaryAttr({dim, bound}));
  }
  return builder.getArrayAttr(entries);
}

std::vector<Constraint> toConstraints(mlir::ArrayAttr attribute) {
  std::vector<Constraint> constraints;
  for (auto entry : attribute.getAsRange<mlir::DictionaryAttr>()) {
    Constraint constraint;
    constraint.dim = entry.getAs<DimsAttr>("dim").getDims().front();
    if (auto bounds = entry.getAs<mlir::DenseI64ArrayAttr>("between")) {
      constraint.low = bounds[0];
      constraint.high = bounds[1];
    } else {
      constraint.kind = Constraint::Kind::multipleOf;
      constraint.low = entry.getAs<mlir::IntegerAttr>("multiple_of").getInt();
    }
    constraints.push_back(std::move(constraint));
  }
  return constraints;
}

} // namespace kiln::ir
