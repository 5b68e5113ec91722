//===- Cases.h - What kiln-bench measures -------------------------------------===//
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <kiln/kiln.h>

namespace kiln::tools {

/// A compiled model: its inputs to its one output.
struct Program {
  std::function<Tensor(const std::vector<Tensor> &)> call;
  std::function<CompileStats()> stats;

  Tensor operator()(const std::vector<Tensor> &inputs) const { return call(inputs); }
  explicit operator bool() const { return call != nullptr; }
};

/// A case with its weights.
struct LoadedCase {
  /// Compiles for inputs of a rank, one program for all sizes.
  std::function<Program(int64_t rank)> compile;
  /// What the interpreter computes in float64 of the rounded weights and these inputs.
  std::function<Tensor(const std::vector<Tensor> &)> interpret;
};

/// One thing to measure.
struct Case {
  const char *name;
  const char *description;
  /// Loads the weights in a file and rounds them to a dtype. All sizes of the model are those of
  /// the weights. Weights and inputs are on the device.
  std::function<LoadedCase(const std::filesystem::path &, DType, Device)> load;
  int64_t usualRank; ///< Of the inputs that are asked for.
};

/// What the cases are compiled with: --target and --precision.
CompileOptions &compileOptions();

const std::vector<Case> &benchCases();

/// The case of that name. Errors: KeyError, with the names that there are.
const Case &findCase(const std::string &name);

} // namespace kiln::tools
