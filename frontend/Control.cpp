#include "kiln/Control.h"

#include "frontend/GraphScope.h"
#include "frontend/Record.h"
#include "frontend/Trace.h"

#include <fmt/format.h>

namespace kiln::detail {

bool isRecording() { return TraceScope::isActive() || GraphScope::current(); }

void checkPredicate(const Tensor &predicate, const char *operation, Where where) {
  Call call(operation, where);
  const TensorType &type = call.type(predicate);
  if (type.dtype != DType::boolean || type.shape.numElements() != Dim(1))
    call.fail(ErrorKind::type,
              fmt::format("the predicate must be one boolean, not {}", type.str()));
  if (!type.device.isCPU())
    call.fail(ErrorKind::device,
              fmt::format("the predicate must be on a CPU, not on {}", type.device.str()));
}

bool readPredicate(const Tensor &predicate, const char *operation, Where where) {
  checkPredicate(predicate, operation, where);
  if (isRecording())
    Call(operation, where)
        .fail(ErrorKind::type, "a graph is being recorded, and a compiled model has no loops of "
                               "unknown length: compile the body, and loop around its calls");
  return predicate.item<bool>(where);
}

Tensor selectBranch(const Tensor &predicate, const Tensor &x, const Tensor &y, Where where) {
  Call call("cond", where);
  if (call.type(x).dtype != call.type(y).dtype)
    call.fail(ErrorKind::type, fmt::format("the branches return different dtypes: {} and {}",
                                           x.type().str(), y.type().str()));
  return call.record("select", {call.reshape(predicate, Shape{}), x, y});
}

void throwBranchWithoutResult(Where where) {
  Call("cond", where)
      .fail(ErrorKind::type, "the predicate is not known while a graph is recorded, where both "
                             "branches are: they must return tensors");
}

void throwBranchSizes(std::size_t x, std::size_t y, Where where) {
  Call("cond", where)
      .fail(ErrorKind::value, fmt::format("the branches return {} and {} tensors", x, y));
}

} // namespace kiln::detail
