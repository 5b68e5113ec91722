#pragma once

#include "kiln/Error.h"
#include "kiln/Shape.h"

#include <cstddef>
#include <string>
#include <vector>

/// What the compiler's interpreter takes and gives: plain data, as what the compiler itself does.
namespace kiln::runtime {

/// Dense row-major contents of static shape, in host memory.
struct HostContents {
  TensorType type;
  std::vector<std::byte> bytes;
};

struct InterpretRequest {
  std::vector<HostContents> inputs; // of all inputs of the graph, in order, weights among them
  bool wantsText = false;
};

struct InterpretResult {
  ErrorKind error = ErrorKind::none;
  std::string message;
  std::vector<HostContents> results; // of the graph's outputs
  /// Where it was asked for, errors of the contents or not: the graph as IR with the inputs as
  /// attributes, what `kiln-opt --kiln-interpret` reads.
  std::string text;
};

} // namespace kiln::runtime
