#pragma once

#include <cstdint>

namespace kiln {

/// How products of float32 tensors (linears, matmuls, attention) are computed. Operands of other
/// dtypes are multiplied as they are, and sums are float32, at any precision. Instructions for
/// bfloat16 (AMX, vdpbf16ps) take subnormal operands and sums for zeros: `high` and `bf16` lose
/// numbers below 2^-126, and so do products of bfloat16.
enum class Precision : uint8_t {
  /// Float32-accurate.
  highest,
  /// Operands as sums of two bfloat16 numbers where that is faster than `highest`, in linears and
  /// matmuls on CPUs with AMX: each product to 2^-15 of it. There infinities, and numbers
  /// that bfloat16 rounds to them (from 3.396e38 on), give NaN or infinities. Elsewhere the same
  /// as `highest`.
  high,
  /// Operands rounded to bfloat16, to nearest even, where the CPU multiplies these faster: to about
  /// 2^-8 of the largest products.
  bf16,
};

} // namespace kiln
