//===- Report.h - The kernels of a case against the machine -------------------===//
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <kiln/kiln.h>

#include "Cases.h"
#include "Machine.h"
#include "runtime/Profile.h"

namespace kiln::tools {

/// A kernel of a model, in one call: all launches of it together.
struct KernelReport {
  std::string name;
  int64_t launches = 0;
  double seconds = 0;                                ///< Of each launch the median of the calls.
  double flops = 0, weightBytes = 0, otherBytes = 0; ///< runtime::KernelCost
  DType products = DType::float32;
  /// The least that the machine needs: the larger of its operations at their peak and of its bytes
  /// at the bandwidth of where they lie.
  double boundSeconds = 0;
  const char *limit = ""; ///< What that is: "products", "memory", "cache".

  double bytes() const { return weightBytes + otherBytes; }
  double intensity() const { return flops / bytes(); } ///< Operations for each byte.
};

struct Report {
  std::vector<KernelReport> kernels; ///< The longest first.
  double callSeconds = 0;            ///< The median call, not watched.
  double watchedSeconds = 0;         ///< The same while launches are recorded.
};

/// Weights lie where the weights of all launches have room together; what else a launch reads and
/// writes lies where that has room. `calls` are of one executable and one size.
Report analyse(const std::vector<runtime::ProfiledCall> &calls, const Machine &machine);

/// Calls the program for about a second, and again while it is recorded.
Report reportOf(const Program &program, const std::vector<Tensor> &inputs, const Machine &machine);

/// The table of a report.
std::string reportTable(const Report &report);

/// A picture: how many operations a second each kernel does (y) for its operations a byte (x),
/// below the roofs of the machine.
std::string rooflineSvg(const Report &report, const Machine &machine, const std::string &title);

} // namespace kiln::tools
