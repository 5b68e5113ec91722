#pragma once

#include "frontend/Record.h"
#include "kiln/Convolution.h"

namespace kiln::detail {

/// What windows along one axis are.
struct SlidingAxis {
  int64_t size = 1, stride = 1, dilation = 1, before = 0, after = 0;

  int64_t covered() const { return dilation * (size - 1) + 1; }
};

/// Refuses numbers that are not positive and negative paddings.
void checkSliding(const Call &call, const std::vector<SlidingAxis> &axes);

/// Windows along each of the axes from `firstAxis` on, the counts in the place of the axes and the
/// sizes behind them: [N, D1, D2, C] -> [N, O1, O2, K1, K2, C].
Tensor slide(const Call &call, const Tensor &x, int64_t firstAxis,
             const std::vector<SlidingAxis> &axes);

/// Joins `count` axes from `firstAxis` on to one.
Tensor joinedAxes(const Call &call, const Tensor &x, int64_t firstAxis, int64_t count);

/// x with edges around the axes from `firstAxis` on.
Tensor padded(const Call &call, const Tensor &x, int64_t firstAxis,
              const std::vector<SlidingAxis> &axes, const Scalar &value);

template <std::size_t N, class Options>
std::vector<SlidingAxis> slidingAxes(const PerAxis<N> &sizes, const Options &options) {
  std::vector<SlidingAxis> axes;
  for (std::size_t i = 0; i < N; ++i)
    axes.push_back({sizes[i], options.stride[i], options.dilation[i], options.padding.before(i),
                    options.padding.after(i)});
  return axes;
}

} // namespace kiln::detail
