//===- Reference.h - Results that others are held against ---------------------===//
#pragma once

#include <string>
#include <vector>

#include "Cases.h"

namespace kiln::tools {

/// Writes what the interpreter computes in float64 for the first and the last entry along axis 0 of
/// the inputs, `ref`: in all cases an entry's result depends on that entry alone. Errors: IoError;
/// those of the interpreter.
void writeReference(const LoadedCase &loaded, const std::vector<Tensor> &inputs,
                    const std::string &path);

/// The largest difference of a float32 result in host memory from the `ref` of that file, relative
/// to the largest magnitude there; infinite where something is not finite. Errors: ValueError for
/// results of another shape.
double errorAgainst(const Tensor &result, const std::string &path);

} // namespace kiln::tools
