#pragma once

#include "runtime/ArtifactCache.h"
#include "runtime/ArtifactKey.h"
#include "runtime/Executable.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>

#include <unistd.h>

namespace kiln::runtime {

/// A folder of its own for each test.
class ArtifactCacheTest : public testing::Test {
protected:
  ArtifactCacheTest() { std::filesystem::remove_all(folder); }
  ~ArtifactCacheTest() override { std::filesystem::remove_all(folder); }

  /// An artifact that runs: out[0] = in[0] (see ExecutableTest).
  Artifact compile() {
    ++compiles;
    const unsigned char code[] = {0x48, 0x8b, 0x06, 0x8b, 0x00, 0x48,
                                  0x8b, 0x4e, 0x08, 0x89, 0x01, 0xc3};
    Artifact artifact;
    artifact.target = "x86-64";
    TensorType scalar(DType::float32, Shape{}, CPU());
    artifact.inputs = {{false, "", scalar, {}}};
    artifact.outputs = {{scalar, {}}};
    for (unsigned char byte : code)
      artifact.code.push_back(std::byte{byte});
    return artifact;
  }

  CachedExecutable get(ArtifactCache &cache, const std::string &key) {
    return cache.getOrCompile(key, [&] { return compile(); });
  }

  static float run(const Executable &executable, float x) {
    TensorValue value{TensorType(DType::float32, Shape{}, CPU()),
                      Buffer::copyOf(std::as_bytes(std::span(&x, 1)))};
    const TensorValue *inputs[] = {&value};
    return *executable.run(inputs)[0].buffer->as<float>();
  }

  // ctest runs each test as a process, several at once.
  std::string folder = testing::TempDir() + "kiln-cache-test-" + std::to_string(::getpid());
  std::atomic<int> compiles = 0;
};

inline const std::string key = hashKey(std::vector<std::string_view>{"a graph"});

} // namespace kiln::runtime
