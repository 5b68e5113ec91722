//===- Drawn.h - Weights and inputs at random ---------------------------------===//
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <kiln/kiln.h>

namespace kiln::tools {

/// The sizes of a case's layers where none are given, and of its inputs.
struct UsualSizes {
  std::vector<int64_t> layers;
  const char *layersMean;
  std::vector<int64_t> shape;
};
const UsualSizes &usualSizes(const std::string &caseName);

/// A file of weights for a case, as its loader wants them, with numbers drawn at random; gone with
/// this object. Errors: ValueError for layers that the case does not have; IoError.
class DrawnWeights {
public:
  DrawnWeights(const std::string &caseName, const std::vector<int64_t> &layers);
  ~DrawnWeights();
  DrawnWeights(const DrawnWeights &) = delete;
  DrawnWeights &operator=(const DrawnWeights &) = delete;
  std::filesystem::path file() const { return folder / "weights.safetensors"; }

private:
  std::filesystem::path folder;
};

/// Inputs of a shape for a case with these weights: numbers of `dtype`, or ids that its table has
/// (and a mask that hides nothing).
std::vector<Tensor> drawInputs(const std::string &caseName, const std::filesystem::path &weights,
                               const std::vector<int64_t> &shape, DType dtype);

/// "8x128" -> 8, 128. Errors: ValueError.
std::vector<int64_t> parseSizes(const std::string &text);

/// Writes what a worker reads of a folder: weights.safetensors for a case with such layers, and
/// inputs of each shape. The same numbers on every machine: they are uniform and drawn from fixed
/// seeds. Errors: ValueError for layers that the case does not have; IoError.
void writeDrawn(const std::string &caseName, const std::vector<int64_t> &layers,
                const std::vector<std::vector<int64_t>> &shapes,
                const std::filesystem::path &folder);

} // namespace kiln::tools
