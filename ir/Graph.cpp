#include "ir/Graph.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace kiln::ir {

Attributes::Attributes(std::initializer_list<std::pair<std::string, Attribute>> list) {
  for (const auto &[name, value] : list)
    set(name, value);
}

static auto lowerBound(auto &values, std::string_view name) {
  return std::lower_bound(
      values.begin(), values.end(), name,
      [](const auto &entry, std::string_view key) { return entry.first < key; });
}

void Attributes::set(std::string name, Attribute value) {
  auto place = lowerBound(values, name);
  if (place != values.end() && place->first == name)
    place->second = std::move(value);
  else
    values.emplace(place, std::move(name), std::move(value));
}

const Attribute *Attributes::find(std::string_view name) const {
  auto place = lowerBound(values, name);
  return place != values.end() && place->first == name ? &place->second : nullptr;
}

const Attribute &Attributes::require(std::string_view name) const {
  if (const Attribute *found = find(name))
    return *found;
  throw std::logic_error("attribute \"" + std::string(name) + "\" is missing");
}

static bool isSame(const Attribute &a, const Attribute &b) {
  if (a.index() != b.index())
    return false;
  if (auto *x = std::get_if<double>(&a)) // by bits: a NaN equals itself, and -0 is not 0
    return std::bit_cast<uint64_t>(*x) == std::bit_cast<uint64_t>(std::get<double>(b));
  if (auto *x = std::get_if<std::shared_ptr<const DenseData>>(&a)) {
    auto &y = std::get<std::shared_ptr<const DenseData>>(b);
    return *x == y || (*x && y && **x == *y);
  }
  return std::visit(
      [&](const auto &value) { return value == std::get<std::decay_t<decltype(value)>>(b); }, a);
}

bool operator==(const Attributes &a, const Attributes &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto &x, const auto &y) {
    return x.first == y.first && isSame(x.second, y.second);
  });
}

namespace {

std::string hex(uint64_t value, int digits) {
  std::string text(static_cast<std::size_t>(digits), '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4)
    *digit = "0123456789abcdef"[value & 15];
  return text;
}

std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string typeText(const TensorType &type) { return type.str() + " " + type.device.str(); }

/// Each alternative is told by its first character, so that no two values share a text.
struct AttributeText {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return "i" + std::to_string(value); }
  std::string operator()(double value) const {
    return "d0x" + hex(std::bit_cast<uint64_t>(value), 16);
  }
  std::string operator()(const std::string &value) const { return quoted(value); }
  std::string operator()(DType value) const { return ":" + std::string(shortName(value)); }
  std::string operator()(const std::vector<int64_t> &values) const {
    std::string text = "(";
    for (int64_t value : values)
      text += (text.size() > 1 ? ", " : "") + std::to_string(value);
    return text + ")";
  }
  std::string operator()(const Shape &value) const { return value.str(); }
  std::string operator()(const std::shared_ptr<const DenseData> &value) const {
    std::string text = "<" + typeText(value->type) + " 0x";
    for (std::byte byte : value->bytes)
      text += hex(static_cast<uint64_t>(byte), 2);
    return text + ">";
  }
};

std::string attributesText(const Attributes &attributes) {
  std::string text;
  for (const auto &[name, value] : attributes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::visit(AttributeText(), value);
  return text.empty() ? text : " {" + text + "}";
}

std::string constraintText(const Constraint &constraint) {
  bool between = constraint.kind == Constraint::Kind::between;
  return constraint.dim.str() + (between ? " between " : " multiple of ") +
         std::to_string(constraint.low) +
         (between ? " and " + std::to_string(constraint.high) : "");
}

/// Numbers values as they are defined.
class TextBuilder {
public:
  void define(ValueId value, const std::string &what, const TensorType &type) {
    names.emplace(value, names.size());
    text += "%" + std::to_string(names.size() - 1) + " = " + what + " : " + typeText(type) + "\n";
  }
  void define(ValueId value, const Node &node) {
    define(value, node.op + "(" + list(node.operands) + ")" + attributesText(node.attributes),
           node.type);
  }
  std::string list(const std::vector<ValueId> &values) const {
    std::string result;
    for (ValueId value : values)
      result += (result.empty() ? "%" : ", %") + std::to_string(names.at(value));
    return result;
  }

  std::string text;

private:
  std::unordered_map<ValueId, std::size_t> names;
};

std::string roleText(const Input &input) {
  std::string role = input.role == Input::Role::weight ? "weight" : "argument";
  return input.shardAxis ? role + " split " + std::to_string(*input.shardAxis) : role;
}

} // namespace

TensorType localType(const Input &input, int64_t ranks) {
  if (!input.shardAxis || ranks == 1)
    return input.type;
  std::vector<Dim> dims = input.type.shape.vec();
  int64_t axis = *input.shardAxis;
  if (axis < 0 || axis >= input.type.rank() || !dims[static_cast<std::size_t>(axis)].isStatic())
    throw ValueError("\"" + input.name + "\" " + input.type.str() + " cannot be split along axis " +
                     std::to_string(axis));
  Dim &dim = dims[static_cast<std::size_t>(axis)];
  dim = partSize(dim.value(), ranks);
  return {input.type.dtype, Shape(std::move(dims)), input.type.device};
}

std::vector<SegmentUse> segmentUses(const Graph &graph) {
  constexpr auto nowhere = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> segmentOf(graph.nodes.size(), nowhere);
  for (std::size_t s = 0; s < graph.segments.size(); ++s)
    for (std::size_t i = graph.segments[s].begin; i < graph.segments[s].end; ++i)
      segmentOf[i] = s;
  std::vector<SegmentUse> uses(graph.segments.size());
  std::vector<std::unordered_set<ValueId>> known(uses.size()); // inputs
  std::vector<bool> isOutput(graph.nodes.size());
  auto numInputs = graph.inputs.size();
  auto use = [&](ValueId value, std::size_t by) {
    std::size_t from = value < numInputs ? nowhere : segmentOf[value - numInputs];
    if (from == by)
      return;
    if (by != nowhere && known[by].insert(value).second)
      uses[by].inputs.push_back(value);
    if (from != nowhere)
      isOutput[value - numInputs] = true;
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId operand : graph.nodes[i].operands)
      use(operand, segmentOf[i]);
  for (ValueId output : graph.outputs)
    use(output, nowhere);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    if (isOutput[i])
      uses[segmentOf[i]].outputs.push_back(static_cast<ValueId>(numInputs + i));
  return uses;
}

std::string segmentText(const Graph &graph, const Segment &segment, const SegmentUse &use) {
  TextBuilder builder;
  for (ValueId value : use.inputs)
    builder.define(value, value < graph.inputs.size() ? roleText(graph.inputs[value]) : "argument",
                   graph.type(value));
  for (std::size_t i = segment.begin; i < segment.end; ++i)
    builder.define(static_cast<ValueId>(graph.inputs.size() + i), graph.nodes[i]);
  return builder.text + "return " + builder.list(use.outputs) + "\n";
}

std::string canonicalText(const Graph &graph) {
  TextBuilder builder;
  ValueId next = 0;
  for (const Input &input : graph.inputs)
    builder.define(next++, roleText(input), input.type);
  for (const Node &node : graph.nodes)
    builder.define(next++, node);
  std::string text = builder.text + "return " + builder.list(graph.outputs) + "\n";
  // Their order means nothing, nor does one that is there twice.
  std::set<std::string> constraints;
  for (const Constraint &constraint : graph.constraints)
    constraints.insert(constraintText(constraint));
  for (const std::string &constraint : constraints)
    text += "where " + constraint + "\n";
  for (const Segment &segment : graph.segments)
    text += "segment " + std::to_string(segment.begin) + " to " + std::to_string(segment.end) +
            " is " + std::to_string(segment.definition) + "\n";
  return text;
}

} // namespace kiln::ir
