#include "runtime/Checksum.h"

#include <memory>
#include <new>

#include <fmt/format.h>
#include <xxhash.h>

namespace kiln::runtime {

std::string Checksum::str() const { return fmt::format("{:016x}{:016x}", high, low); }

Checksum checksum(std::span<const std::span<const std::byte>> parts) {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                 XXH3_freeState);
  if (!state)
    throw std::bad_alloc();
  XXH3_128bits_reset(state.get());
  for (std::span<const std::byte> part : parts)
    XXH3_128bits_update(state.get(), part.data(), part.size());
  XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return {hash.high64, hash.low64};
}

} // namespace kiln::runtime
