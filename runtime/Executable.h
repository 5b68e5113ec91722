#pragma once

#include "runtime/Abi.h"
#include "runtime/Artifact.h"
#include "runtime/Buffer.h"
#include "runtime/CodeImage.h"
#include "runtime/DimProgram.h"
#include "runtime/Guards.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace kiln::runtime {

class BoundModel;
class CallContext;
namespace cuda {
class Graphs;
class Kernels;
} // namespace cuda

/// An artifact that can run. Immutable: any number of threads may call it at once. A call checks
/// its inputs, allocates the outputs, borrows a workspace and calls the artifact's entry.
class Executable : public std::enable_shared_from_this<Executable> {
public:
  /// Copies the artifact's code into executable memory.
  /// Errors: DeviceError if this CPU lacks what the code needs; CompileError if the artifact
  /// contradicts itself.
  static std::shared_ptr<const Executable> load(Artifact artifact);
  /// With code that is in memory already; `artifact.code` is not looked at.
  static std::shared_ptr<const Executable> load(Artifact artifact, CodeImage code);
  /// With an entry that is linked into this process: exported objects, tests.
  static std::shared_ptr<const Executable> fromEntry(Artifact artifact, KilnEntry entry);
  ~Executable();

  /// Without its code, which has moved.
  const Artifact &artifact() const { return description; }

  /// `inputs`: all of the artifact's, in order, weights among them; their packed copies are kept
  /// with their buffers. `symbols`: a value for each of the artifact's symbols; needed only
  /// where some symbol is no plain dim of an input.
  /// On an accelerator the call returns when its work has been enqueued, but where indices are
  /// checked when it has been done.
  /// Errors: ValueError from the guards, before anything is computed; IndexError; DeviceError.
  std::vector<TensorValue> run(std::span<const TensorValue *const> inputs,
                               std::span<const int64_t> symbols = {}) const;

  /// Checks and packs the weights (the artifact's weight inputs, in order) for many calls. With
  /// `device`, what lies on another one is copied to it, once for each buffer. `mostThreads`: of a
  /// call, if it is not 0.
  /// Errors: ValueError from the guards; DeviceError.
  std::shared_ptr<const BoundModel> bindWeights(std::span<const TensorValue *const> weights,
                                                std::optional<Device> device = {},
                                                int64_t mostThreads = 0) const;

private:
  friend class BoundModel;
  friend class RankedModel;
  Executable(Artifact artifact, CodeImage code, KilnEntry entry);
  void checkCount(const char *what, std::size_t expected, std::size_t got) const;
  const void *packedInput(const TensorValue &value, const Packing &packing,
                          std::vector<std::shared_ptr<const Buffer>> &held) const;
  bool isOnAccelerator() const { return kernels != nullptr; }
  /// The same on an accelerator: enqueues the work and, where indices are checked, waits for it.
  std::vector<TensorValue> callOnDevice(const TensorValue *const *inputs, const void **slots,
                                        const int64_t *symbols) const;
  /// `slots`: the entry's buffers, those of the inputs filled in.
  std::vector<TensorValue> call(const TensorValue *const *inputs, const void **slots,
                                const int64_t *symbols, int64_t mostThreads = 0) const;
  /// Allocates the outputs, on `device` if it is given, and fills in their slots.
  std::vector<TensorValue> makeOutputs(const TensorValue *const *inputs, const void **slots,
                                       const int64_t *symbols, std::optional<Device> device) const;
  TensorValue makeOutput(std::size_t index, const TensorValue *const *inputs,
                         const int64_t *symbols, std::optional<Device> device) const;
  /// Bytes of the workspace of a call with so many threads.
  std::size_t workspaceBytes(const int64_t *symbols, int64_t threads) const;
  void enter(CallContext &context, const void **slots, const int64_t *symbols) const;

  Artifact description;
  CodeImage code;
  KilnEntry entry;
  Guards guards;
  std::vector<std::size_t> firstSlot; // of each input; then of the outputs
  std::vector<uint32_t> weightInputs, argumentInputs;
  std::vector<std::vector<DimProgram>> outputDims;
  DimProgram workspace, scratchPerThread;
  Device workspaceDevice;
  std::unique_ptr<cuda::Kernels> kernels; // null on a CPU
  std::unique_ptr<cuda::Graphs> graphs;   // of an artifact whose work may be recorded
};

/// An executable with its weights: packed, their pointers in place. A call looks only at the
/// arguments. Keeps the packed copies alive, not the weights they were made of.
class BoundModel {
public:
  /// `arguments`: the artifact's inputs that are no weights, in order. Otherwise as
  /// Executable::run.
  std::vector<TensorValue> run(std::span<const TensorValue *const> arguments,
                               std::span<const int64_t> symbols = {}) const;
  const Executable &executable() const { return *owner; }
  /// A weight as the entry reads it: of each one a copy for each packing, in the order of the
  /// entry's buffers.
  const std::shared_ptr<const Buffer> &packedWeight(std::size_t index) const {
    return held.at(index);
  }

private:
  friend class Executable;
  friend class RankedModel;
  BoundModel() = default;
  std::shared_ptr<const Executable> owner;
  int64_t mostThreads = 0;
  std::vector<TensorValue> weights;        // types; buffers only of those that are outputs
  std::vector<const TensorValue *> inputs; // of the artifact: pointers to the weights, null else
  std::vector<const void *> slots;         // of the entry: those of the weights filled in
  std::vector<std::shared_ptr<const Buffer>> held;
};

} // namespace kiln::runtime
