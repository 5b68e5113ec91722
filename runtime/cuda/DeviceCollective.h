#pragma once

#include "kiln/Device.h"
#include "runtime/Collective.h"
#include "runtime/cuda/Gpu.h"

#include <memory>
#include <span>
#include <vector>

namespace kiln::runtime::cuda {

/// The collectives of one call whose ranks are accelerators of this process. `in` and `out` are
/// device addresses, and the work is put into the rank's stream. `meetings`: those of the ranks'
/// threads, see makeInProcessCollectives. Through NCCL where it is installed and the devices are
/// of one process; else parts are gathered by copies between devices and sums go through the host.
std::vector<std::unique_ptr<Collective>>
makeDeviceCollectives(std::span<Stream *const> streams,
                      std::vector<std::unique_ptr<Collective>> meetings);

} // namespace kiln::runtime::cuda
