#pragma once

#include "standin/ptx/Ptx.h"

#include <cstring>
#include <functional>

/// Kernels of a few lines, for tests of the interpreter.
namespace standin::ptx {

/// A few thousand bytes of device memory at `base`.
struct Bytes final : Memory {
  static constexpr uint64_t base = 0x10000;
  std::vector<std::byte> bytes = std::vector<std::byte>(16384, std::byte{0xFF});
  std::byte *find(uint64_t address, std::size_t sizeBytes) override {
    if (address < base || address - base > bytes.size() ||
        sizeBytes > bytes.size() - (address - base))
      return nullptr;
    return bytes.data() + (address - base);
  }
  template <class T> T at(std::size_t i) const {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T> void put(std::size_t i, T value) {
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
};

/// Runs `body` with the address of the memory in %rd1 and the thread's number in %r1; registers
/// %r, %rd, %f, %fd, %rs, %p are there.
inline void runBody(Bytes &memory, const std::string &body, unsigned threads = 1,
                    unsigned blocks = 1, std::size_t dynamicShared = 0, bool isReversed = false,
                    const std::string &target = "sm_80") {
  std::string text = R"(
.version 8.0
.target )" + target + R"(
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.visible .entry test(.param .u64 memory) .maxntid 1024, 1, 1
{
  .reg .pred %p<20>; .reg .b16 %rs<40>; .reg .b32 %r<80>; .reg .b64 %rd<40>;
  .reg .f32 %f<40>; .reg .f64 %fd<20>;
  .shared .align 16 .b8 tile[4096];
  ld.param.u64 %rd1, [memory];
  mov.u32 %r1, %tid.x;
)" + body + "\n  ret;\n}\n";
  auto module = parse(text);
  Launch launch;
  launch.block = {threads, 1, 1};
  launch.grid = {blocks, 1, 1};
  launch.dynamicSharedBytes = dynamicShared;
  launch.isReversed = isReversed;
  launch.parameters.resize(8);
  uint64_t address = Bytes::base;
  std::memcpy(launch.parameters.data(), &address, 8);
  run(*module, *module->functions.at("test"), launch, memory);
}

/// What is wrong with it; empty if nothing is.
inline std::string errorOf(const std::function<void()> &body) {
  try {
    body();
  } catch (const PtxError &error) {
    return error.what();
  }
  return "";
}

} // namespace standin::ptx
