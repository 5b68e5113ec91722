#include "passes/cpu/KernelBuilder.h"

#include "passes/gpu/IndexReport.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

// Slots of a body's context, 8 bytes each.
enum Slot : int64_t { runtimeSlot, dimsSlot, argsSlot, scratchSlot, scratchStrideSlot, extraSlot };

// Offsets of KilnRuntime (runtime/Abi.h), bytes.
constexpr int64_t threadsOffset = 8, parallelForOffset = 16, indexErrorOffset = 24, rankOffset = 40,
                  allReduceOffset = 48, allGatherOffset = 56;

LLVM::LLVMFuncOp createFunction(Operation *module, ImplicitLocOpBuilder &b, StringRef name,
                                Type result, ArrayRef<Type> arguments) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(&module->getRegion(0).front());
  auto type = LLVM::LLVMFunctionType::get(result, arguments);
  auto function = LLVM::LLVMFuncOp::create(b, name, type, LLVM::Linkage::Private);
  function.setDsoLocal(true);
  return function;
}

} // namespace

void ModuleLowering::requireScratch(const Dim &bytes) {
  if (bytes.isStatic() && scratchPerThread.isStatic())
    scratchPerThread = std::max(bytes.value(), scratchPerThread.value());
  else if (!(bytes == scratchPerThread))
    scratchPerThread = scratchPerThread + bytes;
}

int64_t ModuleLowering::addIndexSite(std::string message, Location location) {
  std::string where;
  if (auto file = location->findInstanceOf<FileLineColLoc>())
    where = (file.getFilename().getValue() + ":" + Twine(file.getLine())).str();
  indexSites.emplace_back(std::move(message), std::move(where));
  return static_cast<int64_t>(indexSites.size()) - 1;
}

FunctionEmitter::FunctionEmitter(ModuleLowering &lowering, Location loc)
    : b(loc, lowering.module.getContext()), lowering(lowering), laneCount(lowering.target.lanes()) {
}

FunctionEmitter FunctionEmitter::launcher(ModuleLowering &lowering, Location loc, StringRef name) {
  FunctionEmitter f(lowering, loc);
  f.isLauncher = true;
  Type p = f.ptr(), i = f.i64();
  f.function = createFunction(lowering.module, f.b, name, f.b.getI32Type(), {p, p, p, p, i});
  Block *entry = f.function.addEntryBlock(f.b);
  f.b.setInsertionPointToStart(entry);
  f.runtime = entry->getArgument(0);
  f.dims = entry->getArgument(1);
  f.args = entry->getArgument(2);
  f.scratchBase = entry->getArgument(3);
  f.scratchStride = entry->getArgument(4);
  f.status = f.stackArray(f.b.getI32Type(), 1);
  LLVM::StoreOp::create(f.b, arith::ConstantIntOp::create(f.b, 0, 32), f.status);
  return f;
}

FunctionEmitter FunctionEmitter::body(ModuleLowering &lowering, Location loc, StringRef name) {
  FunctionEmitter f(lowering, loc);
  Type p = f.ptr(), i = f.i64();
  Type none = LLVM::LLVMVoidType::get(f.b.getContext());
  f.function = createFunction(lowering.module, f.b, (name + ".body").str(), none, {p, i, i, i});
  Block *entry = f.function.addEntryBlock(f.b);
  f.b.setInsertionPointToStart(entry);
  f.context = entry->getArgument(0);
  f.begin = entry->getArgument(1);
  f.end = entry->getArgument(2);
  f.worker = entry->getArgument(3);
  auto slot = [&](int64_t index, Type type) {
    return f.load(type, f.offset(f.context, f.constant(index), 8));
  };
  f.runtime = slot(runtimeSlot, p);
  f.dims = slot(dimsSlot, p);
  f.args = slot(argsSlot, p);
  f.scratchBase = slot(scratchSlot, p);
  f.scratchStride = slot(scratchStrideSlot, i);
  f.prologueEnd = f.scratchStride.getDefiningOp();
  return f;
}

FunctionEmitter FunctionEmitter::helper(ModuleLowering &lowering, Location loc, StringRef name,
                                        ArrayRef<Type> arguments) {
  FunctionEmitter f(lowering, loc);
  Type none = LLVM::LLVMVoidType::get(f.b.getContext());
  f.function = createFunction(lowering.module, f.b, name, none, arguments);
  f.b.setInsertionPointToStart(f.function.addEntryBlock(f.b));
  return f;
}

FunctionEmitter FunctionEmitter::device(ModuleLowering &lowering, Location loc, StringRef name,
                                        unsigned buffers, ArrayRef<Type> extras, int64_t lanes) {
  FunctionEmitter f(lowering, loc);
  f.laneCount = lanes;
  SmallVector<Type> types(buffers, f.ptr());
  types.append(lowering.symbols.size() + 1, f.i64()); // and the rank
  types.push_back(f.ptr());                           // the index record
  llvm::append_range(types, extras);
  Type none = LLVM::LLVMVoidType::get(f.b.getContext());
  f.function = createFunction(lowering.deviceModule, f.b, name, none, types);
  f.function.setLinkage(LLVM::Linkage::External);
  Block *entry = f.function.addEntryBlock(f.b);
  f.b.setInsertionPointToStart(entry);
  unsigned next = 0;
  auto take = [&] { return entry->getArgument(next++); };
  for (unsigned i = 0; i < buffers; ++i)
    f.buffers[i] = take();
  for (unsigned i = 0; i < lowering.symbols.size(); ++i)
    f.symbolValues[i] = take();
  f.runtimeFields[rankOffset / 8] = take();
  f.indexRecord = take();
  while (next < types.size())
    f.extras.push_back(take());
  return f;
}

void FunctionEmitter::finish() {
  b.setInsertionPointToEnd(&function.getBody().front());
  if (!isLauncher) {
    LLVM::ReturnOp::create(b, ValueRange{});
    return;
  }
  Value result = LLVM::LoadOp::create(b, b.getI32Type(), status);
  LLVM::ReturnOp::create(b, result);
}

Value FunctionEmitter::constant(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 64);
}
Value FunctionEmitter::constantF32(float value) {
  return arith::ConstantFloatOp::create(b, b.getF32Type(), APFloat(value));
}
Value FunctionEmitter::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
Value FunctionEmitter::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(x, y); }
Value FunctionEmitter::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(x, y); }
Value FunctionEmitter::div(Value x, Value y) { return b.createOrFold<arith::DivUIOp>(x, y); }
Value FunctionEmitter::rem(Value x, Value y) { return b.createOrFold<arith::RemUIOp>(x, y); }
Value FunctionEmitter::ceilDiv(Value x, Value y) { return div(add(x, sub(y, constant(1))), y); }
Value FunctionEmitter::floorDivide(Value x, Value y) {
  Value zero = constant(0);
  Value divisor = b.createOrFold<arith::SelectOp>(equal(y, zero), constant(1), y); // no trap
  Value quotient = b.createOrFold<arith::DivSIOp>(x, divisor);
  Value rest = sub(x, mul(quotient, divisor));
  Value signs = b.createOrFold<arith::XOrIOp>(rest, divisor);
  Value inexact = b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ne, rest, zero);
  Value down = b.createOrFold<arith::AndIOp>(inexact, lessThan(signs, zero));
  return b.createOrFold<arith::SelectOp>(down, sub(quotient, constant(1)), quotient);
}
Value FunctionEmitter::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
Value FunctionEmitter::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(x, y); }
Value FunctionEmitter::lessThan(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, x, y);
}
Value FunctionEmitter::equal(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, x, y);
}

Value FunctionEmitter::dimValue(const Dim &dim) {
  if (dim.isStatic())
    return constant(dim.value());
  SmallVector<Value> stack;
  auto pop = [&] { return stack.pop_back_val(); };
  for (const Dim::Step &step : dim.program()) {
    switch (step.kind) {
    case Dim::Step::Kind::number:
      stack.push_back(constant(step.number));
      break;
    case Dim::Step::Kind::name: {
      auto it = llvm::find(lowering.symbols, step.name);
      assert(it != lowering.symbols.end() && "a dim's name that no input has");
      stack.push_back(loadOnce(symbolValues, dims, it - lowering.symbols.begin(), i64()));
      break;
    }
    case Dim::Step::Kind::add: {
      Value y = pop(), x = pop();
      stack.push_back(add(x, y));
      break;
    }
    case Dim::Step::Kind::multiply: {
      Value y = pop(), x = pop();
      stack.push_back(mul(x, y));
      break;
    }
    case Dim::Step::Kind::floorDivide: {
      Value y = pop(), x = pop();
      stack.push_back(floorDivide(x, y));
      break;
    }
    }
  }
  return stack.front();
}

Value FunctionEmitter::loadOnce(std::map<unsigned, Value> &cache, Value table, unsigned index,
                                Type type) {
  if (auto known = cache.find(index); known != cache.end())
    return known->second;
  if (!prologueEnd)
    return load(type, offset(table, constant(index), 8));
  Value &value = cache[index];
  if (!value) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfter(prologueEnd);
    value = load(type, offset(table, constant(index), 8));
  }
  return value;
}

Value FunctionEmitter::buffer(unsigned index) { return loadOnce(buffers, args, index, ptr()); }

Value FunctionEmitter::extra(unsigned index, Type type) {
  return load(type ? type : i64(), offset(context, constant(extraSlot + index), 8));
}

Value FunctionEmitter::scratch() { return offsetBytes(scratchBase, mul(worker, scratchStride)); }

Value FunctionEmitter::prefixMask(Value count) {
  SmallVector<int32_t> ids(lanes());
  std::iota(ids.begin(), ids.end(), 0);
  Value iota = arith::ConstantOp::create(b, b.getI32VectorAttr(ids));
  Value limited = min(count, constant(lanes()));
  Value narrow = arith::TruncIOp::create(b, b.getI32Type(), limited);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, iota, splat(narrow));
}

Value FunctionEmitter::splat(Value scalar) {
  return vector::BroadcastOp::create(b, vec(scalar.getType()), scalar);
}

Value FunctionEmitter::multiplyAdd(Value x, Value y, Value z) {
  if (lowering.target.fma)
    return LLVM::FMAOp::create(b, x, y, z);
  return arith::AddFOp::create(b, arith::MulFOp::create(b, x, y), z);
}

void FunctionEmitter::call(StringRef name, ValueRange arguments) {
  LLVM::CallOp::create(b, TypeRange{}, name, arguments);
}

Value FunctionEmitter::intrinsic(StringRef name, Type result, ValueRange arguments) {
  return LLVM::CallIntrinsicOp::create(b, result, b.getStringAttr(name), arguments).getResult(0);
}

void FunctionEmitter::loop(Value lower, Value upper, Value step, LoopBody body) {
  auto op = scf::ForOp::create(b, lower, upper, step);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

SmallVector<Value> FunctionEmitter::fold(Value lower, Value upper, Value step, ValueRange init,
                                         FoldBody body) {
  auto op = scf::ForOp::create(b, lower, upper, step, init);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  SmallVector<Value> next = body(op.getInductionVar(), op.getRegionIterArgs());
  scf::YieldOp::create(b, next);
  return SmallVector<Value>(op.getResults().begin(), op.getResults().end());
}

void FunctionEmitter::ifThen(Value condition, llvm::function_ref<void()> then,
                             llvm::function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(b, TypeRange{}, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&op.getThenRegion().front());
  then();
  if (otherwise) {
    b.setInsertionPointToStart(&op.getElseRegion().front());
    otherwise();
  }
}

void FunctionEmitter::vectorLoop(Value count,
                                 llvm::function_ref<void(Value column, Value mask)> body) {
  Value whole = mul(div(count, constant(lanes())), lanes());
  loop(constant(0), whole, constant(lanes()), [&](Value column) { body(column, {}); });
  ifThen(lessThan(whole, count), [&] { body(whole, prefixMask(sub(count, whole))); });
}

void FunctionEmitter::runTasks(StringRef bodyName, Value tasks, ValueRange extras, Value parallel) {
  Value frame = stackArray(i64(), extraSlot + extras.size());
  auto put = [&](int64_t slot, Value value) { store(value, offset(frame, constant(slot), 8)); };
  put(runtimeSlot, runtime);
  put(dimsSlot, dims);
  put(argsSlot, args);
  put(scratchSlot, scratchBase);
  put(scratchStrideSlot, scratchStride);
  for (auto [i, value] : llvm::enumerate(extras))
    put(extraSlot + i, value);

  std::string symbol = (bodyName + ".body").str();
  Value body = LLVM::AddressOfOp::create(b, ptr(), symbol);
  Value several = lessThan(constant(1), tasks);
  if (parallel)
    several = arith::AndIOp::create(b, several, parallel);
  Type none = LLVM::LLVMVoidType::get(b.getContext());
  ifThen(
      several,
      [&] {
        Value parallelFor = load(ptr(), offsetBytes(runtime, constant(parallelForOffset)));
        auto type = LLVM::LLVMFunctionType::get(none, {ptr(), i64(), ptr(), ptr()});
        LLVM::CallOp::create(b, type, ValueRange{parallelFor, runtime, tasks, body, frame});
      },
      [&] {
        LLVM::CallOp::create(b, TypeRange{}, symbol,
                             ValueRange{frame, constant(0), tasks, constant(0)});
      });
}

Value FunctionEmitter::threadCount() {
  return load(i64(), offsetBytes(runtime, constant(threadsOffset)));
}

Value FunctionEmitter::rank() { return loadOnce(runtimeFields, runtime, rankOffset / 8, i64()); }

void FunctionEmitter::allReduce(Value in, Value out, Value count, DType dtype) {
  Value function = load(ptr(), offsetBytes(runtime, constant(allReduceOffset)));
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                          {ptr(), ptr(), ptr(), i64(), i64()});
  LLVM::CallOp::create(
      b, type,
      ValueRange{function, runtime, in, out, count, constant(static_cast<int64_t>(dtype))});
}

void FunctionEmitter::allGather(Value in, Value out, Value outer, Value innerBytes) {
  Value function = load(ptr(), offsetBytes(runtime, constant(allGatherOffset)));
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                          {ptr(), ptr(), ptr(), i64(), i64()});
  LLVM::CallOp::create(b, type, ValueRange{function, runtime, in, out, outer, innerBytes});
}

Value FunctionEmitter::safeIndex(Value index, Value bound) {
  if (!isOnDevice())
    return index;
  Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, bound);
  return arith::SelectOp::create(b, inside, index, constant(0));
}

void FunctionEmitter::reportIndex(int64_t site, Value index, Value position, Value bound) {
  if (isOnDevice())
    return emitDeviceIndexReport(*this, site, index, position, bound);
  Value report = load(ptr(), offsetBytes(runtime, constant(indexErrorOffset)));
  Type none = LLVM::LLVMVoidType::get(b.getContext());
  auto type = LLVM::LLVMFunctionType::get(none, {ptr(), i64(), i64(), i64(), i64()});
  LLVM::CallOp::create(b, type,
                       ValueRange{report, runtime, constant(site), index, position, bound});
}

void FunctionEmitter::returnIf(Value condition, int32_t returned) {
  // The rest of the launcher goes into the other branch.
  auto op = scf::IfOp::create(b, TypeRange{}, condition, /*withElseRegion=*/true);
  b.setInsertionPointToStart(&op.getThenRegion().front());
  LLVM::StoreOp::create(b, arith::ConstantIntOp::create(b, returned, 32), status);
  b.setInsertionPointToStart(&op.getElseRegion().front());
}

Value emitNumElements(FunctionEmitter &f, ArrayRef<Dim> dims) {
  Dim product = 1;
  for (const Dim &dim : dims)
    product = product * dim;
  return f.dimValue(product);
}

} // namespace kiln::passes
