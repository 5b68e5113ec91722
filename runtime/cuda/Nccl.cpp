#include "runtime/cuda/Nccl.h"

#include "kiln/Error.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include <dlfcn.h>
#include <fmt/format.h>

namespace kiln::runtime::cuda {
namespace {

// Values of NCCL's enumerations, by its names.
constexpr int ncclUint8 = 1, ncclInt8 = 0, ncclInt32 = 2, ncclUint32 = 3, ncclInt64 = 4,
              ncclUint64 = 5, ncclFloat16 = 6, ncclFloat32 = 7, ncclFloat64 = 8, ncclBfloat16 = 9;
constexpr int ncclSum = 0;

} // namespace

const Nccl *Nccl::find() {
  static const Nccl *found = []() -> const Nccl * {
    const char *path = std::getenv("KILN_NCCL");
    if (path && std::strcmp(path, "off") == 0)
      return nullptr;
    void *library = dlopen(path && *path ? path : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library)
      return nullptr;
    auto *nccl = new Nccl;
    auto resolve = [&](auto &entry, const char *name) {
      entry = reinterpret_cast<std::remove_reference_t<decltype(entry)>>(dlsym(library, name));
      return entry != nullptr;
    };
    if (resolve(nccl->initAll, "ncclCommInitAll") && resolve(nccl->reduce, "ncclAllReduce") &&
        resolve(nccl->gather, "ncclAllGather") && resolve(nccl->errorText, "ncclGetErrorString"))
      return nccl;
    delete nccl;
    return nullptr;
  }();
  return found;
}

void Nccl::check(const char *call, int result) const {
  if (result != 0)
    throw DeviceError(fmt::format("{} failed: {}", call, errorText(result)));
}

const std::vector<Communicator> &Nccl::communicators(std::span<Stream *const> streams) const {
  // Making them takes seconds, and they hold memory of the devices; they live with the process.
  static std::mutex &mutex = *new std::mutex;
  static auto &known = *new std::map<std::vector<int>, std::vector<Communicator>>;
  std::vector<int> devices;
  for (const Stream *stream : streams)
    devices.push_back(stream->gpu().device().index());
  std::lock_guard lock(mutex);
  auto [entry, isNew] = known.try_emplace(devices);
  if (isNew) {
    entry->second.resize(devices.size());
    int result = initAll(entry->second.data(), static_cast<int>(devices.size()), devices.data());
    if (result != 0) {
      entry->second.clear();
      std::fputs(fmt::format("kiln: ncclCommInitAll failed: {}; sums go through the host\n",
                             errorText(result))
                     .c_str(),
                 stderr);
    }
  }
  return entry->second;
}

std::optional<int> Nccl::typeOf(DType dtype) {
  switch (dtype) {
  case DType::int8:
    return ncclInt8;
  case DType::uint8:
    return ncclUint8;
  case DType::int32:
    return ncclInt32;
  case DType::uint32:
    return ncclUint32;
  case DType::int64:
    return ncclInt64;
  case DType::uint64:
    return ncclUint64;
  case DType::float16:
    return ncclFloat16;
  case DType::bfloat16:
    return ncclBfloat16;
  case DType::float32:
    return ncclFloat32;
  case DType::float64:
    return ncclFloat64;
  default:
    return std::nullopt;
  }
}

void Nccl::allReduce(const void *in, void *out, std::size_t count, int type,
                     Communicator communicator, StreamHandle stream) const {
  check("ncclAllReduce", reduce(in, out, count, type, ncclSum, communicator, stream));
}

void Nccl::allGather(const void *in, void *out, std::size_t bytes, Communicator communicator,
                     StreamHandle stream) const {
  check("ncclAllGather", gather(in, out, bytes, ncclUint8, communicator, stream));
}

} // namespace kiln::runtime::cuda
