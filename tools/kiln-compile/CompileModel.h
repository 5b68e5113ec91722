//===- CompileModel.h - A module's text to object, header and weights ---------===//
#pragma once

#include "Options.h"

namespace kiln::tools {

/// Errors: IoError for files; ValueError for the text and for weights of another type; KeyError for
/// weights that are not there; CompileError.
void compileModel(const Options &options);

} // namespace kiln::tools
