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
  Tensor whole = lazyTable(call, options.vocabSize, options.hiddenDim, dtype, quantizationEncoding);
  weight = kiln::detail::shardTensor(call, whole, 0, devices);
}

Dim VocabParallelEmbedding::hiddenDim() const { return rowElements(weight, quantizationEncoding); }

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
  return kiln::detail::replicate(call, decodedRows(rows, quantizationEncoding, dtype, where),
                                 devices);
}

void VocabParallelEmbedding::describe(Description &to) const {
  describeTable(to, weight, quantizationEncoding, dtype);
  to.field("devices", devices).field("name", name, std::string());
}

} // namespace kiln::nn::embedding
