//===- Options.h - The command line of kiln-compile ---------------------------===//
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kiln::tools {

struct Options {
  std::string model;                             ///< Text in the kiln dialect.
  std::string output;                            ///< The object.
  std::string name;                              ///< What the object's functions begin with.
  std::string weights;                           ///< A safetensors file, or nothing.
  std::vector<std::string> targets = {"native"}; ///< One code for each in the object.
  bool timing = false;                           ///< Print the phases to standard error.
};

/// Reads the command line into `options`. Returns the exit code if there is nothing more to do: 0
/// after --help, 2 after a mistake, which it has explained in one line.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace kiln::tools
