// Safetensors: opened, all contents read.
#include "Fuzzing.h"

#include "kiln/Io.h"

#include <algorithm>
#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
  static kiln::fuzz::MemoryFile file;
  file.write({data, size});
  kiln::fuzz::accepts([] {
    auto opened = kiln::io::openSafetensors(file.path());
    std::size_t sum = 0;
    for (const std::string &name : opened.keys())
      for (std::byte byte : opened[name].bytes())
        sum += std::to_integer<std::size_t>(byte);
    volatile std::size_t used = sum;
    (void)used;
  });
  return 0;
}

/// Mutates the header by tokens half of the time, and makes its size right again.
extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t *data, std::size_t size, std::size_t maxSize,
                                               unsigned seed) {
  constexpr std::size_t sizeBytes = sizeof(uint64_t);
  kiln::fuzz::Draw draw(seed);
  uint64_t header = 0;
  if (size >= sizeBytes)
    std::memcpy(&header, data, sizeBytes);
  if (header == 0 || header > size - sizeBytes || draw.oneIn(2))
    return LLVMFuzzerMutate(data, size, maxSize);
  std::vector<uint8_t> contents(data + sizeBytes + header, data + size);
  if (maxSize < sizeBytes + contents.size())
    return size;
  header =
      kiln::fuzz::mutateText(data + sizeBytes, header, maxSize - sizeBytes - contents.size(), draw);
  std::memcpy(data, &header, sizeBytes);
  std::copy(contents.begin(), contents.end(), data + sizeBytes + header);
  return sizeBytes + header + contents.size();
}
