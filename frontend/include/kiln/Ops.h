#pragma once

#include "kiln/Quantization.h"
#include "kiln/Tensor.h"

#include <string_view>
#include <utility>

/// The operations on tensors. All record and return at once; docs/spec.md says what each means.
/// An Operand is a tensor or a C++ number. Negative axes count from the back.
namespace kiln {

/// Products over the last axis of x and the last but one of y. 1-D operands are a row (x) or a
/// column (y), and that axis is dropped from the result; further axes broadcast.
/// Errors: ValueError if the inner dims differ or an operand is a scalar.
Tensor matmul(const Tensor &x, const Tensor &y, Where where = Where::current());
/// x [n], y [m] -> [n, m]. Errors: ValueError for other ranks.
Tensor outer(const Tensor &x, const Tensor &y, Where where = Where::current());

// Elementwise, one operand. Integers are cast to float32 where the result is fractional.

Tensor abs(const Tensor &x, Where where = Where::current());
Tensor exp(const Tensor &x, Where where = Where::current());
Tensor log(const Tensor &x, Where where = Where::current());
Tensor log1p(const Tensor &x, Where where = Where::current());
Tensor sqrt(const Tensor &x, Where where = Where::current());
Tensor rsqrt(const Tensor &x, Where where = Where::current());
Tensor sin(const Tensor &x, Where where = Where::current());
Tensor cos(const Tensor &x, Where where = Where::current());
Tensor tanh(const Tensor &x, Where where = Where::current());
Tensor erf(const Tensor &x, Where where = Where::current());
/// Integers are unchanged by the four roundings.
Tensor floor(const Tensor &x, Where where = Where::current());
Tensor ceil(const Tensor &x, Where where = Where::current());
Tensor round(const Tensor &x, Where where = Where::current()); // half to even
Tensor trunc(const Tensor &x, Where where = Where::current());
Tensor relu(const Tensor &x, Where where = Where::current());
Tensor silu(const Tensor &x, Where where = Where::current());
Tensor sigmoid(const Tensor &x, Where where = Where::current());
/// approximate: "none" (erf), "tanh" or "quick" (x * sigmoid(1.702 x)); else ValueError.
Tensor gelu(const Tensor &x, std::string_view approximate = "none", Where where = Where::current());
Tensor isNan(const Tensor &x, Where where = Where::current());
Tensor isInf(const Tensor &x, Where where = Where::current());
Tensor logicalNot(const Tensor &x, Where where = Where::current());

// Elementwise, two operands; broadcasting.

Tensor pow(const Operand &x, const Operand &y);
Tensor maximum(const Operand &x, const Operand &y); // NaN if one is NaN
Tensor minimum(const Operand &x, const Operand &y);
Tensor floorDiv(const Operand &x, const Operand &y);
/// On truth: a number is true unless it is zero.
Tensor logicalAnd(const Operand &x, const Operand &y);
Tensor logicalOr(const Operand &x, const Operand &y);
Tensor logicalXor(const Operand &x, const Operand &y);
/// x where the condition is true, else y. Errors: TypeError if the condition is not boolean.
Tensor where(const Tensor &condition, const Operand &x, const Operand &y);
/// Errors: ValueError without a bound.
Tensor clamp(const Tensor &x, std::optional<Scalar> low, std::optional<Scalar> high = {},
             Where where = Where::current());
/// `value` where the mask is true, else x. Shapes: mask broadcasts to x.
Tensor maskedFill(const Tensor &x, const Tensor &mask, Scalar value,
                  Where where = Where::current());

// Along one axis. Reductions keep it with size 1; they also take several, `sum(x, {0, 2})`, or
// nullopt, which flattens first: shape [1].

Tensor sum(const Tensor &x, const Axes &axes = -1, Where where = Where::current());
Tensor mean(const Tensor &x, const Axes &axes = -1, Where where = Where::current());
Tensor prod(const Tensor &x, const Axes &axes = -1, Where where = Where::current());
Tensor max(const Tensor &x, const Axes &axes = -1, Where where = Where::current());
Tensor min(const Tensor &x, const Axes &axes = -1, Where where = Where::current());
/// int64; the first of equals, and the first NaN wins.
Tensor argmax(const Tensor &x, int64_t axis = -1, Where where = Where::current());
Tensor argmin(const Tensor &x, int64_t axis = -1, Where where = Where::current());
Tensor softmax(const Tensor &x, int64_t axis = -1, Where where = Where::current());
Tensor logSoftmax(const Tensor &x, int64_t axis = -1, Where where = Where::current());

/// The sum of the elements up to each one: with it, or (`exclusive`) without; `reverse`: from the
/// last element on. Booleans are counted as int64; other dtypes stay, and integers wrap.
Tensor cumsum(const Tensor &x, int64_t axis = -1, bool exclusive = false, bool reverse = false,
              Where where = Where::current());
/// The places (int64) of the elements in the order of their values; equal ones stay in theirs. A
/// NaN counts as greater than every number.
Tensor argsort(const Tensor &x, int64_t axis = -1, bool descending = false,
               Where where = Where::current());
/// The k largest elements, in descending order, and their places (int64) along the axis. A NaN
/// counts as greater than every number; of equal elements the first come first.
/// Errors: ValueError for a k outside [0, size of the axis].
std::pair<Tensor, Tensor> topK(const Tensor &x, int64_t k, int64_t axis = -1,
                               Where where = Where::current());

/// Over the last axis: (x - mean) / sqrt(variance + epsilon) * weight + bias.
/// Shapes: x [..., D], weight [D], bias [D]. Errors: ValueError if they differ or epsilon <= 0.
Tensor layerNorm(const Tensor &x, const Tensor &weight, const Tensor &bias, double epsilon = 1e-5,
                 Where where = Where::current());
Tensor layerNorm(const Tensor &x, double epsilon = 1e-5, Where where = Where::current());
/// Over the last axis: x / sqrt(mean(x^2) + epsilon) * weight.
Tensor rmsNorm(const Tensor &x, const Tensor &weight, double epsilon = 1e-6,
               Where where = Where::current());

/// softmax(q kᵀ * scale + mask) v, without storing the scores.
/// Shapes: q [..., H, Sq, D], k [..., Hk, Sk, D], v [..., Hk, Sk, E], Hk divides H; mask broadcasts
/// to [..., H, Sq, Sk]: boolean (true attends) or float (added) -> [..., H, Sq, E].
/// `scale` is 1 / sqrt(D) unless given.
Tensor attention(const Tensor &q, const Tensor &k, const Tensor &v,
                 const std::optional<Tensor> &mask = {}, std::optional<double> scale = {},
                 Where where = Where::current());

/// table[:axis] + indices + table[axis + 1:]. Indices outside [0, n) are an IndexError when read.
Tensor gather(const Tensor &table, const Tensor &indices, int64_t axis = 0,
              Where where = Where::current());

/// Packed rows as numbers. Shapes: packed [..., m] of uint8, m a multiple of the block's bytes ->
/// float32 [..., n]. Rows that are looked up, gather(dequantize(table), indices) or the other way
/// round, are decoded as they are read; the table is never decoded as a whole.
/// Errors: TypeError for another dtype; ValueError for a scalar and for other sizes.
Tensor dequantize(const Tensor &packed, QuantizationEncoding encoding,
                  Where where = Where::current());

// Putting together and taking apart.

Tensor concat(const std::vector<Tensor> &tensors, int64_t axis = 0, Where where = Where::current());
/// Along a new axis.
Tensor stack(const std::vector<Tensor> &tensors, int64_t axis = 0, Where where = Where::current());
std::vector<Tensor> split(const Tensor &x, int64_t size, int64_t axis = 0,
                          Where where = Where::current());
std::vector<Tensor> split(const Tensor &x, const std::vector<int64_t> &sizes, int64_t axis = 0,
                          Where where = Where::current());
std::vector<Tensor> chunk(const Tensor &x, int64_t count, int64_t axis = 0,
                          Where where = Where::current());
/// Repeats the whole tensor `repeats[i]` times along axis i.
Tensor tile(const Tensor &x, const std::vector<int64_t> &repeats, Where where = Where::current());
/// Repeats each entry along an axis.
Tensor repeatInterleave(const Tensor &x, int64_t repeats, int64_t axis = 0,
                        Where where = Where::current());

/// x with edges of `value`: paddings are {before, after} of axis 0, of axis 1, ….
/// Errors: ValueError unless there are two for each axis, none negative; for a value that does not
/// fit the dtype.
Tensor pad(const Tensor &x, const std::vector<int64_t> &paddings, Scalar value = 0,
           Where where = Where::current());
/// The last two axes' diagonal with `numLower` diagonals below it and `numUpper` above it, zeros
/// elsewhere; no number, or a negative one: all of that side. `exclude`: what lies outside instead.
Tensor bandPart(const Tensor &x, std::optional<int64_t> numLower, std::optional<int64_t> numUpper,
                bool exclude = false, Where where = Where::current());
/// table[indices[..., 0], indices[..., 1], …]. Shapes: table [n0, …, nk, rest...], indices [..., k]
/// -> [..., rest...]. Indices outside are an IndexError when read, as of gather.
Tensor gatherNd(const Tensor &table, const Tensor &indices, Where where = Where::current());

// By index. An index outside of its axis is an IndexError when read, as of gather; nothing is
// written then.

/// out[…, i, …] = x[…, indices[…, i, …], …] along an axis. Shapes: x and indices have one rank;
/// their dims but the axis's broadcast -> those, and as many along the axis as there are indices.
Tensor takeAlongAxis(const Tensor &x, const Tensor &indices, int64_t axis,
                     Where where = Where::current());
/// x with out[…, indices[…, i, …], …] = updates[…, i, …] along an axis; of equal indices the last
/// one wins. Shapes: indices and updates have one shape, of the rank of x and along other axes at
/// most its size. Errors: ValueError for other shapes; TypeError unless x and updates have one
/// dtype.
Tensor scatter(const Tensor &x, const Tensor &updates, const Tensor &indices, int64_t axis = -1,
               Where where = Where::current());
/// The same, each element combined with its updates in the order of the indices.
Tensor scatterAdd(const Tensor &x, const Tensor &updates, const Tensor &indices, int64_t axis = -1,
                  Where where = Where::current());
Tensor scatterMul(const Tensor &x, const Tensor &updates, const Tensor &indices, int64_t axis = -1,
                  Where where = Where::current());
Tensor scatterMax(const Tensor &x, const Tensor &updates, const Tensor &indices, int64_t axis = -1,
                  Where where = Where::current());
Tensor scatterMin(const Tensor &x, const Tensor &updates, const Tensor &indices, int64_t axis = -1,
                  Where where = Where::current());
/// x with out[indices[..., 0], indices[..., 1], …] = updates[...]; of equal indices the last one
/// wins. Shapes: x [n0, …, nk, rest...], indices [..., k], updates [..., rest...].
Tensor scatterNd(const Tensor &x, const Tensor &updates, const Tensor &indices,
                 Where where = Where::current());
Tensor scatterNdAdd(const Tensor &x, const Tensor &updates, const Tensor &indices,
                    Where where = Where::current());
Tensor scatterNdMul(const Tensor &x, const Tensor &updates, const Tensor &indices,
                    Where where = Where::current());
Tensor scatterNdMax(const Tensor &x, const Tensor &updates, const Tensor &indices,
                    Where where = Where::current());
Tensor scatterNdMin(const Tensor &x, const Tensor &updates, const Tensor &indices,
                    Where where = Where::current());
/// x with its elements where the mask is true replaced by the first elements of updates, in order.
/// Shapes: mask broadcasts to x. Errors: TypeError for a mask that is not boolean or updates of
/// another dtype; IndexError when read if there are fewer updates than true elements.
Tensor maskedScatter(const Tensor &x, const Tensor &mask, const Tensor &updates,
                     Where where = Where::current());
/// The coordinates of all elements that are not zero, row-major: [count, rank] int64. A NaN is not
/// zero. Reads the contents. Errors: TypeError while tracing, when the count is not known.
Tensor nonzero(const Tensor &x, Where where = Where::current());

/// x with other dims of the same sizes, as Tensor::rebind.
Tensor rebind(const Tensor &x, const Shape &shape, Where where = Where::current());
/// The value of a dim, as Tensor::fromDim.
Tensor fromDim(const Dim &dim, Where where = Where::current());

// Further reductions.

/// The position in the flattened tensor. Shape: [1].
Tensor argmax(const Tensor &x, std::nullopt_t, Where where = Where::current());
Tensor argmin(const Tensor &x, std::nullopt_t, Where where = Where::current());
/// As max and min, but without the reduced axes.
Tensor amax(const Tensor &x, const Axes &axes = std::nullopt, Where where = Where::current());
Tensor amin(const Tensor &x, const Axes &axes = std::nullopt, Where where = Where::current());
/// The greater and the smaller of two, as maximum and minimum.
Tensor max(const Tensor &x, const Tensor &y, Where where = Where::current());
Tensor min(const Tensor &x, const Tensor &y, Where where = Where::current());

// Further elementwise operations.

Tensor atanh(const Tensor &x, Where where = Where::current());
/// Neither infinite nor NaN.
Tensor isFinite(const Tensor &x, Where where = Where::current());
/// {floorDiv(x, y), x % y}.
std::pair<Tensor, Tensor> divmod(const Operand &x, const Operand &y);
/// The product of complex numbers that lie as pairs (real, imaginary) in the last axis.
/// Shapes: x [..., 2], y [..., 2]; the axes before broadcast. Errors: ValueError for another last
/// dim.
Tensor complexMul(const Tensor &x, const Tensor &y, Where where = Where::current());

// Further orders of the same elements.

/// Reverses the order along some axes.
Tensor flip(const Tensor &x, const std::vector<int64_t> &axes, Where where = Where::current());
/// The whole tensor `repeats[i]` times along axis i; more repeats than axes add axes in front.
/// Errors: ValueError for fewer repeats than axes.
Tensor repeat(const Tensor &x, const std::vector<int64_t> &repeats, Where where = Where::current());
/// Takes an axis apart into `sizes`, one of which may be -1.
Tensor unflatten(const Tensor &x, int64_t axis, const Shape &sizes, Where where = Where::current());
/// The entries along an axis, without that axis.
std::vector<Tensor> unbind(const Tensor &x, int64_t axis = 0, Where where = Where::current());

/// The Hann window 0.5 - 0.5 cos(2 pi i / n), i in [0, length); n is `length` for a periodic
/// one, as spectra take it, else length - 1. Shape: [length].
/// Errors: ValueError for a negative length, TypeError for a dtype that is no float.
Tensor hannWindow(int64_t length, bool periodic = true, std::optional<DType> dtype = {},
                  std::optional<Device> device = {}, Where where = Where::current());

/// Whether |x - y| <= atol + rtol * |y| everywhere, and shapes agree. Reads the contents.
bool allClose(const Tensor &x, const Tensor &y, double rtol = 1e-5, double atol = 1e-8,
              bool equalNan = false, Where where = Where::current());

} // namespace kiln
