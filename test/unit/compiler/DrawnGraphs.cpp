#include "test/unit/compiler/DrawnGraphs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace kiln::test {

using namespace kiln::ir;

ValueId RuleBuilder::input(TensorType type, Input::Role role) {
  std::string name = "input " + std::to_string(graph.inputs.size());
  graph.inputs.push_back({role, std::move(name), std::move(type)});
  return static_cast<ValueId>(graph.inputs.size() - 1);
}

std::optional<ValueId> RuleBuilder::tryOp(std::string op, std::vector<ValueId> operands,
                                          Attributes attributes) {
  std::vector<TensorType> types;
  for (ValueId operand : operands)
    types.push_back(graph.type(operand));
  Inferred inferred = inferType(op, types, attributes);
  if (!inferred)
    return std::nullopt;
  return graph.addNode({std::move(op), std::move(operands), std::move(attributes),
                        std::move(inferred.type), "random.cpp:1"});
}

ValueId RuleBuilder::op(std::string name, std::vector<ValueId> operands, Attributes attributes) {
  return tryOp(std::move(name), std::move(operands), std::move(attributes)).value();
}

ValueId RuleBuilder::constant(HostTensor value) {
  return op("constant", {}, {{"value", std::make_shared<const DenseData>(std::move(value))}});
}

namespace {

TensorType typeOf(DType dtype, Shape shape) { return {dtype, std::move(shape), CPU()}; }

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

class ExactGraph {
public:
  explicit ExactGraph(unsigned seed) : draw(seed) {}

  Graph build() {
    values = {b.input(typeOf(DType::float32, {"n", 2})), b.input(typeOf(DType::float32, {2})),
              b.input(typeOf(DType::int8, {"n", 2})), b.input(typeOf(DType::boolean, {2}))};
    for (int i = 0; i < 25; ++i)
      step();
    b.graph.outputs = values;
    return b.graph;
  }

private:
  ValueId any() { return draw.oneOf(values); }
  void add(std::optional<ValueId> value) {
    if (value)
      values.push_back(*value);
  }

  void step() {
    static const std::vector<std::string> unary{
        "neg", "abs", "relu", "not", "is_nan", "is_inf", "sqrt", "floor", "ceil", "round", "trunc"},
        binary{"add", "sub", "mul", "div", "maximum", "minimum", "eq", "ne",
               "lt",  "le",  "gt",  "ge",  "and",     "or",      "xor"},
        ofIntegers{"floor_div", "mod", "pow"}, rows{"argmax", "argmin", "max", "min"};
    ValueId x = any();
    const TensorType type = b.graph.type(x);
    auto axis = static_cast<int64_t>(draw.below(static_cast<size_t>(type.rank()) + 1));
    switch (draw.below(12)) {
    case 0:
    case 1:
      return add(b.tryOp(draw.oneOf(binary), {x, any()}));
    case 2:
      return add(b.tryOp(draw.oneOf(unary), {x}));
    case 3:
      return isFloat(type.dtype) ? constant() : add(b.tryOp(draw.oneOf(ofIntegers), {x, any()}));
    case 4:
      return add(b.tryOp("select", {any(), x, any()}));
    case 5: // max and min of floats: which of 0.0 and -0.0 it is depends on the order of lanes
      return add(b.tryOp(rows[draw.below(isFloat(type.dtype) ? 2 : 4)], {x}, {{"axis", axis}}));
    case 6:
      return isFloat(type.dtype) ? constant() : add(b.tryOp("sum", {x}, {{"axis", axis}}));
    case 7:
      return add(b.tryOp("concat", {x, any()}, {{"axis", axis}}));
    case 8:
      return cast(x);
    case 9:
    case 10:
      return move(x, type);
    default:
      return constant();
    }
  }

  void cast(ValueId x) {
    static const std::vector<DType> dtypes{
        DType::int8,    DType::uint8,   DType::int16,  DType::uint16,   DType::int32,
        DType::uint32,  DType::int64,   DType::uint64, DType::bfloat16, DType::float16,
        DType::float32, DType::float64, DType::boolean};
    add(b.tryOp("cast", {x}, {{"dtype", draw.oneOf(dtypes)}}));
  }

  void move(ValueId x, const TensorType &type) {
    static const std::vector<Shape> shapes{Shape{"n", 2}, Shape{2, "n"},      Shape{Dim("n") * 2},
                                           Shape{2},      Shape{1, 2},        Shape{3, "n", 2},
                                           Shape{},       Shape{"n", 1, 2, 1}};
    auto rank = static_cast<size_t>(type.rank());
    switch (draw.below(5)) {
    case 0:
      return add(b.tryOp("reshape", {x}, {{"shape", draw.oneOf(shapes)}}));
    case 1:
      return add(b.tryOp("broadcast_to", {x}, {{"shape", draw.oneOf(shapes)}}));
    case 2: {
      std::vector<int64_t> axes(rank);
      std::iota(axes.begin(), axes.end(), 0);
      std::shuffle(axes.begin(), axes.end(), draw.generator);
      return add(b.tryOp("permute", {x}, {{"axes", axes}}));
    }
    case 3: { // every other element of one axis, from the second on where there are two
      std::vector<Dim> starts(rank), stops = type.shape.vec();
      std::vector<int64_t> steps(rank, 1);
      if (rank > 0) {
        size_t axis = draw.below(rank);
        steps[axis] = 2;
        starts[axis] = stops[axis] == 2 ? 1 : 0;
      }
      return add(b.tryOp("slice", {x},
                         {{"starts", Shape(starts)}, {"stops", Shape(stops)}, {"steps", steps}}));
    }
    default: { // only an axis of 2 is known to have the indices
      ValueId indices = b.constant(makeHostTensor(std::vector<int32_t>{1, 0, 1}, {3}));
      for (int64_t axis = 0; axis < type.rank(); ++axis)
        if (type.shape[axis] == 2)
          return add(b.tryOp("gather", {x, indices}, {{"axis", axis}}));
    }
    }
  }

  void constant() {
    static const std::vector<float> special{0.0f, -0.0f, 1.0f,     -1.0f, 0.5f,
                                            3.0f, 1e30f, infinity, nan};
    std::vector<float> contents(draw.below(2) + 1, draw.oneOf(special));
    if (draw.below(2))
      contents.back() = draw.oneOf(special);
    Shape shape = contents.size() == 1 && draw.below(2) ? Shape{} : Shape{contents.size()};
    values.push_back(b.constant(makeHostTensor(contents, shape)));
    cast(values.back());
  }

  Draw draw;
  RuleBuilder b;
  std::vector<ValueId> values;
};

class EncoderGraph {
public:
  explicit EncoderGraph(unsigned seed) : draw(seed) {}

  Graph build() {
    Shape rows{"b", "s", 8};
    values = {b.input(typeOf(DType::float32, rows)), b.input(typeOf(DType::float32, rows))};
    for (int i = 0; i < 4; ++i)
      weights.push_back(b.input(typeOf(DType::float32, {8, 8}), Input::Role::weight));
    for (int i = 0; i < 4; ++i)
      vectors.push_back(b.input(typeOf(DType::float32, {8}), Input::Role::weight));
    for (int i = 0; i < 8; ++i)
      values.push_back(step(draw.oneOf(values)));
    b.graph.outputs.assign(values.end() - 3, values.end());
    b.graph.outputs.push_back(b.op("mean", {values.back()}, {{"axis", int64_t{1}}}));
    return b.graph;
  }

private:
  ValueId scaled(ValueId x, float factor) {
    return b.op("mul", {x, b.constant(makeHostTensor(std::vector<float>{factor}, {}))});
  }
  ValueId linear(ValueId x) {
    ValueId wt = b.op("permute", {draw.oneOf(weights)}, {{"axes", std::vector<int64_t>{1, 0}}});
    ValueId product = b.op("matmul", {x, wt});
    if (draw.below(4) != 0)
      product = b.op("add", {product, draw.oneOf(vectors)});
    return scaled(product, 0.25f);
  }
  ValueId heads(ValueId x) { // [b, 2, s, 4]
    ValueId split = b.op("reshape", {x}, {{"shape", Shape{"b", "s", 2, 4}}});
    return b.op("permute", {split}, {{"axes", std::vector<int64_t>{0, 2, 1, 3}}});
  }

  ValueId step(ValueId x) {
    static const std::vector<std::string> activations{"gelu", "relu",    "tanh", "gelu_tanh",
                                                      "silu", "sigmoid", "erf",  "gelu_quick"};
    switch (draw.below(8)) {
    case 0:
    case 1:
      return linear(x);
    case 2:
      return b.op(draw.oneOf(activations), {linear(x)});
    case 3:
      return scaled(b.op("add", {linear(x), draw.oneOf(values)}), 0.5f);
    case 4:
      return scaled(b.op("layer_norm",
                         {b.op("add", {linear(x), draw.oneOf(values)}), draw.oneOf(vectors),
                          draw.oneOf(vectors)},
                         {{"epsilon", 1e-2}}),
                    0.5f);
    case 5:
      return b.op("softmax", {x}, {{"axis", int64_t{2}}});
    case 6: {
      ValueId q = heads(linear(x)), k = heads(linear(x)), v = heads(linear(draw.oneOf(values)));
      ValueId out = b.op("attention", {q, k, v}, {{"scale", 0.5}});
      ValueId back = b.op("permute", {out}, {{"axes", std::vector<int64_t>{0, 2, 1, 3}}});
      return b.op("reshape", {back}, {{"shape", Shape{"b", "s", 8}}});
    }
    default:
      return b.op(draw.oneOf(activations), {b.op("sub", {x, draw.oneOf(values)})});
    }
  }

  Draw draw;
  RuleBuilder b;
  std::vector<ValueId> values, weights, vectors;
};

} // namespace

Graph drawExactGraph(unsigned seed) { return ExactGraph(seed).build(); }

std::vector<HostTensor> exactArguments(int64_t n) {
  const float floats[] = {0.0f, -0.0f, 1.5f, -2.0f, infinity, nan, 1e-40f, 300.0f};
  const int8_t integers[] = {-128, -1, 0, 1, 100, 127, 2, 7};
  std::vector<float> x;
  std::vector<int8_t> y;
  for (size_t i = 0; i < 2 * static_cast<size_t>(n); ++i) {
    x.push_back(floats[i % 8]);
    y.push_back(integers[i % 8]);
  }
  return {makeHostTensor(x, {n, 2}),
          makeHostTensor(std::vector<float>{-0.0f, 3.0f}, {2}),
          makeHostTensor(y, {n, 2}),
          {typeOf(DType::boolean, {2}), {std::byte{1}, std::byte{0}}}};
}

Graph drawEncoderGraph(unsigned seed) { return EncoderGraph(seed).build(); }

std::vector<HostTensor> encoderArguments(const Graph &graph, int64_t b, int64_t s) {
  Draw draw(static_cast<unsigned>(b * 1000 + s));
  std::vector<HostTensor> arguments;
  for (const Input &input : graph.inputs) {
    std::vector<int64_t> sizes = input.type.shape.evaluate({{"b", b}, {"s", s}});
    Shape shape{std::span<const int64_t>(sizes)};
    std::vector<float> contents(static_cast<size_t>(shape.numElements().value()));
    std::generate(contents.begin(), contents.end(), [&] { return draw.number(); });
    arguments.push_back(makeHostTensor(contents, shape));
  }
  return arguments;
}

template <class T> static bool isSame(const std::byte *a, const std::byte *b) {
  T x, y;
  std::memcpy(&x, a, sizeof(T));
  std::memcpy(&y, b, sizeof(T));
  if constexpr (!std::is_integral_v<T>)
    if (std::isnan(static_cast<double>(x)) && std::isnan(static_cast<double>(y)))
      return true;
  return std::memcmp(a, b, sizeof(T)) == 0;
}

static bool isSame(DType dtype, const std::byte *a, const std::byte *b) {
  switch (dtype) {
  case DType::float16:
    return isSame<Float16>(a, b);
  case DType::bfloat16:
    return isSame<BFloat16>(a, b);
  case DType::float32:
    return isSame<float>(a, b);
  case DType::float64:
    return isSame<double>(a, b);
  default:
    return std::memcmp(a, b, sizeBytes(dtype)) == 0;
  }
}

void expectSame(const HostTensor &actual, const HostTensor &expected) {
  ASSERT_EQ(actual.type, expected.type);
  ASSERT_EQ(actual.bytes.size(), expected.bytes.size());
  size_t size = sizeBytes(expected.type.dtype);
  for (size_t at = 0; at < expected.bytes.size(); at += size)
    EXPECT_TRUE(isSame(expected.type.dtype, &actual.bytes[at], &expected.bytes[at]))
        << "element " << at / size << " of " << expected.type.str();
}

void expectNear(const HostTensor &actual, const HostTensor &expected, float tolerance) {
  ASSERT_EQ(actual.type, expected.type);
  std::vector<float> x = valuesOf<float>(actual), y = valuesOf<float>(expected);
  for (size_t i = 0; i < y.size(); ++i)
    ASSERT_NEAR(x[i], y[i], tolerance) << "element " << i << " of " << expected.type.str();
}

} // namespace kiln::test
