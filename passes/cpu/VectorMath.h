#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Value.h"

namespace kiln::passes {

/// Functions of float32, emitted inline as arith operations and LLVM intrinsics that every
/// x86-64-v2 has as instructions: no library is called.
///
/// Arguments and results are f32 or vector<N x f32>. Every operation is elementwise, so a scalar
/// and each lane of a vector give the same bits, whatever the width. No fast-math flags;
/// subnormals, signed zeros, infinities and NaN are as in C unless said otherwise. Errors: the
/// largest measured, in units in the last place of the exact result, over every 1999th float32 and
/// a grid of a million over [-20, 20], with and without FMA (VectorMathTest.cpp asserts them).
struct MathOptions {
  bool fma =
      false; ///< The target has FMA: llvm.fma is used, else a multiplication and an addition.
  bool avx512 = false; ///< The target has AVX-512: the rough functions divide by vrcp14ps.
};

/// e^x. Error 1.02 ulp.
mlir::Value emitExp(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// e^x for x <= 0 or NaN, with 0 for results below 2^-126: the weights of a softmax, with fewer
/// instructions. Error as that of emitExp.
mlir::Value emitExpFlushed(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                           const MathOptions &options);
/// 2^x for x < 128 or NaN, with 0 for results below 2^-126: the weights of a softmax whose scores
/// count in powers of two. Error 1.0e-7 |result|; `rough`: 1.02e-4 |result|, for weights that are
/// rounded to bfloat16 (2e-3). 2^0 is 1.
mlir::Value emitExp2Flushed(mlir::ImplicitLocOpBuilder &b, mlir::Value x,
                            const MathOptions &options, bool rough = false);
/// e^x - 1. Error 1.5 ulp.
mlir::Value emitExpm1(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// Natural logarithm; log(0) = -inf, NaN below. Error 0.84 ulp.
mlir::Value emitLog(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// log(1 + x). Error 1.4 ulp.
mlir::Value emitLog1p(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// Error 1.4 ulp.
mlir::Value emitTanh(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// Error 1.25 ulp.
mlir::Value emitErf(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);

/// Error 1.6 ulp for any finite x: arguments above 2^20 take a longer way, which vectors enter only
/// if a lane needs it.
mlir::Value emitSin(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
mlir::Value emitCos(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);

/// Correctly rounded.
mlir::Value emitSqrt(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// 1 / sqrt(x) in two roundings. Error 1.5 ulp.
mlir::Value emitRsqrt(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);

/// x^y as C's pow, with all its special cases. Error 0.6 ulp.
mlir::Value emitPow(mlir::ImplicitLocOpBuilder &b, mlir::Value x, mlir::Value y,
                    const MathOptions &options);

/// Exact.
mlir::Value emitFloor(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
mlir::Value emitCeil(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
mlir::Value emitTrunc(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// Halves to the even neighbour.
mlir::Value emitRoundEven(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);

/// The remainder of x / y with the sign of x, exact, as C's fmod.
mlir::Value emitFmod(mlir::ImplicitLocOpBuilder &b, mlir::Value x, mlir::Value y,
                     const MathOptions &options);
/// The remainder with the sign of y, as in Python and NumPy: fmod, moved by y where the signs
/// differ.
mlir::Value emitFloorMod(mlir::ImplicitLocOpBuilder &b, mlir::Value x, mlir::Value y,
                         const MathOptions &options);

/// 1 / (1 + e^-x). Error 2.3 ulp.
mlir::Value emitSigmoid(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// x * sigmoid(x); NaN at -inf, as that product. Error 2.3e-7 |result| + 1e-43.
mlir::Value emitSilu(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// x * Phi(x) = x/2 * (1 + erf(x / sqrt 2)); NaN at -inf. Small results are accurate too: error
/// 5.2e-7 |result| + 3e-13, and 2.7e-6 |result| + 1e-36.
mlir::Value emitGelu(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// The same for results that are rounded to bfloat16 (2e-3): error 4.1e-4 |result| + 1e-36.
mlir::Value emitGeluRough(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))); NaN at -inf. Error 1.3e-5 |result| + 1e-43:
/// the exponent's rounding, which grows as the result vanishes.
mlir::Value emitGeluTanh(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);
/// x * sigmoid(1.702 x); NaN at -inf. Error 4.9e-6 |result| + 1e-43.
mlir::Value emitGeluQuick(mlir::ImplicitLocOpBuilder &b, mlir::Value x, const MathOptions &options);

} // namespace kiln::passes
