#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>
#include <utility>
#include <vector>

namespace kiln::codegen {

/// The IR after each stage as files of a folder, `<number>-<stage>.mlir`, with a page that shows
/// two of them side by side, `index.html`.
class IrDump {
public:
  explicit IrDump(std::string folder) : folder(std::move(folder)) {}

  /// Writes a stage, and the page with all that are there. Returns what went wrong, or nothing.
  std::string add(llvm::StringRef stage, llvm::StringRef text);

private:
  std::string page() const;

  std::string folder;
  std::vector<std::pair<std::string, std::string>> stages; // file, text
};

} // namespace kiln::codegen
