#pragma once

#include "runtime/Artifact.h"
#include "runtime/ArtifactStream.h"

namespace kiln::runtime {

/// All of an artifact but its code.
std::vector<std::byte> writeMetadata(const Artifact &artifact);
/// What writeMetadata wrote, for code of so many bytes. Errors: IoError that names the field.
Artifact readMetadata(std::span<const std::byte> bytes, uint64_t codeBytes);

/// The part of it that is for accelerators.
void writeDeviceCode(const DeviceCode &device, ArtifactWriter &w);
DeviceCode readDeviceCode(ArtifactReader &r);

} // namespace kiln::runtime
