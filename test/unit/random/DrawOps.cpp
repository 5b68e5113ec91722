// Steps that compute: elementwise operations, casts, values from nothing, rows.
#include "test/unit/random/Drawer.h"

namespace kiln::test {

bool Drawer::step() {
  using Step = bool (Drawer::*)();
  static const std::vector<Step> steps{
      &Drawer::unary,      &Drawer::unary,     &Drawer::unary,
      &Drawer::binary,     &Drawer::binary,    &Drawer::binary,
      &Drawer::comparison, &Drawer::bits,      &Drawer::select,
      &Drawer::cast,       &Drawer::source,    &Drawer::reduction,
      &Drawer::reduction,  &Drawer::unary,     &Drawer::reduction,
      &Drawer::rows,       &Drawer::permute,   &Drawer::slice,
      &Drawer::concat,     &Drawer::reshape,   &Drawer::reshape,
      &Drawer::broadcast,  &Drawer::gather,    &Drawer::product,
      &Drawer::linear,     &Drawer::siblings,  &Drawer::writtenSoftmax,
      &Drawer::attention,  &Drawer::embedding, &Drawer::writtenAttention,
      &Drawer::chain,      &Drawer::cumsum,    &Drawer::argsort,
      &Drawer::elements,   &Drawer::elements,  &Drawer::scatter,
      &Drawer::windows,    &Drawer::rebind,    &Drawer::packedRows};
  return (this->*pick(steps))();
}

bool Drawer::unary() {
  // IEEE says what these give, to the bit; the others are functions of some accuracy.
  static const std::vector<std::string> exact{"neg",  "abs",   "relu", "not",   "is_nan", "is_inf",
                                              "sqrt", "floor", "ceil", "round", "trunc"},
      rounded{"exp", "log",  "log1p",     "rsqrt",      "sin",  "cos",    "tanh",
              "erf", "gelu", "gelu_tanh", "gelu_quick", "silu", "sigmoid"};
  bool isExact = chance(40);
  std::string op = pick(isExact ? exact : rounded);
  bool jumps = op == "floor" || op == "ceil" || op == "round" || op == "trunc";
  return add({op, {isExact ? (jumps ? anyExact() : any()) : anyFloat()}, {}, isExact}).has_value();
}

bool Drawer::binary() {
  static const std::vector<std::string> exact{"add", "sub", "mul", "div", "maximum", "minimum",
                                              "and", "or",  "xor", "add", "mul"},
      jumping{"floor_div", "mod"};
  bool jumps = chance(15);
  Id x = jumps ? anyExact() : any(), y = partner(x, jumps);
  if (chance(50))
    std::swap(x, y);
  if (jumps) {
    std::string op = pick(jumping);
    return add({op, {x, y}, {}, op == "floor_div"}).has_value();
  }
  if (chance(8))
    return add({"pow", {x, y}}).has_value();
  return add({pick(exact), {x, y}, {}, true}).has_value();
}

/// On booleans and integers, and roundings, which others do not find often.
bool Drawer::bits() {
  for (int i = 0; i < 20; ++i) {
    Id x = anyExact();
    if (isFloat(type(x).dtype)) {
      if (chance(10))
        return add({pick<std::string>({"floor", "ceil", "round", "trunc"}), {x}, {}, true})
            .has_value();
      continue;
    }
    if (chance(25))
      return add({"not", {x}, {}, true}).has_value();
    return add({pick<std::string>({"and", "or", "xor"}), {x, partner(x)}, {}, true}).has_value();
  }
  return false;
}

bool Drawer::comparison() {
  Id x = anyExact(), y = partner(x, true);
  return add({pick<std::string>({"eq", "ne", "lt", "le", "gt", "ge"}), {x, y}, {}, true})
      .has_value();
}

bool Drawer::select() {
  Id x = any(), y = partner(x);
  std::optional<Id> condition;
  for (int i = 0; i < 6 && !condition; ++i)
    if (Id id = any(); type(id).dtype == DType::boolean)
      condition = id;
  const Shape shape = type(x).shape;
  for (const Dim &dim : shape)
    if (dim.isAlgebraic())
      return condition && add({"select", {*condition, x, y}, {}, true});
  if (!condition || chance(40))
    condition = addParameter(TensorType(DType::boolean, shape, CPU()));
  return add({"select", {*condition, x, y}, {}, true}).has_value();
}

bool Drawer::cast() {
  DType to = pickDType();
  Id x = isFloat(to) ? any() : anyExact();
  return add({"cast", {x}, {{"dtype", to}}, true}).has_value();
}

bool Drawer::source() {
  switch (number(0, 4)) {
  case 0:
    return add({"size",
                {},
                {{"dim", Shape{pick<Dim>({Dim("a"), Dim("b"), Dim("a") * 2 + 1})}}},
                true})
        .has_value();
  case 1:
  case 2: // at most 64 elements
    return constant(TensorType{pickDType(),
                               pick<Shape>(
                                   {Shape{}, Shape{1}, Shape{8}, Shape{3, 8}, Shape{17}, Shape{0}}),
                               CPU()})
        .has_value();
  default: {
    DType dtype = chance(50) ? DType::int64 : pickDType();
    Dim n = pick<Dim>({Dim("a"), Dim("b"), Dim(8), Dim(17), Dim("a") + 2});
    ir::Attributes attributes{{"shape", Shape{n}}, {"dtype", dtype}};
    // Steps other than 1 with a number of elements that is a number: of a name, how many elements
    // there are between two bounds is no plain expression.
    int64_t step = n.isStatic() && !isUnsigned(dtype) ? pick<int64_t>({1, 2, -1, 5}) : 1;
    if (isFloat(dtype)) {
      if (!n.isStatic())
        return false;
      attributes.set("start", static_cast<double>(number(-6, 6)) / 4);
      attributes.set("step", static_cast<double>(step) / 4);
    } else {
      attributes.set("start", isUnsigned(dtype) ? number(0, 3) : number(-3, 3));
      attributes.set("step", step);
    }
    return add({"iota", {}, std::move(attributes), true}).has_value();
  }
  }
}

bool Drawer::reduction() {
  static const std::vector<std::string> sums{"sum", "mean", "prod", "sum", "mean"},
      extrema{"max", "min"}, places{"argmax", "argmin"};
  switch (number(0, 4)) {
  case 0:
    return add({pick(places), {anyExact()}, {{"axis", number(0, 4)}}, true}).has_value();
  case 1:
    return add({pick(extrema), {any()}, {{"axis", number(0, 4)}}, true}).has_value();
  default:
    return add({pick(sums), {any()}, {{"axis", number(0, 4)}}}).has_value();
  }
}

bool Drawer::cumsum() {
  ir::Attributes attributes{{"axis", number(0, 3)}};
  for (const char *flag : {"exclusive", "reverse"})
    if (chance(40))
      attributes.set(flag, true);
  return add({"cumsum", {any()}, attributes}).has_value();
}

bool Drawer::argsort() {
  Id x = anyExact();
  const TensorType own = type(x);
  if (own.rank() == 0)
    return false;
  int64_t axis = number(0, own.rank() - 1);
  ir::Attributes attributes{
      {"axis", axis}, {"count", Shape{chance(60) ? own.shape[axis] : pick<Dim>({1, 2, "c"})}}};
  if (chance(50))
    attributes.set("descending", true);
  return add({"argsort", {x}, attributes, true}).has_value();
}

bool Drawer::rows() {
  Id x = anyFloat(1);
  const TensorType own = type(x);
  if (own.rank() == 0)
    return false;
  if (chance(50))
    return add({"softmax", {x}, {{"axis", number(0, own.rank() - 1)}}}).has_value();
  double epsilon = pick<double>({0.1, 1e-5});
  if (chance(40) || own.shape[-1].isAlgebraic())
    return add({"layer_norm", {x}, {{"epsilon", epsilon}}}).has_value();
  TensorType row(own.dtype, Shape{own.shape[-1]}, CPU());
  return add({"layer_norm", {x, addParameter(row), addParameter(row)}, {{"epsilon", epsilon}}})
      .has_value();
}

} // namespace kiln::test
