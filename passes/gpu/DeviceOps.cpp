#include "passes/gpu/DeviceOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace kiln::passes::device {
namespace {

template <class X, class Y, class Z> Value readRegister(FunctionEmitter &f, Axis axis) {
  Type i32 = f.b.getI32Type();
  auto read = [&]() -> Value {
    switch (axis) {
    case Axis::x:
      return X::create(f.b, i32);
    case Axis::y:
      return Y::create(f.b, i32);
    case Axis::z:
      return Z::create(f.b, i32);
    }
    llvm_unreachable("all axes are above");
  };
  return arith::ExtUIOp::create(f.b, f.i64(), read());
}

} // namespace

Operation *createModule(ModuleOp module, StringRef name, StringRef chip) {
  OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
  if (!chip.ends_with("a"))
    return gpu::GPUModuleOp::create(b, module.getLoc(), name);
  Attribute target =
      NVVM::NVVMTargetAttr::get(module.getContext(), /*optLevel=*/3, "nvptx64-nvidia-cuda", chip);
  return gpu::GPUModuleOp::create(b, module.getLoc(), name, ArrayRef<Attribute>{target});
}

void markKernel(LLVM::LLVMFuncOp function, int64_t threads, int64_t blocks) {
  Builder b(function.getContext());
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), b.getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getMaxntidAttrName(),
                    b.getDenseI32ArrayAttr({static_cast<int32_t>(threads)}));
  if (blocks)
    function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), b.getI32IntegerAttr(blocks));
}

Value threadId(FunctionEmitter &f) {
  return readRegister<NVVM::ThreadIdXOp, NVVM::ThreadIdYOp, NVVM::ThreadIdZOp>(f, Axis::x);
}

Value blockId(FunctionEmitter &f, Axis axis) {
  return readRegister<NVVM::BlockIdXOp, NVVM::BlockIdYOp, NVVM::BlockIdZOp>(f, axis);
}

Value gridSize(FunctionEmitter &f, Axis axis) {
  return readRegister<NVVM::GridDimXOp, NVVM::GridDimYOp, NVVM::GridDimZOp>(f, axis);
}

void barrier(FunctionEmitter &f) { NVVM::Barrier0Op::create(f.b); }

Value sharedArray(FunctionEmitter &f, StringRef name, int64_t bytes) {
  constexpr unsigned shared = 3; // NVPTX's address space
  if (!SymbolTable::lookupSymbolIn(f.lowering.deviceModule, name)) {
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToStart(&f.lowering.deviceModule->getRegion(0).front());
    auto type = LLVM::LLVMArrayType::get(f.b.getI8Type(), bytes);
    LLVM::GlobalOp::create(f.b, type, /*isConstant=*/false, LLVM::Linkage::Internal, name,
                           Attribute(), /*alignment=*/16, shared);
  }
  Type pointer = LLVM::LLVMPointerType::get(f.b.getContext(), shared);
  Value address = LLVM::AddressOfOp::create(f.b, pointer, name);
  return LLVM::AddrSpaceCastOp::create(f.b, f.ptr(), address);
}

Value shuffleXor(FunctionEmitter &f, Value value, int32_t mask) {
  Type type = value.getType();
  if (unsigned bits = type.getIntOrFloatBitWidth(); bits < 32) {
    assert(isa<IntegerType>(type) && "16-bit floats are computed in 32 bits");
    Value wide = arith::ExtUIOp::create(f.b, f.b.getI32Type(), value);
    return arith::TruncIOp::create(f.b, type, shuffleXor(f, wide, mask));
  }
  auto i32 = [&](int32_t number) { return arith::ConstantIntOp::create(f.b, number, 32); };
  if (type.getIntOrFloatBitWidth() == 64) { // in halves
    Type pair = VectorType::get({2}, f.b.getI32Type());
    Value halves = LLVM::BitcastOp::create(f.b, pair, value);
    Value result = LLVM::PoisonOp::create(f.b, pair);
    for (int32_t half = 0; half < 2; ++half) {
      Value part = LLVM::ExtractElementOp::create(f.b, halves, i32(half));
      result = LLVM::InsertElementOp::create(f.b, result, shuffleXor(f, part, mask), i32(half));
    }
    return LLVM::BitcastOp::create(f.b, type, result);
  }
  return NVVM::ShflOp::create(f.b, type, i32(-1), value, i32(mask), i32(31), NVVM::ShflKind::bfly,
                              /*return_value_and_is_valid=*/UnitAttr());
}

} // namespace kiln::passes::device
