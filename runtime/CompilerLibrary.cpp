#include "runtime/CompilerLibrary.h"

#include "kiln/Error.h"
#include "runtime/MappedFile.h"
#include "runtime/Profile.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <type_traits>

#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef KILN_VERSION
#define KILN_VERSION "0.1.0"
#endif

namespace kiln::runtime {
namespace {

/// The library's doors, as codegen/Compiler.h declares them.
struct Compiler {
  void (*compile)(const ir::Graph &, const CompileRequest &, CompileResult &) = nullptr;
  void (*interpret)(const ir::Graph &, const InterpretRequest &, InterpretResult &) = nullptr;
  void (*parse)(const std::string &, const std::string &, ir::Graph &, std::string &) = nullptr;
  void (*assemble)(const std::string &, AssembleResult &) = nullptr;
};

std::atomic<const Compiler *> loadedCompiler = nullptr;

const Compiler &loadCompiler() {
  if (const Compiler *found = loadedCompiler.load(std::memory_order_acquire))
    return *found;
  static std::mutex mutex;
  static Compiler compiler;
  std::lock_guard lock(mutex);
  if (const Compiler *found = loadedCompiler.load(std::memory_order_acquire))
    return *found;
  std::string path = compilerLibraryPath();
  void *library = dlopen(path.c_str(), RTLD_LOCAL | RTLD_NOW);
  if (!library)
    throw CompileError(fmt::format(
        "this graph is not in the cache, and the compiler cannot be loaded: {}. Install "
        "libkiln-compiler.so beside libkiln, or set KILN_COMPILER_LIBRARY to its path",
        dlerror()));
  // All doors or none: what lacks one belongs to another version.
  auto find = [&](auto &door, const char *name) {
    door = reinterpret_cast<std::remove_reference_t<decltype(door)>>(dlsym(library, name));
    if (door)
      return;
    dlclose(library);
    throw CompileError(fmt::format("{} is not Kiln's compiler: it has no {}", path, name));
  };
  find(compiler.compile, "kilnCompile");
  find(compiler.interpret, "kilnInterpret");
  find(compiler.parse, "kilnParse");
  find(compiler.assemble, "kilnAssemble");
  loadedCompiler.store(&compiler, std::memory_order_release);
  return compiler;
}

/// Copies a T out of the file; false beyond its end.
template <class T> bool readAt(std::span<const std::byte> bytes, uint64_t offset, T &value) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
    return false;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return true;
}

/// The GNU build id in hex, or "" if the file has none.
std::string buildId(std::span<const std::byte> file) {
  Elf64_Ehdr header;
  if (!readAt(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return {};
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!readAt(file, header.e_phoff + uint64_t{header.e_phentsize} * i, segment))
      return {};
    if (segment.p_type != PT_NOTE)
      continue;
    uint64_t at = segment.p_offset, end = segment.p_offset + segment.p_filesz;
    Elf64_Nhdr note;
    while (at < end && readAt(file, at, note)) {
      uint64_t content = at + sizeof(note) + (note.n_namesz + 3u) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4) {
        std::string text;
        for (uint32_t j = 0; j < note.n_descsz && j < 64; ++j) {
          uint8_t byte;
          if (!readAt(file, content + j, byte))
            return {};
          text += fmt::format("{:02x}", byte);
        }
        return text;
      }
      at = content + (note.n_descsz + 3u) / 4 * 4;
    }
  }
  return {};
}

} // namespace

std::string compilerLibraryPath() {
  if (const char *path = std::getenv("KILN_COMPILER_LIBRARY"); path && *path)
    return path;
  Dl_info info;
  if (dladdr(reinterpret_cast<const void *>(&compilerLibraryPath), &info) && info.dli_fname) {
    std::filesystem::path beside(info.dli_fname);
    beside.replace_filename("libkiln-compiler.so");
    std::error_code error;
    if (std::filesystem::exists(beside, error))
      return beside.string();
  }
  return "libkiln-compiler.so"; // wherever the loader looks
}

bool isCompilerLoaded() { return loadedCompiler.load(std::memory_order_acquire) != nullptr; }

std::string compilerIdentity() {
  std::string path = compilerLibraryPath();
  std::string identity = "kiln " KILN_VERSION;
  try {
    std::shared_ptr<const MappedFile> file = MappedFile::open(path);
    if (std::string id = buildId(file->bytes()); !id.empty())
      return identity + " " + id;
    auto written = std::filesystem::last_write_time(path).time_since_epoch().count();
    return identity + fmt::format(" {} {}", file->bytes().size(), written);
  } catch (const std::exception &) {
    return identity; // not there: whatever an earlier compiler left in the cache has another key
  }
}

CompileResult compileGraph(const ir::Graph &graph, const CompileRequest &request) {
  CompileResult result;
  PhaseTime load{"load the compiler", 0, profileClock()};
  const Compiler &compiler = loadCompiler();
  load.seconds = static_cast<double>(profileClock() - load.beginNs) * 1e-9;
  compiler.compile(graph, request, result);
  result.timings.insert(result.timings.begin(), std::move(load));
  Profiler::add(result.timings);
  return result;
}

void releaseCompilerMemory() noexcept {
  const Compiler *compiler = loadedCompiler.load(std::memory_order_acquire);
  if (!compiler)
    return;
  malloc_trim(0);
  auto drop = [](dl_phdr_info *info, size_t, void *door) {
    auto inside = [&](const ElfW(Phdr) & segment, std::uintptr_t address) {
      std::uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
      return segment.p_type == PT_LOAD && address >= begin && address - begin < segment.p_memsz;
    };
    std::span<const ElfW(Phdr)> segments(info->dlpi_phdr, info->dlpi_phnum);
    bool isCompiler = false;
    for (const ElfW(Phdr) &segment : segments)
      isCompiler |= inside(segment, reinterpret_cast<std::uintptr_t>(door));
    if (!isCompiler)
      return 0;
    // Code and constants that nobody wrote to: they come back from the file when they are used.
    const std::uintptr_t page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    for (const ElfW(Phdr) &segment : segments) {
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W))
        continue;
      std::uintptr_t begin = (info->dlpi_addr + segment.p_vaddr + page - 1) / page * page;
      std::uintptr_t end = (info->dlpi_addr + segment.p_vaddr + segment.p_filesz) / page * page;
      if (begin < end)
        madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
    }
    return 1;
  };
  dl_iterate_phdr(drop, reinterpret_cast<void *>(compiler->compile));
}

InterpretResult interpretGraph(const ir::Graph &graph, const InterpretRequest &request) {
  InterpretResult result;
  loadCompiler().interpret(graph, request, result);
  return result;
}

void parseGraph(const std::string &text, const std::string &file, ir::Graph &graph) {
  std::string error;
  loadCompiler().parse(text, file, graph, error);
  if (!error.empty())
    throw ValueError(error);
}

AssembleResult assembleText(const std::string &assembly) {
  AssembleResult result;
  loadCompiler().assemble(assembly, result);
  return result;
}

} // namespace kiln::runtime
