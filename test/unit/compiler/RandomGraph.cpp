#include "RandomGraph.h"

#include "ir/ShapeRules.h"

#include <functional>

namespace kiln::test {
namespace {

/// Inputs and nodes while the graph grows; inputs may still be added, so values are numbered anew
/// at the end.
struct Value {
  TensorType type;
  bool isInput = false;
  ir::Input::Role role = ir::Input::Role::argument;
  int64_t indexBound = 0; // inputs that are indices: below this
  // Nodes:
  std::string op;
  std::vector<std::size_t> operands;
  ir::Attributes attributes;
  bool exact = true; // the same in every arithmetic: inputs and what only moves them
};

class Drawer {
public:
  explicit Drawer(unsigned seed) : random(seed) {
    for (const char *name : {"a", "b"})
      bindings[name] = pick<int64_t>({0, 1, 2, 3, 5, 17, 33});
  }

  RandomGraph draw() {
    addInput(TensorType(DType::float32, Shape{"a", "b"}, CPU())); // where the names get sizes
    for (int i = 0; i < 2; ++i)
      addInput(TensorType(pickDType(), drawShape(), CPU()));
    int count = number(1, 12), tries = 0;
    while (count > 0 && ++tries < 2000)
      if (step())
        --count;
    return finish();
  }

private:
  int64_t number(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  template <class T> T pick(std::vector<T> choices) {
    return choices[number(0, choices.size() - 1)];
  }
  DType pickDType() {
    return pick<DType>({DType::float32, DType::float32, DType::float32, DType::float32,
                        DType::bfloat16, DType::float16, DType::float64, DType::int32, DType::int64,
                        DType::uint8, DType::boolean});
  }
  Shape drawShape(int64_t rank = -1) {
    std::vector<Dim> dims(rank < 0 ? number(0, 4) : rank);
    for (Dim &dim : dims)
      dim = pick<Dim>({Dim("a"), Dim("b"), Dim("a"), Dim(1), Dim(3), Dim(8), Dim(17)});
    return Shape(dims);
  }
  std::size_t addInput(TensorType type, int64_t indexBound = 0,
                       ir::Input::Role role = ir::Input::Role::argument) {
    Value value;
    value.type = std::move(type);
    value.isInput = true;
    value.role = role;
    value.indexBound = indexBound;
    values.push_back(std::move(value));
    return values.size() - 1;
  }
  std::size_t any() { return number(0, values.size() - 1); }
  std::size_t anyFloat() {
    for (int i = 0; i < 20; ++i)
      if (std::size_t value = any(); isFloat(values[value].type.dtype))
        return value;
    return addInput(TensorType(DType::float32, drawShape(), CPU()));
  }
  /// Something that broadcasts with `value`: its type with some dims gone or 1, or another value.
  std::size_t partner(std::size_t value) {
    for (int i = 0; i < 4; ++i)
      if (std::size_t other = any(); values[other].type.dtype == values[value].type.dtype)
        return other;
    const TensorType &type = values[value].type;
    std::vector<Dim> dims(type.shape.begin() + number(0, type.rank()), type.shape.end());
    for (Dim &dim : dims)
      if (number(0, 3) == 0)
        dim = 1;
    return addInput(TensorType(type.dtype, Shape(dims), CPU()));
  }

  bool add(std::string op, std::vector<std::size_t> operands, ir::Attributes attributes = {},
           bool moves = false) {
    std::vector<TensorType> types;
    for (std::size_t operand : operands)
      types.push_back(values[operand].type);
    ir::Inferred inferred = ir::inferType(op, types, attributes);
    if (!inferred || !inferred.assumptions.empty())
      return false;
    if (inferred.type.shape.numElements().evaluate(bindings) > 200000)
      return false;
    Value value;
    value.type = inferred.type;
    value.op = std::move(op);
    value.exact = moves;
    for (std::size_t operand : operands)
      value.exact &= values[operand].exact;
    value.operands = std::move(operands);
    value.attributes = std::move(attributes);
    values.push_back(std::move(value));
    return true;
  }

  bool step() {
    switch (number(0, 17)) {
    case 0:
    case 1:
      return add(pick<std::string>({"neg", "abs", "relu", "tanh", "sigmoid", "erf", "gelu", "silu",
                                    "gelu_tanh", "gelu_quick", "not"}),
                 {any()});
    case 2:
    case 3:
    case 4: {
      std::size_t x = any(), y = partner(x);
      if (number(0, 1))
        std::swap(x, y);
      return add(pick<std::string>(
                     {"add", "sub", "mul", "maximum", "minimum", "and", "or", "xor", "add", "mul"}),
                 {x, y});
    }
    case 5: { // jumps: only on values that are equal in every arithmetic
      std::size_t x = any(), y = partner(x);
      if (!values[x].exact || !values[y].exact)
        return false;
      return add(pick<std::string>({"eq", "ne", "lt", "le", "gt", "ge"}), {x, y}, {}, true);
    }
    case 6: {
      std::size_t x = any(), y = partner(x);
      std::size_t condition = addInput(TensorType(DType::boolean, values[x].type.shape, CPU()));
      return add("select", {condition, x, y}, {}, true);
    }
    case 7: {
      std::size_t x = any();
      DType to = pickDType();
      if (!values[x].exact && !isFloat(to))
        return false;
      return add("cast", {x}, {{"dtype", to}}, isFloat(to) || !isFloat(values[x].type.dtype));
    }
    case 8: {
      std::size_t x = any();
      std::vector<int64_t> axes(values[x].type.rank());
      for (std::size_t i = 0; i < axes.size(); ++i)
        axes[i] = i;
      std::shuffle(axes.begin(), axes.end(), random);
      return add("permute", {x}, {{"axes", axes}}, true);
    }
    case 9: {
      std::size_t x = any();
      std::vector<Dim> starts, stops;
      std::vector<int64_t> steps;
      for (const Dim &dim : values[x].type.shape) {
        bool cut = dim.isStatic() && number(0, 1);
        int64_t start = cut ? number(0, dim.value()) : 0;
        starts.push_back(start);
        stops.push_back(cut ? Dim(number(start, dim.value())) : dim);
        steps.push_back(number(0, 2) ? 1 : number(1, 3));
      }
      return add("slice", {x},
                 {{"starts", Shape(starts)}, {"stops", Shape(stops)}, {"steps", steps}}, true);
    }
    case 10: {
      std::size_t x = any();
      std::vector<std::size_t> parts{x, x};
      if (number(0, 1))
        parts.push_back(partner(x));
      return add("concat", parts, {{"axis", number(0, 3)}}, true);
    }
    case 11: {
      std::size_t x = any();
      std::vector<Dim> dims(values[x].type.shape.begin(), values[x].type.shape.end());
      if (dims.size() >= 2 && number(0, 1)) { // two dims become one
        int64_t at = number(0, dims.size() - 2);
        dims[at] = dims[at] * dims[at + 1];
        dims.erase(dims.begin() + at + 1);
      } else if (number(0, 1)) {
        dims.insert(dims.begin() + number(0, dims.size()), Dim(1));
      } else {
        std::shuffle(dims.begin(), dims.end(), random);
      }
      return dims.size() <= 4 && add("reshape", {x}, {{"shape", Shape(dims)}}, true);
    }
    case 12: {
      std::size_t x = any();
      std::vector<Dim> dims(values[x].type.shape.begin(), values[x].type.shape.end());
      for (Dim &dim : dims)
        if (dim == Dim(1))
          dim = pick<Dim>({Dim(4), Dim("a"), Dim("b")});
      if (dims.size() < 4 && number(0, 1))
        dims.insert(dims.begin(), pick<Dim>({Dim(2), Dim("b")}));
      return add("broadcast_to", {x}, {{"shape", Shape(dims)}}, true);
    }
    case 13:
      return add(pick<std::string>({"sum", "mean", "max", "min", "sum", "mean"}), {any()},
                 {{"axis", number(0, 3)}});
    case 14: {
      std::size_t x = anyFloat();
      const TensorType type = values[x].type;
      if (number(0, 1))
        return add("softmax", {x}, {{"axis", number(0, 3)}});
      if (type.rank() == 0)
        return false;
      if (number(0, 1))
        return add("layer_norm", {x}, {{"epsilon", 0.1}});
      TensorType row(type.dtype, Shape{type.shape[-1]}, CPU());
      std::size_t weight = addInput(row, 0, ir::Input::Role::weight);
      std::size_t bias = addInput(row, 0, ir::Input::Role::weight);
      return add("layer_norm", {x, weight, bias}, {{"epsilon", 0.1}});
    }
    case 15: { // x @ w, x @ wᵀ (+ bias)
      std::size_t x = anyFloat();
      const TensorType type = values[x].type;
      if (type.rank() < 2)
        return false;
      Dim n = pick<Dim>({Dim(1), Dim(5), Dim(16), Dim(40)});
      bool transposed = number(0, 1);
      Shape shape = transposed ? Shape{n, type.shape[-1]} : Shape{type.shape[-1], n};
      ir::Input::Role role = number(0, 3) ? ir::Input::Role::weight : ir::Input::Role::argument;
      std::size_t w = addInput(TensorType(type.dtype, shape, CPU()), 0, role);
      if (transposed) {
        if (!add("permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}}, true))
          return false;
        w = values.size() - 1;
      }
      if (!add("matmul", {x, w}))
        return false;
      if (number(0, 1)) {
        std::size_t product = values.size() - 1;
        std::size_t bias = addInput(TensorType(type.dtype, Shape{n}, CPU()), 0, role);
        return add("add", {product, bias});
      }
      return true;
    }
    case 16: {
      std::size_t table = any();
      const TensorType type = values[table].type;
      if (type.rank() == 0)
        return false;
      int64_t axis = number(0, type.rank() - 1);
      int64_t bound = type.shape[axis].evaluate(bindings);
      if (bound == 0)
        return false;
      std::size_t indices =
          addInput(TensorType(pick<DType>({DType::int32, DType::int64, DType::uint8}),
                              drawShape(number(0, 2)), CPU()),
                   bound);
      return add("gather", {table, indices}, {{"axis", axis}}, true);
    }
    default: {
      Dim n = pick<Dim>({Dim("a"), Dim("b"), Dim(8)});
      return add("iota", {},
                 {{"shape", Shape{n}},
                  {"dtype", DType::int64},
                  {"start", number(-3, 3)},
                  {"step", number(1, 2)}},
                 true);
    }
    }
  }

  ir::HostTensor contents(const Value &input) {
    ir::HostTensor tensor;
    tensor.type = input.type;
    std::vector<int64_t> sizes = input.type.shape.evaluate(bindings);
    tensor.type.shape = Shape(std::span<const int64_t>(sizes));
    int64_t count = tensor.type.shape.numElements().value();
    tensor.bytes.resize(count * sizeBytes(input.type.dtype));
    std::normal_distribution<double> normal;
    for (int64_t i = 0; i < count; ++i) {
      double value = isFloat(input.type.dtype) ? normal(random) : double(number(-4, 4));
      if (isUnsigned(input.type.dtype) || input.type.dtype == DType::boolean)
        value = std::abs(value);
      if (input.type.dtype == DType::boolean)
        value = value > 1;
      if (input.indexBound)
        value = double(number(0, std::min<int64_t>(input.indexBound - 1, 255)));
      write(tensor, i, value);
    }
    return tensor;
  }
  static void write(ir::HostTensor &tensor, int64_t index, double value) {
    auto put = [&](auto typed) {
      std::memcpy(tensor.bytes.data() + index * sizeof(typed), &typed, sizeof(typed));
    };
    switch (tensor.type.dtype) {
    case DType::boolean:
    case DType::uint8:
      return put(static_cast<uint8_t>(value));
    case DType::int32:
      return put(static_cast<int32_t>(value));
    case DType::int64:
      return put(static_cast<int64_t>(value));
    case DType::float16:
      return put(Float16(static_cast<float>(value)));
    case DType::bfloat16:
      return put(BFloat16(static_cast<float>(value)));
    case DType::float32:
      return put(static_cast<float>(value));
    case DType::float64:
      return put(value);
    default:
      std::abort(); // not drawn
    }
  }

  RandomGraph finish() {
    RandomGraph result;
    result.bindings = bindings;
    std::vector<ir::ValueId> ids(values.size());
    std::vector<bool> used(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i].isInput) {
        ids[i] = result.graph.inputs.size();
        result.graph.inputs.push_back(
            {values[i].role, "input " + std::to_string(i), values[i].type});
        result.inputs.push_back(contents(values[i]));
      }
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!values[i].isInput) {
        std::vector<ir::ValueId> operands;
        for (std::size_t operand : values[i].operands) {
          operands.push_back(ids[operand]);
          used[operand] = true;
        }
        ids[i] = result.graph.addNode(
            {values[i].op, operands, values[i].attributes, values[i].type, ""});
      }
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!values[i].isInput && (!used[i] || number(0, 9) == 0))
        result.graph.outputs.push_back(ids[i]);
    return result;
  }

  std::mt19937 random;
  DimBindings bindings;
  std::vector<Value> values;
};

} // namespace

RandomGraph drawGraph(unsigned seed) { return Drawer(seed).draw(); }

ir::Graph withAllOutputs(const ir::Graph &graph) {
  ir::Graph all = graph;
  all.outputs.clear();
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    all.outputs.push_back(static_cast<ir::ValueId>(graph.inputs.size() + i));
  return all;
}

} // namespace kiln::test
