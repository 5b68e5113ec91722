//===- Json.h - Reading a model folder's JSON files ---------------------------===//
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "kiln/Error.h"

namespace kiln::tools {

/// The whole contents of `file`. IoError, with the reason, if it cannot be read.
std::string readFile(const std::filesystem::path &file);

/// The JSON object in `file`. IoError if it cannot be read, ValueError if it is no JSON object.
nlohmann::json readJson(const std::filesystem::path &file);

/// object[key] as a T. ValueError, naming `file` and `key`, if there is none or if it is not a T.
template <typename T>
T member(const std::filesystem::path &file, const nlohmann::json &object, const std::string &key) {
  auto refuse = [&](const char *what) {
    throw ValueError("[model] " + file.string() + ": \"" + key + "\" " + what);
  };
  if (!object.is_object() || !object.contains(key))
    refuse("is missing");
  const nlohmann::json &value = object.at(key);
  // nlohmann-json converts between numbers silently; a size must be a whole, positive number.
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
    if (!value.is_number_integer() || (std::is_unsigned_v<T> && !value.is_number_unsigned()))
      refuse("is not a whole number");
  try {
    return value.get<T>();
  } catch (const nlohmann::json::exception &) {
    refuse("is not of the expected type");
    throw; // Not reached.
  }
}

} // namespace kiln::tools
