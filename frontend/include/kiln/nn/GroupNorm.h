#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
};

/// Normalises each of `numGroups` groups of channels. Shapes: weight [C], bias [C];
/// x [N, C, ...] -> [N, C, ...].
struct GroupNorm : Module<GroupNorm> {
  std::optional<Tensor> weight, bias;
  KILN_FIELDS(weight, bias)

  /// Errors: ValueError unless numGroups divides numChannels.
  GroupNorm(int64_t numGroups, int64_t numChannels, const GroupNormOptions &options = {},
            std::optional<DType> dtype = {}, std::optional<Device> device = {},
            Where where = Where::current());

  int64_t numGroups() const { return groups; }
  int64_t numChannels() const { return channels; }
  /// Errors: ValueError for a rank below 2 or another number of channels.
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  int64_t groups, channels;
  GroupNormOptions options;
};

} // namespace kiln::nn
