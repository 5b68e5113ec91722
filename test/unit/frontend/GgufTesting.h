#pragma once

#include "kiln/kiln.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

namespace kiln::test {

/// A folder of its own for each test.
class GgufFolder : public testing::Test {
protected:
  GgufFolder()
      : folder(std::filesystem::temp_directory_path() /
               ("kiln-gguf-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder);
  }
  ~GgufFolder() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return (folder / name).string(); }
  std::string write(const std::string &contents) const {
    // Some file systems wait for the disk when a file is written over, for fear of a crash.
    std::filesystem::remove(path("x"));
    std::ofstream(path("x"), std::ios::binary) << contents;
    return path("x");
  }
  /// What opening a file of these contents is refused with.
  std::string refusal(const std::string &contents) const {
    try {
      io::openGguf(write(contents));
    } catch (const IoError &error) {
      return error.what();
    }
    ADD_FAILURE() << "the file was accepted";
    return {};
  }

  std::filesystem::path folder;
};

/// A file of test/data, whose makeGguf.py says what is in it.
inline std::string ggufData(const std::string &name) {
  const char *data = std::getenv("KILN_TEST_DATA");
  if (!data)
    throw IoError("set KILN_TEST_DATA to the folder test/data");
  return std::string(data) + "/" + name;
}

/// The pieces of a file, one after another.
class GgufBytes {
public:
  template <class T>
    requires std::is_arithmetic_v<T>
  GgufBytes &put(T value) {
    data.append(reinterpret_cast<const char *>(&value), sizeof(value));
    return *this;
  }
  GgufBytes &put(const std::string &text) {
    put(uint64_t{text.size()});
    data += text;
    return *this;
  }
  GgufBytes &header(uint64_t numTensors, uint64_t numMetadata, uint32_t version = 3) {
    data += "GGUF";
    return put(version).put(numTensors).put(numMetadata);
  }
  GgufBytes &tensor(const std::string &name, const std::vector<uint64_t> &innermostFirst,
                    uint32_t type, uint64_t offset) {
    put(name).put(static_cast<uint32_t>(innermostFirst.size()));
    for (uint64_t size : innermostFirst)
      put(size);
    return put(type).put(offset);
  }
  /// Zeros up to the alignment, then so many bytes.
  std::string withData(std::size_t numBytes, std::size_t alignment = 32) const {
    std::size_t begin = (data.size() + alignment - 1) / alignment * alignment;
    return data + std::string(begin - data.size() + numBytes, '\0');
  }

  std::string data;
};

/// Numbers of ggml's types.
inline constexpr uint32_t typeF32 = 0, typeQ4_0 = 2, typeQ5_1 = 7, typeQ4_K = 12, typeI8 = 24;

} // namespace kiln::test
