//===- Progress.h - How far a conversion is -----------------------------------===//
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

namespace kiln::tools {

/// A bar on standard error where that is a terminal; elsewhere one line for each tensor.
class Progress {
public:
  explicit Progress(bool quiet) : quiet(quiet), terminal(isatty(STDERR_FILENO)) {}
  ~Progress() { end(); }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// A tensor begins; `text` says what becomes of it.
  void begin(const std::string &text) const {
    if (!quiet && !terminal)
      fmt::print(stderr, "{}\n", text);
  }

  /// So many of all bytes have been read, the last of them of tensor `name`.
  void update(const std::string &name, uint64_t doneBytes, uint64_t allBytes) {
    if (quiet || !terminal || !allBytes)
      return;
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    const auto filled = static_cast<int>(doneBytes * width / allBytes);
    fmt::print(stderr, "\r\x1b[K[{:=<{}}{: <{}}] {:3} %  {:.0f} MB/s  {}", "", filled, "",
               width - filled, doneBytes * 100 / allBytes, doneBytes / 1e6 / elapsed.count(),
               name.substr(0, 40));
    shown = true;
  }

  /// Clears the bar.
  void end() {
    if (shown)
      fmt::print(stderr, "\r\x1b[K");
    shown = false;
  }

private:
  using Clock = std::chrono::steady_clock;
  static constexpr int width = 30;

  bool quiet, terminal, shown = false;
  Clock::time_point start = Clock::now();
};

} // namespace kiln::tools
