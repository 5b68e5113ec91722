// Safetensors: opened, all contents read.
#include "Fuzzing.h"

#include "kiln/Io.h"

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
