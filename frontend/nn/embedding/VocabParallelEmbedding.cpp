#include "kiln/nn/embedding/VocabParallelEmbedding.h"

#include "frontend/RandomFill.h"
#include "frontend/Sharding.h"
#include "frontend/Trace.h"
#include "frontend/Transfer.h"
#include "frontend/nn/embedding/PackedTable.h"
#include "kiln/Defaults.h"
#include "kiln/Ops.h"

#include <fmt/format.h>
#include <mutex>

namespace kiln::nn::embedding {

using kiln::detail::Call;

VocabParallelEmbedding::VocabParallelEmbedding(const VocabParallelEmbeddingOptions &options,
                                               Where where)
    : devices(options.devices), name(options.name),
      quantizationEncoding(options.quantizationEncoding),
      dtype(options.dtype.value_or(defaults().first)) {
  Call call("VocabParallelEmbedding", where);
  kiln::detail::checkDevices(call, devices);
  auto check = [&](const char *field, const Dim &dim) {
    if (!dim.isStatic() || dim.value() < 0)
      call.fail(ErrorKind::type,
                fmt::format("{} must be a non-negative number, not {}", field, dim.str()));
  };
  check("vocabSize", options.vocabSize);
  check("hiddenDim", options.hiddenDim);
  Tensor whole;
  if (quantizationEncoding) {
    checkPackedDType(call, dtype, *quantizationEncoding);
    whole = lazyPacked(call, options.vocabSize, options.hiddenDim.value(), *quantizationEncoding);
  } else {
    whole = kiln::detail::lazyRandom(
        kiln::detail::Distribution::normal,
        TensorType(dtype, {options.vocabSize, options.hiddenDim}, CPU()), 0, 1, where);
  }
  weight = kiln::detail::shardTensor(call, whole, 0, devices);
}

Dim VocabParallelEmbedding::hiddenDim() const {
  const Dim &length = weight.shape()[1];
  return quantizationEncoding ? unpackedColumns(length, *quantizationEncoding) : length;
}

/// Guards which tensors the embeddings hold; never held while anything is copied.
static std::mutex placementMutex;

/// The table in parts. One that was put in its place whole is split, once.
Tensor VocabParallelEmbedding::splitWeight(Where where) const {
  Tensor whole;
  {
    std::lock_guard lock(placementMutex);
    whole = weight;
  }
  Tensor split =
      kiln::detail::shardTensor(Call("VocabParallelEmbedding", where), whole, 0, devices);
  if (split.handle() == whole.handle())
    return split;
  std::lock_guard lock(placementMutex);
  if (weight.handle() != whole.handle()) // another thread was faster
    return weight;
  weight = split;
  return split;
}

std::vector<Tensor> VocabParallelEmbedding::operator()(const Tensor &indices, Where where) const {
  Call call("VocabParallelEmbedding", where);
  if (!kiln::detail::TraceScope::isActive())
    for (Device device : devices)
      kiln::detail::checkDevice(device, call.name, where);
  Tensor ids = kiln::detail::lazilyOn(call, indices, devices.front());
  if (ids.device() != devices.front()) // recorded: not known yet
    ids = kiln::detail::replicate(call, ids, {devices.front()}).front();
  Tensor rows = gather(splitWeight(where), ids, 0, where);
  if (quantizationEncoding)
    rows = dequantize(rows, *quantizationEncoding, where).cast(dtype, where);
  return kiln::detail::replicate(call, rows, devices);
}

void VocabParallelEmbedding::describe(Description &to) const {
  to.field("vocab_size", vocabSize())
      .field("hidden_dim", hiddenDim())
      .field("dtype", quantizationEncoding ? dtype : weight.dtype());
  if (quantizationEncoding)
    to.field("quantization_encoding", *quantizationEncoding);
  to.field("devices", devices).field("name", name, std::string());
}

} // namespace kiln::nn::embedding
