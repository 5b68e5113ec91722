#include "test/unit/random/Drawer.h"
#include "test/unit/random/Element.h"

#include <algorithm>
#include <limits>

namespace kiln::test {

ir::DenseData Drawer::contents(const Value &input, const DimBindings &sizes) {
  ir::DenseData tensor;
  tensor.type = input.type;
  tensor.type.shape = Shape(std::span<const int64_t>(input.type.shape.evaluate(sizes)));
  tensor.bytes.resize(static_cast<std::size_t>(tensor.type.sizeBytes().value()));
  fill(tensor, input.indexBound.evaluate(sizes));
  return tensor;
}

/// What breaks careless code: signed zeros, infinities, NaN, subnormals, the ends of integers.
template <class T> static std::vector<T> specialValues() {
  if constexpr (std::is_same_v<T, bool>) {
    return {false, true};
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    return {Limits::min(), Limits::max(), static_cast<T>(Limits::max() / 2), T(0),
            static_cast<T>(-1)};
  } else {
    // Of the 16-bit floats: the nearest that they have, at the ends infinities and subnormals.
    constexpr double infinity = std::numeric_limits<double>::infinity();
    using Limits =
        std::numeric_limits<std::conditional_t<std::is_same_v<T, double>, double, float>>;
    auto most = static_cast<double>(Limits::max()),
         least = static_cast<double>(Limits::denorm_min());
    if (std::is_same_v<T, Float16>) {
      most = 65504;
      least = 0x1p-24;
    } else if (std::is_same_v<T, BFloat16>) {
      most = 0x1.fep127;
      least = 0x1p-133;
    }
    std::vector<T> values;
    for (double value : {0.0, -0.0, infinity, -infinity, std::numeric_limits<double>::quiet_NaN(),
                         most, -most, least, -5 * least, 1.0, -1.0})
      if constexpr (std::is_class_v<T>)
        values.push_back(T(static_cast<float>(value)));
      else
        values.push_back(static_cast<T>(value));
    return values;
  }
}

void Drawer::fill(ir::DenseData &tensor, int64_t indexBound) {
  DType dtype = tensor.type.dtype;
  // All special, some, or none in this tensor.
  int percent = isSpecial && indexBound == 0 ? pick<int>({0, 5, 30, 100}) : 0;
  withType(dtype, [&](auto zero) {
    using T = decltype(zero);
    const std::vector<T> specials = specialValues<T>();
    for (std::size_t i = 0; i < numElements(tensor); ++i) {
      if (percent > 0 && chance(percent)) {
        T value = specials[static_cast<std::size_t>(
            number(0, static_cast<int64_t>(specials.size()) - 1))];
        std::memcpy(tensor.bytes.data() + i * sizeof(T), &value, sizeof(T));
        continue;
      }
      double value = isFloat(dtype)            ? 2 * real()
                     : dtype == DType::boolean ? static_cast<double>(number(0, 1))
                     : isUnsigned(dtype)       ? static_cast<double>(number(0, 9))
                                               : static_cast<double>(number(-5, 5));
      if (isFloat(dtype) && chance(10))
        value = static_cast<double>(number(-3, 3)); // zeros, and numbers that are equal
      if (indexBound > 0)
        value = static_cast<double>(number(0, std::min<int64_t>(indexBound, 127) - 1));
      storeElement(tensor, i, value);
    }
  });
}

} // namespace kiln::test
