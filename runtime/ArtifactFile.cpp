#include "runtime/ArtifactFile.h"

#include "kiln/Error.h"
#include "runtime/Abi.h"
#include "runtime/Checksum.h"
#include "runtime/Executable.h"

#include <bit>
#include <cctype>
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

/// A longer text of a dim would be nothing that a program wrote.
constexpr std::size_t maxDimChars = 4096;
constexpr uint32_t maxRank = 64;
/// Of CUDA: threads of a block, bytes of its shared memory on any device so far, of parameters.
constexpr int64_t maxBlockThreads = 1024, maxSharedBytes = 232448, maxParameters = 4096 / 8;
/// More devices than a machine has.
constexpr int64_t maxRanks = 1024;

Checksum fileChecksum(std::span<const std::byte> file) {
  std::span<const std::byte> parts[] = {file.first(checksumOffset), file.subspan(sizeof(Header))};
  return checksum(parts);
}

class Writer {
public:
  std::vector<std::byte> bytes;

  template <class T> void number(T value) {
    auto *raw = reinterpret_cast<const std::byte *>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof(T));
  }
  void string(std::string_view text) {
    number(static_cast<uint32_t>(text.size()));
    auto *raw = reinterpret_cast<const std::byte *>(text.data());
    bytes.insert(bytes.end(), raw, raw + text.size());
  }
  void blob(std::span<const std::byte> contents) {
    number(static_cast<uint32_t>(contents.size()));
    bytes.insert(bytes.end(), contents.begin(), contents.end());
  }
  template <class List, class Each> void list(const List &items, Each each) {
    number(static_cast<uint32_t>(items.size()));
    for (const auto &item : items)
      each(item);
  }
  void dim(const Dim &dim) { string(dim.str()); }
  void type(const TensorType &type) {
    number(static_cast<uint8_t>(type.dtype));
    number(static_cast<uint8_t>(type.device.kind()));
    number(static_cast<int32_t>(type.device.index()));
    list(type.shape.vec(), [&](const Dim &size) { dim(size); });
  }
};

/// Reads what Writer wrote and believes none of it; errors name the field.
class Reader {
public:
  explicit Reader(std::span<const std::byte> bytes) : bytes(bytes) {}

  [[noreturn]] static void fail(std::string_view field, std::string_view reason) {
    throw IoError(fmt::format("artifact: {}: {}", field, reason));
  }
  template <class T> T number(std::string_view field) {
    T value;
    std::memcpy(&value, take(sizeof(T), field).data(), sizeof(T));
    return value;
  }
  /// A number in [0, limit).
  template <class T> T choice(T limit, std::string_view field) {
    T value = number<T>(field);
    if (value < 0 || value >= limit)
      fail(field, fmt::format("{} is not below {}", value, limit));
    return value;
  }
  bool flag(std::string_view field) { return choice<uint8_t>(2, field) != 0; }
  std::string string(std::string_view field) {
    std::span<const std::byte> text = take(number<uint32_t>(field), field);
    return {reinterpret_cast<const char *>(text.data()), text.size()};
  }
  std::vector<std::byte> blob(std::string_view field) {
    std::span<const std::byte> contents = take(number<uint32_t>(field), field);
    return {contents.begin(), contents.end()};
  }
  /// each(name) for every item; at least `itemBytes` must be there for each.
  template <class Each> void list(std::string_view field, std::size_t itemBytes, Each each) {
    uint32_t count = number<uint32_t>(field);
    if (count > bytes.size() / itemBytes)
      fail(field, fmt::format("{} items do not fit into {} bytes", count, bytes.size()));
    for (uint32_t i = 0; i < count; ++i)
      each(fmt::format("{}[{}]", field, i));
  }
  Dim dim(std::string_view field) {
    std::string text = string(field);
    if (text.size() > maxDimChars)
      fail(field, "is too long");
    try {
      return Dim::parse(text);
    } catch (const Error &error) {
      fail(field, error.what());
    }
  }
  DType dtype(std::string_view field) {
    return static_cast<DType>(choice<uint8_t>(static_cast<uint8_t>(DType::float64) + 1, field));
  }
  TensorType type(std::string_view field) {
    DType type = dtype(fmt::format("{}.dtype", field));
    auto kind = static_cast<Device::Kind>(choice<uint8_t>(2, fmt::format("{}.device", field)));
    auto index = number<int32_t>(fmt::format("{}.device", field));
    std::vector<Dim> dims;
    list(fmt::format("{}.shape", field), sizeof(uint32_t),
         [&](const std::string &item) { dims.push_back(dim(item)); });
    if (dims.size() > maxRank)
      fail(field, fmt::format("rank {} is above {}", dims.size(), maxRank));
    try {
      return TensorType(type, Shape(std::move(dims)), Device(kind, index));
    } catch (const Error &error) {
      fail(field, error.what());
    }
  }
  void end() {
    if (!bytes.empty())
      fail("metadata", fmt::format("{} bytes too many", bytes.size()));
  }

private:
  std::span<const std::byte> take(std::size_t count, std::string_view field) {
    if (count > bytes.size())
      fail(field, fmt::format("is cut off: {} bytes, {} left", count, bytes.size()));
    std::span<const std::byte> taken = bytes.first(count);
    bytes = bytes.subspan(count);
    return taken;
  }
  std::span<const std::byte> bytes;
};

std::vector<std::byte> writeMetadata(const Artifact &artifact) {
  Writer w;
  w.string(artifact.key);
  w.string(artifact.parts.compiler);
  w.string(artifact.parts.target);
  w.string(artifact.parts.options);
  w.string(artifact.parts.graph);
  w.string(artifact.madeBecause);
  w.string(artifact.compilerVersion);
  w.string(artifact.target);
  w.number(artifact.ranks);
  w.list(artifact.symbols, [&](const std::string &symbol) { w.string(symbol); });
  w.list(artifact.inputs, [&](const ArtifactInput &input) {
    w.number(static_cast<uint8_t>(input.isWeight));
    w.string(input.name);
    w.type(input.type);
    w.list(input.packings, [&](const Packing &packing) {
      w.number(static_cast<uint8_t>(packing.kind));
      w.number(packing.panel);
    });
    w.number(input.shardAxis.value_or(-1));
  });
  w.list(artifact.outputs, [&](const ArtifactOutput &output) {
    w.type(output.type);
    w.number(static_cast<uint8_t>(output.aliasOfInput.has_value()));
    w.number(output.aliasOfInput.value_or(0));
  });
  w.list(artifact.constraints, [&](const Constraint &constraint) {
    w.dim(constraint.dim);
    w.number(static_cast<uint8_t>(constraint.kind));
    w.number(constraint.low);
    w.number(constraint.high);
  });
  w.dim(artifact.workspace);
  w.dim(artifact.scratchPerThread);
  w.list(artifact.indexSites, [&](const IndexSite &site) {
    w.string(site.message);
    w.string(site.location);
  });
  w.list(artifact.kernels, [&](const std::string &kernel) { w.string(kernel); });
  w.list(artifact.costs, [&](const KernelCost &cost) {
    w.dim(cost.flops);
    w.dim(cost.weightBytes);
    w.dim(cost.otherBytes);
    w.number(static_cast<uint8_t>(cost.products));
    w.string(cost.types);
  });
  w.list(artifact.launches, [&](uint32_t kernel) { w.number(kernel); });
  w.number(artifact.entryOffset);
  w.string(artifact.device.chip);
  w.string(artifact.device.ptx);
  w.list(artifact.device.cubins, [&](const auto &cubin) {
    w.string(cubin.first);
    w.blob(cubin.second);
  });
  w.list(artifact.device.kernels, [&](const DeviceKernel &kernel) {
    w.string(kernel.name);
    w.number(kernel.threads);
    w.number(kernel.sharedBytes);
    w.number(kernel.parameters);
  });
  return std::move(w.bytes);
}

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

DeviceCode readDeviceCode(Reader &r) {
  DeviceCode device;
  device.chip = r.string("device.chip");
  if (!device.chip.empty() && !isArchitecture(device.chip))
    Reader::fail("device.chip", fmt::format("\"{}\" is no architecture", device.chip));
  device.ptx = r.string("device.ptx");
  // The driver reads up to the first zero.
  if (device.ptx.find('\0') != std::string::npos)
    Reader::fail("device.ptx", "is no text");
  r.list("device.cubins", 8, [&](const std::string &at) {
    std::string architecture = r.string(at + ".architecture");
    if (!isArchitecture(architecture))
      Reader::fail(at + ".architecture", fmt::format("\"{}\" is none", architecture));
    std::vector<std::byte> code = r.blob(at + ".code");
    // An ELF file tells the driver its size itself: not more than is there.
    if (!isWholeElf(code))
      Reader::fail(at + ".code", "is no ELF file of its size");
    device.cubins.emplace_back(std::move(architecture), std::move(code));
  });
  r.list("device.kernels", 28, [&](const std::string &at) {
    DeviceKernel &kernel = device.kernels.emplace_back();
    kernel.name = r.string(at + ".name");
    kernel.threads = r.choice<int64_t>(maxBlockThreads + 1, at + ".threads");
    if (kernel.threads == 0)
      Reader::fail(at + ".threads", "nothing would run");
    kernel.sharedBytes = r.choice<int64_t>(maxSharedBytes + 1, at + ".sharedBytes");
    kernel.parameters = r.choice<int64_t>(maxParameters + 1, at + ".parameters");
  });
  if (device.empty() && !(device == DeviceCode{}))
    Reader::fail("device.chip", "is empty, and there is code for it");
  return device;
}

Artifact readMetadata(std::span<const std::byte> bytes, uint64_t codeBytes) {
  Reader r(bytes);
  Artifact artifact;
  artifact.key = r.string("key");
  artifact.parts.compiler = r.string("parts.compiler");
  artifact.parts.target = r.string("parts.target");
  artifact.parts.options = r.string("parts.options");
  artifact.parts.graph = r.string("parts.graph");
  artifact.madeBecause = r.string("madeBecause");
  artifact.compilerVersion = r.string("compilerVersion");
  artifact.target = r.string("target");
  artifact.ranks = r.choice<int64_t>(maxRanks + 1, "ranks");
  if (artifact.ranks == 0)
    Reader::fail("ranks", "nobody would run it");
  r.list("symbols", 4, [&](const std::string &at) { artifact.symbols.push_back(r.string(at)); });
  r.list("inputs", 27, [&](const std::string &at) {
    ArtifactInput &input = artifact.inputs.emplace_back();
    input.isWeight = r.flag(at + ".isWeight");
    input.name = r.string(at + ".name");
    input.type = r.type(at + ".type");
    r.list(at + ".packings", 9, [&](const std::string &item) {
      auto kind = static_cast<Packing::Kind>(r.choice<uint8_t>(17, item + ".kind"));
      auto panel = r.number<int64_t>(item + ".panel");
      if (kind != Packing::Kind::none && (panel <= 0 || panel > INT32_MAX))
        Reader::fail(item + ".panel", fmt::format("{} is no size of a panel", panel));
      input.packings.push_back({kind, panel});
    });
    if (auto axis = r.number<int64_t>(at + ".shardAxis"); axis != -1) {
      if (axis < 0 || axis >= input.type.rank() || !input.isWeight)
        Reader::fail(at + ".shardAxis", fmt::format("{} is no axis of a weight", axis));
      input.shardAxis = axis;
    }
  });
  auto inputs = static_cast<uint32_t>(artifact.inputs.size());
  r.list("outputs", 15, [&](const std::string &at) {
    ArtifactOutput &output = artifact.outputs.emplace_back();
    output.type = r.type(at + ".type");
    bool alias = r.flag(at + ".aliasOfInput");
    if (alias)
      output.aliasOfInput = r.choice<uint32_t>(inputs, at + ".aliasOfInput");
    else if (r.number<uint32_t>(at + ".aliasOfInput") != 0)
      Reader::fail(at + ".aliasOfInput", "is set without being one");
  });
  r.list("constraints", 21, [&](const std::string &at) {
    Constraint &constraint = artifact.constraints.emplace_back();
    constraint.dim = r.dim(at + ".dim");
    constraint.kind = static_cast<Constraint::Kind>(r.choice<uint8_t>(2, at + ".kind"));
    constraint.low = r.number<int64_t>(at + ".low");
    constraint.high = r.number<int64_t>(at + ".high");
  });
  artifact.workspace = r.dim("workspace");
  artifact.scratchPerThread = r.dim("scratchPerThread");
  r.list("indexSites", 8, [&](const std::string &at) {
    std::string message = r.string(at + ".message");
    artifact.indexSites.push_back({std::move(message), r.string(at + ".location")});
  });
  r.list("kernels", 4, [&](const std::string &at) { artifact.kernels.push_back(r.string(at)); });
  r.list("costs", 17, [&](const std::string &at) {
    KernelCost &cost = artifact.costs.emplace_back();
    cost.flops = r.dim(at + ".flops");
    cost.weightBytes = r.dim(at + ".weightBytes");
    cost.otherBytes = r.dim(at + ".otherBytes");
    cost.products = r.dtype(at + ".products");
    cost.types = r.string(at + ".types");
  });
  if (!artifact.costs.empty() && artifact.costs.size() != artifact.kernels.size())
    Reader::fail("costs",
                 fmt::format("{} of {} kernels", artifact.costs.size(), artifact.kernels.size()));
  auto kernels = static_cast<uint32_t>(artifact.kernels.size());
  r.list("launches", 4, [&](const std::string &at) {
    artifact.launches.push_back(r.choice<uint32_t>(kernels, at));
  });
  artifact.entryOffset = r.choice<int64_t>(static_cast<int64_t>(codeBytes), "entryOffset");
  artifact.device = readDeviceCode(r);
  r.end();
  return artifact;
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
    Reader::fail("header", fmt::format("the file has only {} bytes", bytes.size()));
  std::memcpy(&header, bytes.data(), sizeof(Header));
  if (std::memcmp(header.magic, expected.magic, sizeof(header.magic)) != 0)
    Reader::fail("magic", "this is no artifact");
  if (header.formatVersion != expected.formatVersion)
    Reader::fail("formatVersion", fmt::format("{}, this program reads {}", header.formatVersion,
                                              expected.formatVersion));
  if (header.abiVersion != expected.abiVersion)
    Reader::fail("abiVersion",
                 fmt::format("{}, this program runs {}", header.abiVersion, expected.abiVersion));
  if (header.fileBytes != bytes.size())
    Reader::fail("fileBytes", fmt::format("{}, the file has {}", header.fileBytes, bytes.size()));
  if (header.codeOffset > bytes.size() || header.codeOffset % artifactPageBytes != 0 ||
      header.codeOffset < sizeof(Header))
    Reader::fail("codeOffset", fmt::format("{} is no place for code", header.codeOffset));
  if (header.codeBytes != bytes.size() - header.codeOffset)
    Reader::fail("codeBytes", fmt::format("{}, there are {}", header.codeBytes,
                                          bytes.size() - header.codeOffset));
  if (header.metadataBytes > header.codeOffset - sizeof(Header))
    Reader::fail("metadataBytes", fmt::format("{} reach into the code", header.metadataBytes));
  if (fileChecksum(bytes) != Checksum{header.checksumHigh, header.checksumLow})
    Reader::fail("checksum", "the contents are damaged");
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
