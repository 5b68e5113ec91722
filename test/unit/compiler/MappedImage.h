#pragma once

#include "codegen/cpu/FlatImage.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <sys/mman.h>
#include <unistd.h>

namespace kiln::test {

/// An image mapped from a file with read and execute permission, as the runtime does it.
class MappedImage {
public:
  explicit MappedImage(const codegen::FlatImage &image)
      : sizeBytes(image.bytes.size()), entryOffset(image.entryOffset) {
    FILE *file = std::tmpfile();
    std::fwrite(image.bytes.data(), 1, image.bytes.size(), file);
    std::fflush(file);
    base = mmap(nullptr, sizeBytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(file), 0);
    std::fclose(file);
    EXPECT_NE(base, MAP_FAILED);
  }
  ~MappedImage() { munmap(base, sizeBytes); }
  MappedImage(const MappedImage &) = delete;

  char *address() const { return static_cast<char *>(base); }

  /// The entry as a function of type `Function`.
  template <typename Function> Function *entry() const {
    return reinterpret_cast<Function *>(address() + entryOffset);
  }

private:
  size_t sizeBytes;
  uint64_t entryOffset;
  void *base;
};

} // namespace kiln::test
