#pragma once

#include "ErrorTable.h"

#include <limits>

/// What the tables of operations are filled with.
namespace kiln::testing {

inline Tensor f32(const Shape &shape) { return Tensor::ones(shape, DType::float32, CPU()); }
inline Tensor i64(const Shape &shape) { return Tensor::zeros(shape, DType::int64, CPU()); }
inline const Tensor a = f32({3, 4}), b = f32({5, 6}), cube = f32({2, 3, 4}), scalar = f32({}),
                    row = f32({4}), ids = i64({3, 4}),
                    words = Tensor::zeros({2}, DType::uint64, CPU()),
                    mask = Tensor::ones({3, 4}, DType::boolean, CPU()),
                    other = Tensor::ones({3, 4}, DType::float32, CPU(1)),
                    half = Tensor::ones({3, 4}, DType::float16, CPU()), none;
inline constexpr int64_t huge = int64_t{1} << 62;
inline const double infinity = std::numeric_limits<double>::infinity();
inline const double notANumber = std::numeric_limits<double>::quiet_NaN();

} // namespace kiln::testing
