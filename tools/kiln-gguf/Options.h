//===- Options.h - The command line of kiln-gguf ------------------------------===//
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <kiln/Quantization.h>

namespace kiln::tools {

struct Options {
  bool list = false; ///< Else: convert.
  std::string input;
  std::string output;
  std::optional<QuantizationEncoding> encoding;
  std::optional<std::string>
      only; ///< Encode the tensors whose names this regular expression finds.
  bool quiet = false;
  int64_t threads = 0; ///< 0: what the runtime chooses.
};

/// Reads the command line into `options`. Returns the exit code if there is nothing more to do: 0
/// after --help, 2 after a mistake, which it has explained in one line.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace kiln::tools
