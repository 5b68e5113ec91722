#include "ir/ShapeRulesFamilies.h"

#include <array>

namespace kiln::ir::rules {

static void requireKind(const TensorType &x, std::string_view name, DTypes dtypes,
                        const char *label) {
  if (dtypes == DTypes::Float)
    requireFloat(x, name, label);
  if (dtypes == DTypes::Number)
    requireNumber(x, name, label);
  if (dtypes == DTypes::Bits && isFloat(x.dtype))
    fail(ErrorKind::type, label, "expected booleans or integers: {}", show(name, x));
}

static Shape broadcast(const TensorType &x, const TensorType &y, const char *label) {
  if (x.shape == y.shape)
    return x.shape;
  Inferred inferred = broadcastShapes(std::array{x.shape, y.shape});
  if (!inferred)
    fail(ErrorKind::value, label, "{}: {}", inferred.message, show("x", x, "y", y));
  return inferred.type.shape;
}

std::vector<TensorType> unary(const Use &use, DTypes dtypes) {
  const TensorType &x = use[0];
  requireKind(x, "x", dtypes, "C1");
  return {{dtypes == DTypes::Predicate ? DType::boolean : x.dtype, x.shape, x.device}};
}

std::vector<TensorType> binary(const Use &use, DTypes dtypes) {
  const TensorType &x = use[0], &y = use[1];
  requireSameDType(x, "x", y, "y", "C1");
  requireKind(x, "x", dtypes, "C2");
  Shape shape = broadcast(x, y, "C3");
  return {{dtypes == DTypes::Predicate ? DType::boolean : x.dtype, std::move(shape), x.device}};
}

std::vector<TensorType> select(const Use &use) {
  const TensorType &condition = use[0], &x = use[1], &y = use[2];
  if (condition.dtype != DType::boolean)
    fail(ErrorKind::type, "C1", "expected a boolean condition: {}", show("condition", condition));
  requireSameDType(x, "x", y, "y", "C2");
  Inferred inferred = broadcastShapes(std::array{condition.shape, x.shape, y.shape});
  if (!inferred)
    fail(ErrorKind::value, "C3", "{}: {}, {}", inferred.message, show("condition", condition),
         show("x", x, "y", y));
  return {{x.dtype, std::move(inferred.type.shape), x.device}};
}

std::vector<TensorType> cast(const Use &use) {
  return {{use.attributes.get<DType>("dtype"), use[0].shape, use[0].device}};
}

} // namespace kiln::ir::rules
