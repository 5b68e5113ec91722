// Random programs: the interpreter, the compiler with all fusions and the compiler with none agree.
#include "GraphRunner.h"
#include "RandomGraph.h"

#include "codegen/Target.h"
#include "ir/Interpreter.h"

#include <cmath>
#include <cstdlib>
#include <iostream>

namespace kiln::test {
namespace {

const std::vector<std::string> allFusions = {"kiln-fuse-attention", "kiln-fuse-linear",
                                             "kiln-fuse-siblings",  "kiln-fuse-epilogue",
                                             "kiln-fuse-gather",    "kiln-fuse-elementwise"};

double element(const TensorType &type, const std::byte *data, std::size_t index) {
  auto get = [&](auto zero) {
    std::memcpy(&zero, data + index * sizeof(zero), sizeof(zero));
    return zero;
  };
  switch (type.dtype) {
  case DType::boolean:
  case DType::uint8:
    return get(uint8_t());
  case DType::int32:
    return get(int32_t());
  case DType::int64:
    return double(get(int64_t()));
  case DType::float16:
    return float(get(Float16()));
  case DType::bfloat16:
    return float(get(BFloat16()));
  case DType::float32:
    return get(float());
  case DType::float64:
    return get(double());
  default:
    std::abort();
  }
}

/// Largest finite magnitude of any value of the program: errors are relative to it.
double magnitude(const std::vector<ir::HostTensor> &tensors) {
  double most = 1;
  for (const ir::HostTensor &tensor : tensors)
    for (std::size_t i = 0; i < tensor.bytes.size() / sizeBytes(tensor.type.dtype); ++i)
      if (double x = std::abs(element(tensor.type, tensor.bytes.data(), i)); std::isfinite(x))
        most = std::max(most, x);
  return most;
}

std::vector<runtime::TensorValue> values(const std::vector<ir::HostTensor> &tensors) {
  std::vector<runtime::TensorValue> list;
  for (const ir::HostTensor &tensor : tensors)
    list.push_back({tensor.type, runtime::Buffer::copyOf(tensor.bytes)});
  return list;
}

class Differential : public testing::TestWithParam<unsigned> {};

TEST_P(Differential, interpreterEqualsCompiledFusedAndNot) {
  for (unsigned seed = GetParam() * 50; seed < GetParam() * 50 + 50; ++seed) {
    RandomGraph drawn = drawGraph(seed);
    if (drawn.graph.outputs.empty())
      continue; // no operation was drawn
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + ir::canonicalText(drawn.graph));
    if (std::getenv("KILN_TEST_TRACE")) // to find a program that ends the process
      std::cerr << "seed " << seed << "\n" << ir::canonicalText(drawn.graph) << std::flush;
    ir::Evaluation all = ir::interpretGraph(withAllOutputs(drawn.graph), drawn.inputs);
    ASSERT_TRUE(all) << all.message;
    ir::Evaluation expected = ir::interpretGraph(drawn.graph, drawn.inputs);
    ASSERT_TRUE(expected) << expected.message;
    // Sums and products in float32 against double; 16-bit floats round each operation's result, so
    // that a last bit may differ and then be multiplied by the operations behind it.
    double tolerance = 2e-5;
    bool hasNarrowProduct = false;
    for (const ir::Node &node : drawn.graph.nodes)
      hasNarrowProduct |= node.op == "matmul" && sizeBytes(node.type.dtype) == 2;
    for (const ir::Node &node : drawn.graph.nodes)
      if (node.type.dtype == DType::bfloat16)
        tolerance = std::max(tolerance, 0.05);
      else if (node.type.dtype == DType::float16)
        tolerance = std::max(tolerance, 0.006);
    tolerance *= magnitude(all.results);

    auto targets = codegen::Target::allOnHost();
    std::string target = targets[seed % targets.size()].name;
    if (const char *wish = std::getenv("KILN_RANDOM_TARGET")) // valgrind knows no AVX-512
      target = wish;
    auto inputs = values(drawn.inputs);
    // A dim that only an iota names has no input to take its value from.
    auto call = [&](const std::vector<std::string> &disabled) {
      auto executable = load(drawn.graph, target, disabled);
      if (!executable)
        return std::vector<runtime::TensorValue>();
      std::vector<int64_t> symbols;
      for (const std::string &symbol : executable->artifact().symbols)
        symbols.push_back(drawn.bindings.at(symbol));
      std::vector<const runtime::TensorValue *> pointers;
      for (const runtime::TensorValue &input : inputs)
        pointers.push_back(&input);
      return executable->run(pointers, symbols);
    };
    auto fused = call({}), separate = call(allFusions);
    ASSERT_EQ(fused.size(), expected.results.size()) << target;
    ASSERT_EQ(separate.size(), expected.results.size()) << target;
    for (std::size_t i = 0; i < fused.size(); ++i) {
      const ir::HostTensor &wanted = expected.results[i];
      ASSERT_EQ(fused[i].type.shape, wanted.type.shape);
      ASSERT_EQ(fused[i].type.dtype, wanted.type.dtype);
      // Bit for bit: results do not depend on what was fused. A product of 16-bit floats with its
      // bias is the exception: linear rounds once, behind the bias.
      if (!hasNarrowProduct)
        EXPECT_EQ(
            std::memcmp(fused[i].buffer->data(), separate[i].buffer->data(), wanted.bytes.size()),
            0)
            << target << ": output " << i << " depends on fusion";
      for (std::size_t j = 0; j < wanted.bytes.size() / sizeBytes(wanted.type.dtype); ++j) {
        double want = element(wanted.type, wanted.bytes.data(), j);
        double got = element(wanted.type, fused[i].buffer->data(), j);
        bool same =
            std::isnan(want) ? std::isnan(got) : want == got || std::abs(want - got) <= tolerance;
        ASSERT_TRUE(same) << target << ": output " << i << " element " << j << ": interpreter "
                          << want << ", compiled " << got;
      }
    }
  }
}

/// 300 programs; $KILN_RANDOM_GRAPHS asks for more.
unsigned rounds() {
  const char *wish = std::getenv("KILN_RANDOM_GRAPHS");
  return wish ? std::max(1, std::atoi(wish) / 50) : 6;
}

INSTANTIATE_TEST_SUITE_P(Programs, Differential, testing::Range(0u, rounds()));

} // namespace
} // namespace kiln::test
