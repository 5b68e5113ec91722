#include "passes/gpu/IndexReport.h"

#include "runtime/Abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cstddef>

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr StringLiteral functionName = "kiln_report_index";

/// Writes `void @kiln_report_index(record, site, index, position, bound)`, in blocks: a lock is
/// taken by turns.
class ReportFunction {
public:
  ReportFunction(ModuleLowering &lowering, Location loc)
      : b(loc, lowering.module.getContext()), pointer(LLVM::LLVMPointerType::get(b.getContext())),
        i32(b.getI32Type()), i64(b.getI64Type()) {
    b.setInsertionPointToStart(&lowering.deviceModule->getRegion(0).front());
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                            {pointer, i64, i64, i64, i64});
    function = LLVM::LLVMFuncOp::create(b, functionName, type, LLVM::Linkage::Internal);
    function.setPassthroughAttr(b.getArrayAttr(b.getStringAttr("alwaysinline")));
  }

  void run() {
    Block *entry = function.addEntryBlock(b);
    Block *take = function.addBlock(), *compare = function.addBlock(), *write = function.addBlock(),
          *release = function.addBlock(), *done = function.addBlock();
    record = entry->getArgument(0);

    // Most threads that come late have nothing to say.
    b.setInsertionPointToStart(entry);
    LLVM::CondBrOp::create(b, comesFirst(), take, done);

    b.setInsertionPointToStart(take);
    auto taken = LLVM::AtomicCmpXchgOp::create(
        b, field(offsetof(KilnIndexRecord, lock)), i32Constant(0), i32Constant(1),
        LLVM::AtomicOrdering::acquire, LLVM::AtomicOrdering::acquire);
    Value old = LLVM::ExtractValueOp::create(b, taken, 0);
    Value isFree = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, old, i32Constant(0));
    LLVM::CondBrOp::create(b, isFree, compare, take);

    b.setInsertionPointToStart(compare);
    LLVM::CondBrOp::create(b, comesFirst(), write, release);

    b.setInsertionPointToStart(write);
    put(offsetof(KilnIndexRecord, site), entry->getArgument(1));
    put(offsetof(KilnIndexRecord, index), entry->getArgument(2));
    put(offsetof(KilnIndexRecord, position), entry->getArgument(3));
    put(offsetof(KilnIndexRecord, bound), entry->getArgument(4));
    put(offsetof(KilnIndexRecord, isSet), i32Constant(1));
    LLVM::BrOp::create(b, release);

    b.setInsertionPointToStart(release);
    LLVM::FenceOp::create(b, LLVM::AtomicOrdering::release, StringRef());
    LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::xchg, field(offsetof(KilnIndexRecord, lock)),
                              i32Constant(0), LLVM::AtomicOrdering::release);
    LLVM::BrOp::create(b, done);

    b.setInsertionPointToStart(done);
    LLVM::ReturnOp::create(b, ValueRange{});
  }

private:
  Value i32Constant(int32_t value) { return arith::ConstantIntOp::create(b, value, 32); }
  Value field(int64_t offset) {
    return LLVM::GEPOp::create(b, pointer, b.getI8Type(), record,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
  }
  Value get(int64_t offset, Type type) {
    return LLVM::LoadOp::create(b, type, field(offset), /*alignment=*/0, /*isVolatile=*/true);
  }
  void put(int64_t offset, Value value) {
    LLVM::StoreOp::create(b, value, field(offset), /*alignment=*/0, /*isVolatile=*/true);
  }
  /// Nothing is reported, or something of a greater (site, position).
  Value comesFirst() {
    Block *entry = &function.getBody().front();
    auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) -> Value {
      return arith::CmpIOp::create(b, predicate, x, y);
    };
    Value isSet = get(offsetof(KilnIndexRecord, isSet), i32);
    Value site = get(offsetof(KilnIndexRecord, site), i64);
    Value position = get(offsetof(KilnIndexRecord, position), i64);
    using P = arith::CmpIPredicate;
    Value sameSite = compare(P::eq, site, entry->getArgument(1));
    Value later = compare(P::sgt, position, entry->getArgument(3));
    Value first = arith::OrIOp::create(b, compare(P::sgt, site, entry->getArgument(1)),
                                       arith::AndIOp::create(b, sameSite, later));
    return arith::OrIOp::create(b, compare(P::eq, isSet, i32Constant(0)), first);
  }

  ImplicitLocOpBuilder b;
  Type pointer, i32, i64;
  LLVM::LLVMFuncOp function;
  Value record;
};

} // namespace

void emitDeviceIndexReport(FunctionEmitter &f, int64_t site, Value index, Value position,
                           Value bound) {
  if (!SymbolTable::lookupSymbolIn(f.lowering.deviceModule, functionName))
    ReportFunction(f.lowering, f.b.getLoc()).run();
  LLVM::CallOp::create(f.b, TypeRange{}, functionName,
                       ValueRange{f.indexRecord, f.constant(site), index, position, bound});
}

} // namespace kiln::passes
