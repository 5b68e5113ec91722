// Steps that move elements.
#include "test/unit/random/Drawer.h"

#include <numeric>

namespace kiln::test {

bool Drawer::permute() {
  Id x = any();
  std::vector<int64_t> axes(static_cast<std::size_t>(type(x).rank()));
  std::iota(axes.begin(), axes.end(), 0);
  shuffle(axes);
  return add({"permute", {x}, {{"axes", axes}}, true}).has_value();
}

bool Drawer::slice() {
  Id x = any();
  std::vector<Dim> starts, stops;
  std::vector<int64_t> steps;
  for (const Dim &dim : Shape(type(x).shape)) {
    Dim start = 0, stop = dim;
    if (dim.isStatic() && chance(50)) {
      int64_t first = number(0, dim.value());
      start = first;
      stop = number(first, dim.value());
    } else if (chance(25)) { // assumptions, where the dim is a name
      start = pick<Dim>({Dim(1), dim - Dim(1), Dim("c")});
      stop = pick<Dim>({dim, start + Dim(1)});
    }
    starts.push_back(start);
    stops.push_back(stop);
    steps.push_back(chance(66) ? 1 : number(1, 3));
  }
  return add({"slice",
              {x},
              {{"starts", Shape(starts)}, {"stops", Shape(stops)}, {"steps", steps}},
              true})
      .has_value();
}

bool Drawer::concat() {
  Id x = any();
  std::vector<Id> parts{x};
  for (int64_t i = number(0, 2); i > 0; --i) {
    int64_t at = number(0, static_cast<int64_t>(parts.size()));
    parts.insert(parts.begin() + at, chance(50) ? x : partner(x));
  }
  return add({"concat", parts, {{"axis", number(0, 4)}}, true}).has_value();
}

bool Drawer::reshape() {
  Id x = any();
  std::vector<Dim> dims(type(x).shape.begin(), type(x).shape.end());
  auto last = static_cast<int64_t>(dims.size()) - 1;
  switch (number(0, 4)) {
  case 0:
  case 1: // two dims become one
    if (last >= 1) {
      int64_t at = number(0, last - 1);
      dims[static_cast<std::size_t>(at)] =
          dims[static_cast<std::size_t>(at)] * dims[static_cast<std::size_t>(at + 1)];
      dims.erase(dims.begin() + at + 1);
    }
    break;
  case 2:
    dims.insert(dims.begin() + number(0, last + 1), Dim(1));
    break;
  case 3: // one becomes two
    for (int64_t at = 0; at <= last; ++at)
      if (Dim dim = dims[static_cast<std::size_t>(at)]; dim == Dim(8)) {
        dims[static_cast<std::size_t>(at)] = 4;
        dims.insert(dims.begin() + at, Dim(2));
        break;
      }
    break;
  default:
    shuffle(dims);
  }
  return add({"reshape", {x}, {{"shape", Shape(dims)}}, true}).has_value();
}

bool Drawer::broadcast() {
  Id x = any();
  std::vector<Dim> dims(type(x).shape.begin(), type(x).shape.end());
  for (Dim &dim : dims)
    if (dim == Dim(1))
      dim = pick<Dim>({Dim(4), Dim("a"), Dim("b"), Dim(1)});
  if (chance(50))
    dims.insert(dims.begin(), pick<Dim>({Dim(2), Dim("b"), Dim("c"), Dim(1)}));
  return add({"broadcast_to", {x}, {{"shape", Shape(dims)}}, true}).has_value();
}

bool Drawer::gather() {
  Id table = any();
  const TensorType own = type(table);
  if (own.rank() == 0)
    return false;
  int64_t axis = number(0, own.rank() - 1);
  if (!isNeverEmpty(own.shape[axis]))
    return false;
  Id indices = addIndices(drawShape(number(0, 2)), own.shape[axis]);
  return add({"gather", {table, indices}, {{"axis", axis}}, true}).has_value();
}

bool Drawer::isNeverEmpty(const Dim &dim) const {
  for (std::size_t i = 0; i < bindings.size(); ++i)
    if (sizeInCase(dim, i) == 0)
      return false;
  return true;
}

Drawer::Id Drawer::addIndices(const Shape &shape, const Dim &bound) {
  DType dtype = pick<DType>({DType::int32, DType::int64, DType::int64, DType::uint8, DType::int8,
                             DType::int16, DType::uint16, DType::uint32, DType::uint64});
  return addInput(TensorType(dtype, shape, CPU()), ir::Input::Role::argument, bound);
}

/// With an index for each element: as many as there are elements, or fewer.
bool Drawer::elements() {
  Id x = any();
  const TensorType own = type(x);
  if (own.rank() == 0)
    return false;
  int64_t axis = number(0, own.rank() - 1);
  if (!isNeverEmpty(own.shape[axis]))
    return false;
  std::vector<Dim> dims(own.shape.begin(), own.shape.end());
  for (Dim &dim : dims)
    if (dim.isAlgebraic() || chance(20))
      dim = 1;
  dims[static_cast<std::size_t>(axis)] = pickDim();
  Id indices = addIndices(Shape(dims), own.shape[axis]);
  if (chance(50))
    return add({"gather_elements", {x, indices}, {{"axis", axis}}, true}).has_value();
  Id updates = addInput(TensorType(own.dtype, Shape(dims), CPU()));
  return add({"scatter_elements",
              {x, indices, updates},
              {{"axis", axis},
               {"reduction", pick<std::string>({"none", "add", "mul", "max", "min"})}},
              true})
      .has_value();
}

bool Drawer::scatter() {
  Id x = any();
  const TensorType own = type(x);
  if (own.rank() == 0 || !isNeverEmpty(own.shape[0]))
    return false;
  std::vector<Dim> dims(own.shape.begin(), own.shape.end());
  dims[0] = pickDim();
  for (const Dim &dim : dims)
    if (dim.isAlgebraic())
      return false;
  Id indices = addIndices(Shape{dims[0]}, own.shape[0]);
  Id updates = addInput(TensorType(own.dtype, Shape(dims), CPU()));
  return add({"scatter",
              {x, indices, updates},
              {{"reduction", pick<std::string>({"none", "add", "mul", "max", "min"})}},
              true})
      .has_value();
}

bool Drawer::windows() {
  Id x = any();
  return add({"windows",
              {x},
              {{"axis", number(0, 3)},
               {"size", number(1, 3)},
               {"stride", number(1, 3)},
               {"dilation", number(1, 2)}},
              true})
      .has_value();
}

/// Other dims that have the same size in every case, the same ones among them.
bool Drawer::rebind() {
  Id x = any();
  std::vector<Dim> dims(type(x).shape.begin(), type(x).shape.end());
  for (Dim &dim : dims) {
    std::vector<Dim> equal{dim};
    for (const Dim &other : {Dim("a"), Dim("b"), Dim("c"), Dim(sizeInCase(dim, 0))}) {
      bool isEqual = true;
      for (std::size_t i = 0; i < bindings.size(); ++i)
        isEqual = isEqual && sizeInCase(other, i) == sizeInCase(dim, i);
      if (isEqual)
        equal.push_back(other);
    }
    dim = pick(equal);
  }
  return add({"rebind", {x}, {{"shape", Shape(dims)}}, true}).has_value();
}

} // namespace kiln::test
