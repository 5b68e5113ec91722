//===- List.cpp - What is in a GGUF file --------------------------------------===//

#include "List.h"

#include <algorithm>
#include <iostream>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <kiln/kiln.h>

namespace kiln::tools {

namespace {
using Row = std::vector<std::string>;

std::string textOf(const auto &value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

/// A name as it is where a terminal can show it, else quoted and escaped as strings are.
std::string shownName(const std::string &name) {
  const std::string quoted = textOf(io::GgufValue(name));
  return quoted == '"' + name + '"' ? name : quoted;
}

/// Columns as wide as they must be; the last one of numbers to the right.
void print(const std::vector<Row> &rows, bool lastIsNumber) {
  std::vector<size_t> widths;
  for (const Row &row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], row[i].size());
    }
  for (const Row &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool isLast = i + 1 == row.size();
      if (!isLast)
        line += fmt::format("{:<{}}  ", row[i], widths[i]);
      else
        line += lastIsNumber ? fmt::format("{:>{}}", row[i], widths[i]) : row[i];
    }
    std::cout << line << '\n';
  }
}
} // namespace

void list(const std::string &path) {
  const io::GgufFile file = io::openGguf(path);
  std::cout << fmt::format("{}: GGUF version {}, {} metadata entries, {} tensors\n", path,
                           file.version(), file.metadata().size(), file.size());
  std::vector<Row> rows;
  for (const auto &[key, value] : file.metadata())
    rows.push_back({shownName(key),
                    value.isArray() ? fmt::format("{}[{}]", name(value.elementType()), value.size())
                                    : std::string(name(value.type())),
                    textOf(value)});
  if (!rows.empty()) {
    std::cout << "\nmetadata\n";
    print(rows, false);
  }
  rows = {{"name", "shape", "encoding", "bytes"}};
  for (const auto &[tensorName, info] : file.infos())
    rows.push_back({shownName(tensorName), fmt::format("[{}]", fmt::join(info.shape.sizes(), ", ")),
                    info.isReadable() ? info.typeName : info.typeName + " (cannot be decoded)",
                    std::to_string(info.sizeBytes)});
  if (rows.size() > 1) {
    std::cout << "\ntensors\n";
    print(rows, true);
  }
  if (!std::cout.flush())
    throw IoError("cannot write standard output");
}

} // namespace kiln::tools
