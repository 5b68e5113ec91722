#include "runtime/ArtifactMetadata.h"

#include <cctype>
#include <cstring>

namespace kiln::runtime {
namespace {

/// Of CUDA: threads of a block, bytes of its shared memory on any device so far, of parameters.
constexpr int64_t maxBlockThreads = 1024, maxSharedBytes = 232448, maxParameters = 4096 / 8;

/// Whether all that an ELF file of 64 bits says of its tables lies within it: the driver is given
/// no size.
bool isWholeElf(std::span<const std::byte> file) {
  constexpr std::size_t headerBytes = 64;
  constexpr char magic[] = {0x7f, 'E', 'L', 'F', 2};
  if (file.size() < headerBytes || std::memcmp(file.data(), magic, sizeof(magic)) != 0)
    return false;
  auto at = [&]<class T>(std::size_t offset, T value) {
    std::memcpy(&value, file.data() + offset, sizeof(T));
    return value;
  };
  auto holds = [&](uint64_t offset, uint64_t bytes) {
    return offset <= file.size() && bytes <= file.size() - offset;
  };
  uint64_t segments = at(32, uint64_t{0}), sections = at(40, uint64_t{0});
  uint64_t segmentBytes = at(54, uint16_t{0}), numSegments = at(56, uint16_t{0});
  uint64_t sectionBytes = at(58, uint16_t{0}), numSections = at(60, uint16_t{0});
  if (!holds(segments, segmentBytes * numSegments) ||
      !holds(sections, sectionBytes * numSections) || (numSections > 0 && sectionBytes < 64))
    return false;
  constexpr uint32_t withoutContents = 8; // SHT_NOBITS
  for (uint64_t i = 0; i < numSections; ++i) {
    std::size_t section = sections + i * sectionBytes;
    if (at(section + 4, uint32_t{0}) != withoutContents &&
        !holds(at(section + 24, uint64_t{0}), at(section + 32, uint64_t{0})))
      return false;
  }
  return true;
}

bool isArchitecture(std::string_view name) {
  return name.size() >= 5 && name.size() <= 8 && name.starts_with("sm_") &&
         name.find_first_not_of("0123456789", 3) >= name.size() - 1 &&
         (std::isdigit(static_cast<unsigned char>(name.back())) || name.back() == 'a');
}

} // namespace

void writeDeviceCode(const DeviceCode &device, ArtifactWriter &w) {
  w.string(device.chip);
  w.string(device.ptx);
  w.list(device.cubins, [&](const auto &cubin) {
    w.string(cubin.first);
    w.blob(cubin.second);
  });
  w.list(device.kernels, [&](const DeviceKernel &kernel) {
    w.string(kernel.name);
    w.number(kernel.threads);
    w.number(kernel.sharedBytes);
    w.number(kernel.parameters);
  });
}

DeviceCode readDeviceCode(ArtifactReader &r) {
  DeviceCode device;
  device.chip = r.string("device.chip");
  if (!device.chip.empty() && !isArchitecture(device.chip))
    ArtifactReader::fail("device.chip", fmt::format("\"{}\" is no architecture", device.chip));
  device.ptx = r.string("device.ptx");
  // The driver reads up to the first zero.
  if (device.ptx.find('\0') != std::string::npos)
    ArtifactReader::fail("device.ptx", "is no text");
  r.list("device.cubins", 8, [&](const std::string &at) {
    std::string architecture = r.string(at + ".architecture");
    if (!isArchitecture(architecture))
      ArtifactReader::fail(at + ".architecture", fmt::format("\"{}\" is none", architecture));
    std::vector<std::byte> code = r.blob(at + ".code");
    // An ELF file tells the driver its size itself: not more than is there.
    if (!isWholeElf(code))
      ArtifactReader::fail(at + ".code", "is no ELF file of its size");
    device.cubins.emplace_back(std::move(architecture), std::move(code));
  });
  r.list("device.kernels", 28, [&](const std::string &at) {
    DeviceKernel &kernel = device.kernels.emplace_back();
    kernel.name = r.string(at + ".name");
    kernel.threads = r.choice<int64_t>(maxBlockThreads + 1, at + ".threads");
    if (kernel.threads == 0)
      ArtifactReader::fail(at + ".threads", "nothing would run");
    kernel.sharedBytes = r.choice<int64_t>(maxSharedBytes + 1, at + ".sharedBytes");
    kernel.parameters = r.choice<int64_t>(maxParameters + 1, at + ".parameters");
  });
  if (device.empty() && !(device == DeviceCode{}))
    ArtifactReader::fail("device.chip", "is empty, and there is code for it");
  return device;
}

} // namespace kiln::runtime
