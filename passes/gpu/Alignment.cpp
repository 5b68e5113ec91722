#include "passes/gpu/Alignment.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;

namespace kiln::passes {
namespace {

/// Of a buffer, bytes: what a vector of loads wants, and what all of them have.
constexpr unsigned bufferAlignment = 16, most = 16;

unsigned divisorOf(int64_t number) {
  if (number == 0)
    return most;
  return static_cast<unsigned>(
      std::min<uint64_t>(most, uint64_t(1) << llvm::countr_zero(static_cast<uint64_t>(number))));
}

} // namespace

unsigned knownDivisor(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return divisorOf(number.getSExtValue());
  Operation *op = value.getDefiningOp();
  if (!op) {
    auto argument = cast<BlockArgument>(value);
    auto loop = dyn_cast_if_present<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument != loop.getInductionVar())
      return 1;
    return std::min(knownDivisor(loop.getLowerBound()), knownDivisor(loop.getStep()));
  }
  auto operand = [&](unsigned i) { return knownDivisor(op->getOperand(i)); };
  if (isa<arith::AddIOp, arith::SubIOp, arith::OrIOp, arith::XOrIOp, arith::RemUIOp>(op))
    return std::min(operand(0), operand(1));
  if (isa<arith::MulIOp>(op))
    return std::min(most, operand(0) * operand(1));
  if (isa<arith::AndIOp>(op))
    return std::max(operand(0), operand(1));
  if (isa<arith::SelectOp>(op))
    return std::min(operand(1), operand(2));
  if (isa<arith::ExtUIOp, arith::ExtSIOp>(op))
    return operand(0);
  if (auto address = dyn_cast<LLVM::PtrToIntOp>(op))
    return knownAlignment(address.getArg());
  return 1;
}

unsigned knownAlignment(Value pointer) {
  if (isa<BlockArgument>(pointer))
    return bufferAlignment;
  if (isa<LLVM::AddressOfOp>(pointer.getDefiningOp())) // constants, shared arrays
    return bufferAlignment;
  if (auto cast = pointer.getDefiningOp<LLVM::AddrSpaceCastOp>())
    return knownAlignment(cast.getArg());
  if (auto choice = pointer.getDefiningOp<arith::SelectOp>())
    return std::min(knownAlignment(choice.getTrueValue()), knownAlignment(choice.getFalseValue()));
  if (auto element = pointer.getDefiningOp<LLVM::GEPOp>()) {
    unsigned bytes = std::max(1u, element.getElemType().getIntOrFloatBitWidth() / 8);
    if (element.getDynamicIndices().size() != 1)
      return 1;
    unsigned step = std::min(most, knownDivisor(element.getDynamicIndices()[0]) * bytes);
    return std::min(knownAlignment(element.getBase()), step);
  }
  return 1;
}

} // namespace kiln::passes
