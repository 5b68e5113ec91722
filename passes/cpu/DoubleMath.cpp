#include "passes/cpu/DoubleMath.h"

#include "passes/cpu/MathEmitter.h"
#include "runtime/Abi.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cstddef>
#include <numbers>

using namespace mlir;

namespace kiln::passes {
namespace {

/// A function of the C library.
struct Function {
  llvm::StringLiteral name;
  size_t offset; // in KilnMath
};
namespace library {
constexpr Function exp{"exp", offsetof(KilnMath, exp)}, log{"log", offsetof(KilnMath, log)},
    log1p{"log1p", offsetof(KilnMath, log1p)}, tanh{"tanh", offsetof(KilnMath, tanh)},
    erf{"erf", offsetof(KilnMath, erf)}, erfc{"erfc", offsetof(KilnMath, erfc)},
    sin{"sin", offsetof(KilnMath, sin)}, cos{"cos", offsetof(KilnMath, cos)},
    pow{"pow", offsetof(KilnMath, pow)}, fmod{"fmod", offsetof(KilnMath, fmod)};
} // namespace library

/// The function on an accelerator: CUDA's library of it, which codegen links (PtxEmitter.h).
LLVM::LLVMFuncOp deviceFunction(FunctionEmitter &f, const Function &function,
                                LLVM::LLVMFunctionType type) {
  Operation *module = f.lowering.deviceModule;
  std::string name = "__nv_" + function.name.str();
  if (Operation *known = SymbolTable::lookupSymbolIn(module, name))
    return cast<LLVM::LLVMFuncOp>(known);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToStart(&module->getRegion(0).front());
  return LLVM::LLVMFuncOp::create(f.b, name, type);
}

/// A call of the function for each lane.
Value call(FunctionEmitter &f, const Function &function, ValueRange operands) {
  Type f64 = f.b.getF64Type(), type = operands[0].getType();
  auto callee = LLVM::LLVMFunctionType::get(f64, SmallVector<Type>(operands.size(), f64));
  auto vector = dyn_cast<VectorType>(type);
  if (f.isOnDevice()) {
    LLVM::LLVMFuncOp library = deviceFunction(f, function, callee);
    auto callLane = [&](ValueRange lane) {
      return LLVM::CallOp::create(f.b, library, lane).getResult();
    };
    if (!vector)
      return callLane(operands);
    SmallVector<Value> results;
    for (int64_t lane = 0; lane < vector.getNumElements(); ++lane) {
      SmallVector<Value> arguments;
      for (Value operand : operands)
        arguments.push_back(vector::ExtractOp::create(f.b, operand, lane));
      results.push_back(callLane(arguments));
    }
    return vector::FromElementsOp::create(f.b, vector, results);
  }

  Value table = f.load(f.ptr(), f.offsetBytes(f.runtime, f.constant(offsetof(KilnRuntime, math))));
  Value pointer =
      f.load(f.ptr(), f.offsetBytes(table, f.constant(static_cast<int64_t>(function.offset))));
  auto callLane = [&](ValueRange lane) -> Value {
    SmallVector<Value> arguments = {pointer};
    llvm::append_range(arguments, lane);
    return LLVM::CallOp::create(f.b, callee, arguments).getResult();
  };
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
  auto one = [&](const Function &function, Value argument) { return call(f, function, argument); };
  auto timesSigmoid = [&](Value factor, Value argument) {
    return m.div(factor, m.add(one(library::exp, m.neg(argument)), 1));
  };
  if (op == "exp")
    return one(library::exp, x);
  if (op == "log")
    return one(library::log, x);
  if (op == "log1p")
    return one(library::log1p, x);
  if (op == "tanh")
    return one(library::tanh, x);
  if (op == "erf")
    return one(library::erf, x);
  if (op == "sin")
    return one(library::sin, x);
  if (op == "cos")
    return one(library::cos, x);
  if (op == "pow")
    return call(f, library::pow, operands);
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
    Value tail = one(library::erfc, m.mul(x, -std::numbers::sqrt2 / 2));
    return m.mul(x, m.mul(tail, 0.5));
  }
  if (op == "mod") { // the sign of the divisor, as NumPy
    Value y = operands[1];
    Value rest = call(f, library::fmod, operands);
    Value differ = m.exclusive(m.less(rest, 0.0), m.less(y, 0.0));
    Value moved = m.select(differ, m.add(rest, y), rest);
    return m.select(m.equal(rest, 0.0), m.copySign(rest, y), moved);
  }
  return {};
}

} // namespace kiln::passes
