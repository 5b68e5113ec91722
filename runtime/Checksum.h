#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kiln::runtime {

/// 128 bits of XXH3: against accidents, not against attackers.
struct Checksum {
  uint64_t high = 0, low = 0;
  /// 32 hex digits.
  std::string str() const;
  friend auto operator<=>(const Checksum &, const Checksum &) = default;
};

/// Of the parts one after another, as if they were one.
Checksum checksum(std::span<const std::span<const std::byte>> parts);

} // namespace kiln::runtime
