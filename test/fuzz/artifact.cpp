// Artifacts: parsed, loaded without running their code, written and parsed again.
#include "Fuzzing.h"

#include "runtime/ArtifactFile.h"
#include "runtime/Checksum.h"
#include "runtime/Executable.h"

#include <algorithm>
#include <cstring>
#include <vector>

using namespace kiln;
using namespace kiln::runtime;

namespace {

// Where a file has its numbers: docs/artifact.md.
constexpr std::size_t fileBytesAt = 16, metadataBytesAt = 24, codeOffsetAt = 32, codeBytesAt = 40,
                      checksumAt = 48, headerBytes = 64;

std::span<const std::byte> bytesOf(const uint8_t *data, std::size_t size) {
  return {reinterpret_cast<const std::byte *>(data), size};
}

template <class T> T get(const uint8_t *data, std::size_t at) {
  T value;
  std::memcpy(&value, data + at, sizeof(T));
  return value;
}

template <class T> void put(uint8_t *data, std::size_t at, T value) {
  std::memcpy(data + at, &value, sizeof(T));
}

void writeChecksum(uint8_t *data, std::size_t size) {
  std::span<const std::byte> all = bytesOf(data, size);
  std::span<const std::byte> parts[] = {all.first(checksumAt), all.subspan(headerBytes)};
  Checksum sum = checksum(parts);
  put(data, checksumAt, sum.high);
  put(data, checksumAt + 8, sum.low);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
  fuzz::accepts([&] {
    Artifact artifact = parseArtifact(bytesOf(data, size));
    std::vector<std::byte> again = serialize(artifact);
    if (serialize(parseArtifact(again)) != again)
      __builtin_trap();
    Executable::load(std::move(artifact));
  });
  return 0;
}

/// Mutates the metadata most of the time, and makes the sizes in the header and the checksum right
/// again, so that what is behind them is reached.
extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t *data, std::size_t size, std::size_t maxSize,
                                               unsigned seed) {
  fuzz::Draw draw(seed);
  if (size < headerBytes || draw.oneIn(16)) {
    size = LLVMFuzzerMutate(data, size, maxSize);
    if (size >= headerBytes && draw.oneIn(2))
      writeChecksum(data, size);
    return size;
  }
  std::size_t metadata = get<uint64_t>(data, metadataBytesAt),
              code = get<uint64_t>(data, codeBytesAt);
  metadata = std::min(metadata, size - headerBytes);
  code = std::min({code, size - headerBytes - metadata, std::size_t{256}});
  std::vector<uint8_t> kept(data + size - code, data + size);
  if (maxSize < 2 * artifactPageBytes + kept.size())
    return size;
  metadata = LLVMFuzzerMutate(data + headerBytes, metadata,
                              maxSize - artifactPageBytes - kept.size() - headerBytes);
  std::size_t end = headerBytes + metadata;
  std::size_t codeOffset = (end + artifactPageBytes - 1) / artifactPageBytes * artifactPageBytes;
  std::memset(data + end, 0, codeOffset - end);
  std::copy(kept.begin(), kept.end(), data + codeOffset);
  size = codeOffset + kept.size();
  put<uint64_t>(data, fileBytesAt, size);
  put<uint64_t>(data, metadataBytesAt, metadata);
  put<uint64_t>(data, codeOffsetAt, codeOffset);
  put<uint64_t>(data, codeBytesAt, kept.size());
  writeChecksum(data, size);
  return size;
}
