#include "frontend/Evaluate.h"
#include "frontend/Locations.h"
#include "frontend/gguf/Rows.h"
#include "frontend/gguf/Writer.h"
#include "kiln/Gguf.h"

#include <algorithm>
#include <fmt/format.h>

namespace kiln::io {

namespace {

/// Bytes of a tensor that are encoded and written at once: bounds the memory.
constexpr uint64_t partBytes = 8 << 20;

/// Of ggml's block formats as a whole (GGML_QNT_VERSION of ggml.h).
constexpr uint32_t quantizationVersion = 2;

[[noreturn]] void refuse(const std::string &name, const std::string &message) {
  throw ValueError(fmt::format("[saveGguf] tensor {}: {}", gguf::quoted(name), message));
}

std::optional<QuantizationEncoding> encodingOf(const std::string &name, const Tensor &tensor,
                                               const SaveGgufOptions &options) {
  if (auto found = options.encodings.find(name); found != options.encodings.end())
    return found->second;
  if (!options.encoding || tensor.rank() < 2 || !gguf::canWiden(tensor.dtype()) ||
      tensor.shape()[tensor.rank() - 1].value() % blockElements(*options.encoding) != 0)
    return std::nullopt;
  return options.encoding;
}

/// The type and the logical sizes.
gguf::TensorEntry plan(const std::string &name, const Tensor &tensor,
                       const SaveGgufOptions &options) {
  gguf::TensorEntry entry;
  entry.name = name;
  entry.sizes = tensor.shape().sizes();
  auto encoding = encodingOf(name, tensor, options);
  if (!encoding) {
    entry.type = gguf::tensorType(tensor.dtype());
    if (!entry.type)
      refuse(name, fmt::format("GGUF has no {}", kiln::name(tensor.dtype())));
    return entry;
  }
  bool isPacked = tensor.dtype() == DType::uint8;
  if (!isPacked && !gguf::canWiden(tensor.dtype()))
    refuse(name, fmt::format("{} is not encoded, only float16, bfloat16 and float32 are",
                             kiln::name(tensor.dtype())));
  entry.type = &gguf::tensorType(*encoding);
  int64_t unit = isPacked ? blockBytes(*encoding) : blockElements(*encoding);
  if (entry.sizes.empty() || entry.sizes.back() % unit != 0)
    refuse(name, fmt::format("rows of {} {}, but the blocks of {} have {}",
                             entry.sizes.empty() ? 1 : entry.sizes.back(),
                             isPacked ? "bytes" : "elements", kiln::name(*encoding), unit));
  if (isPacked)
    entry.sizes.back() = entry.sizes.back() / unit * blockElements(*encoding);
  return entry;
}

/// Writes one tensor in parts; `report` gets the bytes of each.
void writeTensor(gguf::Writer &writer, const gguf::TensorEntry &entry, const Tensor &tensor,
                 const std::function<void(uint64_t)> &report) {
  std::span<const std::byte> bytes = tensor.bytes();
  bool encodes = entry.type->encoding && tensor.dtype() != DType::uint8;
  uint64_t blockInput =
      static_cast<uint64_t>(entry.type->blockElements) * sizeBytes(tensor.dtype());
  std::vector<std::byte> packed;
  for (uint64_t begin = 0; begin < bytes.size();) {
    // A multiple of every block's bytes but for the last part, and of every element.
    auto part = bytes.subspan(
        begin, std::min<uint64_t>(partBytes / blockInput * blockInput, bytes.size() - begin));
    if (encodes) {
      packed.resize(part.size() / blockInput * static_cast<uint64_t>(entry.type->blockBytes));
      int64_t bad = gguf::encode(*entry.type->encoding, tensor.dtype(), part, packed.data());
      if (bad >= 0)
        refuse(
            entry.name,
            fmt::format("{} cannot hold its elements {} to {}: they are not finite, or too large",
                        entry.type->name,
                        begin / sizeBytes(tensor.dtype()) +
                            static_cast<uint64_t>(bad * entry.type->blockElements),
                        begin / sizeBytes(tensor.dtype()) +
                            static_cast<uint64_t>((bad + 1) * entry.type->blockElements - 1)));
    }
    writer.write(encodes ? packed : part);
    begin += part.size();
    report(part.size());
  }
}

} // namespace

void saveGguf(const std::string &path, const std::map<std::string, Tensor> &tensors,
              const GgufMetadata &metadata, const SaveGgufOptions &options, Where where) try {
  std::vector<std::shared_ptr<kiln::detail::Node>> nodes;
  std::vector<gguf::TensorEntry> entries;
  for (auto &[name, encoding] : options.encodings)
    if (!tensors.contains(name))
      refuse(name, "an encoding is given, but no such tensor");
  uint64_t allBytes = 0, doneBytes = 0;
  bool isQuantized = false;
  for (auto &[name, tensor] : tensors) {
    nodes.push_back(kiln::detail::nodeOf(tensor, "saveGguf", where));
    entries.push_back(plan(name, tensor, options));
    isQuantized = isQuantized || !entries.back().type->dtype;
    allBytes += static_cast<uint64_t>(tensor.type().sizeBytes().value());
  }
  kiln::detail::evaluate(nodes, "saveGguf", where);
  GgufMetadata notes = metadata;
  if (isQuantized)
    notes.emplace("general.quantization_version", quantizationVersion);

  gguf::Writer writer(path, notes, std::move(entries));
  auto entry = writer.tensors().begin();
  for (auto &[name, tensor] : tensors)
    writeTensor(writer, *entry++, tensor, [&](uint64_t count) {
      doneBytes += count;
      if (options.progress)
        options.progress(name, doneBytes, allBytes);
    });
  writer.commit();
} catch (const Error &) {
  kiln::detail::rethrowWith([&](const std::string &message) {
    return kiln::detail::completed(message, "saveGguf", where);
  });
}

} // namespace kiln::io
