#include "runtime/cuda/Driver.h"

#include "kiln/Error.h"

#include <cstdlib>
#include <cstring>
#include <memory>

#include <dlfcn.h>
#include <fmt/format.h>

namespace kiln::runtime::cuda {
namespace {

struct Found {
  const Driver *driver = nullptr;
  std::string whyNot;
};

} // namespace

void *Driver::symbol(const char *name) {
  void *found = dlsym(library, name);
  if (!found && missing.empty())
    missing = name;
  return found;
}

/// The library stays loaded for as long as the process lives: the driver does not like to go.
static Found &found() {
  static Found &result = *new Found;
  return result;
}

const Driver *Driver::find() {
  static const Driver *driver = [] {
    Found &result = found();
    // For tests, and for systems that keep the library elsewhere; "off": no accelerator is used.
    const char *path = std::getenv("KILN_CUDA_DRIVER");
    if (path && std::strcmp(path, "off") == 0) {
      result.whyNot = "switched off by $KILN_CUDA_DRIVER";
      return result.driver;
    }
    const char *name = path && *path ? path : "libcuda.so.1";
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *reason = dlerror();
      result.whyNot = fmt::format("no driver of NVIDIA: {}", reason ? reason : name);
      return result.driver;
    }
    auto driver = std::unique_ptr<Driver>(new Driver(library));
    if (!driver->missing.empty())
      result.whyNot = fmt::format("the driver {} is too old: it lacks {}", name, driver->missing);
    else if (Result code = driver->init.attempt(0); code != CUDA_SUCCESS)
      result.whyNot = fmt::format("cuInit failed: {}", driver->describe(code));
    else
      result.driver = driver.release();
    return result.driver;
  }();
  return driver;
}

const std::string &Driver::whyNot() {
  find();
  return found().whyNot;
}

std::string Driver::describe(Result result) const {
  const char *name = nullptr, *text = nullptr;
  errorName.attempt(result, &name);
  errorText.attempt(result, &text);
  if (!name)
    return fmt::format("error {}", result);
  return text ? fmt::format("{}: {}", name, text) : name;
}

void Driver::fail(const char *call, Result result, std::string_view context) const {
  throw DeviceError(fmt::format("{} failed{}{}: {}", call, context.empty() ? "" : " for ", context,
                                describe(result)));
}

} // namespace kiln::runtime::cuda
