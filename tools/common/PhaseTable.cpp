//===- PhaseTable.cpp - Where compile time goes -------------------------------===//

#include "PhaseTable.h"

#include <algorithm>

#include <fmt/format.h>

namespace kiln::tools {

std::string phaseTable(const std::vector<PhaseTime> &phases) {
  double all = 0;
  for (const PhaseTime &phase : phases)
    all += phase.seconds;
  std::string text;
  auto line = [&](const std::string &name, double seconds) {
    text += fmt::format("{:<20} {:>9.3f} ms {:>5.1f} %\n", name, seconds * 1e3,
                        seconds / std::max(all, 1e-9) * 100);
  };
  for (const PhaseTime &phase : phases)
    line(phase.name, phase.seconds);
  line("in all", all);
  return text;
}

std::string phaseTable(const CompileStats &stats) {
  std::vector<PhaseTime> phases{{"trace", stats.traceSeconds}};
  double rest = stats.compileSeconds;
  for (const PhaseTime &phase : stats.phases) {
    phases.push_back(phase);
    rest -= phase.seconds;
  }
  if (!stats.phases.empty())
    phases.push_back({"other", rest});
  phases.push_back({"load and pack", stats.loadSeconds});
  return phaseTable(phases);
}

} // namespace kiln::tools
