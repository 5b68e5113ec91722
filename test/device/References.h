#pragma once

#include "test/unit/random/Check.h"

#include <functional>
#include <string>

/// Results that a device is held against. Where the compiler's library is at hand the interpreter
/// computes them; else they were recorded where it was.
namespace kiln::test {

/// $KILN_REFERENCES_RECORD is 1: references are written and all code is compiled, for another
/// machine; what comes out of kernels is not looked at.
bool isRecording();

/// What `compute` gives, through the file `name` of the folder $KILN_REFERENCES: read, or
/// written where it is not there yet. Without that folder: computed. Errors: those of `compute`;
/// IoError where the file is missing and this is no recording.
Expected reference(const std::string &name, const std::function<Expected()> &compute);

} // namespace kiln::test
