//===- Json.cpp - Reading a model folder's JSON files -------------------------===//

#include "Json.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace kiln::tools {

std::string readFile(const std::filesystem::path &file) {
  auto fail = [&] {
    throw IoError("[model] cannot read " + file.string() + ": " + std::strerror(errno));
  };
  std::unique_ptr<FILE, int (*)(FILE *)> in(std::fopen(file.c_str(), "rb"), std::fclose);
  if (!in)
    fail();
  std::string text;
  char buffer[1 << 16];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, in.get()))
    text.append(buffer, count);
  if (std::ferror(in.get())) // For one, `file` is a folder.
    fail();
  return text;
}

nlohmann::json readJson(const std::filesystem::path &file) {
  constexpr int maxDepth = 64; // what copies and prints values recurses
  auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json &) {
    if (depth > maxDepth)
      throw ValueError("[model] " + file.string() + ": nests deeper than " +
                       std::to_string(maxDepth) + " levels");
    return true;
  };
  nlohmann::json root = nlohmann::json::parse(readFile(file), watch, /*allow_exceptions=*/false);
  if (!root.is_object())
    throw ValueError("[model] " + file.string() + ": is not a JSON object");
  return root;
}

} // namespace kiln::tools
