//===- Bandwidth.h - What the machine's memory gives --------------------------===//
#pragma once

#include <cstdint>

#include <kiln/Tensor.h>

namespace kiln::tools {

/// Reads memory that no cache holds with several threads at once.
class Bandwidth {
public:
  explicit Bandwidth(int64_t threads);
  /// Bytes per second of one reading of everything, by loads alone.
  double measure() const;

private:
  int64_t threads;
  Tensor contents; // where weights lie as well: in huge pages
};

} // namespace kiln::tools
