#include "frontend/SizeNames.h"

#include "kiln/Error.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace kiln::detail {

namespace {

/// Calls f with every dim of a node: of its type, and of its attributes.
template <class F> void forEachDim(const ir::Node &node, F f) {
  for (const Dim &dim : node.type.shape)
    f(dim);
  for (const auto &[name, value] : node.attributes)
    if (auto *shape = std::get_if<Shape>(&value))
      for (const Dim &dim : *shape)
        f(dim);
}

Shape substituted(const Shape &shape, const SizeNames &names) {
  std::vector<Dim> dims;
  for (const Dim &dim : shape)
    dims.push_back(dim.substitute(names));
  return Shape(std::move(dims));
}

/// What the names mean that rebinds introduce: the first one in the order of the program counts,
/// the others compare.
SizeNames findDefinitions(const ir::Graph &graph, const PendingGraph &pending,
                          std::set<std::string> known) {
  std::vector<std::size_t> rebinds;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].op == "rebind")
      rebinds.push_back(i);
  std::sort(rebinds.begin(), rebinds.end(), [&](std::size_t a, std::size_t b) {
    return pending.nodes[a]->sequence < pending.nodes[b]->sequence;
  });
  SizeNames definitions;
  for (std::size_t i : rebinds) {
    const Shape &from = graph.type(graph.nodes[i].operands[0]).shape,
                &to = graph.nodes[i].type.shape;
    for (int64_t axis = 0; axis < to.rank(); ++axis)
      if (to[axis].isName() && known.insert(to[axis].str()).second)
        definitions.emplace(to[axis].str(), from[axis].substitute(definitions));
  }
  return definitions;
}

bool holds(const Constraint &constraint) {
  int64_t value = constraint.dim.value();
  return constraint.kind == Constraint::Kind::between
             ? value >= constraint.low && value <= constraint.high
             : value % constraint.low == 0;
}

} // namespace

SizeNames resolveNames(ir::Graph &graph, const PendingGraph &pending, const std::string &model) {
  std::set<std::string> known;
  for (const ir::Input &input : graph.inputs)
    for (const Dim &dim : input.type.shape)
      known.merge(dim.names());
  SizeNames definitions = findDefinitions(graph, pending, known);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    forEachDim(graph.nodes[i], [&](const Dim &dim) {
      for (const std::string &name : dim.names())
        if (!known.contains(name) && !definitions.contains(name))
          throw ValueError(
              fmt::format("[{}] {}: symbolic dimension \"{}\" is no dim of an argument{}",
                          graph.nodes[i].op, model, name, atLocation(pending.nodes[i]->where)));
    });
  if (definitions.empty())
    return definitions;
  for (ir::Node &node : graph.nodes) {
    node.type.shape = substituted(node.type.shape, definitions);
    ir::Attributes attributes;
    for (const auto &[name, value] : node.attributes)
      if (auto *shape = std::get_if<Shape>(&value))
        attributes.set(name, substituted(*shape, definitions));
      else
        attributes.set(name, value);
    node.attributes = std::move(attributes);
  }
  for (const std::shared_ptr<Node> &node : pending.nodes)
    for (std::size_t i = 0; i < node->assumptions.size(); ++i) {
      Constraint assumption = node->assumptions[i];
      assumption.dim = assumption.dim.substitute(definitions);
      if (assumption.dim.isStatic() && !holds(assumption))
        throw ValueError(node->assumptionNotes[i] + atLocation(node->where));
    }
  std::vector<Constraint> left;
  for (Constraint &constraint : graph.constraints) {
    constraint.dim = constraint.dim.substitute(definitions);
    if (!constraint.dim.isStatic())
      left.push_back(std::move(constraint));
  }
  graph.constraints = std::move(left);
  return definitions;
}

} // namespace kiln::detail
