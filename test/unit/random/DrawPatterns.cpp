// Products, and what the fusions look for: linears with epilogues and norms, siblings, attention,
// embeddings, chains of elementwise operations with shared parts.
#include "test/unit/random/Drawer.h"

#include "kiln/Quantization.h"

#include <algorithm>

namespace kiln::test {

static const std::vector<Dim> &widths() {
  static const std::vector<Dim> dims{1, 5, 8, 16, 17, 40};
  return dims;
}

bool Drawer::product() {
  Id x = chance(80) ? anyFloat(2) : any();
  const TensorType own = type(x);
  if (own.rank() < 2 || own.shape[-1].isAlgebraic())
    return false;
  std::vector<Dim> dims{own.shape[-1], chance(70) ? pick(widths()) : pickDim()};
  if (chance(40)) // batches on both sides
    for (int64_t axis = own.rank() - 3; axis >= 0 && dims.size() < 4; --axis) {
      Dim dim = own.shape[axis];
      dims.insert(dims.begin(), dim.isAlgebraic() || chance(25) ? Dim(1) : dim);
    }
  return add({"matmul", {x, addParameter(TensorType(own.dtype, Shape(dims), CPU()))}}).has_value();
}

bool Drawer::linear() {
  static const std::vector<std::string> activations{
      "gelu", "relu", "tanh", "gelu_tanh", "silu", "sigmoid", "erf", "gelu_quick", "neg"};
  Id x = anyFloat(2);
  const TensorType own = type(x);
  if (own.rank() < 2 || own.shape[-1].isAlgebraic())
    return false;
  Dim n = chance(20) ? own.shape[-1] : pick(widths());
  bool isTransposed = chance(60);
  Shape shape = isTransposed ? Shape{n, own.shape[-1]} : Shape{own.shape[-1], n};
  Id w = addParameter(TensorType(own.dtype, shape, CPU()));
  if (isTransposed) {
    auto turned = add({"permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}}, true});
    if (!turned)
      return false;
    w = *turned;
  }
  auto result = add({"matmul", {x, w}});
  TensorType row(own.dtype, Shape{n}, CPU());
  if (result && chance(70))
    result = add({"add", {*result, addParameter(row)}, {}, true});
  for (int i = 0; result && i < 3 && chance(60); ++i)
    result = chance(50) ? add({pick(activations), {*result}})
                        : add({pick<std::string>({"add", "mul", "sub"}),
                               {*result, partner(*result)},
                               {},
                               true});
  if (result && chance(30)) // the residual, and the norm behind it
    result =
        add({"layer_norm", {*result, addParameter(row), addParameter(row)}, {{"epsilon", 0.01}}});
  return result.has_value();
}

bool Drawer::siblings() {
  Id x = anyFloat(2);
  const TensorType own = type(x);
  if (own.rank() < 2 || !own.shape[-1].isStatic())
    return false;
  Dim n = pick(widths());
  for (int64_t i = number(2, 3); i > 0; --i) {
    Id w = addInput(TensorType(own.dtype, Shape{n, own.shape[-1]}, CPU()), ir::Input::Role::weight);
    auto turned = add({"permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}}, true});
    auto y = turned ? add({"matmul", {x, *turned}}) : std::nullopt;
    if (y && chance(80))
      y = add({"add",
               {*y, addInput(TensorType(own.dtype, Shape{n}, CPU()), ir::Input::Role::weight)},
               {},
               true});
    if (!y)
      return false;
  }
  return true;
}

bool Drawer::writtenSoftmax() {
  Id x = anyFloat(1);
  if (type(x).rank() == 0)
    return false;
  ir::Attributes axis{{"axis", number(0, type(x).rank() - 1)}};
  auto most = add({"max", {x}, axis, true});
  auto shifted = most ? add({"sub", {x, *most}, {}, true}) : std::nullopt;
  auto powers = shifted ? add({"exp", {*shifted}}) : std::nullopt;
  auto total = powers ? add({"sum", {*powers}, axis}) : std::nullopt;
  return total && add({"div", {*powers, *total}, {}, true});
}

/// One operation, with the shapes that it may have.
bool Drawer::attention() {
  // Of float64 the frontend makes other operations.
  DType dtype = isFloat(mainDType) && mainDType != DType::float64 ? mainDType : DType::float32;
  Dim batch = pick<Dim>({Dim("c"), Dim(1), Dim(2)}),
      queries = pick<Dim>({Dim("a"), Dim(1), Dim(5)}),
      keys = chance(60) ? queries : pick<Dim>({Dim("b"), Dim(9)});
  int64_t shared = number(1, 2), heads = shared * number(1, 2);
  Dim depth = pick<Dim>({4, 8, 5}), width = chance(70) ? depth : pick<Dim>({3, 8});
  auto input = [&](Dim h, Dim s, Dim d) {
    Shape shape = chance(80) ? Shape{batch, h, s, d} : Shape{h, s, d};
    if (shape.rank() == 3 && batch != Dim(1))
      shape = Shape{batch, h, s, d};
    return shape;
  };
  Shape q = input(heads, queries, depth), k = q, v = q;
  auto replace = [](Shape shape, Dim h, Dim s, Dim d) {
    std::vector<Dim> dims = shape.vec();
    dims.resize(dims.size() - 3);
    dims.insert(dims.end(), {h, s, d});
    return Shape(dims);
  };
  k = replace(q, shared, keys, depth);
  v = replace(q, shared, keys, width);
  auto argument = [&](const Shape &shape) {
    // What another step made, where it fits.
    for (int i = 0; i < 8; ++i)
      if (Id id = any(); type(id).dtype == dtype && type(id).shape == shape)
        return id;
    return addInput(TensorType(dtype, shape, CPU()));
  };
  std::vector<Id> operands{argument(q), argument(k), argument(v)};
  if (chance(60)) {
    Shape mask = pick<Shape>({Shape{queries, keys}, Shape{keys}, Shape{1, keys}, Shape{1, 1, keys},
                              Shape{heads, queries, keys}});
    operands.push_back(addInput(TensorType(chance(50) ? DType::boolean : dtype, mask, CPU())));
  }
  return add({"attention", operands, {{"scale", pick<double>({0.5, 1.0, 0.353})}}}).has_value();
}

/// Attention as it is written with other operations: heads split off, products, softmax.
bool Drawer::writtenAttention() {
  DType dtype = isFloat(mainDType) ? mainDType : DType::float32;
  Dim batch = pick<Dim>({Dim("c"), Dim(2)}), rows = pick<Dim>({Dim("a"), Dim(5)});
  Id x = addInput(TensorType(dtype, Shape{batch, rows, 8}, CPU()));
  auto heads = [&]() -> std::optional<Id> {
    Id w = addInput(TensorType(dtype, Shape{8, 8}, CPU()), ir::Input::Role::weight);
    auto turned = add({"permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}}, true});
    auto y = turned ? add({"matmul", {x, *turned}}) : std::nullopt;
    auto split =
        y ? add({"reshape", {*y}, {{"shape", Shape{batch, rows, 2, 4}}}, true}) : std::nullopt;
    return split ? add({"permute", {*split}, {{"axes", std::vector<int64_t>{0, 2, 1, 3}}}, true})
                 : std::nullopt;
  };
  auto q = heads(), k = heads(), v = heads();
  if (!q || !k || !v)
    return false;
  auto turned = add({"permute", {*k}, {{"axes", std::vector<int64_t>{0, 1, 3, 2}}}, true});
  auto scores = turned ? add({"matmul", {*q, *turned}}) : std::nullopt;
  auto scale = scores ? scalar(dtype, 0.5) : std::nullopt;
  if (scale)
    scores = add({chance(50) ? "mul" : "div", {*scores, *scale}, {}, true});
  if (scores && chance(50))
    scores = add(
        {"add", {*scores, addInput(TensorType(dtype, Shape{batch, 1, 1, rows}, CPU()))}, {}, true});
  auto weights = scores ? add({"softmax", {*scores}, {{"axis", int64_t{3}}}}) : std::nullopt;
  auto mixed = weights ? add({"matmul", {*weights, *v}}) : std::nullopt;
  auto back = mixed ? add({"permute", {*mixed}, {{"axes", std::vector<int64_t>{0, 2, 1, 3}}}, true})
                    : std::nullopt;
  return back && add({"reshape", {*back}, {{"shape", Shape{batch, rows, 8}}}, true});
}

/// Rows of tables, added and normalised.
bool Drawer::embedding() {
  DType dtype = isFloat(mainDType) ? mainDType : DType::float32;
  Dim width = pick(widths());
  Shape places = pick<Shape>({Shape{"a"}, Shape{"c", "a"}, Shape{5}});
  auto rows = [&](int64_t size) {
    Id table = addInput(TensorType(dtype, Shape{size, width}, CPU()), ir::Input::Role::weight);
    Id indices = addInput(TensorType(pick<DType>({DType::int32, DType::int64}), places, CPU()),
                          ir::Input::Role::argument, size);
    return add({"gather", {table, indices}, {{"axis", int64_t{0}}}, true});
  };
  auto result = rows(number(1, 40)), more = rows(number(1, 3));
  if (!result || !more || !(result = add({"add", {*result, *more}, {}, true})))
    return false;
  TensorType row(dtype, Shape{width}, CPU());
  if (chance(70))
    result =
        add({"layer_norm", {*result, addParameter(row), addParameter(row)}, {{"epsilon", 1e-5}}});
  return result.has_value();
}

/// Rows of packed blocks, looked up before they are decoded, behind that, or not at all.
bool Drawer::packedRows() {
  auto encoding = pick<QuantizationEncoding>(
      {QuantizationEncoding::Q4_0, QuantizationEncoding::Q4_0, QuantizationEncoding::Q8_0,
       QuantizationEncoding::Q8_0, QuantizationEncoding::Q4_K, QuantizationEncoding::Q5_K,
       QuantizationEncoding::Q6_K});
  ir::Attributes attributes{{"encoding", std::string(name(encoding))}};
  int64_t bytes = packedRowBytes(encoding, std::max(blockElements(encoding), 32 * number(1, 3)));
  if (chance(40))
    return add({"dequantize",
                {addParameter(TensorType(
                    DType::uint8,
                    pick<Shape>({Shape{"a", bytes}, Shape{bytes}, Shape{3, 1, bytes}}), CPU()))},
                attributes,
                true})
        .has_value();
  int64_t size = number(1, 9);
  bool isDecodedFirst = chance(30);
  std::optional<Id> table =
      addInput(TensorType(DType::uint8, Shape{size, bytes}, CPU()), ir::Input::Role::weight);
  Id indices =
      addInput(TensorType(DType::int64, pick<Shape>({Shape{"a"}, Shape{"a", 2}, Shape{}}), CPU()),
               ir::Input::Role::argument, size);
  if (isDecodedFirst)
    table = add({"dequantize", {*table}, attributes, true});
  auto rows =
      table ? add({"gather", {*table, indices}, {{"axis", int64_t{0}}}, true}) : std::nullopt;
  return rows && (isDecodedFirst || add({"dequantize", {*rows}, attributes, true}));
}

/// Elementwise operations on one value and on each other: parts are shared.
bool Drawer::chain() {
  std::vector<Id> parts{anyFloat()};
  static const std::vector<std::string> one{"neg",     "abs",  "relu", "tanh",
                                            "sigmoid", "silu", "gelu"},
      two{"add", "sub", "mul", "maximum", "minimum"};
  for (int64_t i = number(2, 5); i > 0; --i) {
    Id x = pick(parts), y = pick(parts);
    auto made = chance(50) ? add({pick(one), {x}}) : add({pick(two), {x, y}, {}, true});
    if (!made)
      return false;
    parts.push_back(*made);
  }
  return true;
}

} // namespace kiln::test
