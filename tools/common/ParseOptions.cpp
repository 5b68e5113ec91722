//===- ParseOptions.cpp - What programs say of their command line -------------===//
#include "ParseOptions.h"

#include <iostream>

namespace kiln::tools {

std::optional<int> parseArguments(CLI::App &app, int argc, char **argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp &) {
    const bool hasSubcommands = !app.get_subcommands([](CLI::App *) { return true; }).empty();
    const bool isOfAll = hasSubcommands && app.get_subcommands().empty();
    std::cout << app.help("", isOfAll ? CLI::AppFormatMode::All : CLI::AppFormatMode::Normal)
              << std::flush;
    return 0;
  } catch (const CLI::ParseError &error) {
    std::cerr << app.get_name() << ": " << error.what() << " (--help lists the options)\n";
    return 2;
  }
}

} // namespace kiln::tools
