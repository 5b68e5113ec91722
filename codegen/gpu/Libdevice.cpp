#include "codegen/gpu/Libdevice.h"

#include "codegen/gpu/Ptxas.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/Module.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstdlib>

using namespace llvm;

namespace kiln::codegen {
namespace {

constexpr StringLiteral prefix = "__nv_";

/// The functions of the library that a module calls, without the prefix.
SmallVector<std::string> wanted(const Module &module) {
  SmallVector<std::string> names;
  for (const Function &function : module)
    if (function.isDeclaration() && function.getName().starts_with(prefix))
      names.push_back(function.getName().drop_front(prefix.size()).str());
  return names;
}

} // namespace

std::optional<std::string> findLibdevice() {
  if (const char *chosen = std::getenv("KILN_LIBDEVICE"))
    return StringRef(chosen) == "none" ? std::nullopt : std::optional<std::string>(chosen);
  SmallVector<std::string> toolkits;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *folder = std::getenv(variable))
      toolkits.push_back(folder);
  if (std::optional<std::string> ptxas = findPtxas()) // TOOLKIT/bin/ptxas
    toolkits.push_back(sys::path::parent_path(sys::path::parent_path(*ptxas)).str());
  toolkits.push_back("/usr/local/cuda");
  for (const std::string &toolkit : toolkits) {
    SmallString<128> path(toolkit);
    sys::path::append(path, "nvvm", "libdevice", "libdevice.10.bc");
    if (sys::fs::exists(path))
      return path.str().str();
  }
  return std::nullopt;
}

Error linkLibdevice(Module &module) {
  SmallVector<std::string> names = wanted(module);
  if (names.empty())
    return Error::success();
  std::optional<std::string> path = findLibdevice();
  if (!path)
    return createStringError(
        names.front() + " of float64 on an accelerator needs libdevice.10.bc of the CUDA toolkit, "
                        "which is not found: install the toolkit, set CUDA_HOME, or name the file "
                        "by KILN_LIBDEVICE");
  auto buffer = MemoryBuffer::getFile(*path);
  if (!buffer)
    return createStringError("cannot read " + *path + ": " + buffer.getError().message());
  auto library = parseBitcodeFile(**buffer, module.getContext());
  if (!library)
    return createStringError(*path + ": " + toString(library.takeError()));
  // It states neither as LLVM does.
  (*library)->setTargetTriple(module.getTargetTriple());
  (*library)->setDataLayout(module.getDataLayout());
  SmallVector<std::string> own;
  for (const Function &function : module)
    if (!function.isDeclaration())
      own.push_back(function.getName().str());
  if (Linker::linkModules(module, std::move(*library), Linker::Flags::LinkOnlyNeeded))
    return createStringError("cannot link " + *path);
  for (Function &function : module) {
    if (function.isDeclaration() || is_contained(own, function.getName()))
      continue;
    function.setLinkage(GlobalValue::InternalLinkage);
    function.removeFnAttr(Attribute::NoInline);
    function.addFnAttr(Attribute::AlwaysInline);
  }
  for (const std::string &name : names)
    if (Function *function = module.getFunction((prefix + name).str());
        function && function->isDeclaration())
      return createStringError(*path + " has no " + prefix.str() + name);
  return Error::success();
}

} // namespace kiln::codegen
