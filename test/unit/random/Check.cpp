#include "test/unit/random/Check.h"

#include "runtime/CompilerLibrary.h"
#include "runtime/Executable.h"
#include "test/unit/random/Element.h"
#include "test/unit/random/ErrorBounds.h"
#include "test/unit/random/Replay.h"

#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <random>
#include <stdexcept>

namespace kiln::test {

using Values = std::vector<ir::DenseData>;

Expected interpret(const ir::Graph &graph, const Case &one) {
  BoundedGraph bounded = withErrorBounds(graph);
  runtime::InterpretRequest request;
  for (const ir::DenseData &input : one.inputs)
    request.inputs.push_back({input.type, input.bytes});
  runtime::InterpretResult result = runtime::interpretGraph(bounded.graph, request);
  if (result.error != ErrorKind::none)
    throw std::runtime_error("the interpreter: " + result.message);
  Expected expected;
  auto take = [&](std::size_t i) {
    return ir::DenseData{result.results[i].type, result.results[i].bytes};
  };
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    expected.outputs.push_back(take(i));
    expected.bounds.emplace_back();
    if (bounded.bounds[i])
      expected.bounds.back() = take(*bounded.bounds[i]);
  }
  return expected;
}

namespace {

/// Bits, but for NaN, which is any.
bool isSame(DType dtype, const std::byte *a, const std::byte *b) {
  return std::memcmp(a, b, sizeBytes(dtype)) == 0 ||
         (isFloat(dtype) && std::isnan(loadElement(dtype, a, 0)) &&
          std::isnan(loadElement(dtype, b, 0)));
}

std::optional<std::string> findOtherType(const Values &expected, const Values &got) {
  if (expected.size() != got.size())
    return fmt::format("{} outputs instead of {}", got.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (expected[i].type != got[i].type || expected[i].bytes.size() != got[i].bytes.size())
      return fmt::format("output {} is {} instead of {}", i, got[i].type.str(),
                         expected[i].type.str());
  return std::nullopt;
}

std::string show(DType dtype, const std::byte *data) {
  if (dtype == DType::int64 || dtype == DType::uint64) {
    uint64_t bits = 0;
    std::memcpy(&bits, data, sizeof(bits));
    return dtype == DType::int64 ? fmt::format("{}", static_cast<int64_t>(bits))
                                 : fmt::format("{}", bits);
  }
  double value = loadElement(dtype, data, 0);
  return fmt::format("{:.9g} ({:a})", value, value);
}

} // namespace

std::optional<std::string> findDifference(const Expected &expected, const Values &got,
                                          Tally *tally) {
  if (auto other = findOtherType(expected.outputs, got))
    return other;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const ir::DenseData &want = expected.outputs[i];
    DType dtype = want.type.dtype;
    std::size_t size = sizeBytes(dtype);
    for (std::size_t j = 0; j < numElements(want); ++j) {
      const std::byte *a = want.bytes.data() + j * size, *b = got[i].bytes.data() + j * size;
      double bound = 0;
      if (expected.bounds[i])
        bound = loadElement(DType::float64, expected.bounds[i]->bytes.data(), j);
      if (tally) {
        ++tally->elements;
        tally->unknown += std::isinf(bound);
      }
      if (std::isinf(bound) || isSame(dtype, a, b))
        continue;
      double x = loadElement(dtype, a, 0), y = loadElement(dtype, b, 0);
      // A result that is not exact may be either zero, even where its bound is 0 (a zero by
      // infinity).
      if (isFloat(dtype) && expected.bounds[i] && std::abs(x - y) <= bound)
        continue;
      return fmt::format("output {} ({}) element {}: expected {}, got {}, allowed error {:.3g}", i,
                         want.type.str(), j, show(dtype, a), show(dtype, b), bound);
    }
  }
  return std::nullopt;
}

std::optional<std::string> findOtherBits(const Values &expected, const Values &got) {
  if (auto other = findOtherType(expected, got))
    return other;
  for (std::size_t i = 0; i < got.size(); ++i) {
    DType dtype = got[i].type.dtype;
    std::size_t size = sizeBytes(dtype);
    for (std::size_t j = 0; j < numElements(got[i]); ++j) {
      const std::byte *a = expected[i].bytes.data() + j * size;
      const std::byte *b = got[i].bytes.data() + j * size;
      if (!isSame(dtype, a, b))
        return fmt::format("output {} ({}) element {}: {} and {}: bits differ", i,
                           got[i].type.str(), j, show(dtype, a), show(dtype, b));
    }
  }
  return std::nullopt;
}

namespace {

std::shared_ptr<const runtime::Executable> compile(const ir::Graph &graph, std::string target,
                                                   std::vector<std::string> disabledPasses) {
  runtime::CompileRequest request;
  request.target = std::move(target);
  request.disabledPasses = std::move(disabledPasses);
  runtime::CompileResult result = runtime::compileGraph(graph, request);
  if (result.error != ErrorKind::none)
    throw std::runtime_error(result.message);
  return runtime::Executable::load(std::move(result.artifact));
}

Values run(const runtime::Executable &executable, const Case &one) {
  std::vector<runtime::TensorValue> inputs;
  for (const ir::DenseData &input : one.inputs)
    inputs.push_back({input.type, runtime::Buffer::copyOf(input.bytes)});
  std::vector<const runtime::TensorValue *> pointers;
  for (const runtime::TensorValue &input : inputs)
    pointers.push_back(&input);
  std::vector<int64_t> symbols; // a dim that only an iota names has no input to take it from
  for (const std::string &symbol : executable.artifact().symbols)
    symbols.push_back(one.bindings.at(symbol));
  Values results;
  for (const runtime::TensorValue &result : executable.run(pointers, symbols)) {
    std::span<const std::byte> bytes = result.buffer->bytes();
    auto size = static_cast<std::size_t>(result.type.sizeBytes().value());
    results.push_back({result.type, {bytes.begin(), bytes.begin() + static_cast<long>(size)}});
  }
  return results;
}

} // namespace

Engine compiler(std::string target, std::vector<std::string> disabledPasses) {
  return [=](const ir::Graph &graph, const Case &one) {
    return run(*compile(graph, target, disabledPasses), one);
  };
}

Check compareWith(const Engine &engine) {
  return [=](const Program &program) -> std::optional<std::string> {
    for (const Case &one : program.cases) {
      Expected expected = interpret(program.graph, one);
      try {
        if (auto difference = findDifference(expected, engine(program.graph, one)))
          return difference;
      } catch (const std::exception &error) {
        return error.what();
      }
    }
    return std::nullopt;
  };
}

namespace {

const std::vector<std::string> &fusions() {
  static const std::vector<std::string> passes{"kiln-fuse-attention", "kiln-fuse-linear",
                                               "kiln-fuse-siblings",  "kiln-fuse-epilogue",
                                               "kiln-fuse-gather",    "kiln-fuse-elementwise"};
  return passes;
}

/// What depends on fusion, as the documentation says: a product of 16-bit floats with its bias is
/// rounded once (docs/spec.md, linear); attention made of products and a softmax sums in blocks.
bool dependsOnFusion(const ir::Graph &graph) {
  bool hasProduct = false, hasSoftmax = false;
  for (const ir::Node &node : graph.nodes) {
    hasProduct |= node.op == "matmul";
    hasSoftmax |= node.op == "softmax";
    if (node.op == "matmul" && isFloat(node.type.dtype) && sizeBytes(node.type.dtype) == 2)
      return true;
  }
  return hasProduct && hasSoftmax;
}

std::string targetOf(unsigned seed) {
  if (const char *wish = std::getenv("KILN_RANDOM_TARGET")) // valgrind knows no AVX-512
    return wish;
  static const std::vector<std::string> targets{"native", "native", "x86-64-v3", "x86-64"};
  return targets[seed / 8 % targets.size()];
}

} // namespace

std::optional<std::string> checkProgram(const Program &program, unsigned seed, Tally *tally) {
  const ir::Graph &graph = program.graph;
  std::string target = targetOf(seed);
  // One program of three is compiled once more: without fusions in one of seven, else without one
  // in turn.
  bool hasOther = seed % 3 == 0;
  unsigned off = seed / 3 % 7;
  std::vector<std::string> disabled = fusions();
  if (off < disabled.size())
    disabled = {fusions()[off]};

  std::string way = "compiled";
  auto at = [&](std::size_t which, const std::string &what) {
    std::string sizes;
    for (auto &[name, size] : program.cases[which].bindings)
      sizes += fmt::format("{}{} = {}", sizes.empty() ? "" : ", ", name, size);
    return fmt::format("{} for {}, case {} ({}): {}", way, target, which, sizes, what);
  };
  std::size_t which = 0;
  std::vector<Expected> expected;
  for (const Case &one : program.cases)
    expected.push_back(interpret(graph, one));
  try {
    CompiledGraph replay = compileReplay(graph, program.cases[0], CompileOptions{.target = target});
    auto otherwise = hasOther ? compile(graph, target, disabled) : nullptr;
    bool isPromised = !dependsOnFusion(graph);
    for (; which < program.cases.size(); ++which) {
      const Case &one = program.cases[which];
      way = "compiled";
      Values fused = runReplay(replay, graph, one);
      if (auto difference = findDifference(expected[which], fused, tally))
        return at(which, *difference);
      if (otherwise) {
        way = disabled.size() == 1 ? "compiled without " + disabled[0] : "compiled without fusions";
        Values other = run(*otherwise, one);
        if (auto difference = findDifference(expected[which], other))
          return at(which, *difference);
        if (isPromised)
          if (auto difference = findOtherBits(fused, other))
            return at(which, "against compiled with fusions: " + *difference);
      }
      if (which != seed % program.cases.size())
        continue;
      way = "eager";
      std::mt19937 random(seed);
      int percent = seed % 4 == 1 ? 25 : 0; // of the operations are read
      Values eager = runEagerly(
          graph, one, [&](std::size_t) { return static_cast<int>(random() % 100) < percent; },
          seed % 2 == 0);
      if (auto difference = findDifference(expected[which], eager))
        return at(which, *difference);
      if (isPromised && target == "native")
        if (auto difference = findOtherBits(fused, eager))
          return at(which, "against compiled: " + *difference);
    }
  } catch (const std::exception &error) {
    return at(which, error.what());
  }
  return std::nullopt;
}

} // namespace kiln::test
