#include "passes/gpu/DeviceKernel.h"

#include "passes/gpu/DeviceOps.h"
#include "runtime/Abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cstddef>

using namespace mlir;

namespace kiln::passes {

DeviceBody startDeviceBody(ModuleLowering &lowering, Kernel &kernel, StringRef suffix,
                           const DeviceLaunch &launch) {
  unsigned buffers = kernel.numOperands() + kernel.terminator()->getNumOperands();
  std::string name = kernel.name + suffix.str();
  FunctionEmitter f = FunctionEmitter::device(lowering, kernel.function.getLoc(), name, buffers,
                                              launch.extras, launch.lanes);
  device::markKernel(f.function, launch.threads, launch.blocks);
  lowering.deviceFunctions.push_back({name, launch.threads, launch.sharedBytes,
                                      static_cast<int64_t>(f.function.getNumArguments())});
  return {std::move(f), static_cast<int64_t>(lowering.deviceFunctions.size()) - 1};
}

void finishDeviceBody(FunctionEmitter &f, Kernel &kernel) {
  UnitAttr set = f.b.getUnitAttr();
  unsigned operands = kernel.numOperands();
  for (unsigned i = 0; i < operands + kernel.terminator()->getNumOperands(); ++i) {
    f.function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), set);
    if (i < operands)
      f.function.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(), set);
  }
  f.finish();
}

void emitLaunch(FunctionEmitter &f, Kernel &kernel, int64_t number, Value gridX, Value gridY,
                Value gridZ, ValueRange extras) {
  SmallVector<Value> values;
  for (unsigned i = 0; i < kernel.numOperands() + kernel.terminator()->getNumOperands(); ++i)
    values.push_back(f.buffer(i));
  for (const std::string &symbol : f.lowering.symbols)
    values.push_back(f.dimValue(Dim(symbol)));
  values.push_back(f.rank());
  values.push_back(
      f.load(f.ptr(), f.offsetBytes(f.runtime, f.constant(offsetof(KilnRuntime, indexRecord)))));
  llvm::append_range(values, extras);

  Value slots = f.stackArray(f.i64(), values.size());
  Value parameters = f.stackArray(f.ptr(), values.size());
  for (auto [i, value] : llvm::enumerate(values)) {
    Value slot = f.offset(slots, f.constant(i), 8);
    f.store(value, slot);
    f.store(slot, f.offset(parameters, f.constant(i), 8));
  }
  Value launch =
      f.load(f.ptr(), f.offsetBytes(f.runtime, f.constant(offsetof(KilnRuntime, launch))));
  Type none = LLVM::LLVMVoidType::get(f.b.getContext()), i = f.i64();
  auto type = LLVM::LLVMFunctionType::get(none, {f.ptr(), i, i, i, i, f.ptr()});
  auto orOne = [&](Value size) { return size ? size : f.constant(1); };
  LLVM::CallOp::create(f.b, type,
                       ValueRange{launch, f.runtime, f.constant(number), gridX, orOne(gridY),
                                  orOne(gridZ), parameters});
}

void emitDeviceChecks(FunctionEmitter &f, Block &kernelBody, ArrayRef<IndexCheck> checks,
                      Value thread, Value threads) {
  for (const IndexCheck &check : checks) {
    Value bound = f.dimValue(check.bound);
    f.loop(thread, check.emitCount(f), threads, [&](Value position) {
      ElementEmitter elements(f);
      elements.provideArguments(kernelBody);
      Value index = check.emitIndex(f, elements, position);
      Value isBad = arith::CmpIOp::create(f.b, arith::CmpIPredicate::uge, index, bound);
      f.ifThen(isBad, [&] { f.reportIndex(check.site, index, position, bound); });
    });
  }
}

Value emitReadsNothing(FunctionEmitter &f, ArrayRef<IndexCheck> checks) {
  Value result;
  Value zero = f.constant(0);
  for (const IndexCheck &check : checks) {
    Value isEmpty = f.equal(f.dimValue(check.bound), zero);
    Value isRead = f.lessThan(zero, check.emitCount(f));
    Value both = arith::AndIOp::create(f.b, isEmpty, isRead);
    result = result ? Value(arith::OrIOp::create(f.b, result, both)) : both;
  }
  return result;
}

Value emitOrZero(FunctionEmitter &f, Type type, Value condition, llvm::function_ref<Value()> make) {
  auto branch = scf::IfOp::create(f.b, type, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToStart(&branch.getThenRegion().front());
  scf::YieldOp::create(f.b, make());
  f.b.setInsertionPointToStart(&branch.getElseRegion().front());
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(type));
  scf::YieldOp::create(f.b, zero);
  return branch.getResult(0);
}

Value emitGlobalThread(FunctionEmitter &f, int64_t blockThreads) {
  return f.add(f.mul(device::blockId(f, device::Axis::x), blockThreads), device::threadId(f));
}

Value emitGlobalThreads(FunctionEmitter &f, int64_t blockThreads) {
  return f.mul(device::gridSize(f, device::Axis::x), blockThreads);
}

} // namespace kiln::passes
