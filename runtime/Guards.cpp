#include "runtime/Guards.h"

#include "runtime/core/DimExpr.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace kiln::runtime {

Guards::Guards(const Artifact &artifact) : artifact(artifact) {
  std::vector<bool> defined(artifact.symbols.size());
  for (uint32_t i = 0; i < artifact.inputs.size(); ++i) {
    const ArtifactInput &input = artifact.inputs[i];
    std::vector<Guard> &alone = input.isWeight ? weightGuards : callGuards;
    alone.push_back({Guard::Kind::type, i});
    const std::vector<Dim> &dims = input.type.shape.vec();
    for (uint32_t axis = 0; axis < dims.size(); ++axis) {
      DimProgram size(dims[axis], artifact.symbols);
      if (size.isNumber()) {
        alone.push_back({Guard::Kind::fixed, i, axis, size.evaluate(nullptr)});
      } else if (int64_t symbol = size.symbol(); symbol >= 0) {
        auto kind = defined[symbol] ? Guard::Kind::same : Guard::Kind::define;
        callGuards.push_back({kind, i, axis, symbol});
        defined[symbol] = true;
      } else {
        expressions.push_back({i, axis, std::move(size)});
      }
    }
  }
  for (const Constraint &constraint : artifact.constraints)
    bounds.push_back({DimProgram(constraint.dim, artifact.symbols), constraint});
  for (std::size_t symbol = 0; symbol < defined.size(); ++symbol)
    if (!defined[symbol])
      undetermined.push_back(static_cast<int64_t>(symbol));
}

static int64_t sizeOf(const TensorValue &value, uint32_t axis) {
  return value.type.shape.vec()[axis].value();
}

void Guards::checkType(const Guard &guard, const TensorValue &value) const {
  const TensorType &expected = artifact.inputs[guard.input].type, &got = value.type;
  if (got.dtype != expected.dtype)
    throw ValueError(fmt::format("{}: expected dtype {}, got {}", inputName(guard.input),
                                 name(expected.dtype), name(got.dtype)));
  if (got.device != expected.device)
    throw ValueError(fmt::format("{}: expected device {}, got {}", inputName(guard.input),
                                 expected.device.str(), got.device.str()));
  if (got.shape.vec().size() != expected.shape.vec().size())
    throw ValueError(fmt::format("{}: expected rank {} ({}), got rank {} ({})",
                                 inputName(guard.input), expected.rank(), expected.str(),
                                 got.rank(), got.str()));
  // The frontend keeps types and buffers in step; kernels would read beyond the end if not.
  int64_t needed = static_cast<int64_t>(kiln::sizeBytes(got.dtype));
  bool overflow = false;
  for (const Dim &dim : got.shape)
    overflow |= __builtin_mul_overflow(needed, dim.value(), &needed);
  if (overflow || needed < 0 || !value.buffer ||
      static_cast<std::size_t>(needed) > value.buffer->sizeBytes())
    throw ValueError(fmt::format("{}: its buffer has {} bytes, too few for {}",
                                 inputName(guard.input),
                                 value.buffer ? value.buffer->sizeBytes() : 0, got.str()));
}

void Guards::checkWeights(const TensorValue *const *inputs) const {
  for (const Guard &guard : weightGuards)
    if (const TensorValue &value = *inputs[guard.input]; guard.kind == Guard::Kind::type)
      checkType(guard, value);
    else if (int64_t got = sizeOf(value, guard.axis); got != guard.operand)
      throw ValueError(fmt::format("{}: dim {}: expected {}, got {}", inputName(guard.input),
                                   guard.axis, guard.operand, got));
}

void Guards::checkCall(const TensorValue *const *inputs, int64_t *symbols,
                       const int64_t *given) const {
  if (given)
    std::copy_n(given, artifact.symbols.size(), symbols);
  else if (!undetermined.empty())
    throw ValueError(fmt::format("symbolic dimension \"{}\": no input has it as a dim, so its "
                                 "value must be given",
                                 artifact.symbols[undetermined.front()]));
  for (const Guard &guard : callGuards) {
    const TensorValue &value = *inputs[guard.input];
    if (guard.kind == Guard::Kind::type) {
      checkType(guard, value);
      continue;
    }
    int64_t got = sizeOf(value, guard.axis);
    if (guard.kind == Guard::Kind::fixed) {
      if (got != guard.operand)
        throw ValueError(fmt::format("{}: dim {}: expected {}, got {}", inputName(guard.input),
                                     guard.axis, guard.operand, got));
    } else if (guard.kind == Guard::Kind::define && !given) {
      symbols[guard.operand] = got;
    } else if (got != symbols[guard.operand]) {
      failSymbol(guard, symbols[guard.operand], got, given);
    }
  }
  for (const Expression &expression : expressions) {
    int64_t expected = expression.size.evaluate(symbols);
    if (int64_t got = sizeOf(*inputs[expression.input], expression.axis); got != expected)
      throw ValueError(fmt::format(
          "{}: dim {}: expected {} (from {}), got {}", inputName(expression.input), expression.axis,
          expected, artifact.inputs[expression.input].type.shape.vec()[expression.axis].str(),
          got));
  }
  for (const Bound &bound : bounds) {
    int64_t got = bound.size.evaluate(symbols);
    const Constraint &constraint = bound.constraint;
    bool holds = constraint.kind == Constraint::Kind::between
                     ? got >= constraint.low && got <= constraint.high
                     : constraint.low != 0 && got % constraint.low == 0;
    if (!holds)
      failConstraint(bound, got, symbols);
  }
}

std::string Guards::inputName(uint32_t input) const {
  const ArtifactInput &found = artifact.inputs[input];
  if (found.isWeight)
    return fmt::format("weight {}", found.name);
  if (!found.name.empty())
    return found.name;
  auto isArgument = [](const ArtifactInput &other) { return !other.isWeight; };
  return fmt::format("argument {}", std::count_if(artifact.inputs.begin(),
                                                  artifact.inputs.begin() + input, isArgument));
}

const Guards::Guard *Guards::definition(int64_t symbol) const {
  for (const Guard &guard : callGuards)
    if (guard.kind == Guard::Kind::define && guard.operand == symbol)
      return &guard;
  return nullptr;
}

void Guards::failSymbol(const Guard &guard, int64_t expected, int64_t got, bool given) const {
  std::string from = "as given";
  if (const Guard *first = given ? nullptr : definition(guard.operand))
    from = fmt::format("from {}, dim {}", inputName(first->input), first->axis);
  throw ValueError(fmt::format("{}: symbolic dimension \"{}\": expected {} ({}), got {}",
                               inputName(guard.input), artifact.symbols[guard.operand], expected,
                               from, got));
}

/// `seq <= 48` of `48 - seq`, which is at least 0.
static std::string inequality(const Dim &dim) {
  kiln::detail::Polynomial small, large;
  for (kiln::detail::Term term : kiln::detail::DimExpr::polynomial(dim)) {
    bool isNegative = term.coefficient < 0;
    if (isNegative && term.coefficient != std::numeric_limits<int64_t>::min())
      term.coefficient = -term.coefficient;
    (isNegative ? small : large).push_back(std::move(term));
  }
  using kiln::detail::DimExpr;
  return fmt::format("{} <= {}", DimExpr::make(small).str(), DimExpr::make(large).str());
}

std::string Guards::sizesOf(const Dim &dim, const int64_t *symbols) const {
  std::string text;
  for (const std::string &name : dim.names()) {
    auto found = std::find(artifact.symbols.begin(), artifact.symbols.end(), name);
    auto symbol = found - artifact.symbols.begin();
    const Guard *first = definition(symbol);
    text += fmt::format("{}{} is {}", text.empty() ? "" : ", ", name, symbols[symbol]);
    if (first)
      text += fmt::format(" ({}, dim {})", inputName(first->input), first->axis);
  }
  return text;
}

void Guards::failConstraint(const Bound &bound, int64_t got, const int64_t *symbols) const {
  const Constraint &constraint = bound.constraint;
  std::string sizes = sizesOf(constraint.dim, symbols);
  bool isBetween = constraint.kind == Constraint::Kind::between;
  bool isOpen = isBetween && constraint.high == std::numeric_limits<int64_t>::max();
  if (isOpen && constraint.dim.isAlgebraic())
    throw ConstraintError(
        fmt::format("needs {}, but {}", inequality(constraint.dim - constraint.low), sizes),
        constraint, sizes);
  std::string expected = isOpen ? fmt::format("at least {}", constraint.low)
                         : isBetween
                             ? fmt::format("between {} and {}", constraint.low, constraint.high)
                             : fmt::format("a multiple of {}", constraint.low);
  const Guard *first = definition(bound.size.symbol());
  throw ConstraintError(fmt::format("{}symbolic dimension \"{}\": expected {}, got {}",
                                    first ? inputName(first->input) + ": " : "",
                                    constraint.dim.str(), expected, got),
                        constraint, sizes);
}

} // namespace kiln::runtime
