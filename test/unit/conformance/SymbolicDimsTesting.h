#pragma once

#include "kiln/kiln.h"

#include <sstream>
#include <string>

/// What the tests of symbolic dims share.
namespace kiln::testing {

inline TensorType floats(const Shape &shape) { return TensorType(DType::float32, shape, CPU()); }

/// A graph of one input of that shape, entered.
struct Traced {
  explicit Traced(const Shape &shape) : graph("traced"), scope(graph.enter()) {
    x = graph.input(floats(shape));
  }
  Graph graph;
  Graph::Scope scope;
  Tensor x;
};

template <class T> std::string printed(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

} // namespace kiln::testing
