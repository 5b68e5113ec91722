#include "ir/ShapeRulesFamilies.h"
#include "kiln/DimSum.h"

namespace kiln::ir::rules {

std::vector<TensorType> broadcastTo(const Use &use) {
  const TensorType &x = use[0];
  const auto &shape = use.attributes.get<Shape>("shape");
  requireNonNegative(use, shape, "C1");
  if (shape.rank() < x.rank())
    fail(ErrorKind::value, "C2", "cannot broadcast to fewer dims: {} to {}", show("x", x),
         shape.str());
  if (auto axes = findUnbroadcastable(x.shape, shape))
    fail(ErrorKind::value, "C3",
         "input dimension at index {} ({}) must be either 1 or equal to corresponding output "
         "dimension at index {} ({}): {} to {}",
         axes->from, x.shape[axes->from].str(), axes->to, shape[axes->to].str(), show("x", x),
         shape.str());
  return {{x.dtype, shape, x.device}};
}

std::vector<TensorType> reshape(const Use &use) {
  const TensorType &x = use[0];
  const auto &shape = use.attributes.get<Shape>("shape");
  requireNonNegative(use, shape, "C1");
  Dim before = x.shape.numElements(), after = shape.numElements();
  if (before == after)
    return {{x.dtype, shape, x.device}};
  if (before.isStatic() && after.isStatic())
    fail(ErrorKind::value, "C2", "{} elements do not make {}, which has {}: {} on {}", before.str(),
         shape.str(), after.str(), show("x", x), x.device.str());
  fail(ErrorKind::value, "C2",
       "the number of elements, {}, is not known to be that of {}, {}: {} on {}; rebind x to dims "
       "that say so",
       before.str(), shape.str(), after.str(), show("x", x), x.device.str());
}

static std::string list(std::span<const int64_t> values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

std::vector<TensorType> permute(const Use &use) {
  const TensorType &x = use[0];
  const auto &axes = use.attributes.get<std::vector<int64_t>>("axes");
  if (static_cast<int64_t>(axes.size()) != x.rank())
    fail(ErrorKind::value, "C1", "expected {} axes, got {}: {}", x.rank(), list(axes),
         show("x", x));
  std::vector<Dim> dims;
  std::vector<bool> seen(axes.size());
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= x.rank())
      fail(ErrorKind::index, "C2", "axis {} is out of range for {}", axis, show("x", x));
    auto index = static_cast<std::size_t>(axis);
    if (seen[index])
      fail(ErrorKind::value, "C3", "axis {} occurs twice in {}: {}", axis, list(axes),
           show("x", x));
    seen[index] = true;
    dims.push_back(x.shape[axis]);
  }
  return {{x.dtype, Shape(std::move(dims)), x.device}};
}

std::vector<TensorType> slice(const Use &use) {
  const TensorType &x = use[0];
  const auto &starts = use.attributes.get<Shape>("starts");
  const auto &stops = use.attributes.get<Shape>("stops");
  const auto &steps = use.attributes.get<std::vector<int64_t>>("steps");
  if (starts.rank() != x.rank() || stops.rank() != x.rank() ||
      static_cast<int64_t>(steps.size()) != x.rank())
    fail(ErrorKind::value, "C1", "expected {} starts, stops and steps, got {}, {} and {}: {}",
         x.rank(), starts.rank(), stops.rank(), steps.size(), show("x", x));
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const Dim &start = starts[axis], &stop = stops[axis], &size = x.shape[axis];
    int64_t step = steps[static_cast<std::size_t>(axis)];
    if (step < 1)
      fail(ErrorKind::value, "C2", "step {} of axis {} must be positive: {}", step, axis,
           show("x", x));
    constexpr auto increasing =
        "start and stop should be increasing and not negative: {} and {} of axis {}: {}";
    std::size_t known = use.assumptions.size();
    if (!assumeNonNegative(use, start) || !assumeNonNegative(use, stop - start))
      fail(ErrorKind::value, "C3", increasing, start.str(), stop.str(), axis, show("x", x));
    explain(use, known,
            [&] { return fmt::format(increasing, start.str(), stop.str(), axis, show("x", x)); });
    constexpr auto outOfRange = "stop index {} out of range for dimension size {} of axis {}: {}";
    known = use.assumptions.size();
    if (!assumeNonNegative(use, size - stop))
      fail(ErrorKind::value, "C4", outOfRange, stop.str(), size.str(), axis, show("x", x));
    explain(use, known,
            [&] { return fmt::format(outOfRange, stop.str(), size.str(), axis, show("x", x)); });
    Dim length = stop - start;
    dims.push_back(length.isStatic() ? -(-length / step) // no overflow for a large step
                                     : (length + (step - 1)) / step);
  }
  return {{x.dtype, Shape(std::move(dims)), x.device}};
}

std::vector<TensorType> windows(const Use &use) {
  const TensorType &x = use[0];
  int64_t axis = axisOf(use, x, "x", "C1");
  for (const char *name : {"size", "stride", "dilation"})
    if (auto value = use.attributes.get<int64_t>(name); value < 1)
      fail(ErrorKind::value, "C2", "{} {} of axis {} must be positive: {}", name, value, axis,
           show("x", x));
  auto size = use.attributes.get<int64_t>("size");
  const Dim &n = x.shape[axis];
  Dim covered = Dim(size - 1) * use.attributes.get<int64_t>("dilation") + 1;
  if (!assumeNonNegative(use, n - covered))
    fail(ErrorKind::value, "C3",
         "windows of {} elements do not fit into the dimension size {} of axis {}: {}",
         covered.str(), n.str(), axis, show("x", x));
  Dim count = (n - covered) / use.attributes.get<int64_t>("stride") + 1;
  Shape front = concatenate(leading(x.shape, axis), std::vector<Dim>{count, size});
  return {{x.dtype, concatenate(front.vec(), trailing(x.shape, axis + 1)), x.device}};
}

std::vector<TensorType> rebind(const Use &use) {
  const TensorType &x = use[0];
  const auto &shape = use.attributes.get<Shape>("shape");
  requireNonNegative(use, shape, "C1");
  if (shape.rank() != x.rank())
    fail(ErrorKind::value, "C2", "ranks differ: {} and {}", show("x", x), shape.str());
  std::size_t known = use.assumptions.size();
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    Dim difference = x.shape[axis] - shape[axis];
    if (!difference.isStatic())
      use.assumptions.push_back(difference.between(0, 0));
    else if (difference != 0)
      fail(ErrorKind::value, "C3", "dims of axis {} differ: {} and {}", axis, show("x", x),
           shape.str());
  }
  explain(use, known, [&] {
    return fmt::format("rebind shape check failed: expected shape {}, but got {}", shape.str(),
                       show("x", x));
  });
  return {{x.dtype, shape, x.device}};
}

std::vector<TensorType> concat(const Use &use) {
  const TensorType &first = use[0];
  int64_t axis = axisOf(use, first, "operand 0", "C1");
  std::vector<Dim> sizes = {first.shape[axis]};
  for (std::size_t i = 1; i < use.size(); ++i) {
    const TensorType &other = use[i];
    std::string name = fmt::format("operand {}", i);
    requireSameDType(first, "operand 0", other, name, "C2");
    if (other.rank() != first.rank())
      fail(ErrorKind::value, "C3", "ranks differ: {}", show("operand 0", first, name, other));
    for (int64_t a = 0; a < first.rank(); ++a)
      if (a != axis && other.shape[a] != first.shape[a])
        fail(ErrorKind::value, "C4", "dims of axis {} differ, which is not the axis {}: {}", a,
             axis, show("operand 0", first, name, other));
    sizes.push_back(other.shape[axis]);
  }
  std::vector<Dim> dims = first.shape.vec();
  dims[static_cast<std::size_t>(axis)] = sumOfDims(std::move(sizes));
  return {{first.dtype, Shape(std::move(dims)), first.device}};
}

} // namespace kiln::ir::rules
