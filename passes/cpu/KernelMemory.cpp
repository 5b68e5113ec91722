// Addresses, loads and stores (FunctionEmitter).
#include "passes/cpu/KernelBuilder.h"
#include "passes/gpu/Alignment.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

unsigned elementAlignment(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (isa<LLVM::LLVMPointerType>(element))
    return 8;
  return std::max(1u, element.getIntOrFloatBitWidth() / 8);
}

/// An accelerator loads a vector at once only where it is aligned as a whole.
unsigned alignmentAt(const FunctionEmitter &f, Type type, Value pointer) {
  unsigned least = elementAlignment(type);
  return f.isOnDevice() && isa<VectorType>(type) ? std::max(least, knownAlignment(pointer)) : least;
}

} // namespace

Value FunctionEmitter::offsetBytes(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(b, ptr(), b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{bytes});
}

Value FunctionEmitter::offset(Value pointer, Value elements, int64_t elementBytes) {
  Type element = b.getIntegerType(elementBytes * 8);
  return LLVM::GEPOp::create(b, ptr(), element, pointer, ArrayRef<LLVM::GEPArg>{elements});
}

Value FunctionEmitter::load(Type type, Value pointer) {
  return LLVM::LoadOp::create(b, type, pointer, alignmentAt(*this, type, pointer));
}

void FunctionEmitter::store(Value value, Value pointer) {
  LLVM::StoreOp::create(b, value, pointer, alignmentAt(*this, value.getType(), pointer));
}

Value FunctionEmitter::maskedLoad(VectorType type, Value pointer, Value mask) {
  if (!mask)
    return load(type, pointer);
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
  return LLVM::MaskedLoadOp::create(b, type, pointer, mask, zero, elementAlignment(type));
}

void FunctionEmitter::maskedStore(Value value, Value pointer, Value mask) {
  if (!mask)
    return store(value, pointer);
  // LLVM 22 makes one wide scalar store of a masked store of truncated integers whose mask is known
  // to be the first lane, and so writes over the elements behind it (AVX-512). Here it is not
  // known.
  auto type = cast<VectorType>(value.getType());
  if (type.getElementType().isInteger() && type.getElementTypeBitWidth() < 32) {
    Type bits = b.getIntegerType(static_cast<unsigned>(type.getNumElements()));
    Value known = arith::ExtUIOp::create(b, b.getI32Type(), LLVM::BitcastOp::create(b, bits, mask));
    Value hidden = LLVM::InlineAsmOp::create(
                       b, b.getI32Type(), known, /*asm_string=*/"", /*constraints=*/"=r,0",
                       /*has_side_effects=*/false, /*is_align_stack=*/false,
                       LLVM::tailcallkind::TailCallKind::None, /*asm_dialect=*/{},
                       /*operand_attrs=*/{})
                       .getResult(0);
    mask = LLVM::BitcastOp::create(b, mask.getType(), arith::TruncIOp::create(b, bits, hidden));
  }
  LLVM::MaskedStoreOp::create(b, value, pointer, mask, elementAlignment(value.getType()));
}

Value FunctionEmitter::stackArray(Type element, int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  Value size = arith::ConstantIntOp::create(b, count, 64);
  return LLVM::AllocaOp::create(b, ptr(), element, size, /*alignment=*/64);
}

} // namespace kiln::passes
