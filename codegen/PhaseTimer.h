#pragma once

#include "kiln/Stats.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace kiln::codegen {

/// Adds a phase to a list, if there is one: the time from its beginning to its end.
class PhaseTimer {
public:
  PhaseTimer(std::vector<PhaseTime> *list, std::string name)
      : list(list), name(std::move(name)), start(Clock::now()) {}
  ~PhaseTimer() {
    if (!list)
      return;
    std::chrono::duration<double> spent = Clock::now() - start;
    std::chrono::nanoseconds begin = start.time_since_epoch();
    list->push_back({std::move(name), spent.count(), begin.count()});
  }
  PhaseTimer(const PhaseTimer &) = delete;
  PhaseTimer &operator=(const PhaseTimer &) = delete;

private:
  using Clock = std::chrono::steady_clock;
  std::vector<PhaseTime> *list;
  std::string name;
  Clock::time_point start;
};

} // namespace kiln::codegen
