#pragma once

#include "kiln/Tensor.h"

#include <array>
#include <concepts>
#include <optional>

/// Operations on windows that slide along axes: convolutions, pooling and what goes with them.
namespace kiln {

/// A number for each of N axes; one number stands for all of them: `2`, `{2, 1}`.
template <std::size_t N> struct PerAxis : std::array<int64_t, N> {
  PerAxis(int64_t all = 1) { this->fill(all); }
  template <std::integral... Numbers>
  requires(sizeof...(Numbers) == N && N > 1) PerAxis(Numbers... numbers)
      : std::array<int64_t, N>{static_cast<int64_t>(numbers)...} {}
};

/// How many elements to put around N axes: one number for all sides; N numbers, each for both sides
/// of an axis; or 2 N numbers, {before, after} of the first axis, of the second, ….
template <std::size_t N> struct Padding {
  std::array<int64_t, 2 * N> edges;

  Padding(int64_t all = 0) { edges.fill(all); }
  template <std::integral... Numbers>
  requires((sizeof...(Numbers) == N && N > 1) || sizeof...(Numbers) == 2 * N)
      Padding(Numbers... numbers) {
    const int64_t given[] = {static_cast<int64_t>(numbers)...};
    for (std::size_t edge = 0; edge < 2 * N; ++edge)
      edges[edge] = sizeof...(Numbers) == N ? given[edge / 2] : given[edge];
  }
  int64_t before(std::size_t axis) const { return edges[2 * axis]; }
  int64_t after(std::size_t axis) const { return edges[2 * axis + 1]; }
  friend bool operator==(const Padding &, const Padding &) = default;
};

/// Windows of `size` elements along an axis, `dilation` apart, a new one every `stride` elements:
/// the axis becomes two, (n - dilation * (size - 1) - 1) / stride + 1 and size. Errors: ValueError
/// if the numbers are not positive or no window fits; IndexError for the axis.
Tensor windows(const Tensor &x, int64_t axis, int64_t size, int64_t stride = 1,
               int64_t dilation = 1, Where where = Where::current());

template <std::size_t N> struct ConvolutionOptions {
  PerAxis<N> stride = 1;
  PerAxis<N> dilation = 1;
  Padding<N> padding = 0; // zeros
  int64_t groups = 1;     // each sees inChannels / groups channels and makes outChannels / groups
  std::optional<Tensor> bias = {}; // [outChannels]
};
using Conv1dOptions = ConvolutionOptions<1>;
using Conv2dOptions = ConvolutionOptions<2>;
using Conv3dOptions = ConvolutionOptions<3>;

/// Convolutions, or rather correlations: filters are not flipped. Each axis of n elements becomes
/// (n + padding before and after - dilation * (size - 1) - 1) / stride + 1.
/// Shapes: x [N, L, C], filter [K, C / groups, F] -> [N, L', F].
/// Errors: ValueError for other ranks or numbers of channels, numbers that are not positive, a
/// filter that does not fit x; TypeError for a filter whose sizes are not numbers.
Tensor conv1d(const Tensor &x, const Tensor &filter, const Conv1dOptions &options = {},
              Where where = Where::current());
/// Shapes: x [N, H, W, C], filter [KH, KW, C / groups, F] -> [N, H', W', F].
Tensor conv2d(const Tensor &x, const Tensor &filter, const Conv2dOptions &options = {},
              Where where = Where::current());
/// Shapes: x [N, D, H, W, C], filter [KD, KH, KW, C / groups, F] -> [N, D', H', W', F].
Tensor conv3d(const Tensor &x, const Tensor &filter, const Conv3dOptions &options = {},
              Where where = Where::current());

/// `ceilMode`: a last window may begin in x and end beyond its padding. `countBoundary`: the mean
/// is over the padding too; what lies beyond it never counts.
struct Pool2dOptions {
  PerAxis<2> stride = 1;
  PerAxis<2> dilation = 1;
  Padding<2> padding = 0; // never the greatest; 0 to a mean
  bool ceilMode = false;
  bool countBoundary = true; // of avgPool2d
};

/// The greatest element, or the mean, of each window; integers have a float32 mean.
/// Shapes: x [N, H, W, C] -> [N, H', W', C].
/// Errors: ValueError for another rank, numbers that are not positive, windows that do not fit or
/// may lie in the padding alone (more than half of a window's size).
Tensor maxPool2d(const Tensor &x, const PerAxis<2> &kernelSize, const Pool2dOptions &options = {},
                 Where where = Where::current());
Tensor avgPool2d(const Tensor &x, const PerAxis<2> &kernelSize, const Pool2dOptions &options = {},
                 Where where = Where::current());

struct FoldOptions {
  PerAxis<2> stride = 1;
  PerAxis<2> dilation = 1;
  Padding<2> padding = 0; // of the image: what falls on it is dropped
};

/// Puts windows back to where they were cut from an image, and adds where they overlap.
/// Shapes: x [N, C * KH * KW, L], L the number of windows (H' * W') -> [N, C, H, W].
/// Errors: ValueError for another rank or numbers that do not belong together.
Tensor fold(const Tensor &x, const PerAxis<2> &outputSize, const PerAxis<2> &kernelSize,
            const FoldOptions &options = {}, Where where = Where::current());

/// x [N, C, H, W] in another size: out[i] = x[floor(i * n / size)] along H and W.
/// Errors: ValueError for another rank or a size that is not positive.
Tensor interpolateNearest(const Tensor &x, const PerAxis<2> &size, Where where = Where::current());

} // namespace kiln
