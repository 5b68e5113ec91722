//===- Reference.cpp - Results that others are held against -------------------===//

#include "Reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace kiln::tools {

void writeReference(const LoadedCase &loaded, const std::vector<Tensor> &inputs,
                    const std::string &path) {
  std::vector<Tensor> ends;
  for (const Tensor &input : inputs) {
    const Tensor here = input.to(CPU());
    const int64_t count = here.shape()[0].value();
    ends.push_back(
        count == 1 ? here
                   : concat({here.slice({Slice(0, 1)}), here.slice({Slice(count - 1, count)})}, 0));
    ends.back().realize();
  }
  io::saveSafetensors(path, {{"ref", loaded.interpret(ends)}});
}

double errorAgainst(const Tensor &result, const std::string &path) {
  const auto reference = io::openSafetensors(path).find("ref");
  if (!reference)
    throw KeyError(path + " has no ref");
  const int64_t count = result.shape()[0].value(), ends = reference->shape()[0].value();
  if (result.rank() != reference->rank() || ends != std::min<int64_t>(count, 2))
    throw ValueError(fmt::format("the reference {} does not fit the result {}",
                                 reference->type().str(), result.type().str()));
  const std::span<const float> got = result.data<float>();
  const std::span<const double> expected = reference->data<double>();
  const std::size_t entry = expected.size() / static_cast<std::size_t>(ends);
  if (got.size() != entry * static_cast<std::size_t>(count))
    throw ValueError(fmt::format("the reference {} does not fit the result {}",
                                 reference->type().str(), result.type().str()));
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float value = i < entry ? got[i] : got[got.size() - entry + (i - entry)];
    if (!std::isfinite(value) || !std::isfinite(expected[i]))
      return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::fabs(expected[i]));
    error = std::max(error, std::fabs(expected[i] - static_cast<double>(value)));
  }
  return largest > 0 ? error / largest : error;
}

} // namespace kiln::tools
