#include "frontend/Evaluate.h"
#include "frontend/Locations.h"
#include "frontend/SafetensorsStream.h"
#include "frontend/Sharding.h"
#include "kiln/Io.h"

#include <fmt/format.h>

namespace kiln::io {

void saveSafetensors(const std::string &path, const std::map<std::string, Tensor> &tensors,
                     const std::map<std::string, std::string> &metadata, Where where) try {
  std::vector<std::shared_ptr<kiln::detail::Node>> nodes;
  for (auto &[name, tensor] : tensors) {
    if (!tensor.defined())
      throw TypeError(fmt::format("[saveSafetensors] tensor \"{}\" is empty", name));
    if (!tensor.handle()->sharding) // its parts are enough
      nodes.push_back(tensor.handle());
  }
  kiln::detail::evaluate(nodes, "saveSafetensors", where);

  std::vector<SafetensorsStream::Entry> entries;
  for (auto &[name, tensor] : tensors)
    entries.push_back({name, tensor.dtype(), tensor.shape().sizes()});
  SafetensorsStream stream(path, std::move(entries), metadata);
  for (const SafetensorsStream::Entry &entry : stream.tensors())
    if (const Tensor &tensor = tensors.at(entry.name);
        const auto &split = tensor.handle()->sharding)
      split->read([&](std::span<const std::byte> bytes) { stream.write(bytes); });
    else
      stream.write(tensor.bytes());
  stream.commit();
} catch (const Error &) {
  kiln::detail::rethrowWith([&](const std::string &message) {
    return kiln::detail::completed(message, "saveSafetensors", where);
  });
}

} // namespace kiln::io
