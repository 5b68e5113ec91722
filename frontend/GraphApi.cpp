#include "kiln/Graph.h"

#include "frontend/CompiledState.h"
#include "frontend/GraphScope.h"
#include "frontend/GraphState.h"
#include "frontend/Trace.h"

#include <chrono>
#include <fmt/format.h>

namespace kiln {

struct Graph::Scope::Entered {
  detail::GraphScope graph;
  detail::TraceScope trace;
};

Graph::Scope::Scope(const std::shared_ptr<detail::GraphState> &state)
    : entered(new Entered{detail::GraphScope(state->name), {}}) {}

Graph::Scope::~Scope() = default;

Graph::Graph(std::string name)
    : state(std::make_shared<detail::GraphState>(
          detail::GraphState{std::make_shared<const std::string>(std::move(name)), {}, {}})) {}

const std::string &Graph::name() const { return *state->name; }

Tensor Graph::input(const TensorType &type, Where where) {
  detail::checkInputType(type, state->inputs.size(), name(), where);
  auto node = detail::symbolicNode(type);
  node->where = where;
  node->graph = state->name;
  state->inputs.push_back(node);
  return Tensor(std::move(node));
}

void Graph::output(const Tensor &result, Where where) {
  const auto &node = detail::nodeOf(result, "output", where);
  if (node->graph && node->graph != state->name)
    throw TypeError(fmt::format("[output] {} is part of graph \"{}\", not of \"{}\"{}",
                                node->type().str(), *node->graph, name(), atLocation(where)));
  state->outputs.push_back(node);
}

void Graph::output(const std::vector<Tensor> &results, Where where) {
  for (const Tensor &result : results)
    output(result, where);
}

CompiledGraph Graph::compile(const CompileOptions &options) const {
  if (state->outputs.empty())
    throw ValueError(
        fmt::format("[compile] graph \"{}\" has no output{}", name(), atLocation(options.where)));
  if (options.weights)
    throw TypeError(fmt::format("[compile] graph \"{}\" has no parameters to take weights{}",
                                name(), atLocation(options.where)));
  std::vector<TensorType> types;
  for (const auto &input : state->inputs)
    types.push_back(input->type());
  detail::checkConstraints(types, name(), options);
  detail::GraphScope outside(nullptr);
  return CompiledGraph(detail::compileRecorded(state->inputs, state->outputs, {}, name(), options,
                                               std::chrono::steady_clock::now()));
}

GraphResults CompiledGraph::call(std::initializer_list<Input> inputs) const {
  std::vector<const Tensor *> tensors;
  for (const Input &input : inputs)
    if (input.tensor)
      tensors.push_back(input.tensor);
  return run(tensors, inputs.begin()->where);
}

GraphResults CompiledGraph::operator()(const std::vector<Tensor> &inputs, Where where) const {
  std::vector<const Tensor *> tensors;
  for (const Tensor &input : inputs)
    tensors.push_back(&input);
  return run(tensors, where);
}

GraphResults CompiledGraph::run(const std::vector<const Tensor *> &inputs, Where where) const {
  if (inputs.size() != state->numArguments)
    throw TypeError(fmt::format("[{}] takes {} inputs, got {}{}", state->name, state->numArguments,
                                inputs.size(), atLocation(where)));
  GraphResults results(state->numResults);
  detail::callCompiled(*state, inputs.data(), results.data(), where);
  return results;
}

GraphResults::operator const Tensor &() const {
  if (size() != 1)
    throw ValueError(fmt::format("[GraphResults] there are {} results, not one", size()));
  return front();
}

std::ostream &operator<<(std::ostream &os, const GraphResults &results) {
  for (std::size_t i = 0; i < results.size(); ++i)
    os << (i ? "\n" : "") << results[i];
  return os;
}

} // namespace kiln
