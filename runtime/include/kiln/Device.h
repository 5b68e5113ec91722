#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace kiln {

/// A place for tensors and computations. Naming one is always possible; using one that is not
/// there throws DeviceError.
class Device {
public:
  enum class Kind : uint8_t { cpu, accelerator };

  constexpr Device() = default; // CPU(0)
  constexpr Device(Kind kind, int index) : deviceKind(kind), deviceIndex(index) {}

  static constexpr Device CPU(int index = 0) { return {Kind::cpu, index}; }
  static constexpr Device GPU(int index = 0) { return {Kind::accelerator, index}; }

  constexpr Kind kind() const { return deviceKind; }
  constexpr int index() const { return deviceIndex; }
  constexpr bool isCPU() const { return deviceKind == Kind::cpu; }
  /// `cpu:0`, `gpu:1`.
  std::string str() const;
  friend constexpr bool operator==(const Device &, const Device &) = default;

private:
  Kind deviceKind = Kind::cpu;
  int deviceIndex = 0;
};

using DeviceRef = Device;

/// Virtual CPU devices, each with its own memory accounting.
constexpr Device CPU(int index = 0) { return Device::CPU(index); }
constexpr Device Accelerator(int index = 0) { return Device::GPU(index); }
/// The number of accelerators that can be used in this process.
int acceleratorCount();

std::ostream &operator<<(std::ostream &os, const Device &device);

} // namespace kiln
