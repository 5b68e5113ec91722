#include "passes/cpu/TileOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

void intrinsic(FunctionEmitter &f, StringRef name, ValueRange operands) {
  LLVM::CallIntrinsicOp::create(f.b, f.b.getStringAttr("llvm.x86." + name), operands);
}

/// The 64 bytes that ldtilecfg reads (Intel SDM volume 1, 18.3): the palette, then bytes of a row
/// of each tile as 16-bit numbers from byte 16 on, and rows of each from byte 48 on.
void emitConfig(FunctionEmitter &f) {
  if (f.lowering.module.lookupSymbol(tileConfigName))
    return;
  constexpr int64_t size = 64, rowBytesAt = 16, rowsAt = 48, numTiles = 8;
  SmallVector<int8_t> bytes(size, 0);
  bytes[0] = 1;
  for (int64_t tile = 0; tile < numTiles; ++tile) {
    bytes[rowBytesAt + 2 * tile] = TileOps::rowBytes;
    bytes[rowsAt + tile] = TileOps::rows;
  }
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToEnd(f.lowering.module.getBody());
  auto type = RankedTensorType::get({size}, f.b.getI8Type());
  LLVM::GlobalOp::create(f.b, LLVM::LLVMArrayType::get(f.b.getI8Type(), size),
                         /*isConstant=*/true, LLVM::Linkage::Private, tileConfigName,
                         DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)), /*alignment=*/64);
}

} // namespace

void TileOps::configure(FunctionEmitter &f) {
  emitConfig(f);
  if (!f.lowering.target.tilesEmulated)
    intrinsic(f, "ldtilecfg", ValueRange{LLVM::AddressOfOp::create(f.b, f.ptr(), tileConfigName)});
}

void TileOps::release(FunctionEmitter &f) {
  if (!f.lowering.target.tilesEmulated)
    intrinsic(f, "tilerelease", {});
}

TileOps::TileOps(FunctionEmitter &f) : f(f) {
  if (!f.lowering.target.tilesEmulated)
    return;
  emitTileEmulation(f);
  registers = f.stackArray(f.b.getI8Type(), 8 * rows * rowBytes);
}

Value TileOps::number(int tile) {
  if (registers)
    return f.constant(tile);
  return arith::ConstantIntOp::create(f.b, f.b.getI8Type(), tile);
}

void TileOps::call(StringRef name, ValueRange operands) {
  if (!registers)
    return intrinsic(f, name, operands);
  SmallVector<Value> all = {registers};
  llvm::append_range(all, operands);
  LLVM::CallOp::create(f.b, TypeRange{}, ("tiles." + name).str(), all);
}

void TileOps::zero(int tile) { call("tilezero", number(tile)); }
void TileOps::load(int tile, Value from, Value strideBytes) {
  call("tileloadd64", {number(tile), from, strideBytes});
}
void TileOps::store(int tile, Value to, Value strideBytes) {
  call("tilestored64", {number(tile), to, strideBytes});
}
void TileOps::dot(int sums, int x, int y) {
  call("tdpbf16ps", {number(sums), number(x), number(y)});
}

} // namespace kiln::passes
