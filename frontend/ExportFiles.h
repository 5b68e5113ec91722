#pragma once

#include "runtime/Artifact.h"
#include "runtime/Buffer.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kiln::detail {

/// What a model is exported from.
struct ExportSource {
  std::string name; // what its functions begin with
  std::string key;  // of the object and its weights: 32 characters
  /// The code for one target or several, in any order; of equal targets one is enough.
  std::vector<runtime::Artifact> artifacts;
  /// Gives an input, which is a weight, in a packing.
  std::function<std::shared_ptr<const runtime::Buffer>(std::size_t input,
                                                       const runtime::Packing &packing)>
      pack;
};

/// Writes the object to `path`, and beside it `<name>.h` and `<name>.weights`. What several targets
/// read in one packing is written once.
/// Errors: as of checkExport; CompileError of the assembler; IoError, which begins with the
/// operation.
void writeExport(ExportSource source, const std::string &path, const std::string &operation);

/// One key for the code for several targets, of the keys of each.
std::string exportKey(const std::vector<std::string> &keys);

} // namespace kiln::detail
