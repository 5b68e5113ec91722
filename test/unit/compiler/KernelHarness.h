#pragma once

#include "KernelModule.h"
#include "MappedImage.h"

#include "kiln/DType.h"
#include "passes/cpu/KernelBuilder.h"
#include "runtime/Abi.h"

#include <gmock/gmock.h>

#include <array>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace kiln::test {

/// Contents of a tensor in its storage type, read and written as double.
struct Data {
  DType dtype = DType::float32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  Data() = default;
  Data(DType dtype, std::vector<int64_t> shape);
  int64_t size() const;
  double operator[](int64_t index) const;
  void set(int64_t index, double value);

  /// Uniform in [low, high), rounded to the dtype; the same for the same seed.
  static Data random(DType dtype, std::vector<int64_t> shape, uint32_t seed, double low = -1,
                     double high = 1);
  static Data randomIntegers(DType dtype, std::vector<int64_t> shape, uint32_t seed, int64_t low,
                             int64_t high);
  /// Panels as runtime::Packing states them, of "rows:N", "columns:N", "row-pairs:N",
  /// "column-pairs:N", "row-parts:N" or "column-parts:N".
  Data packed(const std::string &packing) const;
  Data packedPairs(const std::string &packing) const;
};

/// One kernel of a module of kiln operations, compiled for a target and mapped: what the entry
/// function would call.
class CompiledKernel {
public:
  /// `text`: a module with one function, the kernel `@k`.
  CompiledKernel(const std::string &text, const codegen::Target &target,
                 Precision precision = Precision::highest);

  /// Runs with as many threads. `dims`: values of the symbols in the order of their names.
  /// Returns what the launcher returned; a refused kernel fails the test. Output buffers have guard
  /// bytes behind them, which are checked.
  int run(const std::vector<Data> &inputs, std::vector<Data> &outputs,
          const std::vector<int64_t> &dims, int threads);

  /// The parts of `run`, for measuring: inputs packed as the kernel wants them, then the call.
  std::vector<Data> pack(const std::vector<Data> &inputs) const;
  int call(const KilnRuntime &runtime, void *const *buffers, const int64_t *dims,
           std::span<std::byte> scratch);
  /// Bytes of scratch memory for each thread.
  int64_t scratchBytes(const std::vector<int64_t> &dims) const;

  std::string assembly; // where KILN_TEST_ASSEMBLY is set
  std::string refusal;  // diagnostics of a kernel that was refused; empty otherwise
  /// Indices that the kernel reported, (site, index, position).
  std::vector<std::array<int64_t, 3>> badIndices;
  double compileMs = 0;

private:
  std::vector<std::string> symbols;
  std::vector<std::string> packings; // of the operands; empty: as it is
  Dim scratchPerThread = 0;
  std::unique_ptr<MappedImage> image;
};

/// Every element is within `tolerance` times the largest expected magnitude.
void expectNearRelative(const Data &actual, const std::vector<double> &expected, double tolerance);

/// The levels of the host, and what products have a kernel of their own for.
std::vector<codegen::Target> productTargets();

/// A target as the name of a test.
std::string targetTestName(const codegen::Target &target);

/// A runtime table whose parallelFor runs each task on a thread of its own choice.
struct TestRuntime : KilnRuntime {
  CompiledKernel *kernel = nullptr;
  explicit TestRuntime(int threads, CompiledKernel *kernel = nullptr);
  ~TestRuntime();

private:
  struct Pool;
  std::unique_ptr<Pool> pool;
};

} // namespace kiln::test
