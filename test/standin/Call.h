#pragma once

#include "runtime/cuda/Driver.h"
#include "standin/State.h"

/// What all functions of the stand-in begin with. They are as runtime/cuda/Driver.h declares them.
namespace standin {

constexpr int errorInvalidContext = 201, errorNoBinary = 209, errorInvalidPtx = 218,
              errorInvalidHandle = 400, errorNotFound = 500, errorIllegalAddress = 700,
              errorLaunchFailed = 719, errorCaptureUnsupported = 900, errorUpdateFailure = 910;

extern thread_local CUctx_st *currentContext;

/// A call of the driver, made alone; `code` is not 0 where it shall fail.
struct Call {
  explicit Call(const char *name) : lock(State::instance().mutex), state(State::instance()) {
    code = state.enter(name);
  }
  std::lock_guard<std::recursive_mutex> lock;
  State &state;
  int code;
  int device() const { return currentContext ? currentContext->device : -1; }
};

} // namespace standin

#define ENTER(name)                                                                                \
  standin::Call call(#name);                                                                       \
  if (call.code)                                                                                   \
    return call.code;                                                                              \
  [[maybe_unused]] standin::State &state = call.state
#define NEED_CONTEXT()                                                                             \
  if (!standin::currentContext)                                                                    \
  return standin::errorInvalidContext
#define NEED(condition, what)                                                                      \
  if (!(condition)) {                                                                              \
    state.wrong(what);                                                                             \
    return standin::errorInvalidHandle;                                                            \
  }
