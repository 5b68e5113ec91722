#pragma once

#include "runtime/Artifact.h"

#include <memory>
#include <span>

/// The file format of artifacts: docs/artifact.md.
namespace kiln::runtime {

class Executable;

inline constexpr uint32_t artifactFormatVersion = 5;
/// Code begins at a multiple of this in the file.
inline constexpr std::size_t artifactPageBytes = 4096;

/// All of an artifact but its code, which stays where it is.
struct ParsedArtifact {
  Artifact artifact; // `code` is empty
  std::size_t codeOffset = 0;
  std::size_t codeSizeBytes = 0;
};

/// Checks everything, the checksum included, as parseArtifact does. Errors: IoError.
ParsedArtifact parseArtifactInPlace(std::span<const std::byte> bytes);

/// Loads an artifact from the contents of its file. The code is copied: what runs is what was
/// checked, whatever becomes of the file. Errors: IoError; those of Executable::load.
std::shared_ptr<const Executable> loadArtifact(std::span<const std::byte> bytes);

} // namespace kiln::runtime
