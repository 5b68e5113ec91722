//===- PhaseTable.h - Where compile time goes ---------------------------------===//
#pragma once

#include <string>
#include <vector>

#include <kiln/kiln.h>

namespace kiln::tools {

/// A line for each phase: its milliseconds and its share of all, then the sum.
std::string phaseTable(const std::vector<PhaseTime> &phases);

/// A line for each phase of making a compiled model: its milliseconds and its share of all, then
/// what no phase covers and the sum.
std::string phaseTable(const CompileStats &stats);

} // namespace kiln::tools
