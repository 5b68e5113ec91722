//===- Progress.h - One line on a terminal ------------------------------------===//
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>

#include <unistd.h>

namespace kiln::tools {

/// A line on standard error that says how far the work is, while the object lives; nothing where
/// standard error is no terminal.
class Progress {
public:
  /// `allowed` is false where the results themselves go to the terminal.
  explicit Progress(bool allowed) : shown(allowed && isatty(STDERR_FILENO)) {
    say("loading the model");
  }
  ~Progress() { end(); }
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  void update(size_t lines) {
    done += lines;
    const std::chrono::duration<double> elapsed = Clock::now() - start;
    char text[64];
    std::snprintf(text, sizeof text, "%zu lines, %.0f lines/s", done, done / elapsed.count());
    say(text);
  }

  /// Clears the line; nothing more is said.
  void end() {
    say("");
    shown = false;
  }

private:
  using Clock = std::chrono::steady_clock;

  void say(const char *text) const {
    if (shown)
      std::fprintf(stderr, "\r\x1b[K%s", text); // To the start of the line, and clear it.
  }

  bool shown;
  size_t done = 0;
  Clock::time_point start = Clock::now();
};

} // namespace kiln::tools
