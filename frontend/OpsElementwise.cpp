#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <fmt/format.h>

namespace kiln {

using detail::Call;

// Operators. The place is that of the expression.

#define KILN_OPERATOR(symbol, name, op, kind)                                                      \
  Tensor operator symbol(const Operand &x, const Operand &y) {                                     \
    return Call(name, x.where).binary(op, x, y, Call::Kind::kind);                                 \
  }
KILN_OPERATOR(+, "add", "add", arithmetic)
KILN_OPERATOR(-, "sub", "sub", arithmetic)
KILN_OPERATOR(*, "mul", "mul", arithmetic)
KILN_OPERATOR(/, "div", "div", division)
KILN_OPERATOR(%, "mod", "mod", arithmetic)
KILN_OPERATOR(==, "equal", "eq", comparison)
KILN_OPERATOR(!=, "notEqual", "ne", comparison)
KILN_OPERATOR(<, "less", "lt", comparison)
KILN_OPERATOR(<=, "lessEqual", "le", comparison)
KILN_OPERATOR(>, "greater", "gt", comparison)
KILN_OPERATOR(>=, "greaterEqual", "ge", comparison)
KILN_OPERATOR(&, "and", "and", bits)
KILN_OPERATOR(|, "or", "or", bits)
KILN_OPERATOR(^, "xor", "xor", bits)
#undef KILN_OPERATOR

Tensor operator-(const Operand &x) { return Call("neg", x.where).record("neg", {*x.tensor}); }
Tensor operator~(const Operand &x) { return Call("not", x.where).record("not", {*x.tensor}); }

Tensor pow(const Operand &x, const Operand &y) { return Call("pow", x.where).binary("pow", x, y); }
Tensor maximum(const Operand &x, const Operand &y) {
  return Call("maximum", x.where).binary("maximum", x, y);
}
Tensor minimum(const Operand &x, const Operand &y) {
  return Call("minimum", x.where).binary("minimum", x, y);
}
Tensor floorDiv(const Operand &x, const Operand &y) {
  return Call("floorDiv", x.where).binary("floor_div", x, y);
}

// One operand. Fractional functions of integers are those of float32.

#define KILN_FLOAT_FUNCTION(name, op)                                                              \
  Tensor name(const Tensor &x, Where where) {                                                      \
    Call call(#name, where);                                                                       \
    return call.record(op, {call.toFloat(x)});                                                     \
  }
KILN_FLOAT_FUNCTION(exp, "exp")
KILN_FLOAT_FUNCTION(log, "log")
KILN_FLOAT_FUNCTION(log1p, "log1p")
KILN_FLOAT_FUNCTION(sqrt, "sqrt")
KILN_FLOAT_FUNCTION(rsqrt, "rsqrt")
KILN_FLOAT_FUNCTION(sin, "sin")
KILN_FLOAT_FUNCTION(cos, "cos")
KILN_FLOAT_FUNCTION(tanh, "tanh")
KILN_FLOAT_FUNCTION(erf, "erf")
KILN_FLOAT_FUNCTION(silu, "silu")
KILN_FLOAT_FUNCTION(sigmoid, "sigmoid")
#undef KILN_FLOAT_FUNCTION

#define KILN_ROUNDING(name)                                                                        \
  Tensor name(const Tensor &x, Where where) {                                                      \
    Call call(#name, where);                                                                       \
    return isFloat(call.type(x).dtype) ? call.record(#name, {x}) : x;                              \
  }
KILN_ROUNDING(floor)
KILN_ROUNDING(ceil)
KILN_ROUNDING(round)
KILN_ROUNDING(trunc)
#undef KILN_ROUNDING

Tensor abs(const Tensor &x, Where where) { return Call("abs", where).record("abs", {x}); }
Tensor relu(const Tensor &x, Where where) { return Call("relu", where).record("relu", {x}); }
Tensor isNan(const Tensor &x, Where where) { return Call("isNan", where).record("is_nan", {x}); }
Tensor isInf(const Tensor &x, Where where) { return Call("isInf", where).record("is_inf", {x}); }

Tensor gelu(const Tensor &x, std::string_view approximate, Where where) {
  Call call("gelu", where);
  if (approximate == "none")
    return call.record("gelu", {call.toFloat(x)});
  if (approximate == "tanh")
    return call.record("gelu_tanh", {call.toFloat(x)});
  if (approximate == "quick")
    return call.record("gelu_quick", {call.toFloat(x)});
  call.fail(ErrorKind::value,
            fmt::format("approximate must be none, tanh or quick, not {}", approximate));
}

Tensor atanh(const Tensor &x, Where where) {
  Call call("atanh", where);
  Tensor value = call.toWide(x);
  // Both logarithms are accurate near 0, where they only add.
  Tensor difference = call.record(
      "sub", {call.record("log1p", {value}), call.record("log1p", {call.record("neg", {value})})});
  Tensor half = call.scalar(0.5, value.dtype(), value.device());
  return call.cast(call.record("mul", {difference, half}), call.floatOf(x));
}

Tensor isFinite(const Tensor &x, Where where) {
  Call call("isFinite", where);
  return call.record("not",
                     {call.record("or", {call.record("is_nan", {x}), call.record("is_inf", {x})})});
}

std::pair<Tensor, Tensor> divmod(const Operand &x, const Operand &y) {
  Call call("divmod", x.where);
  return {call.binary("floor_div", x, y), call.binary("mod", x, y)};
}

/// x != 0, as a boolean tensor.
static Tensor truth(const Call &call, const Operand &x, Device device) {
  if (!x.tensor)
    return call.scalar(x.scalar.kind == Scalar::Kind::real ? x.scalar.real != 0
                                                           : x.scalar.integer != 0,
                       DType::boolean, device);
  const TensorType &type = call.type(*x.tensor);
  return type.dtype == DType::boolean
             ? *x.tensor
             : call.record("ne", {*x.tensor, call.scalar(0, type.dtype, type.device)});
}

static Tensor logical(std::string_view name, std::string_view op, const Operand &x,
                      const Operand &y) {
  Call call(name, x.where);
  if (!x.tensor && !y.tensor)
    call.fail(ErrorKind::type, "one operand must be a tensor");
  Device device = call.type(x.tensor ? *x.tensor : *y.tensor).device;
  return call.record(op, {truth(call, x, device), truth(call, y, device)});
}

Tensor logicalAnd(const Operand &x, const Operand &y) { return logical("logicalAnd", "and", x, y); }
Tensor logicalOr(const Operand &x, const Operand &y) { return logical("logicalOr", "or", x, y); }
Tensor logicalXor(const Operand &x, const Operand &y) { return logical("logicalXor", "xor", x, y); }
Tensor logicalNot(const Tensor &x, Where where) {
  Call call("logicalNot", where);
  return call.record("not", {truth(call, x, call.type(x).device)});
}

/// where(condition, x, y) under the name of the caller.
static Tensor select(const Call &call, const Tensor &condition, const Operand &x,
                     const Operand &y) {
  if (DType dtype = call.type(condition).dtype; dtype != DType::boolean)
    call.fail(ErrorKind::type,
              fmt::format("the condition must be boolean, not {}", condition.type().str()));
  if (x.tensor || y.tensor) {
    auto [a, b] = call.promoted(x, y, Call::Kind::comparison);
    return call.record("select", {condition, a, b});
  }
  DType dtype = call.promote(detail::scalarDType(x.scalar), detail::scalarDType(y.scalar));
  Device device = condition.device();
  return call.record("select", {condition, call.scalar(x.scalar, dtype, device),
                                call.scalar(y.scalar, dtype, device)});
}

Tensor where(const Tensor &condition, const Operand &x, const Operand &y) {
  return select(Call("where", x.where), condition, x, y);
}

Tensor maskedFill(const Tensor &x, const Tensor &mask, Scalar value, Where where) {
  Operand fill(0, where);
  fill.scalar = value;
  Call call("maskedFill", where);
  const TensorType &type = call.type(x);
  Tensor result = select(call, mask, fill, Operand(x, where));
  if (result.shape() != type.shape)
    call.fail(ErrorKind::value, fmt::format("the mask does not broadcast to x: mask {}, x {}",
                                            mask.type().str(), type.str()));
  return result;
}

Tensor clamp(const Tensor &x, std::optional<Scalar> low, std::optional<Scalar> high, Where where) {
  Call call("clamp", where);
  if (!low && !high)
    call.fail(ErrorKind::value, "at least one bound is needed: neither low nor high is given");
  const TensorType &type = call.type(x);
  Tensor result = x;
  if (low)
    result = call.record("maximum", {result, call.scalar(*low, type.dtype, type.device)});
  if (high)
    result = call.record("minimum", {result, call.scalar(*high, type.dtype, type.device)});
  return result;
}

} // namespace kiln
