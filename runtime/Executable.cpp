#include "runtime/Executable.h"

#include "kiln/Error.h"
#include "runtime/CallContext.h"
#include "runtime/HostMemory.h"
#include "runtime/Profile.h"
#include "runtime/StackArray.h"
#include "runtime/WorkspacePool.h"
#include "runtime/cuda/DeviceContents.h"
#include "runtime/cuda/Graphs.h"
#include "runtime/cuda/Kernels.h"

#include <fmt/format.h>

namespace kiln::runtime {
namespace {

/// Entry buffers and symbols that a call keeps on its stack; more go to the heap.
constexpr std::size_t stackSlots = 128, stackSymbols = 16;

std::span<const Packing> packingsOf(const ArtifactInput &input) {
  static constexpr Packing dense{};
  return input.packings.empty() ? std::span(&dense, 1) : std::span(input.packings);
}

/// For work that this thread enqueues next.
const void *deviceAddress(const Buffer &buffer) {
  cuda::DeviceContents &contents = *buffer.onAccelerator();
  return reinterpret_cast<const void *>(contents.address(contents.device().stream()));
}

std::size_t checkedBytes(int64_t bytes, const char *what) {
  if (bytes < 0)
    throw ValueError(fmt::format("the {} would take {} bytes", what, bytes));
  return static_cast<std::size_t>(bytes);
}

} // namespace

Executable::Executable(Artifact artifact, CodeImage image, KilnEntry entryPoint)
    : description(std::move(artifact)), code(std::move(image)), entry(entryPoint),
      guards(description) {
  description.code.clear();
  description.code.shrink_to_fit();
  std::size_t slot = 0;
  for (uint32_t i = 0; i < description.inputs.size(); ++i) {
    const ArtifactInput &input = description.inputs[i];
    (input.isWeight ? weightInputs : argumentInputs).push_back(i);
    firstSlot.push_back(slot);
    slot += packingsOf(input).size();
  }
  firstSlot.push_back(slot);
  for (const ArtifactOutput &output : description.outputs) {
    if (output.aliasOfInput && *output.aliasOfInput >= description.inputs.size())
      throw CompileError(fmt::format("output {} is input {} of {}", outputDims.size(),
                                     *output.aliasOfInput, description.inputs.size()));
    outputDims.emplace_back();
    for (const Dim &dim : output.type.shape)
      outputDims.back().emplace_back(dim, description.symbols);
    workspaceDevice = output.type.device;
  }
  workspace = DimProgram(description.workspace, description.symbols);
  scratchPerThread = DimProgram(description.scratchPerThread, description.symbols);
  if (!description.device.empty()) {
    kernels = std::make_unique<cuda::Kernels>(description.device);
    if (cuda::Graphs::areOn())
      graphs = std::make_unique<cuda::Graphs>();
  }
}

Executable::~Executable() = default;

std::shared_ptr<const Executable> Executable::load(Artifact artifact) {
  CodeImage code = CodeImage::copyOf(artifact.code);
  return load(std::move(artifact), std::move(code));
}

std::shared_ptr<const Executable> Executable::load(Artifact artifact, CodeImage code) {
  requireTarget(artifact.target);
  if (artifact.entryOffset < 0 ||
      static_cast<std::size_t>(artifact.entryOffset) >= code.sizeBytes())
    throw CompileError(fmt::format("the entry at {} is outside the code of {} bytes",
                                   artifact.entryOffset, code.sizeBytes()));
  auto entry = reinterpret_cast<KilnEntry>(
      reinterpret_cast<std::uintptr_t>(code.data() + artifact.entryOffset));
  return std::shared_ptr<Executable>(new Executable(std::move(artifact), std::move(code), entry));
}

std::shared_ptr<const Executable> Executable::fromEntry(Artifact artifact, KilnEntry entry) {
  return std::shared_ptr<Executable>(new Executable(std::move(artifact), {}, entry));
}

void Executable::checkCount(const char *what, std::size_t expected, std::size_t got) const {
  if (expected != got)
    throw ValueError(fmt::format("expected {} {}, got {}", expected, what, got));
}

const void *Executable::packedInput(const TensorValue &value, const Packing &packing,
                                    std::vector<std::shared_ptr<const Buffer>> &held) const {
  const Buffer *buffer = value.buffer.get();
  if (packing.kind != Packing::Kind::none || !buffer->isAlignedFor(value.type.dtype)) {
    held.push_back(value.buffer->packed(packing, value.type));
    buffer = held.back().get();
  }
  return isOnAccelerator() ? deviceAddress(*buffer) : buffer->data();
}

std::vector<TensorValue> Executable::run(std::span<const TensorValue *const> inputs,
                                         std::span<const int64_t> symbols) const {
  checkCount("inputs", description.inputs.size(), inputs.size());
  if (!symbols.empty())
    checkCount("values of symbols", description.symbols.size(), symbols.size());
  StackArray<int64_t, stackSymbols> solved(description.symbols.size());
  guards.checkWeights(inputs.data());
  guards.checkCall(inputs.data(), solved.data(), symbols.empty() ? nullptr : symbols.data());
  StackArray<const void *, stackSlots> slots(firstSlot.back() + outputDims.size() + 1);
  std::vector<std::shared_ptr<const Buffer>> held;
  std::size_t slot = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (const Packing &packing : packingsOf(description.inputs[i]))
      slots[slot++] = packedInput(*inputs[i], packing, held);
  return call(inputs.data(), slots.data(), solved.data());
}

TensorValue Executable::makeOutput(std::size_t index, const TensorValue *const *inputs,
                                   const int64_t *symbols, std::optional<Device> device) const {
  const ArtifactOutput &output = description.outputs[index];
  const std::vector<DimProgram> &dims = outputDims[index];
  std::vector<Dim> shape;
  shape.reserve(dims.size());
  int64_t bytes = static_cast<int64_t>(sizeBytes(output.type.dtype));
  bool overflow = false;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    int64_t size = dims[axis].evaluate(symbols);
    if (size < 0)
      throw ValueError(fmt::format("output {}: dim {}: {} is {}", index, axis,
                                   output.type.shape.vec()[axis].str(), size));
    overflow |= __builtin_mul_overflow(bytes, size, &bytes);
    shape.emplace_back(size);
  }
  if (overflow)
    throw ValueError(fmt::format("output {}: {} is too large", index, Shape(shape).str()));
  TensorValue value;
  value.type.dtype = output.type.dtype;
  value.type.shape = Shape(std::move(shape));
  value.type.device = device.value_or(output.type.device);
  if (output.aliasOfInput)
    value.buffer = inputs[*output.aliasOfInput]->buffer;
  else
    value.buffer = Buffer::allocate(static_cast<std::size_t>(bytes), value.type.device);
  return value;
}

std::vector<TensorValue> Executable::makeOutputs(const TensorValue *const *inputs,
                                                 const void **slots, const int64_t *symbols,
                                                 std::optional<Device> device) const {
  std::vector<TensorValue> results;
  results.reserve(outputDims.size());
  std::size_t slot = firstSlot.back();
  for (std::size_t i = 0; i < outputDims.size(); ++i) {
    results.push_back(makeOutput(i, inputs, symbols, device));
    const Buffer &buffer = *results.back().buffer;
    slots[slot++] = isOnAccelerator() ? deviceAddress(buffer) : buffer.data();
  }
  return results;
}

std::size_t Executable::workspaceBytes(const int64_t *symbols, int64_t threads) const {
  std::size_t shared = checkedBytes(workspace.evaluate(symbols), "workspace");
  std::size_t each = checkedBytes(scratchPerThread.evaluate(symbols), "scratch memory");
  shared = (shared + memoryAlignment - 1) / memoryAlignment * memoryAlignment;
  std::size_t total;
  if (__builtin_mul_overflow(each, static_cast<std::size_t>(threads), &total) ||
      __builtin_add_overflow(total, shared, &total))
    throw ValueError("the workspace is too large");
  return total;
}

KILN_CALLS_COMPILED_CODE void Executable::enter(CallContext &context, const void **slots,
                                                const int64_t *symbols) const {
  std::optional<CallRecorder> recorder;
  if (Profiler::isRecording())
    recorder.emplace(*this, context, symbols);
  // The entry's type has no const within: it writes only outputs and workspace.
  entry(&context, const_cast<void *const *>(slots), symbols);
}

std::vector<TensorValue> Executable::call(const TensorValue *const *inputs, const void **slots,
                                          const int64_t *symbols, int64_t mostThreads) const {
  if (description.ranks != 1)
    throw ValueError(fmt::format("the program runs on {} devices, not on one", description.ranks));
  if (isOnAccelerator())
    return callOnDevice(inputs, slots, symbols);
  CallContext context(mostThreads);
  // All that may fail comes before the entry.
  std::vector<TensorValue> results = makeOutputs(inputs, slots, symbols, {});
  WorkspacePool::Lease lease =
      WorkspacePool::instance().take(workspaceBytes(symbols, context.threads), workspaceDevice);
  slots[firstSlot.back() + results.size()] = lease.data();
  enter(context, slots, symbols);
  context.raiseIndexError(description, symbols);
  return results;
}

std::shared_ptr<const BoundModel>
Executable::bindWeights(std::span<const TensorValue *const> weights, std::optional<Device> device,
                        int64_t mostThreads) const {
  checkCount("weights", weightInputs.size(), weights.size());
  ProfileScope scope("pack the weights");
  std::shared_ptr<BoundModel> bound(new BoundModel);
  bound->owner = shared_from_this();
  bound->mostThreads = mostThreads;
  bound->inputs.resize(description.inputs.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    bound->inputs[weightInputs[i]] = weights[i];
  guards.checkWeights(bound->inputs.data());

  bound->slots.resize(firstSlot.back() + outputDims.size() + 1);
  bound->weights.resize(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Buffer &buffer = *weights[i]->buffer;
    Device place = device.value_or(buffer.device());
    std::size_t slot = firstSlot[weightInputs[i]];
    for (const Packing &packing : packingsOf(description.inputs[weightInputs[i]])) {
      bound->held.push_back(buffer.packed(packing, weights[i]->type, place));
      const Buffer &packed = *bound->held.back();
      if (isOnAccelerator()) {
        bound->slots[slot++] = deviceAddress(packed);
        packed.onAccelerator()->shareWithAll();
      } else {
        bound->slots[slot++] = packed.data();
      }
    }
    bound->weights[i].type = weights[i]->type;
    for (const ArtifactOutput &output : description.outputs)
      if (output.aliasOfInput == weightInputs[i])
        bound->weights[i].buffer = buffer.packed({}, weights[i]->type, place);
  }
  for (std::size_t i = 0; i < weights.size(); ++i)
    bound->inputs[weightInputs[i]] = &bound->weights[i];
  return bound;
}

std::vector<TensorValue> BoundModel::run(std::span<const TensorValue *const> arguments,
                                         std::span<const int64_t> symbols) const {
  const Executable &exe = *owner;
  exe.checkCount("arguments", exe.argumentInputs.size(), arguments.size());
  if (!symbols.empty())
    exe.checkCount("values of symbols", exe.description.symbols.size(), symbols.size());
  StackArray<const TensorValue *, stackSlots> all(inputs.size());
  std::copy(inputs.begin(), inputs.end(), all.data());
  for (std::size_t i = 0; i < arguments.size(); ++i)
    all[exe.argumentInputs[i]] = arguments[i];
  StackArray<int64_t, stackSymbols> solved(exe.description.symbols.size());
  exe.guards.checkCall(all.data(), solved.data(), symbols.empty() ? nullptr : symbols.data());

  StackArray<const void *, stackSlots> buffers(slots.size());
  std::copy(slots.begin(), slots.end(), buffers.data());
  std::vector<std::shared_ptr<const Buffer>> packedArguments;
  for (uint32_t input : exe.argumentInputs) {
    std::size_t slot = exe.firstSlot[input];
    for (const Packing &packing : packingsOf(exe.description.inputs[input]))
      buffers[slot++] = exe.packedInput(*all[input], packing, packedArguments);
  }
  return exe.call(all.data(), buffers.data(), solved.data(), mostThreads);
}

} // namespace kiln::runtime
