//===- ReportCommand.h - kiln-bench --report ----------------------------------===//
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include <kiln/kiln.h>

namespace kiln::tools {

/// What --report, --compile-once and --compile-budget are asked for.
struct ReportOptions {
  std::string report, compileOnce; ///< Names of cases.
  bool budget = false;
  int rounds = 9;
  std::string shape, layers; ///< "8x128"; empty: the case's usual ones.
  std::string weights;       ///< A file; empty: drawn.
  std::string roofline;      ///< A file; empty: none.
  bool timing = false;
};

void addReportOptions(CLI::App &app, ReportOptions &options);

/// Does one of them, if one was asked for. Errors: as of loading, compiling and calling models;
/// ValueError for sizes that are none.
bool runReport(const ReportOptions &options, DType dtype);

} // namespace kiln::tools
