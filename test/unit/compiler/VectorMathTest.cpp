// Compiles each function of VectorMath for every target of this machine, scalar and as wide as its
// registers, and compares with the double precision of the C library over samples of all float32.
#include "KernelModule.h"
#include "MappedImage.h"

#include "passes/cpu/VectorMath.h"

#include <bit>
#include <cmath>
#include <numbers>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;
using mlir::Value;
using passes::MathOptions;

namespace {

using Unary = Value (*)(mlir::ImplicitLocOpBuilder &, Value, const MathOptions &);
using Binary = Value (*)(mlir::ImplicitLocOpBuilder &, Value, Value, const MathOptions &);
using Emit = std::function<Value(mlir::ImplicitLocOpBuilder &, Value, Value, const MathOptions &)>;
using Kernel = void(const float *x, const float *y, float *out, int64_t n);

/// A function over arrays: out[i] = f(x[i], y[i]), `lanes` at a time (1: scalar code).
std::unique_ptr<MappedImage> compile(const Target &target, int lanes, const Emit &emit) {
  using namespace mlir;
  KernelContext kernel;
  Location loc = UnknownLoc::get(&kernel.context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  ImplicitLocOpBuilder b(loc, module->getBodyRegion());
  Type pointer = LLVM::LLVMPointerType::get(&kernel.context), i64 = b.getI64Type();
  auto function = func::FuncOp::create(b, "kiln_entry",
                                       b.getFunctionType({pointer, pointer, pointer, i64}, {}));
  Block *body = function.addEntryBlock();
  b.setInsertionPointToStart(body);
  Value zero = arith::ConstantOp::create(b, b.getI64IntegerAttr(0));
  Value step = arith::ConstantOp::create(b, b.getI64IntegerAttr(lanes));
  auto loop = scf::ForOp::create(b, zero, body->getArgument(3), step);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Type type = lanes == 1 ? Type(b.getF32Type()) : VectorType::get({lanes}, b.getF32Type());
    auto address = [&](int argument) -> Value {
      return LLVM::GEPOp::create(b, pointer, b.getF32Type(), body->getArgument(argument),
                                 ArrayRef<LLVM::GEPArg>{loop.getInductionVar()});
    };
    Value x = LLVM::LoadOp::create(b, type, address(0), 4);
    Value y = LLVM::LoadOp::create(b, type, address(1), 4);
    LLVM::StoreOp::create(b, emit(b, x, y, {target.fma}), address(2), 4);
  }
  func::ReturnOp::create(b);
  if (failed(kernel.lower(*module))) {
    ADD_FAILURE() << "does not lower";
    return nullptr;
  }
  auto image = compileImage(*module, target);
  if (!image) {
    ADD_FAILURE() << llvm::toString(image.takeError());
    return nullptr;
  }
  return std::make_unique<MappedImage>(*image);
}

/// The distance of two floats next to the double `exact`, as a double: 2^-149 among subnormals.
double ulpOf(double exact) {
  int exponent = std::ilogb(exact);
  return std::ldexp(1.0, std::max(exponent, -126) - 23);
}

/// Units in the last place of the exact value; 0 if both are NaN or the same infinity or zero.
double ulpError(float got, double exact) {
  if (std::isnan(exact) || std::isnan(got))
    return std::isnan(exact) && std::isnan(got) ? 0 : INFINITY;
  // Results that round to infinity, or are one.
  if (std::isinf(got) || std::isinf(exact))
    return got == static_cast<float>(exact) ? 0 : INFINITY;
  if (exact == 0)
    return got == 0 && std::signbit(got) == std::signbit(exact) ? 0 : INFINITY;
  return std::abs(got - exact) / ulpOf(exact);
}

struct Samples {
  std::vector<float> x, y;
  void add(float a, float b = 0) {
    x.push_back(a);
    y.push_back(b);
  }
};

/// Every 1999th float32 by its bits (2.1 million; all exponents, both signs, NaN), and a grid of a
/// million over [-20, 20] where most functions do their work.
Samples unarySamples() {
  Samples samples;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 1999)
    samples.add(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  for (int i = -500000; i < 500000; ++i)
    samples.add(static_cast<float>(i) * 4e-5f);
  for (float special : {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 0x1p-149f, -0x1p-149f,
                        0x1.fffffep-127f, 0x1.fffffep127f, -0x1.fffffep127f})
    samples.add(special);
  while (samples.x.size() % 16)
    samples.add(1);
  return samples;
}

/// Runs `emit` on all targets, scalar and vector; both must give the same bits. `check(target, i,
/// got)` sees each result of the vector code.
void run(const Emit &emit, const Samples &samples,
         const std::function<void(const Target &, size_t, float)> &check) {
  size_t n = samples.x.size();
  ASSERT_EQ(n % 16, 0u);
  std::vector<float> scalar(n), vector(n);
  for (const Target &target : Target::allOnHost()) {
    SCOPED_TRACE(target.name);
    auto one = compile(target, 1, emit), many = compile(target, target.f32Lanes(), emit);
    ASSERT_TRUE(one && many);
    auto call = [&](const MappedImage &code, std::vector<float> &out) {
      code.entry<Kernel>()(samples.x.data(), samples.y.data(), out.data(), static_cast<int64_t>(n));
    };
    call(*one, scalar);
    call(*many, vector);
    size_t different = 0;
    for (size_t i = 0; i < n; ++i) {
      bool same = std::bit_cast<uint32_t>(scalar[i]) == std::bit_cast<uint32_t>(vector[i]) ||
                  (std::isnan(scalar[i]) && std::isnan(vector[i]));
      if (!same && different++ == 0)
        ADD_FAILURE() << "scalar " << scalar[i] << ", vector " << vector[i] << " of "
                      << samples.x[i] << ", " << samples.y[i];
      check(target, i, vector[i]);
    }
    EXPECT_EQ(different, 0u);
  }
}

/// Measures the largest error over the samples and asserts that it is at most `bound` ulp.
void expectUlps(const char *name, const Emit &emit,
                const std::function<double(double, double)> &exact, const Samples &samples,
                double bound) {
  std::vector<double> want(samples.x.size());
  for (size_t i = 0; i < want.size(); ++i)
    want[i] = exact(samples.x[i], samples.y[i]);
  std::map<std::string, std::pair<double, size_t>> worst;
  run(emit, samples, [&](const Target &target, size_t i, float got) {
    auto &[error, where] = worst[target.name];
    if (double e = ulpError(got, want[i]); e > error)
      error = e, where = i;
  });
  for (auto &[target, at] : worst) {
    auto [error, where] = at;
    printf("%-10s %-10s largest error %.3f ulp at %a, %a\n", name, target.c_str(), error,
           samples.x[where], samples.y[where]);
    EXPECT_LE(error, bound) << name << " for " << target << " at " << samples.x[where] << ", "
                            << samples.y[where] << ": exact " << want[where];
  }
}

void expectUlps(const char *name, Unary emit, double (*exact)(double), double bound) {
  static const Samples samples = unarySamples();
  expectUlps(
      name,
      [=](mlir::ImplicitLocOpBuilder &b, Value x, Value, const MathOptions &options) {
        return emit(b, x, options);
      },
      [=](double x, double) { return exact(x); }, samples, bound);
}

/// Asserts |got - exact| <= relative |exact| + absolute; prints the largest relative error of the
/// results above `absolute` * 1e6.
void expectClose(const char *name, Unary emit, double (*exact)(double), double relative,
                 double absolute) {
  static const Samples samples = unarySamples();
  std::vector<double> want(samples.x.size());
  for (size_t i = 0; i < want.size(); ++i)
    want[i] = exact(samples.x[i]);
  std::map<std::string, std::pair<double, size_t>> worst;
  run([=](mlir::ImplicitLocOpBuilder &b, Value x, Value,
          const MathOptions &options) { return emit(b, x, options); },
      samples,
      [&](const Target &target, size_t i, float got) {
        auto &[error, where] = worst[target.name];
        double e = 0, size = std::abs(want[i]);
        if (std::isnan(want[i]) || std::isinf(want[i]) || std::isnan(got) || std::isinf(got))
          e = ulpError(got, want[i]);
        else
          e = std::max(std::abs(got - want[i]) - absolute, 0.0) / std::max(size, 0x1p-149);
        if (e > error)
          error = e, where = i;
      });
  for (auto &[target, at] : worst) {
    auto [error, where] = at;
    printf("%-10s %-10s largest relative error %.3g at %a\n", name, target.c_str(), error,
           samples.x[where]);
    EXPECT_LE(error, relative) << name << " for " << target << " at " << samples.x[where]
                               << ": exact " << want[where];
  }
}

double gelu(double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }
double geluTanh(double x) {
  double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return std::isinf(x) && x < 0 ? NAN : x / (1 + std::exp(-2 * inner));
}
double geluQuick(double x) { return std::isinf(x) && x < 0 ? NAN : x / (1 + std::exp(-1.702 * x)); }

/// Pairs: magnitudes from all exponents, and the usual ranges.
Samples binarySamples(bool small) {
  Samples samples;
  uint64_t state = 1;
  auto random = [&] { // a linear congruential generator, Knuth's MMIX
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 32);
  };
  for (int i = 0; i < 500000; ++i)
    samples.add(std::bit_cast<float>(random()), std::bit_cast<float>(random()));
  for (int i = 0; i < 1000000; ++i) {
    float x = static_cast<float>(random()) * 0x1p-28f, y = static_cast<float>(random()) * 0x1p-28f;
    if (small)
      samples.add(x, 8 * y - 64);
    else
      samples.add(256 * (x - 8), y - 8);
  }
  const float specials[] = {0.0f,
                            -0.0f,
                            1,
                            -1,
                            2,
                            -2,
                            3,
                            -3,
                            0.5f,
                            -0.5f,
                            1.5f,
                            -1.5f,
                            0x1p24f,
                            0x1p25f + 4,
                            -0x1p24f,
                            0x1.fffffep23f,
                            INFINITY,
                            -INFINITY,
                            NAN,
                            0x1p-149f,
                            -0x1p-149f,
                            0x1.fffffep127f,
                            -0x1.8p-140f,
                            1e10f,
                            -1e10f,
                            1e-10f,
                            0x1.000002p0f,
                            0x1.fffffep-1f};
  for (float x : specials)
    for (float y : specials)
      samples.add(x, y);
  while (samples.x.size() % 16)
    samples.add(1, 1);
  return samples;
}

void expectUlps2(const char *name, Binary emit, double (*exact)(double, double), bool small,
                 double bound) {
  expectUlps(name, Emit(emit), exact, binarySamples(small), bound);
}

double floorMod(double x, double y) { // NumPy's npy_divmod
  double mod = std::fmod(x, y);
  if (mod != 0)
    return (y < 0) != (mod < 0) ? mod + y : mod;
  return std::isnan(mod) ? mod : std::copysign(0.0, y);
}

double sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
double silu(double x) { return std::isinf(x) && x < 0 ? NAN : x * sigmoid(x); }

} // namespace

TEST(VectorMath, Exp) { expectUlps("exp", passes::emitExp, std::exp, 1.02); }
TEST(VectorMath, ExpFlushed) { // of -|x|, as it takes no positive numbers; NaN stays
  auto emit = [](mlir::ImplicitLocOpBuilder &b, mlir::Value x, const passes::MathOptions &options) {
    mlir::Value magnitude = mlir::LLVM::FAbsOp::create(b, x);
    mlir::Value negative = mlir::arith::NegFOp::create(b, magnitude);
    return passes::emitExpFlushed(b, negative, options);
  };
  // Where the result is a normal number its error is that of exp (1.02 ulp of at most 2^-23).
  expectClose(
      "expFlushed", emit, [](double x) { return std::exp(-std::abs(x)); }, 1.25e-7, 0x1p-126);
}
template <bool rough>
Value exp2OfNegative(mlir::ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  Value negative = mlir::arith::NegFOp::create(b, mlir::LLVM::FAbsOp::create(b, x));
  return passes::emitExp2Flushed(b, negative, options, rough);
}
TEST(VectorMath, Exp2Flushed) {
  auto exact = [](double x) { return std::exp2(-std::abs(x)); };
  expectClose("exp2Flushed", exp2OfNegative<false>, exact, 1e-7, 0x1p-126);
  expectClose("exp2 rough", exp2OfNegative<true>, exact, 1.02e-4, 0x1p-126);
}
TEST(VectorMath, Expm1) { expectUlps("expm1", passes::emitExpm1, std::expm1, 1.5); }
TEST(VectorMath, Log) { expectUlps("log", passes::emitLog, std::log, 0.84); }
TEST(VectorMath, Log1p) { expectUlps("log1p", passes::emitLog1p, std::log1p, 1.4); }
TEST(VectorMath, Tanh) { expectUlps("tanh", passes::emitTanh, std::tanh, 1.4); }
TEST(VectorMath, Erf) { expectUlps("erf", passes::emitErf, std::erf, 1.25); }
TEST(VectorMath, Sin) { expectUlps("sin", passes::emitSin, std::sin, 1.6); }
TEST(VectorMath, Cos) { expectUlps("cos", passes::emitCos, std::cos, 1.6); }
TEST(VectorMath, Sqrt) { expectUlps("sqrt", passes::emitSqrt, std::sqrt, 0.5); }
TEST(VectorMath, Rsqrt) {
  expectUlps("rsqrt", passes::emitRsqrt, [](double x) { return 1 / std::sqrt(x); }, 1.5);
}
TEST(VectorMath, Floor) { expectUlps("floor", passes::emitFloor, std::floor, 0); }
TEST(VectorMath, Ceil) { expectUlps("ceil", passes::emitCeil, std::ceil, 0); }
TEST(VectorMath, Trunc) { expectUlps("trunc", passes::emitTrunc, std::trunc, 0); }
TEST(VectorMath, RoundEven) { expectUlps("roundEven", passes::emitRoundEven, std::nearbyint, 0); }
TEST(VectorMath, Sigmoid) { expectUlps("sigmoid", passes::emitSigmoid, sigmoid, 2.3); }
TEST(VectorMath, Silu) { expectClose("silu", passes::emitSilu, silu, 2.3e-7, 1e-43); }
TEST(VectorMath, Gelu) {
  expectClose("gelu", passes::emitGelu, gelu, 2.7e-6, 1e-36);
  // As far as results matter: where the absolute value is above 3e-7.
  expectClose("gelu", passes::emitGelu, [](double x) { return gelu(x); }, 5.2e-7, 3e-13);
}
TEST(VectorMath, GeluRough) {
  expectClose("geluRough", passes::emitGeluRough, gelu, 4.1e-4, 1e-36);
}
TEST(VectorMath, GeluTanh) {
  expectClose("geluTanh", passes::emitGeluTanh, geluTanh, 1.3e-5, 1e-43);
}
TEST(VectorMath, GeluQuick) {
  expectClose("geluQuick", passes::emitGeluQuick, geluQuick, 4.9e-6, 1e-43);
}
TEST(VectorMath, Pow) { expectUlps2("pow", passes::emitPow, std::pow, true, 0.6); }
TEST(VectorMath, Fmod) { expectUlps2("fmod", passes::emitFmod, std::fmod, false, 0); }
// One rounding where the divisor is added.
TEST(VectorMath, FloorMod) { expectUlps2("floorMod", passes::emitFloorMod, floorMod, false, 0.5); }
