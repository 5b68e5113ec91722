#include "runtime/ArtifactFile.h"

#include "runtime/Abi.h"
#include "runtime/ArtifactMetadata.h"
#include "runtime/Checksum.h"
#include "runtime/Executable.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

static_assert(std::endian::native == std::endian::little, "the file format is little-endian");

namespace kiln::runtime {
namespace {

/// The first 64 bytes of a file. See docs/artifact.md.
struct Header {
  char magic[8] = {'K', 'I', 'L', 'N', 'A', 'R', 'T', '\n'};
  uint32_t formatVersion = artifactFormatVersion;
  uint32_t abiVersion = KILN_ABI_VERSION;
  uint64_t fileBytes = 0;
  uint64_t metadataBytes = 0; // they follow the header
  uint64_t codeOffset = 0;
  uint64_t codeBytes = 0;
  uint64_t checksumHigh = 0, checksumLow = 0; // of the file without these two
};
static_assert(sizeof(Header) == 64);
constexpr std::size_t checksumOffset = offsetof(Header, checksumHigh);

Checksum fileChecksum(std::span<const std::byte> file) {
  std::span<const std::byte> parts[] = {file.first(checksumOffset), file.subspan(sizeof(Header))};
  return checksum(parts);
}

std::size_t roundUp(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

} // namespace

std::vector<std::byte> serialize(const Artifact &artifact) {
  std::vector<std::byte> metadata = writeMetadata(artifact);
  Header header;
  header.metadataBytes = metadata.size();
  header.codeOffset = roundUp(sizeof(Header) + metadata.size(), artifactPageBytes);
  header.codeBytes = artifact.code.size();
  header.fileBytes = header.codeOffset + header.codeBytes;
  std::vector<std::byte> file(header.fileBytes);
  std::memcpy(file.data(), &header, sizeof(header));
  std::copy(metadata.begin(), metadata.end(), file.begin() + sizeof(Header));
  std::copy(artifact.code.begin(), artifact.code.end(),
            file.begin() + static_cast<std::ptrdiff_t>(header.codeOffset));
  Checksum sum = fileChecksum(file);
  header.checksumHigh = sum.high;
  header.checksumLow = sum.low;
  std::memcpy(file.data(), &header, sizeof(header));
  return file;
}

ParsedArtifact parseArtifactInPlace(std::span<const std::byte> bytes) {
  Header header;
  const Header expected;
  if (bytes.size() < sizeof(Header))
    ArtifactReader::fail("header", fmt::format("the file has only {} bytes", bytes.size()));
  std::memcpy(&header, bytes.data(), sizeof(Header));
  if (std::memcmp(header.magic, expected.magic, sizeof(header.magic)) != 0)
    ArtifactReader::fail("magic", "this is no artifact");
  if (header.formatVersion != expected.formatVersion)
    ArtifactReader::fail(
        "formatVersion",
        fmt::format("{}, this program reads {}", header.formatVersion, expected.formatVersion));
  if (header.abiVersion != expected.abiVersion)
    ArtifactReader::fail("abiVersion", fmt::format("{}, this program runs {}", header.abiVersion,
                                                   expected.abiVersion));
  if (header.fileBytes != bytes.size())
    ArtifactReader::fail("fileBytes",
                         fmt::format("{}, the file has {}", header.fileBytes, bytes.size()));
  if (header.codeOffset > bytes.size() || header.codeOffset % artifactPageBytes != 0 ||
      header.codeOffset < sizeof(Header))
    ArtifactReader::fail("codeOffset", fmt::format("{} is no place for code", header.codeOffset));
  if (header.codeBytes != bytes.size() - header.codeOffset)
    ArtifactReader::fail("codeBytes", fmt::format("{}, there are {}", header.codeBytes,
                                                  bytes.size() - header.codeOffset));
  if (header.metadataBytes > header.codeOffset - sizeof(Header))
    ArtifactReader::fail("metadataBytes",
                         fmt::format("{} reach into the code", header.metadataBytes));
  if (fileChecksum(bytes) != Checksum{header.checksumHigh, header.checksumLow})
    ArtifactReader::fail("checksum", "the contents are damaged");
  ParsedArtifact parsed;
  parsed.codeOffset = header.codeOffset;
  parsed.codeSizeBytes = header.codeBytes;
  parsed.artifact =
      readMetadata(bytes.subspan(sizeof(Header), header.metadataBytes), header.codeBytes);
  return parsed;
}

Artifact parseArtifact(std::span<const std::byte> bytes) {
  ParsedArtifact parsed = parseArtifactInPlace(bytes);
  std::span<const std::byte> code = bytes.subspan(parsed.codeOffset, parsed.codeSizeBytes);
  parsed.artifact.code.assign(code.begin(), code.end());
  return std::move(parsed.artifact);
}

std::shared_ptr<const Executable> loadArtifact(std::span<const std::byte> bytes) {
  ParsedArtifact parsed = parseArtifactInPlace(bytes);
  CodeImage code = CodeImage::copyOf(bytes.subspan(parsed.codeOffset, parsed.codeSizeBytes));
  return Executable::load(std::move(parsed.artifact), std::move(code));
}

} // namespace kiln::runtime
