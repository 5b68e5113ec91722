//===- InterpretModule.cpp - A module in the interpreter ----------------------===//

#include "InterpretModule.h"

#include "frontend/CompiledState.h"
#include "runtime/CompilerLibrary.h"

namespace kiln::tools {

Tensor interpretTraced(const std::vector<Tensor> &inputs,
                       const std::vector<std::pair<std::string, Tensor>> &parameters,
                       const std::function<Tensor(const Tensor *)> &body) {
  std::vector<TensorType> types;
  for (const Tensor &input : inputs)
    types.push_back(input.type());
  const CompileOptions options;
  const DefaultsScope defaults(DType::float32, CPU());
  detail::Traced traced = detail::trace(types, parameters, "reference", options,
                                        [&](const Tensor *x) { return std::vector{body(x)}; });
  detail::Recorded recorded =
      detail::recordGraph(traced.arguments, traced.results, parameters, "reference", options);
  runtime::InterpretRequest request;
  auto add = [&](const TensorType &type, std::span<const std::byte> bytes) {
    request.inputs.push_back({type, {bytes.begin(), bytes.end()}});
  };
  for (const Tensor &input : inputs)
    add(input.type(), input.bytes());
  for (std::size_t i = inputs.size(); i < recorded.pending.leaves.size(); ++i) {
    detail::makeLazyLeaf(*recorded.pending.leaves[i]);
    const runtime::TensorValue &value = recorded.pending.leaves[i]->value;
    add(value.type, value.buffer->bytes());
  }
  runtime::InterpretResult result = runtime::interpretGraph(recorded.graph, request);
  if (result.error != ErrorKind::none)
    throwError(result.error, result.message);
  const runtime::HostContents &first = result.results.at(0);
  return detail::realizedTensor(first.type, runtime::Buffer::copyOf(first.bytes));
}

} // namespace kiln::tools
