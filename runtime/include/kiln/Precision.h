#pragma once

#include <cstdint>

namespace kiln {

/// How products of float32 tensors (linears, matmuls, attention) are computed. Operands of other
/// dtypes are multiplied as they are, and sums are float32, at any precision. Errors are relative
/// to the largest results, for sums of independent numbers of like size; in such sums most of what
/// single products are off by cancels.
///
/// Instructions of CPUs for bfloat16 (AMX, vdpbf16ps) take subnormal operands and sums for zeros:
/// there `high` and `bf16` lose numbers below 2^-126, and so do products of bfloat16.
enum class Precision : uint8_t {
  /// Float32-accurate: within 2e-6. On accelerators three products of tf32 are summed: each number
  /// counts to 2^-22 of it, and to 2^-136. Infinities and NaN come where float32 arithmetic gives
  /// them.
  highest,
  /// - CPUs with AMX: operands as sums of two bfloat16 numbers, in linears and matmuls: each product
  ///   to 2^-15 of it, results to 1e-5.
  /// - Accelerators: operands rounded to tf32 (11 bits), each product to 2^-11 of it, results to
  ///   5e-4.
  ///
  /// There infinities, and numbers that bfloat16 (from 3.396e38 on) or tf32 (3.402e38) rounds to
  /// them, give NaN or infinities. Other CPUs: the same as `highest`.
  high,
  /// Operands rounded to bfloat16, to nearest even, where they are multiplied faster than float32:
  /// each product to 2^-8 of it, results to 5e-3. Numbers from 3.396e38 on are infinities.
  bf16,
};

} // namespace kiln
