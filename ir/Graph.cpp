#include "ir/Graph.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

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

} // namespace

std::string canonicalText(const Graph &graph) {
  std::string text;
  ValueId next = 0;
  auto define = [&] { return "%" + std::to_string(next++) + " = "; };
  auto list = [](const std::vector<ValueId> &values) {
    std::string result;
    for (ValueId value : values)
      result += (result.empty() ? "%" : ", %") + std::to_string(value);
    return result;
  };
  for (const Input &input : graph.inputs)
    text += define() + (input.role == Input::Role::weight ? "weight : " : "argument : ") +
            typeText(input.type) + "\n";
  for (const Node &node : graph.nodes)
    text += define() + node.op + "(" + list(node.operands) + ")" + attributesText(node.attributes) +
            " : " + typeText(node.type) + "\n";
  text += "return " + list(graph.outputs) + "\n";
  // Their order means nothing, nor does one that is there twice.
  std::set<std::string> constraints;
  for (const Constraint &constraint : graph.constraints)
    constraints.insert(constraintText(constraint));
  for (const std::string &constraint : constraints)
    text += "where " + constraint + "\n";
  return text;
}

} // namespace kiln::ir
