#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// A library in the place of NVIDIA's driver, for tests on machines without an accelerator: it has
/// the functions that runtime/cuda/Driver.h names, keeps device memory where the host cannot reach
/// it, runs the work of streams only when somebody waits for it, and executes kernels by
/// interpreting their PTX. Each of its functions can be made to fail.
namespace standin {

struct Machine {
  int devices = 2;
  int major = 8, minor = 0; // compute capability
  std::size_t memoryBytes = std::size_t{256} << 20;
  bool hasPeerAccess = true;
  /// Threads of a block run the last first, see ptx::Launch.
  bool isReversed = false;
  bool takesCubins = false; // cubins load; their kernels only count their launches
  bool executes = true;     // else kernels do nothing, and PTX is not read
};
/// From the environment: KILN_STANDIN_CHIP ("sm_90"), KILN_STANDIN_DEVICES, KILN_STANDIN_MEMORY
/// (MB of each), KILN_STANDIN_EXECUTE (0: kernels do nothing).
/// Before the driver's first use for the number of devices; the others at any time.
Machine &machine();

/// The `nth` call from now (1: the next) of the driver's function `name` returns `code`, and so do
/// the `repeats` - 1 calls after it.
void failCall(const std::string &name, int nth, int code, int repeats = 1);
/// Takes back what failCall asked for, and what kernels did wrong.
void forgive();

/// How often a function was called.
int64_t calls(const std::string &name);
std::map<std::string, int64_t> allCalls();
/// What was executed, oldest first: "gpu:0 stream 2: kernel add [4, 1, 1] x 128",
/// "gpu:0 stream 2: to device 64 bytes".
std::vector<std::string> executed();
void clearLog();
/// What the stand-in saw that no program may do, with the place: accesses outside of allocations,
/// memory freed twice, handles that are not there.
std::vector<std::string> violations();

/// What has been made and not been given back.
struct Live {
  int64_t allocations = 0, allocatedBytes = 0, hostAllocations = 0, streams = 0, events = 0,
          modules = 0, graphs = 0, graphExecs = 0;
};
Live live();

/// What is in device memory now, without waiting for any work. For looking at order.
std::vector<std::byte> peek(uint64_t address, std::size_t sizeBytes);

} // namespace standin
