#include "frontend/gguf/Reader.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

namespace kiln::io::gguf {

namespace {

/// The least bytes of one entry; so many entries at most can a file of some size hold.
constexpr uint64_t leastTensorBytes = 8 + 4 + 4 + 8, leastMetadataBytes = 8 + 4 + 1;

class Reader {
public:
  Reader(std::span<const std::byte> file, const std::string &path) : file(file), path(path) {}

  Header read() {
    Header header;
    auto [numTensors, numMetadata] = readCounts(header);
    for (uint64_t i = 0; i < numMetadata; ++i)
      readMetadata(i, numMetadata, header.metadata);
    alignment = alignmentOf(header.metadata);
    for (uint64_t i = 0; i < numTensors; ++i)
      readTensor(i, numTensors, header.tensors);
    placeTensors(header.tensors);
    return header;
  }

private:
  [[noreturn]] void fail(std::string_view field, const std::string &message) const {
    throw IoError(fmt::format("[openGguf] {}: {}{}{}: {}", path, subject,
                              subject.empty() ? "" : ", ", field, message));
  }

  uint64_t left() const { return file.size() - position; }

  std::span<const std::byte> take(std::string_view field, uint64_t numBytes) {
    if (numBytes > left())
      fail(field, fmt::format("{} bytes, but the file ends after {}", numBytes, left()));
    auto part = file.subspan(position, numBytes);
    position += numBytes;
    return part;
  }
  template <class T> T take(std::string_view field) {
    T value;
    std::memcpy(&value, take(field, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string takeString(std::string_view field) {
    auto bytes = take(field, take<uint64_t>(field));
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
  }

  std::pair<uint64_t, uint64_t> readCounts(Header &header) {
    auto start = take("magic", magic.size());
    if (std::memcmp(start.data(), magic.data(), magic.size()) != 0)
      fail("magic", "the file does not begin with \"GGUF\"");
    header.version = take<uint32_t>("version");
    if (header.version != 0 && (header.version & 0xffff) == 0)
      fail("version", "the file is big-endian; only little-endian ones can be read");
    if (header.version < oldestVersion || header.version > newestVersion)
      fail("version", fmt::format("{} is not supported, {} to {} are", header.version,
                                  oldestVersion, newestVersion));
    auto numTensors = take<uint64_t>("tensor count");
    auto numMetadata = take<uint64_t>("metadata count");
    if (numMetadata > left() / leastMetadataBytes)
      fail("metadata count",
           fmt::format("{} entries do not fit the {} bytes left", numMetadata, left()));
    if (numTensors > (left() - numMetadata * leastMetadataBytes) / leastTensorBytes)
      fail("tensor count",
           fmt::format("{} tensors do not fit the {} bytes left", numTensors, left()));
    return {numTensors, numMetadata};
  }

  // ---- Metadata ----

  void readMetadata(uint64_t index, uint64_t count, GgufMetadata &metadata) {
    subject = fmt::format("metadata entry {} of {}", index, count);
    std::string key = takeString("key");
    subject = "metadata " + quoted(key);
    GgufValue value = readValue(takeType("type"), 0);
    if (!metadata.emplace(std::move(key), std::move(value)).second)
      fail("key", "already exists");
  }

  GgufValue::Type takeType(std::string_view field) {
    auto number = take<uint32_t>(field);
    if (number > static_cast<uint32_t>(GgufValue::Type::float64))
      fail(field, fmt::format("there is no value type {}", number));
    return static_cast<GgufValue::Type>(number);
  }

  /// visit(T()) with the C++ type of the elements; not for arrays.
  template <class Visitor> auto withType(GgufValue::Type type, Visitor visit) {
    using Type = GgufValue::Type;
    switch (type) {
    case Type::uint8:
      return visit(uint8_t());
    case Type::int8:
      return visit(int8_t());
    case Type::uint16:
      return visit(uint16_t());
    case Type::int16:
      return visit(int16_t());
    case Type::uint32:
      return visit(uint32_t());
    case Type::int32:
      return visit(int32_t());
    case Type::float32:
      return visit(float());
    case Type::boolean:
      return visit(bool());
    case Type::uint64:
      return visit(uint64_t());
    case Type::int64:
      return visit(int64_t());
    case Type::float64:
      return visit(double());
    case Type::string:
    case Type::array:
      break;
    }
    return visit(std::string());
  }

  template <class T> T takeValue() {
    if constexpr (std::is_same_v<T, std::string>) {
      return takeString("value");
    } else if constexpr (std::is_same_v<T, bool>) {
      auto byte = take<uint8_t>("value");
      if (byte > 1)
        fail("value", fmt::format("a boolean that is {}, neither 0 nor 1", byte));
      return byte == 1;
    } else {
      return take<T>("value");
    }
  }

  GgufValue readValue(GgufValue::Type type, int depth) {
    if (type == GgufValue::Type::array)
      return readArray(depth);
    return withType(type, [&]<class T>(T) -> GgufValue { return takeValue<T>(); });
  }

  GgufValue readArray(int depth) {
    if (depth >= maxArrayDepth)
      fail("value", fmt::format("arrays more than {} deep", maxArrayDepth));
    GgufValue::Type type = takeType("element type");
    auto count = take<uint64_t>("array length");
    auto check = [&](uint64_t leastBytes) {
      if (count > left() / leastBytes)
        fail("array length", fmt::format("{} values of type {} do not fit the {} bytes left", count,
                                         name(type), left()));
    };
    if (type == GgufValue::Type::array) {
      check(4 + 8); // a type and a length
      std::vector<GgufValue> arrays;
      for (uint64_t i = 0; i < count; ++i)
        arrays.push_back(readArray(depth + 1));
      return GgufValue(std::move(arrays));
    }
    return withType(type, [&]<class T>(T) -> GgufValue {
      check(std::is_same_v<T, std::string> ? 8 : sizeof(T));
      std::vector<T> values;
      if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, bool>) {
        for (uint64_t i = 0; i < count; ++i) // grows with what is really there
          values.push_back(takeValue<T>());
      } else {
        values.resize(count);
        auto bytes = take("value", count * sizeof(T));
        if (count)
          std::memcpy(values.data(), bytes.data(), bytes.size());
      }
      return values;
    });
  }

  uint64_t alignmentOf(const GgufMetadata &metadata) {
    auto found = metadata.find(std::string(alignmentKey));
    if (found == metadata.end())
      return defaultAlignment;
    subject = "metadata " + quoted(alignmentKey);
    if (found->second.type() != GgufValue::Type::uint32)
      fail("type", fmt::format("{}, not uint32", name(found->second.type())));
    auto value = found->second.as<uint32_t>();
    if (value == 0 || (value & (value - 1)) != 0)
      fail("value", fmt::format("{} is no power of two", value));
    return value;
  }

  // ---- Tensors ----

  void readTensor(uint64_t index, uint64_t count, std::vector<TensorEntry> &tensors) {
    subject = fmt::format("tensor {} of {}", index, count);
    TensorEntry entry;
    entry.name = takeString("name");
    subject = "tensor " + quoted(entry.name);
    if (!names.insert(entry.name).second)
      fail("name", "already exists");
    auto rank = take<uint32_t>("number of dims");
    if (rank > maxRank)
      fail("number of dims", fmt::format("{}, more than {}", rank, maxRank));
    for (uint32_t axis = 0; axis < rank; ++axis) {
      auto size = take<uint64_t>("dims");
      if (size > INT64_MAX)
        fail("dims", fmt::format("{} is no size", size));
      entry.sizes.insert(entry.sizes.begin(), static_cast<int64_t>(size));
    }
    auto number = take<uint32_t>("type");
    entry.type = tensorType(number);
    if (!entry.type)
      fail("type", fmt::format("there is no tensor type {}", number));
    entry.offset = take<uint64_t>("offset");
    entry.sizeBytes = bytesOf(entry);
    tensors.push_back(std::move(entry));
  }

  uint64_t bytesOf(const TensorEntry &entry) const {
    const TensorType &type = *entry.type;
    int64_t rowElements = entry.sizes.empty() ? 1 : entry.sizes.back();
    if (rowElements % type.blockElements != 0)
      fail("dims", fmt::format("rows of {} elements, but {} has blocks of {}", rowElements,
                               type.name, type.blockElements));
    // Sizes of zero are left out, so that the others are checked all the same.
    int64_t numBytes = type.blockBytes;
    bool isEmpty = false, overflows = false;
    for (std::size_t axis = 0; axis < entry.sizes.size(); ++axis) {
      bool isRow = axis + 1 == entry.sizes.size();
      int64_t size = isRow ? entry.sizes[axis] / type.blockElements : entry.sizes[axis];
      isEmpty = isEmpty || size == 0;
      overflows = overflows || (size && __builtin_mul_overflow(numBytes, size, &numBytes));
    }
    int64_t numElements = 1; // more than bytes, where a block has more elements than bytes
    for (int64_t size : entry.sizes)
      overflows = overflows || (size && __builtin_mul_overflow(numElements, size, &numElements));
    if (overflows)
      fail("dims", fmt::format("[{}] overflows", fmt::join(entry.sizes, ", ")));
    return isEmpty ? 0 : static_cast<uint64_t>(numBytes);
  }

  /// Offsets become those in the file.
  void placeTensors(std::vector<TensorEntry> &tensors) {
    // The header of a file without data need not be padded.
    uint64_t begin = position + (alignment - position % alignment) % alignment;
    uint64_t dataBytes = file.size() - std::min<uint64_t>(begin, file.size());
    std::vector<TensorEntry *> order;
    for (TensorEntry &entry : tensors) {
      subject = "tensor " + quoted(entry.name);
      if (entry.offset % alignment != 0)
        fail("offset",
             fmt::format("{} is no multiple of the alignment, {}", entry.offset, alignment));
      if (entry.offset > dataBytes || entry.sizeBytes > dataBytes - entry.offset)
        fail("offset", fmt::format("{} bytes at {} are not inside the {} bytes of data",
                                   entry.sizeBytes, entry.offset, dataBytes));
      entry.offset += begin;
      if (entry.sizeBytes)
        order.push_back(&entry);
    }
    std::ranges::sort(order, {}, &TensorEntry::offset);
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i]->offset < order[i - 1]->offset + order[i - 1]->sizeBytes) {
        subject = "tensor " + quoted(order[i]->name);
        fail("offset", fmt::format("{} overlaps tensor {}, which ends at {}",
                                   order[i]->offset - begin, quoted(order[i - 1]->name),
                                   order[i - 1]->offset - begin + order[i - 1]->sizeBytes));
      }
  }

  std::span<const std::byte> file;
  const std::string &path;
  uint64_t position = 0;
  uint64_t alignment = defaultAlignment;
  std::string subject; // what is being read
  std::set<std::string> names;
};

} // namespace

Header readHeader(std::span<const std::byte> file, const std::string &path) {
  return Reader(file, path).read();
}

} // namespace kiln::io::gguf
