#pragma once

#include "runtime/aot/Export.h"

#include <span>
#include <string>
#include <vector>

namespace kiln::detail {

/// Writes an exported model: the object to `path`, and beside it `<name>.h` and `<name>.weights`.
/// `weights`: packed, of the sizes that the model gives.
/// Errors: as of checkExport; CompileError of the assembler; IoError, which begins with the
/// operation.
void writeExport(const runtime::ExportedModel &model,
                 const std::vector<std::span<const std::byte>> &weights, const std::string &path,
                 const std::string &operation);

} // namespace kiln::detail
