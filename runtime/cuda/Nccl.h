#pragma once

#include "kiln/DType.h"
#include "runtime/cuda/Gpu.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct ncclComm;

/// NVIDIA's library of collectives, found with dlopen where it is installed.
namespace kiln::runtime::cuda {

using Communicator = ncclComm *;

class Nccl {
public:
  /// Null where there is none. $KILN_NCCL: a library in the place of libnccl.so.2; `off`: none.
  static const Nccl *find();

  /// One communicator for each device, made once for each list. None where NCCL cannot make them,
  /// which it says on standard error.
  const std::vector<Communicator> &communicators(std::span<Stream *const> streams) const;
  /// Its number for sums of a dtype; nothing for those that it does not sum.
  static std::optional<int> typeOf(DType dtype);
  /// Errors: DeviceError.
  void allReduce(const void *in, void *out, std::size_t count, int type, Communicator communicator,
                 StreamHandle stream) const;
  void allGather(const void *in, void *out, std::size_t bytes, Communicator communicator,
                 StreamHandle stream) const;

private:
  Nccl() = default;
  void check(const char *call, int result) const;

  int (*initAll)(Communicator *, int, const int *) = nullptr;
  int (*reduce)(const void *, void *, std::size_t, int, int, Communicator, StreamHandle) = nullptr;
  int (*gather)(const void *, void *, std::size_t, int, Communicator, StreamHandle) = nullptr;
  const char *(*errorText)(int) = nullptr;
};

} // namespace kiln::runtime::cuda
