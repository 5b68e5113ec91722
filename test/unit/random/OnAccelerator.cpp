#include "test/unit/random/OnAccelerator.h"

#include "test/unit/random/Replay.h"

#include <cmath>
#include <cstring>
#include <string_view>

namespace kiln::test {

void dropSubnormals(Program &program) {
  for (Case &one : program.cases)
    for (ir::DenseData &input : one.inputs)
      if (input.type.dtype == DType::float32)
        for (std::size_t at = 0; at + sizeof(float) <= input.bytes.size(); at += sizeof(float)) {
          float value = 0;
          std::memcpy(&value, input.bytes.data() + at, sizeof(value));
          if (std::fpclassify(value) == FP_SUBNORMAL)
            std::memset(input.bytes.data() + at, 0, sizeof(value));
        }
}

/// The error of such a product in roundings of float32 (2^-24): each factor loses less than 2^-21
/// of itself, and the product of the second parts, less than 2^-20 of the whole, is left out.
static constexpr double roundingsOfSplitProduct = 32;

Expected interpretForAccelerator(const ir::Graph &graph, const Case &one) {
  Expected expected = interpret(graph, one);
  bool isSplit = false;
  for (const ir::Node &node : graph.nodes)
    isSplit |= (node.op == "matmul" || node.op == "attention") && node.type.dtype == DType::float32;
  for (std::optional<ir::DenseData> &bounds : expected.bounds)
    for (std::size_t at = 0; isSplit && bounds && at < bounds->bytes.size(); at += sizeof(double)) {
      double bound = 0;
      std::memcpy(&bound, bounds->bytes.data() + at, sizeof(bound));
      bound *= roundingsOfSplitProduct;
      std::memcpy(bounds->bytes.data() + at, &bound, sizeof(bound));
    }
  return expected;
}

bool isRefusedOnAccelerator(const Program &program) {
  try {
    compileReplay(program.graph, program.cases[0], {}, Accelerator());
  } catch (const CompileError &error) {
    return std::string_view(error.what()).find("has no lowering for") != std::string_view::npos;
  } catch (const Error &) { // checkOnAccelerator says what
  }
  return false;
}

} // namespace kiln::test
