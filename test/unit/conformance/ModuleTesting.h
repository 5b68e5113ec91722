#pragma once

#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <sstream>
#include <string>
#include <vector>

/// What the tests of modules share: the modules of MAX's test_module.py, and short forms.
namespace kiln::conformance {

struct SubModule : nn::Module<SubModule> {
  Tensor b;
  double eps = 1e-5;
  KILN_FIELDS(b, eps)
  Tensor operator()(const Tensor &x) const { return x + b; }
};

struct TestModule : nn::Module<TestModule> {
  Tensor a;
  SubModule sub;
  KILN_FIELDS(a, sub)
  Tensor operator()(const Tensor &x) const { return sub(x) + a; }
};

struct SuperModule : nn::Module<SuperModule> {
  TestModule mod;
  KILN_FIELDS(mod)
};

/// One parameter, added.
struct SimpleModule : nn::Module<SimpleModule> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return x + weight; }
};

inline TestModule testModule() {
  return {.a = Tensor::constant(1.0f), .sub = {.b = Tensor::constant(2.0f)}};
}

template <class T> std::string text(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

template <class List> std::vector<std::string> names(const List &list) {
  std::vector<std::string> result;
  for (auto &[name, value] : list)
    result.push_back(name);
  return result;
}

template <class E, class F> std::string messageOf(F f) {
  try {
    f();
  } catch (const E &error) {
    return error.what();
  } catch (const std::exception &error) {
    ADD_FAILURE() << "of another class: " << error.what();
    return "";
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

/// What `f` writes to standard error.
template <class F> std::string warningsOf(F f) {
  testing::internal::CaptureStderr();
  f();
  return testing::internal::GetCapturedStderr();
}

/// Devices beside CPU(0): a virtual one, and an accelerator where there is one.
inline std::vector<Device> otherDevices() {
  std::vector<Device> devices = {CPU(1)};
  if (acceleratorCount() > 0)
    devices.push_back(Accelerator());
  return devices;
}

} // namespace kiln::conformance
