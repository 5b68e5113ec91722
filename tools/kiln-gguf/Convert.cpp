//===- Convert.cpp - Between safetensors and GGUF -----------------------------===//

#include "Convert.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <kiln/kiln.h>

#include "Progress.h"
#include "frontend/SafetensorsStream.h"

namespace kiln::tools {

namespace {
/// Packed bytes that are decoded and written at once: bounds the memory.
constexpr int64_t kPartBytes = 4 << 20;
/// In front of the keys of a safetensors file's metadata, in GGUF.
constexpr std::string_view kPrefix = "safetensors.";

enum class Format { gguf, safetensors };

Format formatOfContents(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  file.read(magic, sizeof(magic));
  return file && std::memcmp(magic, "GGUF", 4) == 0 ? Format::gguf : Format::safetensors;
}

Format formatOfName(const std::string &path) {
  if (path.ends_with(".gguf"))
    return Format::gguf;
  if (path.ends_with(".safetensors"))
    return Format::safetensors;
  throw ValueError(path + ": a name that ends neither in .gguf nor in .safetensors");
}

std::string shapeText(const Shape &shape) {
  return fmt::format("[{}]", fmt::join(shape.sizes(), ", "));
}

std::regex patternOf(const Options &options) {
  try {
    return std::regex(options.only.value_or(""));
  } catch (const std::regex_error &error) {
    throw ValueError(std::string("--only: ") + error.what());
  }
}

/// What is packed: those that fit, of those that are wanted.
std::map<std::string, std::optional<QuantizationEncoding>>
chooseEncodings(const io::SafetensorsFile &file, const Options &options) {
  std::map<std::string, std::optional<QuantizationEncoding>> encodings;
  if (!options.encoding)
    return encodings;
  const std::regex pattern = patternOf(options);
  size_t wanted = 0, packed = 0;
  for (const auto &[name, tensor] : file) {
    const bool isWanted = std::regex_search(name, pattern);
    const bool fits =
        tensor.rank() >= 2 && isFloat(tensor.dtype()) && tensor.dtype() != DType::float64 &&
        tensor.shape()[tensor.rank() - 1].value() % blockElements(*options.encoding) == 0;
    wanted += isWanted;
    if (isWanted && fits) {
      encodings[name] = options.encoding;
      ++packed;
    }
  }
  if (options.only && !wanted)
    throw ValueError(fmt::format("--only: \"{}\" is found in no tensor's name", *options.only));
  if (!packed)
    throw ValueError(fmt::format("--encoding: no tensor of rank 2 or more has rows of float blocks "
                                 "of {}, as {} needs",
                                 blockElements(*options.encoding), name(*options.encoding)));
  return encodings;
}

void toGguf(const Options &options, const std::function<void()> &check) {
  const io::SafetensorsFile file = io::openSafetensors(options.input);
  io::GgufMetadata metadata;
  for (const auto &[key, value] : file.metadata())
    metadata.emplace(std::string(kPrefix) + key, value);
  Progress progress(options.quiet);
  std::string current;
  io::SaveGgufOptions saving;
  saving.encodings = chooseEncodings(file, options);
  saving.progress = [&](const std::string &name, uint64_t doneBytes, uint64_t allBytes) {
    check();
    if (name != current) {
      current = name;
      const Tensor &tensor = file[name];
      const auto packed = saving.encodings.find(name);
      progress.begin(fmt::format("{} {} {} -> {}", name, shapeText(tensor.shape()),
                                 kiln::name(tensor.dtype()),
                                 packed == saving.encodings.end() ? kiln::name(tensor.dtype())
                                                                  : kiln::name(*packed->second)));
    }
    progress.update(name, doneBytes, allBytes);
  };
  io::saveGguf(options.output, io::SafetensorsFile::Entries(file.begin(), file.end()), metadata,
               saving);
}

/// What safetensors can hold of it: text.
std::map<std::string, std::string> textMetadata(const io::GgufFile &file) {
  std::map<std::string, std::string> metadata;
  for (const auto &[key, value] : file.metadata()) {
    // About the format of the other file, not about the tensors.
    if (value.isArray() || key == "general.alignment" || key == "general.quantization_version")
      continue;
    const std::string name = key.starts_with(kPrefix) ? key.substr(kPrefix.size()) : key;
    std::ostringstream text;
    text << value;
    metadata.emplace(name, value.isString() ? value.as<std::string>() : text.str());
  }
  return metadata;
}

void toSafetensors(const Options &options, const std::function<void()> &check) {
  const io::GgufFile file = io::openGguf(options.input);
  std::vector<io::SafetensorsStream::Entry> entries;
  uint64_t allBytes = 0, doneBytes = 0;
  for (const auto &[name, info] : file.infos()) {
    (void)file[name]; // An IoError where it cannot be read.
    entries.push_back({name, info.dtype.value_or(DType::float32), info.shape.sizes()});
    allBytes += info.sizeBytes;
  }
  io::SafetensorsStream stream(options.output, std::move(entries), textMetadata(file));
  Progress progress(options.quiet);
  for (const auto &entry : stream.tensors()) {
    const io::GgufTensorInfo &info = file.info(entry.name);
    progress.begin(fmt::format("{} {} {} -> {}", entry.name, shapeText(info.shape), info.typeName,
                               name(entry.dtype)));
    if (!info.sizeBytes)
      continue;
    int64_t rows = 1;
    for (size_t axis = 0; axis + 1 < entry.sizes.size(); ++axis)
      rows *= entry.sizes[axis];
    const int64_t rowBytes = static_cast<int64_t>(info.sizeBytes) / rows;
    const int64_t part = std::max<int64_t>(1, kPartBytes / rowBytes);
    for (int64_t row = 0; row < rows; row += part) {
      check();
      const int64_t end = std::min(rows, row + part);
      if (info.encoding)
        stream.write(file.dequantizeRows(entry.name, row, end).bytes());
      else
        stream.write(file[entry.name].bytes().subspan(static_cast<size_t>(row * rowBytes),
                                                      static_cast<size_t>((end - row) * rowBytes)));
      doneBytes += static_cast<uint64_t>((end - row) * rowBytes);
      progress.update(entry.name, doneBytes, allBytes);
    }
  }
  check();
  stream.commit();
}
} // namespace

void convert(const Options &options, const std::function<void()> &check) {
  const Format from = formatOfContents(options.input), to = formatOfName(options.output);
  if (from == to)
    throw ValueError(fmt::format("{} and {} are both {} files: one must be GGUF, the other one "
                                 "safetensors",
                                 options.input, options.output,
                                 from == Format::gguf ? "GGUF" : "safetensors"));
  if (to == Format::safetensors && options.encoding)
    throw ValueError("--encoding: safetensors files hold no packed tensors");
  (to == Format::gguf ? toGguf : toSafetensors)(options, check);
}

} // namespace kiln::tools
