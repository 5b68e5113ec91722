#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace kiln::runtime {

/// An artifact's machine code in memory that can be executed, not written.
class CodeImage {
public:
  /// Errors: DeviceError if the system grants no executable memory.
  static CodeImage copyOf(std::span<const std::byte> code);

  CodeImage() = default;
  CodeImage(CodeImage &&other) noexcept;
  CodeImage &operator=(CodeImage &&other) noexcept;
  ~CodeImage();

  const std::byte *data() const { return base; }
  std::size_t sizeBytes() const { return numBytes; }

private:
  CodeImage(std::byte *base, std::size_t sizeBytes) : base(base), numBytes(sizeBytes) {}
  std::byte *base = nullptr;
  std::size_t numBytes = 0;
};

/// Makes sure that this CPU and system run code for `target` (Artifact::target), and asks Linux for
/// the tile registers where the target has AMX.
/// Errors: DeviceError naming what is missing.
void requireTarget(std::string_view target);

} // namespace kiln::runtime
