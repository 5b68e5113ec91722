//===- Options.h - The command line of kiln-encode ----------------------------===//
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <kiln/DType.h>

namespace kiln::tools {

struct Options {
  std::vector<std::string> files; ///< "-" is standard input.
  std::string model;              ///< The folder.
  std::string output = "-";
  bool outputGiven = false;
  bool ids = false;
  std::optional<std::string> similar; ///< The query.
  size_t top = 5;
  size_t batch = 32;
  int64_t threads = 0; ///< 0: what the runtime chooses.
  DType dtype = DType::float32;
  bool eager = false;
  bool stats = false;
  bool timing = false;
  std::string profile; ///< The file; empty: none.
};

/// Reads the command line into `options`. Returns the exit code if there is nothing more to do: 0
/// after --help, 2 after a mistake, which it has explained in one line.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace kiln::tools
