#include "runtime/CodeImage.h"

#include "kiln/Error.h"
#include "runtime/cpu/HostCpu.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace kiln::runtime {

CodeImage CodeImage::copyOf(std::span<const std::byte> code) {
  auto fail = [] {
    throw DeviceError(fmt::format("cannot get executable memory: {}", std::strerror(errno)));
  };
  if (code.empty())
    return {};
  void *base =
      mmap(nullptr, code.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED)
    fail();
  CodeImage image(static_cast<std::byte *>(base), code.size());
  std::memcpy(base, code.data(), code.size());
  if (mprotect(base, code.size(), PROT_READ | PROT_EXEC) != 0)
    fail();
  return image;
}

CodeImage::CodeImage(CodeImage &&other) noexcept
    : base(std::exchange(other.base, nullptr)), numBytes(std::exchange(other.numBytes, 0)) {}

CodeImage &CodeImage::operator=(CodeImage &&other) noexcept {
  std::swap(base, other.base);
  std::swap(numBytes, other.numBytes);
  return *this;
}

CodeImage::~CodeImage() {
  if (base)
    munmap(base, numBytes);
}

void requireTarget(std::string_view target) {
  auto [required, unknown, isKnown] = parseTarget(target);
  if (!isKnown)
    throw DeviceError(
        fmt::format("code for target \"{}\": \"{}\" is unknown here", target, unknown));
  if (CpuFeatures missing = required - hostCpuFeatures(); !missing.empty())
    throw DeviceError(
        fmt::format("code for target \"{}\": this CPU lacks {}", target, missing.str()));
}

} // namespace kiln::runtime
