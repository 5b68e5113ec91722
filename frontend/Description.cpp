#include "kiln/Reflect.h"

#include <fmt/format.h>
#include <sstream>

namespace kiln::nn {

namespace detail {

/// "MyLinear" of "… [with M = main()::MyLinear; …]" (GCC) and "… [M = ns::MyLinear]" (Clang).
std::string simpleTypeName(std::string_view pretty) {
  std::size_t start = pretty.find("M = ");
  std::string_view text = start == std::string_view::npos ? pretty : pretty.substr(start + 4);
  std::size_t nameStart = 0, end = 0;
  int depth = 0;
  for (; end < text.size(); ++end) {
    char c = text[end];
    if (depth == 0 && (c == ']' || c == ';' || c == '<'))
      break;
    if (c == '(' || c == '{' || c == '<')
      ++depth;
    else if (c == ')' || c == '}' || c == '>')
      --depth;
    else if (c == ':' && depth == 0)
      nameStart = end + 1;
  }
  return std::string(text.substr(nameStart, end - nameStart));
}

/// The next of the names that KILN_FIELDS was given; of `this->weight` and `Base::weight` the last
/// part.
std::string nextFieldName(std::string_view &names) {
  std::size_t comma = names.find(',');
  std::string_view name = names.substr(0, comma);
  names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
  std::size_t last = name.find_last_not_of(" \t\n");
  name = name.substr(0, last == std::string_view::npos ? 0 : last + 1);
  std::size_t first = name.find_last_of(" \t\n:>.");
  return std::string(first == std::string_view::npos ? name : name.substr(first + 1));
}

std::string streamed(void (*print)(std::ostream &, const void *), const void *value) {
  std::ostringstream text;
  print(text, value);
  return text.str();
}

std::string textOf(bool value) { return value ? "true" : "false"; }
std::string textOf(double value) { return fmt::format("{}", value); }
std::string textOf(std::string_view value) { return fmt::format("\"{}\"", value); }
std::string textOf(const Tensor &value) {
  // Parameters may be large and need not be there yet, so their contents are not read.
  if (!value.defined())
    return "Tensor(<empty>)";
  return fmt::format("Tensor(shape={}, dtype={}, device={})", value.shape().str(),
                     name(value.dtype()), value.device().str());
}

} // namespace detail

void Description::addText(std::string_view name, std::string text) {
  entries.push_back({std::string(name), std::move(text), {}, false});
}

static Description describe(const ModuleRef &module) {
  Description description(module.typeName());
  module.type->describe(module.object, description);
  return description;
}

void Description::addChild(std::string_view name, const ModuleRef &child) {
  entries.push_back({std::string(name), {}, {describe(child)}, false});
}

void Description::addChildren(std::string_view name, const std::vector<ModuleRef> &children) {
  Entry entry{std::string(name), {}, {}, true};
  for (const ModuleRef &child : children)
    entry.children.push_back(describe(child));
  entries.push_back(std::move(entry));
}

/// What stands behind the name of an entry.
std::string Description::line(const Entry &entry) {
  std::string text = entry.text + (entry.isList ? "[" : "");
  for (std::size_t i = 0; i < entry.children.size(); ++i)
    text += (i ? ", " : "") + entry.children[i].line();
  return text + (entry.isList ? "]" : "");
}

std::string Description::line() const {
  std::string text;
  for (const Entry &entry : entries)
    text += (text.empty() ? "" : ", ") + (entry.name.empty() ? "" : entry.name + "=") + line(entry);
  return typeName + "(" + text + ")";
}

std::string Description::str(std::size_t columns, std::size_t indent) const {
  if (std::string text = line(); text.size() <= columns || entries.empty())
    return text;
  constexpr std::size_t step = 4;
  std::size_t inner = indent + step;
  auto newLine = [](std::size_t spaces) { return "\n" + std::string(spaces, ' '); };
  // What a child may take of a line: all but its indentation, its name and the comma.
  auto room = [](std::size_t spaces, std::size_t taken) {
    return spaces + taken + 1 < 80 ? 80 - spaces - taken - 1 : 0;
  };
  std::string text = typeName + "(";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry &entry = entries[i];
    std::string prefix = entry.name.empty() ? "" : entry.name + "=";
    text += newLine(inner) + prefix;
    if (std::string oneLine = line(entry); oneLine.size() <= room(inner, prefix.size())) {
      text += oneLine;
    } else if (!entry.isList) {
      text += entry.text;
      for (const Description &child : entry.children)
        text += child.str(room(inner, prefix.size()), inner);
    } else {
      text += "[";
      for (std::size_t j = 0; j < entry.children.size(); ++j)
        text += newLine(inner + step) + entry.children[j].str(room(inner + step, 0), inner + step) +
                (j + 1 < entry.children.size() ? "," : "");
      text += newLine(inner) + "]";
    }
    text += i + 1 < entries.size() ? "," : "";
  }
  return text + newLine(indent) + ")";
}

std::string ModuleRef::str() const { return describe(*this).str(); }

std::ostream &operator<<(std::ostream &os, const ModuleRef &module) { return os << module.str(); }

} // namespace kiln::nn
