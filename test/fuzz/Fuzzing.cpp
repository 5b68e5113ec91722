#include "Fuzzing.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

// LLVM's archives are not instrumented: containers and pools that they share with our code look
// wrong.
extern "C" const char *__asan_default_options() {
  return "detect_container_overflow=0:allow_user_poisoning=0:allocator_may_return_null=1";
}

namespace kiln::fuzz {

MemoryFile::MemoryFile() : descriptor(memfd_create("fuzz", MFD_CLOEXEC)) {
  if (descriptor < 0)
    std::abort();
  filePath = "/proc/self/fd/" + std::to_string(descriptor);
}

MemoryFile::~MemoryFile() { close(descriptor); }

void MemoryFile::write(std::span<const uint8_t> bytes) {
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
}

} // namespace kiln::fuzz
