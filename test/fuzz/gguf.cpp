// GGUF: opened, metadata printed, tensors read and decoded.
#include "Fuzzing.h"

#include "kiln/Gguf.h"

#include <sstream>

using namespace kiln;

/// What is decoded of a tensor: its sizes may be those of a large file that holds nothing.
constexpr int64_t mostElements = 1 << 16;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
  static fuzz::MemoryFile file;
  file.write({data, size});
  fuzz::accepts([] {
    io::GgufFile opened = io::openGguf(file.path());
    for (const auto &[name, value] : opened.metadata()) {
      std::ostringstream text;
      text << name << value;
    }
    for (const std::string &name : opened.keys())
      fuzz::accepts([&] {
        std::size_t sum = 0;
        for (std::byte byte : opened[name].bytes())
          sum += std::to_integer<std::size_t>(byte);
        volatile std::size_t used = sum;
        (void)used;
        if (opened[name].numElements() <= mostElements)
          opened.dequantize(name);
      });
  });
  return 0;
}
