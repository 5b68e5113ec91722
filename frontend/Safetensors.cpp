#include "frontend/Locations.h"
#include "frontend/Node.h"
#include "kiln/Io.h"
#include "runtime/MappedFile.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

/// Reading of safetensors: eight bytes of header size (little endian), a JSON object
/// name -> {dtype, shape, data_offsets}, then the data, without holes.
namespace kiln::io {

namespace {

using Json = nlohmann::json;

/// As in the format's reference implementation.
constexpr uint64_t maxHeaderBytes = 100'000'000;

/// An entry's shape is the deepest that there is: header, entry, list.
constexpr int maxDepth = 3;

constexpr std::pair<std::string_view, DType> dtypeNames[] = {
    {"BOOL", DType::boolean}, {"I8", DType::int8},       {"I16", DType::int16},
    {"I32", DType::int32},    {"I64", DType::int64},     {"U8", DType::uint8},
    {"U16", DType::uint16},   {"U32", DType::uint32},    {"U64", DType::uint64},
    {"F16", DType::float16},  {"BF16", DType::bfloat16}, {"F32", DType::float32},
    {"F64", DType::float64}};

struct Extent {
  uint64_t begin, end; // bytes in the data
  std::string name;
  DType dtype;
  std::vector<int64_t> sizes;
};

class Reader {
public:
  explicit Reader(std::shared_ptr<const runtime::MappedFile> file) : file(std::move(file)) {}

  void read(std::map<std::string, Tensor> &entries, std::map<std::string, std::string> &notes) {
    Json header = parseHeader();
    std::vector<Extent> extents;
    for (auto &[name, entry] : header.items())
      if (name == "__metadata__")
        readNotes(entry, notes);
      else
        extents.push_back(readEntry(name, entry));
    checkCover(extents);
    for (Extent &extent : extents)
      entries.emplace(extent.name, makeTensor(extent));
  }

private:
  [[noreturn]] void fail(const std::string &message) const {
    throw IoError(fmt::format("[openSafetensors] {}: {}", file->path(), message));
  }
  [[noreturn]] void fail(const std::string &name, std::string_view field,
                         const std::string &message) const {
    fail(fmt::format("tensor \"{}\", {}: {}", shortened(name), field, shortened(message)));
  }

  Json parseHeader() {
    std::span<const std::byte> bytes = file->bytes();
    if (bytes.size() < 8)
      fail(fmt::format("{} bytes are too few for a header", bytes.size()));
    uint64_t headerBytes = 0;
    for (std::size_t i = 0; i < 8; ++i)
      headerBytes |= static_cast<uint64_t>(bytes[i]) << (8 * i);
    if (headerBytes > maxHeaderBytes || headerBytes > bytes.size() - 8)
      fail(fmt::format("header size {} does not fit the file of {} bytes", headerBytes,
                       bytes.size()));
    const char *text = reinterpret_cast<const char *>(bytes.data()) + 8;
    data = bytes.subspan(8 + headerBytes);

    std::set<std::string> names, fields; // of the header, of the entry at hand
    auto watch = [&](int depth, Json::parse_event_t event, Json &parsed) {
      if (depth > maxDepth)
        fail(fmt::format("the header nests deeper than {} levels", maxDepth));
      if (event == Json::parse_event_t::object_start && depth == 1)
        fields.clear();
      if (event != Json::parse_event_t::key || depth > 2)
        return true;
      const auto &name = parsed.get_ref<const std::string &>();
      if (!(depth == 1 ? names : fields).insert(name).second)
        fail(depth == 1 ? fmt::format("tensor \"{}\" is there twice", shortened(name))
                        : fmt::format("field \"{}\" is there twice", shortened(name)));
      return true;
    };
    Json header;
    try {
      header = Json::parse(text, text + headerBytes, watch);
    } catch (const Json::exception &error) {
      fail(fmt::format("the header is no JSON: {}", shortened(error.what())));
    }
    if (!header.is_object())
      fail("the header is no JSON object");
    return header;
  }

  /// What a file says may be long.
  static std::string shortened(std::string_view text) {
    constexpr std::size_t most = 200; // bytes of a message
    return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "…";
  }

  void readNotes(const Json &entry, std::map<std::string, std::string> &notes) const {
    if (!entry.is_object())
      fail("__metadata__ is no JSON object");
    for (auto &[key, value] : entry.items()) {
      if (!value.is_string())
        fail(fmt::format("__metadata__, {}: not a string", shortened(key)));
      notes.emplace(key, value.get<std::string>());
    }
  }

  Extent readEntry(const std::string &name, const Json &entry) const {
    if (!entry.is_object())
      fail(name, "entry", "no JSON object");
    auto field = [&](const char *key) -> const Json & {
      auto found = entry.find(key);
      if (found == entry.end())
        fail(name, key, "missing");
      return *found;
    };
    Extent extent{0, 0, name, DType::float32, {}};

    const Json &dtype = field("dtype");
    if (!dtype.is_string())
      fail(name, "dtype", "not a string");
    const auto &text = dtype.get_ref<const std::string &>();
    auto known = std::find_if(std::begin(dtypeNames), std::end(dtypeNames),
                              [&](const auto &entry) { return entry.first == text; });
    if (known == std::end(dtypeNames))
      fail(name, "dtype", fmt::format("{} is not supported", text));
    extent.dtype = known->second;

    const Json &shape = field("shape");
    if (!shape.is_array())
      fail(name, "shape", "not an array");
    auto numBytes = static_cast<int64_t>(sizeBytes(extent.dtype));
    bool isEmpty =
        std::any_of(shape.begin(), shape.end(), [](const Json &size) { return size == 0; });
    for (const Json &size : shape) {
      if (!size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX)
        fail(name, "shape", fmt::format("{} is no size", size.dump()));
      extent.sizes.push_back(size.get<int64_t>());
      if (isEmpty)
        numBytes = 0;
      else if (__builtin_mul_overflow(numBytes, extent.sizes.back(), &numBytes))
        fail(name, "shape", fmt::format("{} overflows", shape.dump()));
    }

    const Json &offsets = field("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      fail(name, "data_offsets", "not two offsets");
    extent.begin = offsets[0].get<uint64_t>();
    extent.end = offsets[1].get<uint64_t>();
    if (extent.begin > extent.end || extent.end > data.size())
      fail(name, "data_offsets",
           fmt::format("[{}, {}] is not inside the {} bytes of data", extent.begin, extent.end,
                       data.size()));
    if (extent.end - extent.begin != static_cast<uint64_t>(numBytes))
      fail(name, "data_offsets",
           fmt::format("{} bytes, but {} of shape {} has {}", extent.end - extent.begin, text,
                       shape.dump(), numBytes));
    return extent;
  }

  void checkCover(std::vector<Extent> &extents) const {
    std::sort(extents.begin(), extents.end(), [](const Extent &a, const Extent &b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    uint64_t covered = 0;
    for (const Extent &extent : extents) {
      if (extent.begin < covered)
        fail(extent.name, "data_offsets",
             fmt::format("[{}, {}] overlaps another tensor", extent.begin, extent.end));
      if (extent.begin > covered)
        fail(fmt::format("bytes {} to {} of the data belong to no tensor", covered, extent.begin));
      covered = extent.end;
    }
    if (covered != data.size())
      fail(fmt::format("bytes {} to {} of the data belong to no tensor", covered, data.size()));
  }

  Tensor makeTensor(const Extent &extent) const {
    auto part = data.subspan(extent.begin, extent.end - extent.begin);
    if (extent.dtype == DType::boolean &&
        std::any_of(part.begin(), part.end(), [](std::byte byte) { return byte > std::byte{1}; }))
      fail(extent.name, "data", "a boolean that is neither 0 nor 1");
    TensorType type(extent.dtype, Shape(std::span<const int64_t>(extent.sizes)), CPU());
    // Most writers align; where one did not, elements could not be read in place.
    bool isAligned = reinterpret_cast<uintptr_t>(part.data()) % sizeBytes(extent.dtype) == 0;
    auto offset = static_cast<std::size_t>(part.data() - file->bytes().data());
    auto buffer = isAligned ? runtime::Buffer::ofFile(file, offset, part.size())
                            : runtime::Buffer::copyOf(part);
    return kiln::detail::realizedTensor(std::move(type), std::move(buffer));
  }

  std::shared_ptr<const runtime::MappedFile> file;
  std::span<const std::byte> data;
};

} // namespace

std::vector<std::string> SafetensorsFile::keys() const {
  std::vector<std::string> names;
  for (auto &[name, tensor] : entries)
    names.push_back(name);
  return names;
}

std::optional<Tensor> SafetensorsFile::find(const std::string &name) const {
  auto found = entries.find(name);
  return found == entries.end() ? std::nullopt : std::optional<Tensor>(found->second);
}

const Tensor &SafetensorsFile::operator[](const Key &key) const {
  auto found = entries.find(key.name);
  if (found == entries.end())
    throw KeyError(fmt::format("[openSafetensors] {}: there is no tensor \"{}\"{}", filePath,
                               key.name, atLocation(key.where)));
  return found->second;
}

SafetensorsFile openSafetensors(const std::string &path, Where where) {
  static_assert(std::endian::native == std::endian::little, "data are used as they lie");
  SafetensorsFile result;
  result.filePath = path;
  try {
    Reader(runtime::MappedFile::open(path)).read(result.entries, result.notes);
  } catch (const Error &) {
    kiln::detail::rethrowWith([&](const std::string &message) {
      return kiln::detail::completed(message, "openSafetensors", where);
    });
  } catch (const std::bad_alloc &) {
    throw IoError(fmt::format("[openSafetensors] {}: there is no memory for its header{}", path,
                              atLocation(where)));
  }
  return result;
}

} // namespace kiln::io
