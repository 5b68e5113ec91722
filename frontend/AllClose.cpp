#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <cmath>

namespace kiln {

bool allClose(const Tensor &x, const Tensor &y, double rtol, double atol, bool equalNan,
              Where where) {
  detail::Call call("allClose", where);
  if (call.type(x).shape != call.type(y).shape)
    return false;
  Tensor left = call.cast(x, DType::float64), right = call.cast(y, DType::float64);
  if (left.device() != right.device())
    right = right.to(left.device(), where);
  const Tensor *both[] = {&left, &right};
  detail::realizeAll(both);
  std::span<const double> a = left.data<double>(where), b = right.data<double>(where);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (equalNan && std::isnan(a[i]) && std::isnan(b[i])))
      continue;
    if (!(std::abs(a[i] - b[i]) <= atol + rtol * std::abs(b[i])) || std::isinf(b[i]))
      return false;
  }
  return true;
}

} // namespace kiln
