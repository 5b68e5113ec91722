#include "frontend/Locations.h"
#include "frontend/Node.h"
#include "frontend/gguf/Reader.h"
#include "frontend/gguf/Rows.h"
#include "kiln/Gguf.h"
#include "runtime/MappedFile.h"

#include <bit>
#include <fmt/format.h>
#include <new>

namespace kiln::io {

namespace {

/// As it is read: of a packed tensor its bytes. `entry` has been checked.
Shape storedShape(const gguf::TensorEntry &entry) {
  std::vector<int64_t> sizes = entry.sizes;
  if (!entry.type->dtype) // blocks have more than one element, so the rank is not 0
    sizes.back() = sizes.back() / entry.type->blockElements * entry.type->blockBytes;
  return Shape(std::span<const int64_t>(sizes));
}

std::string notReadable(const std::string &path, const std::string &name,
                        const std::string &typeName) {
  return fmt::format("[openGguf] {}: tensor {}, type: {} cannot be decoded; Q4_0, Q8_0, Q4_K, "
                     "Q5_K and Q6_K can",
                     path, gguf::quoted(name), typeName);
}

Tensor tensorOf(const gguf::TensorEntry &entry,
                const std::shared_ptr<const runtime::MappedFile> &file) {
  DType dtype = entry.type->dtype.value_or(DType::uint8);
  TensorType type(dtype, storedShape(entry), CPU());
  if (!entry.type->dtype && !entry.type->encoding)
    return kiln::detail::lazyTensor(
        std::move(type),
        [path = file->path(), name = entry.name,
         typeName = std::string(entry.type->name)]() -> std::shared_ptr<const runtime::Buffer> {
          throw IoError(notReadable(path, name, typeName));
        },
        std::source_location::current());
  std::size_t offset = entry.sizeBytes ? entry.offset : 0;
  auto bytes = file->bytes().subspan(offset, entry.sizeBytes);
  // An alignment below that of the elements is allowed, and rare.
  bool isAligned = reinterpret_cast<uintptr_t>(bytes.data()) % sizeBytes(dtype) == 0;
  auto buffer = isAligned ? runtime::Buffer::ofFile(file, offset, bytes.size())
                          : runtime::Buffer::copyOf(bytes);
  return kiln::detail::realizedTensor(std::move(type), std::move(buffer));
}

} // namespace

GgufFile openGguf(const std::string &path, Where where) try {
  static_assert(std::endian::native == std::endian::little, "data are used as they lie");
  auto file = runtime::MappedFile::open(path);
  gguf::Header header = gguf::readHeader(file->bytes(), path);
  GgufFile result;
  result.filePath = path;
  result.formatVersion = header.version;
  result.notes = std::move(header.metadata);
  for (gguf::TensorEntry &entry : header.tensors) {
    result.entries.emplace(entry.name, tensorOf(entry, file));
    GgufTensorInfo info{.shape = Shape(std::span<const int64_t>(entry.sizes)),
                        .typeName = std::string(entry.type->name),
                        .dtype = entry.type->dtype,
                        .encoding = entry.type->encoding,
                        .offset = entry.offset,
                        .sizeBytes = entry.sizeBytes};
    result.tensorInfos.emplace(std::move(entry.name), std::move(info));
  }
  return result;
} catch (const Error &) {
  kiln::detail::rethrowWith([&](const std::string &message) {
    return kiln::detail::completed(message, "openGguf", where);
  });
} catch (const std::bad_alloc &) {
  throw IoError(
      fmt::format("[openGguf] {}: there is no memory for its metadata{}", path, atLocation(where)));
}

std::vector<std::string> GgufFile::keys() const {
  std::vector<std::string> names;
  for (auto &[name, tensor] : entries)
    names.push_back(name);
  return names;
}

std::optional<Tensor> GgufFile::find(const std::string &name) const {
  return contains(name) ? std::optional<Tensor>((*this)[name]) : std::nullopt;
}

const Tensor &GgufFile::operator[](const Key &key) const {
  const GgufTensorInfo &about = info(key);
  if (!about.isReadable())
    throw IoError(notReadable(filePath, key.name, about.typeName) + atLocation(key.where));
  return entries.at(key.name);
}

const GgufTensorInfo &GgufFile::info(const Key &key) const {
  auto found = tensorInfos.find(key.name);
  if (found == tensorInfos.end())
    throw KeyError(fmt::format("[GgufFile] {}: there is no tensor {}{}", filePath,
                               gguf::quoted(key.name), atLocation(key.where)));
  return found->second;
}

const GgufValue &GgufFile::metadata(const Key &key) const {
  auto found = notes.find(key.name);
  if (found == notes.end())
    throw KeyError(fmt::format("[GgufFile] {}: there is no metadata {}{}", filePath,
                               gguf::quoted(key.name), atLocation(key.where)));
  return found->second;
}

GgufFile GgufFile::withPrefix(const std::string &prefix) const {
  GgufFile result;
  result.filePath = filePath;
  result.formatVersion = formatVersion;
  result.notes = notes;
  for (auto it = entries.lower_bound(prefix); it != entries.end() && it->first.starts_with(prefix);
       ++it) {
    std::string name = it->first.substr(prefix.size());
    result.tensorInfos.emplace(name, tensorInfos.at(it->first));
    result.entries.emplace(std::move(name), it->second);
  }
  return result;
}

namespace {

int64_t rowElements(const GgufTensorInfo &info) {
  return info.shape.rank() ? info.shape[info.shape.rank() - 1].value() : 1;
}

int64_t rowCount(const GgufTensorInfo &info) {
  int64_t count = 1;
  for (int64_t axis = 0; axis + 1 < info.shape.rank(); ++axis)
    count *= info.shape[axis].value();
  return count;
}

} // namespace

Tensor GgufFile::dequantize(const std::string &name, Where where) const {
  const GgufTensorInfo &about = info({name, where});
  if (about.dtype == DType::float32)
    return (*this)[{name, where}];
  return decodeRows({name, where}, 0, rowCount(about), about.shape);
}

Tensor GgufFile::dequantizeRows(const std::string &name, int64_t begin, int64_t end,
                                Where where) const {
  const GgufTensorInfo &about = info({name, where});
  if (begin < 0 || end < begin || end > rowCount(about))
    throw IndexError(fmt::format("[GgufFile] {}: rows {} to {} of tensor {}, which has {}{}",
                                 filePath, begin, end, gguf::quoted(name), rowCount(about),
                                 atLocation(where)));
  return decodeRows({name, where}, begin, end, {end - begin, rowElements(about)});
}

Tensor GgufFile::decodeRows(const Key &key, int64_t begin, int64_t end, const Shape &shape) const {
  const GgufTensorInfo &about = info(key);
  const Tensor &stored = (*this)[key];
  if (!about.encoding && !gguf::canWiden(*about.dtype))
    throw TypeError(fmt::format("[GgufFile] {}: tensor {} is {}, which is not decoded to float32: "
                                "read it as it is{}",
                                filePath, gguf::quoted(key.name), about.typeName,
                                atLocation(key.where)));
  int64_t numElements = rowElements(about);
  int64_t rowBytes = about.encoding ? packedRowBytes(*about.encoding, numElements)
                                    : numElements * static_cast<int64_t>(sizeBytes(*about.dtype));
  auto rows = stored.bytes().subspan(static_cast<std::size_t>(begin * rowBytes),
                                     static_cast<std::size_t>((end - begin) * rowBytes));
  TensorType type(DType::float32, shape, CPU());
  auto buffer = runtime::Buffer::allocate(static_cast<std::size_t>(type.sizeBytes().value()));
  if (about.encoding)
    gguf::decode(*about.encoding, rows, buffer->mutableAs<float>());
  else
    gguf::widen(*about.dtype, rows, buffer->mutableAs<float>());
  return kiln::detail::realizedTensor(std::move(type), std::move(buffer));
}

} // namespace kiln::io
