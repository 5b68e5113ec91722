// Columns of one element in a dtype narrower than what it is computed in: a store must not touch the next row.
#include "kiln/kiln.h"

#include <gtest/gtest.h>

using namespace kiln;

namespace {

struct Totals : nn::Module<Totals> {
  KILN_FIELDS()
  Tensor operator()(const Tensor &x) const { return cumsum(x, 0, false, true); }
};

TEST(NarrowStores, RowsThatAreWrittenFromTheLastOnKeepTheirNeighbours) {
  for (DType dtype : {DType::bfloat16, DType::float16, DType::int8, DType::int16})
    for (int64_t width : {1, 17})
      for (const char *target : {"native", "x86-64"}) {
        Totals totals;
        auto model = totals.compile(CompileOptions{.target = target},
                                    TensorType(dtype, {5, width}, CPU()));
        Tensor result = model(Tensor::ones({5, width}, dtype));
        std::vector<float> values = result.cast(DType::float32).toVector<float>();
        for (int64_t i = 0; i < 5; ++i)
          for (int64_t j = 0; j < width; ++j)
            EXPECT_EQ(values[static_cast<std::size_t>(i * width + j)], 5 - i)
                << dtype << " on " << target << ", width " << width << ", row " << i;
      }
}

} // namespace
