#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace kiln::passes::device {
namespace {

constexpr unsigned globalSpace = 1, sharedSpace = 3; // NVPTX's address spaces
constexpr StringLiteral dynamicName = "kiln_dynamic_shared";

Type pointerTo(FunctionEmitter &f, unsigned space) {
  return LLVM::LLVMPointerType::get(f.b.getContext(), space);
}

SmallVector<Value> fieldsOf(FunctionEmitter &f, Value structure, unsigned count) {
  SmallVector<Value> fields;
  for (unsigned i = 0; i < count; ++i)
    fields.push_back(LLVM::ExtractValueOp::create(f.b, structure, i));
  return fields;
}

} // namespace

Value dynamicShared(FunctionEmitter &f) {
  if (!SymbolTable::lookupSymbolIn(f.lowering.deviceModule, dynamicName)) {
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToStart(&f.lowering.deviceModule->getRegion(0).front());
    auto type = LLVM::LLVMArrayType::get(f.b.getI8Type(), 0);
    LLVM::GlobalOp::create(f.b, type, /*isConstant=*/false, LLVM::Linkage::External, dynamicName,
                           Attribute(), /*alignment=*/16, sharedSpace);
  }
  return LLVM::AddressOfOp::create(f.b, pointerTo(f, sharedSpace), dynamicName);
}

Value sharedOffset(FunctionEmitter &f, Value address, Value bytes) {
  return LLVM::GEPOp::create(f.b, pointerTo(f, sharedSpace), f.b.getI8Type(), address,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

void copyAsync(FunctionEmitter &f, Value shared, Value global, Value inside) {
  Value source = LLVM::AddrSpaceCastOp::create(f.b, pointerTo(f, globalSpace), global);
  Value bytes = arith::SelectOp::create(f.b, inside, arith::ConstantIntOp::create(f.b, 16, 32),
                                        arith::ConstantIntOp::create(f.b, 0, 32));
  NVVM::CpAsyncOp::create(f.b, shared, source, 16u, NVVM::LoadCacheModifierKind::CG, bytes);
}

void commitCopies(FunctionEmitter &f) { NVVM::CpAsyncCommitGroupOp::create(f.b); }

void waitForCopies(FunctionEmitter &f, int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(f.b, static_cast<uint32_t>(pending));
}

SmallVector<Value> loadMatrices(FunctionEmitter &f, Value address, bool transposed) {
  MLIRContext *context = f.b.getContext();
  Type i32 = f.b.getI32Type();
  Type result = LLVM::LLVMStructType::getLiteral(context, {i32, i32, i32, i32});
  Value loaded = NVVM::LdMatrixOp::create(
      f.b, result, address, f.b.getI32IntegerAttr(4),
      NVVM::MMALayoutAttr::get(context, transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row),
      NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
      NVVM::LdStMatrixEltTypeAttr::get(context, NVVM::LdStMatrixEltType::B16));
  return fieldsOf(f, loaded, 4);
}

Value roundToTf32(FunctionEmitter &f, Value number) {
  return NVVM::ConvertFloatToTF32Op::create(f.b, f.b.getI32Type(), number,
                                            NVVM::FPRoundingMode::RNA);
}

SmallVector<Value> multiply(FunctionEmitter &f, MultiplyType type, ValueRange a, ValueRange b,
                            ValueRange c) {
  NVVM::MMATypes operands = type == MultiplyType::bfloat16  ? NVVM::MMATypes::bf16
                            : type == MultiplyType::float16 ? NVVM::MMATypes::f16
                                                            : NVVM::MMATypes::tf32;
  const int64_t depth = type == MultiplyType::tf32 ? 8 : 16;
  // float16's registers are pairs; those of the others are words.
  auto registers = [&](ValueRange words) {
    SmallVector<Value> result(words);
    if (type == MultiplyType::float16)
      for (Value &word : result)
        word = LLVM::BitcastOp::create(f.b, VectorType::get({2}, f.b.getF16Type()), word);
    return result;
  };
  Type f32 = f.f32();
  Type result = LLVM::LLVMStructType::getLiteral(f.b.getContext(), {f32, f32, f32, f32});
  Value sum = NVVM::MmaOp::create(
      f.b, result, registers(a), registers(b), c, ArrayRef<int64_t>{16, 8, depth}, std::nullopt,
      std::nullopt, std::array<NVVM::MMATypes, 2>{operands, operands},
      std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
  return fieldsOf(f, sum, 4);
}

} // namespace kiln::passes::device
