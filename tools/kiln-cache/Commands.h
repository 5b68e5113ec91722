//===- Commands.h - What kiln-cache does --------------------------------------===//
#pragma once

#include <filesystem>
#include <ostream>
#include <string>

#include "runtime/DiskCache.h"

namespace kiln::tools {

/// A line each: key, size, when it was used, how many kernels, what goes in and comes out.
void listEntries(const runtime::DiskCache &cache, std::ostream &os);

/// The parts of a key, and why nothing else would do when it was compiled; with `other`, how the
/// two differ. Keys may be cut off. Errors: KeyError for none or several of that beginning;
/// IoError for a file that cannot be used.
void explainEntry(const runtime::DiskCache &cache, const std::string &key, const std::string &other,
                  std::ostream &os);

/// Copies all artifacts into a folder for $KILN_ARTIFACTS, where programs without the compiler find
/// them. `needsCubins`: those for accelerators have to have machine code. Errors: ValueError for an
/// artifact without, or for one that is there for another CPU; IoError.
void shipEntries(const runtime::DiskCache &cache, const std::filesystem::path &folder,
                 bool needsCubins, std::ostream &os);

/// Says what is wrong with each file that cannot be used. False if there is one.
bool verifyEntries(const runtime::DiskCache &cache, std::ostream &os);

} // namespace kiln::tools
