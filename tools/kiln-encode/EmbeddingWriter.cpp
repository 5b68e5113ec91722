//===- EmbeddingWriter.cpp - The formats of the results -----------------------===//

#include "EmbeddingWriter.h"

#include <bit>
#include <iterator>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kiln/Error.h"

namespace kiln::tools {

namespace {
class JsonLinesWriter : public EmbeddingWriter {
public:
  JsonLinesWriter(const std::filesystem::path &path, bool withIds) : file(path), withIds(withIds) {}

  void write(const Encoded &line) override {
    text = "{\"text\": " + nlohmann::json(line.text).dump();
    auto out = std::back_inserter(text);
    if (withIds)
      fmt::format_to(out, ", \"ids\": [{}]", fmt::join(line.ids, ", "));
    // The shortest decimals that read back as the same float.
    fmt::format_to(out, ", \"embedding\": [{}]}}\n", fmt::join(line.embedding, ", "));
    file.write(text);
  }
  void flush() override { file.flush(); }
  void finish(size_t) override { file.commit(); }

private:
  OutputFile file;
  bool withIds;
  std::string text;
};

class NpyWriter : public EmbeddingWriter {
public:
  explicit NpyWriter(const std::filesystem::path &path) : file(path) {
    if (!file.isSeekable())
      throw ValueError(
          "cannot write " + path.string() +
          ": a .npy file begins with the number of rows, so it must be a regular file");
    file.write(npyHeader(0, 0)); // Room for the header: the number of rows comes last.
  }

  void write(const Encoded &line) override {
    static_assert(std::endian::native == std::endian::little, "the header says little-endian");
    const auto bytes = std::as_bytes(std::span(line.embedding));
    file.write({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    ++rows;
  }
  void flush() override {}
  void finish(size_t width) override {
    file.overwriteStart(npyHeader(rows, width));
    file.commit();
  }

private:
  OutputFile file;
  size_t rows = 0;
};
} // namespace

std::string npyHeader(size_t rows, size_t columns) {
  constexpr size_t kHeaderBytes = 128; // A multiple of 64, as the format asks; enough for any size.
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  constexpr size_t kPrefixBytes = 10; // Magic, version, length of what follows.
  text.resize(kHeaderBytes - kPrefixBytes - 1, ' ');
  text += '\n';
  const char length = static_cast<char>(text.size());
  return std::string("\x93NUMPY\x01\x00", 8) + length + '\0' + text;
}

std::unique_ptr<EmbeddingWriter> makeWriter(const std::filesystem::path &path, bool withIds) {
  if (path.extension() != ".npy")
    return std::make_unique<JsonLinesWriter>(path, withIds);
  if (withIds)
    throw ValueError("a .npy file has no room for token ids: give --ids with JSON lines");
  return std::make_unique<NpyWriter>(path);
}

} // namespace kiln::tools
