#include "kiln/Compare.h"

#include "frontend/CompareGraph.h"
#include "frontend/CompiledState.h"
#include "frontend/Evaluate.h"
#include "frontend/GraphState.h"

#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <ostream>
#include <sstream>

namespace kiln {

namespace {

/// "net.cpp:42": a place as messages name it, without what stands around it.
std::string placeOf(const std::source_location &where) {
  std::string text = atLocation(where), opening = " (at ";
  return text.starts_with(opening) ? text.substr(opening.size(), text.size() - opening.size() - 1)
                                   : text;
}

/// Contents of the inputs, made if they are not there yet.
std::vector<runtime::TensorValue> valuesOf(const std::vector<Tensor> &inputs,
                                           const std::source_location &where) {
  std::vector<std::shared_ptr<detail::Node>> nodes;
  for (const Tensor &input : inputs)
    nodes.push_back(detail::nodeOf(input, "compare", where));
  detail::evaluate(nodes, "compare", where);
  std::vector<runtime::TensorValue> values;
  for (const auto &node : nodes)
    values.push_back(node->value);
  return values;
}

Comparison compareRecorded(detail::Recorded recorded, const std::string &name,
                           const std::vector<Tensor> &inputs, const CompareOptions &options) {
  recorded.graph.segments.clear(); // a part of the graph may end within one
  std::vector<runtime::TensorValue> values = valuesOf(inputs, options.where);
  for (std::size_t i = inputs.size(); i < recorded.pending.leaves.size(); ++i) {
    makeLazyLeaf(*recorded.pending.leaves[i]);
    values.push_back(recorded.pending.leaves[i]->value);
  }
  for (std::size_t i = 0; i < recorded.graph.nodes.size(); ++i)
    if (const std::source_location &where = recorded.locations[i]; where.line() > 0)
      recorded.graph.nodes[i].location = placeOf(where);
  Comparison result;
  try {
    result = detail::compareGraph(recorded.graph, values, options.tolerance,
                                  detail::compiledRunner(options.compile, recorded.devices));
  } catch (const Error &) {
    detail::rethrowWith([&](const std::string &message) {
      return detail::completed(message, "compare", options.where);
    });
  }
  if (!result.equal) {
    std::ostringstream text;
    text << name << ": " << result;
    std::istringstream lines(text.str());
    std::string comments;
    for (std::string line; std::getline(lines, line);)
      comments += "// " + line + "\n";
    result.ir = comments + result.ir;
  }
  return result;
}

} // namespace

Comparison detail::compareTraced(const std::vector<Tensor> &inputs, const NamedTensors &parameters,
                                 const std::string &name, const CompareOptions &options,
                                 const TraceBody &body) {
  std::vector<TensorType> types = options.types;
  if (!types.empty() && types.size() != inputs.size())
    throw TypeError(fmt::format("[compare] {}: {} types for {} inputs{}", name, types.size(),
                                inputs.size(), atLocation(options.where)));
  if (types.empty())
    for (const Tensor &input : inputs)
      types.push_back(nodeOf(input, "compare", options.where)->type());
  Traced traced = trace(types, parameters, name, options.compile, body);
  return compareRecorded(
      recordGraph(traced.arguments, traced.results, parameters, name, options.compile), name,
      inputs, options);
}

void detail::refuseInputs(const std::string &name, std::size_t count,
                          const CompareOptions &options) {
  throw TypeError(fmt::format("[compare] {} does not take {} inputs{}", name, count,
                              atLocation(options.where)));
}

Comparison compare(const Graph &graph, const std::vector<Tensor> &inputs,
                   const CompareOptions &options) {
  const detail::GraphState &state = *graph.state;
  if (state.outputs.empty())
    throw ValueError(fmt::format("[compare] graph \"{}\" has no output{}", graph.name(),
                                 atLocation(options.where)));
  if (inputs.size() != state.inputs.size())
    throw TypeError(fmt::format("[compare] {} takes {} inputs, got {}{}", graph.name(),
                                state.inputs.size(), inputs.size(), atLocation(options.where)));
  return compareRecorded(
      detail::recordGraph(state.inputs, state.outputs, {}, graph.name(), options.compile),
      graph.name(), inputs, options);
}

void Comparison::writeIr(const std::string &path) const {
  std::ofstream file(path);
  file << ir;
  file.close();
  if (!file)
    throw IoError(fmt::format("[compare] cannot write {}: {}", path, std::strerror(errno)));
}

std::ostream &operator<<(std::ostream &os, const Comparison &comparison) {
  if (comparison.equal)
    return os << fmt::format("equal (largest difference {:.3g})", comparison.maxDifference);
  os << fmt::format("{} differs by {:.3g}", comparison.op, comparison.maxDifference);
  if (!comparison.location.empty())
    os << " (at " << comparison.location << ")";
  return os << ": expected " << comparison.expected << ", got " << comparison.got;
}

} // namespace kiln
