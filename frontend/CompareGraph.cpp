#include "frontend/CompareGraph.h"

#include "frontend/CompileGraph.h"
#include "frontend/Node.h"
#include "frontend/Sharding.h"
#include "ir/ShapeRules.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/Executable.h"
#include "runtime/cuda/Gpu.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <limits>

namespace kiln::detail {

namespace {

using Values = std::vector<runtime::TensorValue>;
using ir::ValueId;

runtime::InterpretResult interpretRaw(const ir::Graph &graph, const Values &inputs,
                                      bool wantsText) {
  runtime::InterpretRequest request;
  request.wantsText = wantsText;
  for (const runtime::TensorValue &input : inputs) {
    std::span<const std::byte> bytes = input.buffer->bytes();
    request.inputs.push_back({input.type, {bytes.begin(), bytes.end()}});
  }
  return runtime::interpretGraph(graph, request);
}

Values interpret(const ir::Graph &graph, const Values &inputs) {
  runtime::InterpretResult result = interpretRaw(graph, inputs, false);
  if (result.error != ErrorKind::none)
    throwError(result.error, result.message);
  Values values;
  for (const runtime::HostContents &contents : result.results)
    values.push_back({contents.type, runtime::Buffer::copyOf(contents.bytes)});
  return values;
}

double defaultTolerance(DType dtype) {
  switch (dtype) {
  case DType::float64:
    return 1e-10;
  case DType::float32:
    return 1e-4;
  case DType::float16:
    return 1e-2;
  case DType::bfloat16:
    return 5e-2;
  default:
    return 0;
  }
}

double load(DType dtype, const std::byte *data, std::size_t index) {
  auto as = [&](auto value) {
    std::memcpy(&value, data + index * sizeof(value), sizeof(value));
    if constexpr (std::is_class_v<decltype(value)>)
      return static_cast<double>(static_cast<float>(value));
    else
      return static_cast<double>(value);
  };
  switch (dtype) {
  case DType::boolean:
  case DType::uint8:
    return as(uint8_t());
  case DType::int8:
    return as(int8_t());
  case DType::int16:
    return as(int16_t());
  case DType::int32:
    return as(int32_t());
  case DType::int64:
    return as(int64_t());
  case DType::uint16:
    return as(uint16_t());
  case DType::uint32:
    return as(uint32_t());
  case DType::uint64:
    return as(uint64_t());
  case DType::float16:
    return as(Float16());
  case DType::bfloat16:
    return as(BFloat16());
  case DType::float32:
    return as(float());
  case DType::float64:
    break;
  }
  return as(double());
}

/// How far two values of one type are apart, and whether that is too far.
struct Distance {
  double most = 0;
  bool isTooFar = false;
};

Distance distanceOf(const runtime::TensorValue &expected, const runtime::TensorValue &got,
                    std::optional<double> tolerance) {
  if (expected.type.shape != got.type.shape || expected.type.dtype != got.type.dtype)
    return {std::numeric_limits<double>::infinity(), true};
  DType dtype = expected.type.dtype;
  auto count = static_cast<std::size_t>(expected.type.shape.numElements().value());
  const std::byte *a = expected.buffer->data(), *b = got.buffer->data();
  Distance distance;
  double magnitude = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::memcmp(a + i * sizeBytes(dtype), b + i * sizeBytes(dtype), sizeBytes(dtype)) == 0) {
      if (double x = std::abs(load(dtype, a, i)); std::isfinite(x))
        magnitude = std::max(magnitude, x);
      continue;
    }
    double x = load(dtype, a, i), y = load(dtype, b, i);
    if (std::isfinite(x))
      magnitude = std::max(magnitude, std::abs(x));
    if (std::isnan(x) && std::isnan(y))
      continue;
    // 64-bit integers that differ may be equal as doubles.
    double apart = isFloat(dtype) ? std::abs(x - y) : std::max(1.0, std::abs(x - y));
    if (!std::isfinite(x) || !std::isfinite(y))
      apart = std::numeric_limits<double>::infinity();
    distance.most = std::max(distance.most, apart);
  }
  double relative = isFloat(dtype) ? tolerance.value_or(defaultTolerance(dtype)) : 0;
  distance.isTooFar = distance.most > relative * magnitude;
  return distance;
}

/// The graph up to a value, which is its only output; all inputs stay.
ir::Graph upTo(const ir::Graph &graph, ValueId value) {
  std::size_t numInputs = graph.inputs.size();
  std::vector<bool> isNeeded(numInputs + graph.nodes.size());
  isNeeded[value] = true;
  for (std::size_t i = graph.nodes.size(); i-- > 0;)
    if (isNeeded[numInputs + i])
      for (ValueId operand : graph.nodes[i].operands)
        isNeeded[operand] = true;
  ir::Graph part;
  part.name = graph.name;
  part.inputs = graph.inputs;
  part.constraints = graph.constraints;
  std::vector<ValueId> moved(isNeeded.size());
  for (ValueId id = 0; id < numInputs; ++id)
    moved[id] = id;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!isNeeded[numInputs + i])
      continue;
    ir::Node node = graph.nodes[i];
    for (ValueId &operand : node.operands)
      operand = moved[operand];
    moved[numInputs + i] = part.addNode(std::move(node));
  }
  part.outputs = {moved[value]};
  return part;
}

/// A node alone, on the contents of its operands; sizes are numbers.
struct Alone {
  ir::Graph graph;
  Values inputs;
};

std::optional<Alone> alone(const ir::Graph &graph, std::size_t index, const Values &values,
                           const DimBindings &sizes) {
  ir::Node node = graph.nodes[index];
  Alone result;
  result.graph.name = graph.name;
  std::vector<TensorType> types;
  std::vector<ValueId> operands;
  for (ValueId operand : node.operands) {
    operands.push_back(static_cast<ValueId>(result.inputs.size()));
    bool isWeight =
        operand < graph.inputs.size() && graph.inputs[operand].role == ir::Input::Role::weight;
    result.graph.inputs.push_back({isWeight ? ir::Input::Role::weight : ir::Input::Role::argument,
                                   fmt::format("operand {}", operands.back()),
                                   values[operand].type});
    types.push_back(values[operand].type);
    result.inputs.push_back(values[operand]);
  }
  for (const auto &[name, value] : ir::Attributes(node.attributes))
    if (const auto *shape = std::get_if<Shape>(&value))
      node.attributes.set(name, Shape(std::span<const int64_t>(shape->evaluate(sizes))));
  ir::Inferred inferred = ir::inferType(node.op, types, node.attributes);
  if (!inferred)
    return std::nullopt;
  node.operands = std::move(operands);
  node.type = inferred.type;
  result.graph.outputs = {result.graph.addNode(std::move(node))};
  return result;
}

DimBindings sizesOf(const ir::Graph &graph, const Values &inputs) {
  DimBindings sizes;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (int64_t axis = 0; axis < graph.inputs[i].type.rank(); ++axis)
      if (const Dim &dim = graph.inputs[i].type.shape[axis]; dim.isName())
        sizes[dim.str()] = inputs[i].type.shape[axis].value();
  return sizes;
}

/// The nodes that some output needs, in order.
std::vector<std::size_t> neededFor(const ir::Graph &graph, const std::vector<ValueId> &outputs) {
  std::vector<bool> isNeeded(graph.inputs.size() + graph.nodes.size());
  for (ValueId output : outputs)
    isNeeded[output] = true;
  std::vector<std::size_t> nodes;
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    if (!isNeeded[graph.inputs.size() + i])
      continue;
    nodes.insert(nodes.begin(), i);
    for (ValueId operand : graph.nodes[i].operands)
      isNeeded[operand] = true;
  }
  return nodes;
}

Tensor asTensor(const runtime::TensorValue &value) {
  return realizedTensor(value.type, value.buffer);
}

std::string textOf(const ir::Graph &graph, const Values &inputs) {
  return interpretRaw(graph, inputs, true).text;
}

class Comparer {
public:
  Comparer(const ir::Graph &graph, const Values &inputs, std::optional<double> tolerance,
           const GraphRunner &run)
      : graph(graph), inputs(inputs), tolerance(tolerance), run(run) {}

  Comparison compare() {
    Values expected = interpret(graph, inputs), got = run(graph, inputs);
    Comparison result;
    std::vector<ValueId> wrong;
    std::size_t first = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      Distance distance = distanceOf(expected[i], got[i], tolerance);
      if (distance.isTooFar && wrong.empty())
        first = i;
      if (distance.isTooFar)
        wrong.push_back(graph.outputs[i]);
      result.maxDifference = std::max(result.maxDifference, distance.most);
    }
    if (wrong.empty())
      return result;
    if (auto found = findFirst(wrong))
      return *found;
    // No operation differs as the end of a model of its own: only all of them together.
    ValueId output = graph.outputs[first];
    if (output < graph.inputs.size()) {
      result.op = "an input that is an output";
    } else {
      const ir::Node &node = graph.nodes[output - graph.inputs.size()];
      result.op = node.op;
      result.location = node.location;
    }
    result.equal = false;
    result.expected = asTensor(expected[first]);
    result.got = asTensor(got[first]);
    result.ir = textOf(graph, inputs);
    return result;
  }

private:
  /// All values of the graph as the interpreter has them: inputs, then nodes.
  Values allValues() {
    ir::Graph all = graph;
    all.outputs.clear();
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      all.outputs.push_back(static_cast<ValueId>(graph.inputs.size() + i));
    Values values = inputs;
    for (runtime::TensorValue &value : interpret(all, inputs))
      values.push_back(std::move(value));
    return values;
  }

  std::optional<Comparison> findFirst(const std::vector<ValueId> &wrong) {
    Values values = allValues();
    for (std::size_t i : neededFor(graph, wrong)) {
      if (graph.nodes[i].op == "constant")
        continue;
      auto id = static_cast<ValueId>(graph.inputs.size() + i);
      ir::Graph part = upTo(graph, id);
      runtime::TensorValue got = run(part, inputs).at(0);
      Distance distance = distanceOf(values[id], got, tolerance);
      if (!distance.isTooFar)
        continue;
      Comparison result;
      result.equal = false;
      result.op = graph.nodes[i].op;
      result.location = graph.nodes[i].location;
      result.maxDifference = distance.most;
      result.expected = asTensor(values[id]);
      result.got = asTensor(got);
      auto single = alone(graph, i, values, sizesOf(graph, inputs));
      bool isEnough =
          single &&
          distanceOf(values[id], run(single->graph, single->inputs).at(0), tolerance).isTooFar;
      result.ir = isEnough ? textOf(single->graph, single->inputs) : textOf(part, inputs);
      return result;
    }
    return std::nullopt;
  }

  const ir::Graph &graph;
  const Values &inputs;
  std::optional<double> tolerance;
  const GraphRunner &run;
};

/// Splits the inputs and runs a program on several devices; the results of the first.
Values runRanks(const runtime::Executable &executable, const ir::Graph &graph,
                const Devices &devices, const Values &inputs) {
  std::deque<Tensor> parts; // holds what the weights point to
  std::vector<runtime::RankedWeight> weights;
  std::vector<const runtime::TensorValue *> arguments;
  Call call("compare", std::source_location::current());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (const ir::Input &input = graph.inputs[i]; input.shardAxis) {
      parts.push_back(shardTensor(call, asTensor(inputs[i]), *input.shardAxis, devices));
      weights.push_back(rankedWeight(*parts.back().handle()));
    } else if (input.role == ir::Input::Role::weight) {
      weights.push_back({&inputs[i]});
    } else {
      arguments.push_back(&inputs[i]);
    }
  return runtime::RankedModel::bind(executable.shared_from_this(), devices, weights)
      ->run(arguments)
      .front();
}

} // namespace

GraphRunner compiledRunner(const CompileOptions &options,
                           std::shared_ptr<const std::vector<Device>> devices) {
  runtime::CompileRequest request;
  request.target = options.target;
  request.disabledPasses = options.disabledPasses;
  request.int8Activations = options.quantizedActivations;
  request.precision = options.precision;
  return [request, devices](const ir::Graph &graph, const Values &inputs) mutable {
    bool isSplit = std::any_of(graph.inputs.begin(), graph.inputs.end(),
                               [](const ir::Input &input) { return input.shardAxis.has_value(); });
    request.ranks = isSplit ? static_cast<int64_t>(devices->size()) : 1;
    request.chip.clear();
    runtime::cuda::requestFor(isSplit ? devices->front() : graph.type(graph.outputs.front()).device,
                              request);
    if (isSplit)
      return runRanks(*compileThroughCache(graph, request).executable, graph, *devices, inputs);
    std::vector<const runtime::TensorValue *> pointers;
    for (const runtime::TensorValue &input : inputs)
      pointers.push_back(&input);
    return compileThroughCache(graph, request).executable->run(pointers);
  };
}

Comparison compareGraph(const ir::Graph &graph, const std::vector<runtime::TensorValue> &inputs,
                        std::optional<double> tolerance, const GraphRunner &run) {
  return Comparer(graph, inputs, tolerance, run).compare();
}

} // namespace kiln::detail
