#pragma once

#include "kiln/Dim.h"
#include "kiln/Error.h"
#include "kiln/Shape.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// A program before MLIR: what the frontend records and what the compiler imports. Names of
/// operations and attributes are those of the kiln dialect without its prefix (docs/spec.md), so
/// that the import is generic.
namespace kiln::ir {

/// Dense row-major contents of a small constant; shared, immutable.
struct DenseData {
  TensorType type; // static shape
  std::vector<std::byte> bytes;
  friend bool operator==(const DenseData &, const DenseData &) = default;
};

/// An attribute of a node. `Shape` is a list of dims, each of which may be symbolic.
using Attribute = std::variant<bool, int64_t, double, std::string, DType, std::vector<int64_t>,
                               Shape, std::shared_ptr<const DenseData>>;

/// Attributes by name, sorted by name.
class Attributes {
public:
  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, Attribute>> values);
  void set(std::string name, Attribute value);
  const Attribute *find(std::string_view name) const;
  /// The value of an attribute that must be there with that type; std::logic_error otherwise.
  template <class T> const T &get(std::string_view name) const {
    return std::get<T>(require(name));
  }
  template <class T> T getOr(std::string_view name, T fallback) const {
    const Attribute *found = find(name);
    return found ? std::get<T>(*found) : std::move(fallback);
  }
  auto begin() const { return values.begin(); }
  auto end() const { return values.end(); }
  bool empty() const { return values.empty(); }
  friend bool operator==(const Attributes &, const Attributes &);

private:
  const Attribute &require(std::string_view name) const;
  std::vector<std::pair<std::string, Attribute>> values;
};

/// Refers to a value of a graph: first its inputs, then its nodes, in order.
using ValueId = uint32_t;

struct Input {
  /// An argument comes anew with each call; a weight stays, so it may be packed once.
  enum class Role : uint8_t { argument, weight };
  Role role = Role::argument;
  std::string name; // for messages: "argument 0", "encoder.layer.0.weight"
  TensorType type;  // of the whole, where it is split
  /// Of a weight whose parts lie on several devices: the axis along which it is split over the
  /// ranks of runtime::CompileRequest.
  std::optional<int64_t> shardAxis = {};
};

/// Of each rank's part of `size` elements; the last parts may have fewer.
constexpr int64_t partSize(int64_t size, int64_t ranks) {
  return size / ranks + (size % ranks != 0);
}

/// The type of each rank's part of an input: ceil(size / ranks) along the axis of a split one, the
/// last parts filled up with zeros; of any other the type itself.
/// Errors: ValueError that names the input, if that axis is none of it or of symbolic size.
TensorType localType(const Input &input, int64_t ranks);

struct Node {
  std::string op; // "matmul"
  std::vector<ValueId> operands;
  Attributes attributes;
  TensorType type;      // what ShapeRules inferred
  std::string location; // "net.cpp:42"; no part of the key
};

/// A run of nodes that a program calls a subgraph: segments of one definition compute the same,
/// each of its own operands, and are compiled once.
struct Segment {
  std::size_t begin = 0, end = 0; // nodes
  std::size_t definition = 0;     // counted from 0 by first use
  friend bool operator==(const Segment &, const Segment &) = default;
};

/// Nodes in topological order: operands come before their users.
struct Graph {
  std::string name = "main";
  std::vector<Input> inputs;
  std::vector<Node> nodes;
  std::vector<ValueId> outputs;
  std::vector<Constraint> constraints;
  /// In order, without overlap. What the graph means does not depend on them.
  std::vector<Segment> segments = {};

  const TensorType &type(ValueId value) const {
    return value < inputs.size() ? inputs[value].type : nodes[value - inputs.size()].type;
  }
  ValueId addNode(Node node) {
    nodes.push_back(std::move(node));
    return static_cast<ValueId>(inputs.size() + nodes.size() - 1);
  }
};

/// What a segment takes from outside, in the order of first use, and which of its values are used
/// outside, in their order.
struct SegmentUse {
  std::vector<ValueId> inputs, outputs;
};
std::vector<SegmentUse> segmentUses(const Graph &graph);

/// Text that is equal exactly for segments that compute the same: operations, attributes and types,
/// roles of inputs included.
std::string segmentText(const Graph &graph, const Segment &segment, const SegmentUse &use);

/// All of the graph that decides its code, as text that is equal exactly for equal programs: no
/// names of values, no locations. Part of an artifact's key.
std::string canonicalText(const Graph &graph);

} // namespace kiln::ir
