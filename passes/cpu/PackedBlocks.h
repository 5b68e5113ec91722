#pragma once

#include "kiln/Quantization.h"
#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// Elements that products decode at once: they follow each other in a row, and their quants are one
/// vector of bytes. A divisor of every block.
constexpr int64_t groupElements = 32;

/// A packed block (kiln/Quantization.h) as vectors: x = scale * (q - center) - min, where q is an
/// unsigned byte and there is either a center or mins.
class PackedBlock {
public:
  PackedBlock(FunctionEmitter &f, QuantizationEncoding encoding, mlir::Value pointer)
      : f(f), encoding(encoding), pointer(pointer) {}

  /// Elements that share a scale (and a min): 32, or 16.
  static int64_t scaleElements(QuantizationEncoding encoding);
  static int64_t scalesPerBlock(QuantizationEncoding encoding) {
    return blockElements(encoding) / scaleElements(encoding);
  }
  static int64_t center(QuantizationEncoding encoding);
  static bool hasMins(QuantizationEncoding encoding);
  /// Of the unsigned bytes.
  static int64_t largestQuant(QuantizationEncoding encoding);

  /// vector<scalesPerBlock x f32>, rounded as in decoding.
  mlir::Value scales();
  mlir::Value mins();
  /// vector<32xi8>: of the elements 32 * group, 32 * group + 1, ...
  mlir::Value quants(int64_t group);
  /// vector<64xi8>: of a group with an even number and the next one. Not for blocks of one group.
  mlir::Value quantsOfTwo(int64_t group);
  /// The f32 vector of lanes() elements from 32 * group + first on, equal to decoding bit for bit.
  /// `scales` and `mins` as above; `first` a multiple of lanes().
  mlir::Value values(mlir::Value scales, mlir::Value mins, int64_t group, int64_t first);

private:
  mlir::Value at(int64_t offset) { return f.offsetBytes(pointer, f.constant(offset)); }
  mlir::Value half(int64_t offset);
  mlir::Value bytes(int64_t offset, int64_t count = groupElements);
  /// The six-bit numbers of Q4_K and Q5_K as vector<8xf32>: the scales, or the mins.
  mlir::Value sixBits(bool ofMins);
  /// The bits of `mask` in each byte of `bits`, moved to the left (to the right: negative).
  mlir::Value field(mlir::Value bits, int64_t mask, int64_t shift);
  /// vector<64xi8>: 32 bytes twice, moved to the left by `first` and by `second` bits (to the
  /// right: negative; both in one direction), and of that the bits of `mask`.
  mlir::Value twice(mlir::Value bits, int64_t first, int64_t second, int64_t mask);
  /// A nibble of each byte.
  mlir::Value nibble(mlir::Value quants, bool high);

  FunctionEmitter &f;
  QuantizationEncoding encoding;
  mlir::Value pointer;
};

// Vectors of a number of elements of their own.
mlir::Value emitShuffle(FunctionEmitter &f, mlir::Value x, mlir::Value y,
                        llvm::ArrayRef<int64_t> mask);
/// vector<count x t> with `value` in each element; `like` has the type.
mlir::Value emitSplatInteger(FunctionEmitter &f, mlir::VectorType type, int64_t value);

} // namespace kiln::passes
