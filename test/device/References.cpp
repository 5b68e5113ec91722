#include "test/device/References.h"

#include "test/unit/random/Replay.h"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace kiln::test {

bool isRecording() {
  const char *text = std::getenv("KILN_REFERENCES_RECORD");
  return text && std::string(text) == "1";
}

static Expected read(const std::string &path) {
  auto file = io::openSafetensors(path);
  Expected expected;
  while (auto output = file.find(fmt::format("output {}", expected.outputs.size()))) {
    auto bound = file.find(fmt::format("bound {}", expected.outputs.size()));
    expected.outputs.push_back(contentsOf(*output));
    expected.bounds.emplace_back();
    if (bound)
      expected.bounds.back() = contentsOf(*bound);
  }
  return expected;
}

static void write(const std::string &path, const Expected &expected) {
  std::map<std::string, Tensor> state;
  for (std::size_t i = 0; i < expected.outputs.size(); ++i) {
    state.emplace(fmt::format("output {}", i), tensorOf(expected.outputs[i]));
    if (expected.bounds[i])
      state.emplace(fmt::format("bound {}", i), tensorOf(*expected.bounds[i]));
  }
  // Recordings for several architectures may run at the same time.
  std::string unfinished = fmt::format("{}.{}", path, getpid());
  io::saveSafetensors(unfinished, state);
  std::filesystem::rename(unfinished, path);
}

Expected reference(const std::string &name, const std::function<Expected()> &compute) {
  const char *folder = std::getenv("KILN_REFERENCES");
  if (!folder || !*folder)
    return compute();
  std::string path = fmt::format("{}/{}.safetensors", folder, name);
  if (std::filesystem::exists(path) || !isRecording())
    return read(path);
  Expected expected = compute();
  write(path, expected);
  return expected;
}

} // namespace kiln::test
