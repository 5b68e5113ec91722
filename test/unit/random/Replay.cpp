#include "test/unit/random/Replay.h"

#include "frontend/Node.h"
#include "frontend/Record.h"
#include "test/unit/random/Element.h"

#include <map>
#include <stdexcept>

namespace kiln::test {

namespace {

/// A node about to be recorded.
struct Call {
  const ir::Attributes &attributes;
  const std::vector<Tensor> &operands;
  const DimBindings *sizes;

  const Tensor &operator[](std::size_t index) const { return operands.at(index); }
  Dim dim(const Dim &dim) const { return sizes ? Dim(dim.evaluate(*sizes)) : dim; }
  Shape shape(std::string_view name) const {
    std::vector<Dim> dims;
    for (const Dim &each : attributes.get<Shape>(name))
      dims.push_back(dim(each));
    return Shape(dims);
  }
  int64_t axis() const { return attributes.get<int64_t>("axis"); }
  /// The operation itself, below the public functions.
  Tensor record(std::string_view op) const {
    ir::Attributes own = attributes;
    for (const auto &[name, value] : attributes)
      if (std::holds_alternative<Shape>(value))
        own.set(name, shape(name));
    return detail::Call(op, Where::current()).record(op, operands, std::move(own));
  }
};

Tensor constant(const Call &call) {
  const ir::DenseData &value = *call.attributes.get<std::shared_ptr<const ir::DenseData>>("value");
  return withType(value.type.dtype, [&](auto zero) {
    using T = decltype(zero);
    return Tensor::fromData(
        std::span(reinterpret_cast<const T *>(value.bytes.data()), value.bytes.size() / sizeof(T)),
        value.type.shape);
  });
}

Tensor iota(const Call &call) {
  auto dtype = call.attributes.get<DType>("dtype");
  Dim count = call.shape("shape")[0];
  if (isFloat(dtype)) {
    double start = call.attributes.get<double>("start"), step = call.attributes.get<double>("step");
    return Tensor::arange(start, start + static_cast<double>(count.value()) * step, step, dtype);
  }
  int64_t start = call.attributes.get<int64_t>("start"),
          step = call.attributes.get<int64_t>("step");
  return Tensor::arange(start, Dim(start) + count * Dim(step), step, dtype);
}

Tensor slice(const Call &call) {
  Shape starts = call.shape("starts"), stops = call.shape("stops");
  const auto &steps = call.attributes.get<std::vector<int64_t>>("steps");
  std::vector<Index> index;
  for (std::size_t i = 0; i < steps.size(); ++i)
    index.emplace_back(
        Slice(starts[static_cast<int64_t>(i)], stops[static_cast<int64_t>(i)], steps[i]));
  return call[0].slice(index);
}

Tensor layerNormOf(const Call &call) {
  auto epsilon = call.attributes.get<double>("epsilon");
  return call.operands.size() == 1 ? layerNorm(call[0], epsilon)
                                   : layerNorm(call[0], call[1], call[2], epsilon);
}

Tensor attentionOf(const Call &call) {
  std::optional<Tensor> mask;
  if (call.operands.size() > 3)
    mask = call[3];
  return attention(call[0], call[1], call[2], mask, call.attributes.get<double>("scale"));
}

using Function = Tensor (*)(const Call &);

#define ONE(name, expression)                                                                      \
  {name, [](const Call &call) -> Tensor {                                                          \
     const Tensor &x = call[0];                                                                    \
     return expression;                                                                            \
   }}
#define TWO(name, expression)                                                                      \
  {name, [](const Call &call) -> Tensor {                                                          \
     const Tensor &x = call[0], &y = call[1];                                                      \
     return expression;                                                                            \
   }}
#define ROW(name, function)                                                                        \
  {name, [](const Call &call) -> Tensor { return function(call[0], call.axis()); }}

const std::map<std::string_view, Function> &functions() {
  static const std::map<std::string_view, Function> table{
      ONE("neg", -x),
      ONE("abs", abs(x)),
      ONE("exp", exp(x)),
      ONE("log", log(x)),
      ONE("log1p", log1p(x)),
      ONE("sqrt", sqrt(x)),
      ONE("rsqrt", rsqrt(x)),
      ONE("sin", sin(x)),
      ONE("cos", cos(x)),
      ONE("tanh", tanh(x)),
      ONE("erf", erf(x)),
      ONE("floor", floor(x)),
      ONE("ceil", ceil(x)),
      ONE("round", round(x)),
      ONE("trunc", trunc(x)),
      ONE("relu", relu(x)),
      ONE("gelu", gelu(x)),
      ONE("gelu_tanh", gelu(x, "tanh")),
      ONE("gelu_quick", gelu(x, "quick")),
      ONE("silu", silu(x)),
      ONE("sigmoid", sigmoid(x)),
      ONE("is_nan", isNan(x)),
      ONE("is_inf", isInf(x)),
      ONE("not", ~x),
      TWO("add", x + y),
      TWO("sub", x - y),
      TWO("mul", x * y),
      TWO("div", x / y),
      TWO("floor_div", floorDiv(x, y)),
      TWO("mod", x % y),
      TWO("pow", pow(x, y)),
      TWO("maximum", maximum(x, y)),
      TWO("minimum", minimum(x, y)),
      TWO("eq", x == y),
      TWO("ne", x != y),
      TWO("lt", x < y),
      TWO("le", x <= y),
      TWO("gt", x > y),
      TWO("ge", x >= y),
      TWO("and", x & y),
      TWO("or", x | y),
      TWO("xor", x ^ y),
      ROW("sum", sum),
      ROW("prod", prod),
      ROW("mean", mean),
      ROW("max", max),
      ROW("min", min),
      ROW("argmax", argmax),
      ROW("argmin", argmin),
      ROW("softmax", softmax),
      {"select", [](const Call &call) { return where(call[0], call[1], call[2]); }},
      {"cast", [](const Call &call) { return call[0].cast(call.attributes.get<DType>("dtype")); }},
      {"constant", constant},
      {"iota", iota},
      // No public function makes just these.
      {"size",
       [](const Call &call) {
         Tensor size = call.record("size");
         size.handle()->value.type.device = defaults().second; // the others' in compileReplay
         return size;
       }},
      {"windows", [](const Call &call) { return call.record("windows"); }},
      {"rebind", [](const Call &call) { return call.record("rebind"); }},
      {"argsort", [](const Call &call) { return call.record("argsort"); }},
      {"cumsum", [](const Call &call) { return call.record("cumsum"); }},
      {"scatter", [](const Call &call) { return call.record("scatter"); }},
      {"scatter_elements", [](const Call &call) { return call.record("scatter_elements"); }},
      {"gather_elements", [](const Call &call) { return call.record("gather_elements"); }},
      {"broadcast_to", [](const Call &call) { return call[0].broadcastTo(call.shape("shape")); }},
      {"reshape", [](const Call &call) { return call[0].reshape(call.shape("shape")); }},
      {"permute",
       [](const Call &call) {
         return call[0].permute(call.attributes.get<std::vector<int64_t>>("axes"));
       }},
      {"slice", slice},
      {"concat", [](const Call &call) { return concat(call.operands, call.axis()); }},
      {"gather", [](const Call &call) { return gather(call[0], call[1], call.axis()); }},
      {"dequantize",
       [](const Call &call) {
         const auto &encoding = call.attributes.get<std::string>("encoding");
         return dequantize(call[0], *parseQuantizationEncoding(encoding));
       }},
      {"matmul", [](const Call &call) { return matmul(call[0], call[1]); }},
      {"attention", attentionOf},
      {"layer_norm", layerNormOf},
  };
  return table;
}

} // namespace

Tensor recordNode(const ir::Node &node, const std::vector<Tensor> &operands,
                  const DimBindings *sizes) {
  auto found = functions().find(node.op);
  if (found == functions().end())
    throw std::logic_error("test/unit/random/Replay.cpp has no function for " + node.op);
  return found->second({node.attributes, operands, sizes});
}

Tensor tensorOf(const ir::DenseData &contents) {
  return detail::realizedTensor(contents.type, runtime::Buffer::copyOf(contents.bytes));
}

ir::DenseData contentsOf(const Tensor &tensor) {
  std::span<const std::byte> bytes = tensor.bytes();
  return {tensor.type(), {bytes.begin(), bytes.end()}};
}

std::vector<ir::DenseData> runEagerly(const ir::Graph &graph, const Case &one,
                                      const std::function<bool(std::size_t)> &readAt,
                                      bool keepsHandles) {
  std::vector<std::size_t> lastUse(graph.inputs.size() + graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    for (ir::ValueId operand : graph.nodes[i].operands)
      lastUse[operand] = i;
  for (ir::ValueId output : graph.outputs)
    lastUse[output] = graph.nodes.size();

  std::vector<Tensor> values;
  for (const ir::DenseData &input : one.inputs)
    values.push_back(tensorOf(input));
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const ir::Node &node = graph.nodes[i];
    std::vector<Tensor> operands;
    for (ir::ValueId operand : node.operands)
      operands.push_back(values[operand]);
    values.push_back(recordNode(node, operands, &one.bindings));
    if (readAt(i))
      values.back().realize();
    if (!keepsHandles)
      for (ir::ValueId operand : node.operands)
        if (lastUse[operand] == i)
          values[operand] = Tensor();
  }
  std::vector<ir::DenseData> results;
  for (ir::ValueId output : graph.outputs)
    results.push_back(contentsOf(values[output]));
  return results;
}

CompiledGraph compileReplay(const ir::Graph &graph, const Case &weights,
                            const CompileOptions &options, Device device) {
  DefaultsScope defaults(DType::float32, device); // where constants are
  Graph written("random");
  auto scope = written.enter();
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const ir::Input &input = graph.inputs[i];
    values.push_back(input.role == ir::Input::Role::argument
                         ? written.input({input.type.dtype, input.type.shape, device})
                         : tensorOf(weights.inputs[i]).to(device));
  }
  for (const ir::Node &node : graph.nodes) {
    std::vector<Tensor> operands;
    for (ir::ValueId operand : node.operands)
      operands.push_back(values[operand]);
    values.push_back(recordNode(node, operands, nullptr));
  }
  for (ir::ValueId output : graph.outputs)
    written.output(values[output]);
  return written.compile(options);
}

std::vector<ir::DenseData> runReplay(const CompiledGraph &compiled, const ir::Graph &graph,
                                     const Case &one, Device device) {
  std::vector<Tensor> arguments;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i)
    if (graph.inputs[i].role == ir::Input::Role::argument)
      arguments.push_back(tensorOf(one.inputs[i]).to(device));
  std::vector<ir::DenseData> results;
  for (const Tensor &result : compiled(arguments))
    results.push_back(contentsOf(result.to(CPU())));
  return results;
}

} // namespace kiln::test
