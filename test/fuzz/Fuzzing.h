#pragma once

#include "kiln/Error.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

/// What the fuzz targets share. Each gives a reader bytes that it must take or refuse with one of
/// Kiln's errors: whatever else comes out, and what the sanitizers find, ends the program.
namespace kiln::fuzz {

/// A file that is in memory only, for readers that ask for a path.
class MemoryFile {
public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;

  void write(std::span<const uint8_t> bytes);
  const std::string &path() const { return filePath; }

private:
  int descriptor;
  std::string filePath;
};

/// Runs `read`; false if it refused with an error of Kiln's that has a message.
template <class Read> bool accepts(Read read) {
  try {
    read();
    return true;
  } catch (const Error &error) {
    if (!*error.what())
      __builtin_trap();
    return false;
  }
}

/// Numbers for mutators, from libFuzzer's seed.
class Draw {
public:
  explicit Draw(unsigned seed) : state(seed) {}
  /// In [0, limit).
  std::size_t below(std::size_t limit) { return limit ? next() % limit : 0; }
  bool oneIn(std::size_t count) { return below(count) == 0; }

private:
  uint64_t next() { // SplitMix64 (Steele et al., 2014)
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t state;
};

/// A mutator for text: puts words, numbers, quoted strings and lines of it in other places, and
/// numbers that are at a limit in the place of others. Returns the new size.
std::size_t mutateText(uint8_t *data, std::size_t size, std::size_t maxSize, Draw &draw);

} // namespace kiln::fuzz

/// libFuzzer's own mutation, for targets that mutate a part.
extern "C" std::size_t LLVMFuzzerMutate(uint8_t *data, std::size_t size, std::size_t maxSize);
