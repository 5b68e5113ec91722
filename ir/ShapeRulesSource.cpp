#include "ir/ShapeRulesFamilies.h"

namespace kiln::ir::rules {

std::vector<TensorType> constant(const Use &use) {
  const auto &value = use.attributes.get<std::shared_ptr<const DenseData>>("value");
  if (!value->type.shape.isStatic())
    fail(ErrorKind::type, "C1", "expected a static shape: {}", show("value", value->type));
  if (Dim(value->bytes.size()) != value->type.sizeBytes())
    fail(ErrorKind::value, "C2", "expected {} bytes, got {}: {}", value->type.sizeBytes().str(),
         value->bytes.size(), show("value", value->type));
  return {value->type};
}

/// Whether the integer `dtype` has `value`.
static bool fits(__int128 value, DType dtype) {
  int bits = static_cast<int>(8 * sizeBytes(dtype));
  __int128 half = static_cast<__int128>(1) << (bits - 1);
  return isUnsigned(dtype) ? value >= 0 && value < 2 * half : value >= -half && value < half;
}

std::vector<TensorType> iota(const Use &use) {
  const auto &shape = use.attributes.get<Shape>("shape");
  auto dtype = use.attributes.get<DType>("dtype");
  if (shape.rank() != 1)
    fail(ErrorKind::value, "C1", "expected a shape of one dim, got {}", shape.str());
  requireNonNegative(use, shape, "C1");
  if (dtype == DType::boolean)
    fail(ErrorKind::type, "C2", "expected numbers, not booleans");
  const Attribute *start = use.attributes.find("start"), *step = use.attributes.find("step");
  auto isOk = [&](const Attribute *value) {
    return value && (isFloat(dtype) ? std::holds_alternative<double>(*value)
                                    : std::holds_alternative<int64_t>(*value));
  };
  if (!isOk(start) || !isOk(step))
    fail(ErrorKind::type, "C3", "expected {} start and step for {}",
         isFloat(dtype) ? "floating-point" : "integer", shortName(dtype));
  if (isInteger(dtype) && shape[0].isStatic() && shape[0].value() > 0) {
    __int128 first = std::get<int64_t>(*start);
    __int128 last = first + static_cast<__int128>(shape[0].value() - 1) * std::get<int64_t>(*step);
    if (!fits(first, dtype) || !fits(last, dtype))
      fail(ErrorKind::value, "C4", "numbers from {} by {} overflow {} within {} elements",
           std::get<int64_t>(*start), std::get<int64_t>(*step), shortName(dtype), shape[0].str());
  }
  return {{dtype, shape, CPU()}};
}

std::vector<TensorType> size(const Use &use) {
  const auto &dim = use.attributes.get<Shape>("dim");
  if (dim.rank() != 1)
    fail(ErrorKind::value, "C1", "expected one dim, got {}", dim.str());
  return {{DType::int64, {}, CPU()}};
}

} // namespace kiln::ir::rules
