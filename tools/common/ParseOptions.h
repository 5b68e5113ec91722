//===- ParseOptions.h - What programs say of their command line ---------------===//
#pragma once

#include <optional>

#include <CLI/CLI.hpp>

namespace kiln::tools {

/// Reads a command line. Returns the exit code if there is nothing more to do: 0 after --help (of a
/// subcommand where one is named, else of all), 2 after a mistake, which it has explained in one
/// line.
std::optional<int> parseArguments(CLI::App &app, int argc, char **argv);

} // namespace kiln::tools
