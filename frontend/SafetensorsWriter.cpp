#include "frontend/AtomicFile.h"
#include "frontend/Evaluate.h"
#include "frontend/Locations.h"
#include "kiln/Io.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kiln::io {

namespace {

std::string_view formatName(DType dtype) {
  constexpr std::string_view names[] = {"BOOL", "I8",  "I16", "I32",  "I64", "U8", "U16",
                                        "U32",  "U64", "F16", "BF16", "F32", "F64"};
  return names[static_cast<std::size_t>(dtype)];
}

} // namespace

void saveSafetensors(const std::string &path, const std::map<std::string, Tensor> &tensors,
                     const std::map<std::string, std::string> &metadata, Where where) try {
  std::vector<std::shared_ptr<kiln::detail::Node>> nodes;
  std::vector<std::pair<std::string, Tensor>> order(tensors.begin(), tensors.end());
  for (auto &[name, tensor] : order)
    if (!tensor.defined())
      throw TypeError(fmt::format("[saveSafetensors] tensor \"{}\" is empty", name));
  // Wide elements first, so that all are aligned.
  std::sort(order.begin(), order.end(), [](const auto &a, const auto &b) {
    std::size_t left = sizeBytes(a.second.dtype()), right = sizeBytes(b.second.dtype());
    return left != right ? left > right : a.first < b.first;
  });
  for (auto &[name, tensor] : order)
    nodes.push_back(tensor.handle());
  kiln::detail::evaluate(nodes, "saveSafetensors", where);

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (auto &[name, tensor] : order) {
    if (name == "__metadata__")
      throw ValueError("[saveSafetensors] no tensor may be called __metadata__");
    uint64_t numBytes = tensor.bytes().size();
    header[name] = {{"dtype", formatName(tensor.dtype())},
                    {"shape", tensor.shape().sizes()},
                    {"data_offsets", {offset, offset + numBytes}}};
    offset += numBytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception &error) {
    throw ValueError(fmt::format("[saveSafetensors] {}: {}", path, error.what()));
  }
  text.resize((text.size() + 7) / 8 * 8, ' '); // the data begins aligned
  unsigned char size[8];
  for (std::size_t i = 0; i < 8; ++i)
    size[i] = static_cast<unsigned char>(uint64_t{text.size()} >> (8 * i));

  AtomicFile file(path, "saveSafetensors");
  file.write(size, sizeof(size));
  file.write(text.data(), text.size());
  for (auto &[name, tensor] : order)
    file.write(tensor.bytes().data(), tensor.bytes().size());
  file.commit();
} catch (const Error &) {
  kiln::detail::rethrowWith([&](const std::string &message) {
    return kiln::detail::completed(message, "saveSafetensors", where);
  });
}

} // namespace kiln::io
