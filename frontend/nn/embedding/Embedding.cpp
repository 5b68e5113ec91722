#include "kiln/nn/embedding/Embedding.h"

#include "frontend/GraphScope.h"
#include "frontend/RandomFill.h"
#include "frontend/Trace.h"
#include "frontend/Transfer.h"
#include "frontend/nn/embedding/PackedTable.h"
#include "kiln/Defaults.h"
#include "kiln/Gguf.h"
#include "kiln/Ops.h"

#include <fmt/format.h>
#include <mutex>

namespace kiln::nn::embedding {

using kiln::detail::Call;

Embedding::Embedding(Tensor table, Where where) : weights(std::move(table)) {
  Call call("Embedding", where);
  if (call.type(weights).rank() < 1)
    call.fail(ErrorKind::value,
              fmt::format("expected weights of rank 1 or more: weights {}", weights.type().str()));
}

Tensor Embedding::operator()(const Tensor &indices, Where where) const {
  return gather(weights, indices, 0, where);
}

void Embedding::describe(Description &to) const {
  const Shape &shape = weights.shape();
  to.field("vocab_size", shape[0]);
  if (shape.rank() == 2)
    to.field("dim", shape[1]);
  else
    to.field("dims", Shape(std::vector<Dim>(shape.begin() + 1, shape.end())));
}

EmbeddingV2::EmbeddingV2(const EmbeddingV2Options &options, Where where)
    : device(options.device.value_or(defaults().second)), name(options.name),
      quantizationEncoding(options.quantizationEncoding),
      dtype(options.dtype.value_or(defaults().first)) {
  Call call("EmbeddingV2", where);
  weight = lazyTable(call, options.vocabSize, options.hiddenDim, dtype, quantizationEncoding);
}

Dim EmbeddingV2::hiddenDim() const { return rowElements(weight, quantizationEncoding); }

/// Guards which tensors the embeddings hold; never held while anything is copied.
static std::mutex placementMutex;

/// The table on the device. What is moved takes the place of the parameter as soon as it is there.
Tensor EmbeddingV2::placedWeight(Where where) const {
  std::lock_guard lock(placementMutex);
  if (!weight.defined() || weight.device() == device)
    return weight;
  if (source.handle() != weight.handle()) { // the first time, or others were loaded since
    source = weight;
    moved = kiln::detail::lazilyOn(Call("EmbeddingV2", where), weight, device);
  }
  Tensor placed = moved;
  if (!kiln::detail::TraceScope::isActive() || moved.isRealized()) {
    weight = moved;
    source = moved = Tensor();
  }
  return placed;
}

Tensor EmbeddingV2::operator()(const Tensor &indices, Where where) const {
  Call call("EmbeddingV2", where);
  if (!kiln::detail::TraceScope::isActive())
    kiln::detail::checkDevice(device, call.name, where);
  Tensor table = placedWeight(where);
  Tensor rows = gather(table, kiln::detail::lazilyOn(call, indices, device), 0, where);
  return decodedRows(rows, quantizationEncoding, dtype, where);
}

void EmbeddingV2::describe(Description &to) const {
  describeTable(to, weight, quantizationEncoding, dtype);
  to.field("device", device).field("name", name, std::string());
}

} // namespace kiln::nn::embedding
