#include "passes/gpu/AsyncOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace kiln::passes::device {

bool hasWarpgroups(const ModuleLowering &lowering) {
  auto targets = cast<gpu::GPUModuleOp>(lowering.deviceModule).getTargetsAttr();
  return targets && llvm::any_of(targets, [](Attribute target) {
           return cast<NVVM::NVVMTargetAttr>(target).getChip() == "sm_90a";
         });
}

Value inlinePtx(FunctionEmitter &f, StringRef text, StringRef constraints, ValueRange operands,
                Type result) {
  MLIRContext *context = f.b.getContext();
  SmallVector<Type> results;
  if (result)
    results.push_back(result);
  auto tail = LLVM::TailCallKindAttr::get(context, LLVM::TailCallKind::None);
  auto made = LLVM::InlineAsmOp::create(
      f.b, results, operands, f.b.getStringAttr(text), f.b.getStringAttr(constraints),
      /*has_side_effects=*/f.b.getUnitAttr(), /*is_align_stack=*/UnitAttr(), tail,
      LLVM::AsmDialectAttr::get(context, LLVM::AsmDialect::AD_ATT), /*operand_attrs=*/ArrayAttr());
  return result ? made.getResult(0) : Value();
}

Value sharedAddress(FunctionEmitter &f, Value address) {
  return LLVM::PtrToIntOp::create(f.b, f.b.getI32Type(), address);
}

void initArrivals(FunctionEmitter &f, Value barrier, int64_t count) {
  inlinePtx(f, "mbarrier.init.shared::cta.b64 [$0], " + std::to_string(count) + ";", "r,~{memory}",
            sharedAddress(f, barrier));
}

void arrive(FunctionEmitter &f, Value barrier) {
  inlinePtx(f, "mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}",
            sharedAddress(f, barrier));
}

void arriveAndExpect(FunctionEmitter &f, Value barrier, int64_t bytes) {
  inlinePtx(f, "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], " + std::to_string(bytes) + ";",
            "r,~{memory}", sharedAddress(f, barrier));
}

void waitForPhase(FunctionEmitter &f, Value barrier, Value parity) {
  Value bit = arith::TruncIOp::create(f.b, f.b.getI32Type(), parity);
  inlinePtx(f,
            "{\n.reg .pred ended${:uid};\n"
            "KILN_WAIT_${:uid}:\n"
            "mbarrier.try_wait.parity.shared::cta.b64 ended${:uid}, [$0], $1;\n"
            "@!ended${:uid} bra KILN_WAIT_${:uid};\n}",
            "r,r,~{memory}", {sharedAddress(f, barrier), bit});
}

void copyBulk(FunctionEmitter &f, Value shared, Value global, int64_t bytes, Value barrier) {
  Type pointer = LLVM::LLVMPointerType::get(f.b.getContext(), 1); // global
  Value source = LLVM::AddrSpaceCastOp::create(f.b, pointer, global);
  inlinePtx(f,
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$0], [$1], " +
                std::to_string(bytes) + ", [$2];",
            "r,l,r,~{memory}", {sharedAddress(f, shared), source, sharedAddress(f, barrier)});
}

void fenceAsync(FunctionEmitter &f) {
  inlinePtx(f, "fence.proxy.async.shared::cta;", "~{memory}", {});
}

void syncWarp(FunctionEmitter &f) {
  NVVM::SyncWarpOp::create(f.b, arith::ConstantIntOp::create(f.b, -1, 32));
}

void syncSome(FunctionEmitter &f, int64_t number, int64_t threads) {
  inlinePtx(f, "bar.sync " + std::to_string(number) + ", " + std::to_string(threads) + ";",
            "~{memory}", {});
}

void setRegisters(FunctionEmitter &f, int64_t count, bool isMore) {
  inlinePtx(f,
            std::string("setmaxnreg.") + (isMore ? "inc" : "dec") + ".sync.aligned.u32 " +
                std::to_string(count) + ";",
            "", {});
}

Value matrixDescriptor(FunctionEmitter &f, Value address) {
  // Bits 0-13: the address in 16 bytes; 16-29: from chunk to chunk of k, not used with a swizzle;
  // 32-45: from 8 rows to the next, 1,024 bytes; 62-63: the swizzle of 128 bytes.
  constexpr uint64_t rest = uint64_t{1} << 16 | uint64_t{1024 / 16} << 32 | uint64_t{1} << 62;
  Value start = arith::ExtUIOp::create(f.b, f.i64(), sharedAddress(f, address));
  start = arith::ShRUIOp::create(f.b, start, f.constant(4));
  return arith::OrIOp::create(f.b, start, f.constant(static_cast<int64_t>(rest)));
}

} // namespace kiln::passes::device
