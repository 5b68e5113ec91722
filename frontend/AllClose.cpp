#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <cmath>
#include <fmt/format.h>

namespace kiln {

bool allClose(const Tensor &x, const Tensor &y, double rtol, double atol, bool equalNan,
              Where where) {
  detail::Call call("allClose", where);
  for (auto [name, tolerance] : {std::pair("rtol", rtol), std::pair("atol", atol)})
    if (!(tolerance >= 0))
      call.fail(ErrorKind::value, fmt::format("{} must not be negative, got {}", name, tolerance));
  call.type(y);
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
