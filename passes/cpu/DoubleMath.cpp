#include "passes/cpu/DoubleMath.h"

#include "passes/cpu/MathEmitter.h"
#include "runtime/Abi.h"

#include <cstddef>
#include <numbers>

using namespace mlir;

namespace kiln::passes {
namespace {

/// A call of the function at `offset` bytes of KilnMath for each lane.
Value call(FunctionEmitter &f, size_t offset, ValueRange operands) {
  Type f64 = f.b.getF64Type(), type = operands[0].getType();
  Value table = f.load(f.ptr(), f.offsetBytes(f.runtime, f.constant(offsetof(KilnRuntime, math))));
  Value function = f.load(f.ptr(), f.offsetBytes(table, f.constant(static_cast<int64_t>(offset))));
  auto callee = LLVM::LLVMFunctionType::get(f64, SmallVector<Type>(operands.size(), f64));
  auto callLane = [&](ValueRange lane) -> Value {
    SmallVector<Value> arguments = {function};
    llvm::append_range(arguments, lane);
    return LLVM::CallOp::create(f.b, callee, arguments).getResult();
  };
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return callLane(operands);

  int64_t lanes = vector.getNumElements();
  SmallVector<Value> arrays;
  for (Value operand : operands) {
    arrays.push_back(f.stackArray(f64, lanes));
    f.store(operand, arrays.back());
  }
  Value results = f.stackArray(f64, lanes);
  f.loop(f.constant(0), f.constant(lanes), f.constant(1), [&](Value lane) {
    SmallVector<Value> arguments;
    for (Value array : arrays)
      arguments.push_back(f.load(f64, f.offset(array, lane, sizeof(double))));
    f.store(callLane(arguments), f.offset(results, lane, sizeof(double)));
  });
  return f.load(type, results);
}

} // namespace

Value emitDoubleMath(FunctionEmitter &f, StringRef op, ValueRange operands) {
  Value x = operands[0];
  MathEmitter m(f.b, x, {f.lowering.target.fma});
  auto one = [&](size_t offset, Value argument) { return call(f, offset, argument); };
  auto timesSigmoid = [&](Value factor, Value argument) {
    return m.div(factor, m.add(one(offsetof(KilnMath, exp), m.neg(argument)), 1));
  };
  if (op == "exp")
    return one(offsetof(KilnMath, exp), x);
  if (op == "log")
    return one(offsetof(KilnMath, log), x);
  if (op == "log1p")
    return one(offsetof(KilnMath, log1p), x);
  if (op == "tanh")
    return one(offsetof(KilnMath, tanh), x);
  if (op == "erf")
    return one(offsetof(KilnMath, erf), x);
  if (op == "sin")
    return one(offsetof(KilnMath, sin), x);
  if (op == "cos")
    return one(offsetof(KilnMath, cos), x);
  if (op == "pow")
    return call(f, offsetof(KilnMath, pow), operands);
  if (op == "rsqrt")
    return m.div(m.number(1), m.sqrt(x));
  if (op == "sigmoid")
    return timesSigmoid(m.number(1), x);
  if (op == "silu")
    return timesSigmoid(x, x);
  if (op == "gelu_quick")
    return timesSigmoid(x, m.mul(x, 1.702));
  if (op == "gelu_tanh") { // (1 + tanh u) / 2 = sigmoid(2u)
    constexpr double scale = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
    Value inner = m.add(m.mul(m.mul(x, x), scale * 0.044715), scale);
    return timesSigmoid(x, m.mul(x, inner));
  }
  if (op == "gelu") { // (1 + erf u) / 2 = erfc(-u) / 2
    Value tail = one(offsetof(KilnMath, erfc), m.mul(x, -std::numbers::sqrt2 / 2));
    return m.mul(x, m.mul(tail, 0.5));
  }
  if (op == "mod") { // the sign of the divisor, as NumPy
    Value y = operands[1];
    Value rest = call(f, offsetof(KilnMath, fmod), operands);
    Value differ = m.exclusive(m.less(rest, 0.0), m.less(y, 0.0));
    Value moved = m.select(differ, m.add(rest, y), rest);
    return m.select(m.equal(rest, 0.0), m.copySign(rest, y), moved);
  }
  return {};
}

} // namespace kiln::passes
