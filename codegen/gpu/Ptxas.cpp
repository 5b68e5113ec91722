#include "codegen/gpu/Ptxas.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace llvm;

namespace kiln::codegen {
namespace {

/// A folder that only this user can read, which goes with all that is in it.
class TemporaryFolder {
public:
  Error create() {
    if (std::error_code error = sys::fs::createUniqueDirectory("kiln-ptxas", path))
      return createStringError("cannot make a temporary folder: " + error.message());
    made = true;
    if (std::error_code error = sys::fs::setPermissions(path, sys::fs::owner_all))
      return createStringError("cannot protect " + path.str().str() + ": " + error.message());
    return Error::success();
  }
  ~TemporaryFolder() {
    if (made)
      sys::fs::remove_directories(path);
  }
  std::string file(StringRef name) const {
    SmallString<128> result = path;
    sys::path::append(result, name);
    return result.str().str();
  }

private:
  SmallString<128> path;
  bool made = false;
};

std::string contents(const std::string &file) {
  auto buffer = MemoryBuffer::getFile(file);
  return buffer ? (*buffer)->getBuffer().trim().str() : std::string();
}

} // namespace

std::optional<std::string> findPtxas() {
  if (const char *chosen = std::getenv("KILN_PTXAS"))
    return StringRef(chosen) == "none" ? std::nullopt : std::optional<std::string>(chosen);
  SmallVector<std::string> folders;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *folder = std::getenv(variable))
      folders.push_back(std::string(folder) + "/bin");
  for (const std::string &folder : folders)
    if (auto found = sys::findProgramByName("ptxas", StringRef(folder)))
      return *found;
  if (auto found = sys::findProgramByName("ptxas"))
    return *found;
  if (auto found = sys::findProgramByName("ptxas", StringRef("/usr/local/cuda/bin")))
    return *found;
  return std::nullopt;
}

Expected<std::vector<std::byte>> assemblePtx(StringRef ptxas, StringRef ptx,
                                             StringRef architecture) {
  TemporaryFolder folder;
  if (Error error = folder.create())
    return error;
  std::string source = folder.file("kernels.ptx"), output = folder.file("kernels.cubin"),
              messages = folder.file("messages");
  {
    std::error_code error;
    raw_fd_ostream stream(source, error);
    if (!error)
      stream << ptx;
    stream.close();
    if (error || stream.has_error())
      return createStringError("cannot write " + source);
  }
  std::string arch = ("-arch=" + architecture).str(), failure;
  int status = sys::ExecuteAndWait(ptxas, {ptxas, arch, "-O3", "-o", output, source},
                                   /*Env=*/std::nullopt,
                                   {StringRef(), StringRef(messages), StringRef(messages)},
                                   /*SecondsToWait=*/0, /*MemoryLimit=*/0, &failure);
  if (status != 0)
    return createStringError(ptxas.str() + " for " + architecture.str() + ": " +
                             (failure.empty() ? contents(messages) : failure));
  auto cubin = MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!cubin)
    return createStringError(ptxas.str() + " wrote no " + output);
  auto bytes = reinterpret_cast<const std::byte *>((*cubin)->getBufferStart());
  return std::vector<std::byte>(bytes, bytes + (*cubin)->getBufferSize());
}

} // namespace kiln::codegen
