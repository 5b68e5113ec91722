//===- main.cpp - kiln-cache: looks into the cache of compiled artifacts ------===//
//
// Exit codes: 0, 1 where `verify` found damage, 2 after a mistake.
//
//===----------------------------------------------------------------------===//

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>

#include "Commands.h"
#include "tools/common/Main.h"
#include "tools/common/ParseOptions.h"

using namespace kiln;
using namespace kiln::tools;

int main(int argc, char **argv) {
  CLI::App app("Looks into the folder of compiled artifacts: $KILN_CACHE_DIR, else\n"
               "$XDG_CACHE_HOME/kiln, else ~/.cache/kiln.",
               "kiln-cache");
  app.require_subcommand(1);
  std::string folder = runtime::DiskCache::defaultFolder();
  app.add_option("--folder", folder, "another folder");

  CLI::App *list = app.add_subcommand("list", "all artifacts, the last used first");
  CLI::App *explain = app.add_subcommand(
      "explain", "what the key of an artifact is made of, and why it was compiled; of two: how\n"
                 "they differ");
  std::string key, other;
  explain->add_option("KEY", key, "or its first digits")->required();
  explain->add_option("OTHER", other, "a second one");
  CLI::App *verify = app.add_subcommand("verify", "reads every artifact and checks all of it");
  CLI::App *prune =
      app.add_subcommand("prune", "removes what was not used for longest, and what died half-made");
  std::uint64_t limit = runtime::DiskCache::defaultLimit();
  prune->add_option("--limit", limit, "bytes to keep: 500MB, 2GB")
      ->transform(CLI::AsSizeValue(false));
  CLI::App *ship = app.add_subcommand(
      "ship", "copies all artifacts to a folder for $KILN_ARTIFACTS, where programs that have no\n"
              "compiler find them");
  std::string shipment;
  bool needsCubins = false;
  ship->add_option("TO", shipment, "the folder")->required();
  ship->add_flag("--needs-cubins", needsCubins, "those for accelerators have to have machine code");
  CLI::App *clear = app.add_subcommand("clear", "removes all artifacts");
  if (const auto code = parseArguments(app, argc, argv))
    return *code;

  return runMain("kiln-cache", [&] {
    if (folder.empty())
      throw IoError("the cache is off: no $KILN_CACHE_DIR, no home; name one with --folder");
    runtime::DiskCache cache(folder);
    if (*list)
      listEntries(cache, std::cout);
    else if (*explain)
      explainEntry(cache, key, other, std::cout);
    else if (*verify)
      return verifyEntries(cache, std::cout) ? 0 : 1;
    else if (*prune)
      std::cout << cache.prune(limit) << " removed\n";
    else if (*ship)
      shipEntries(cache, shipment, needsCubins, std::cout);
    else if (*clear)
      std::cout << cache.clear() << " removed\n";
    return 0;
  });
}
