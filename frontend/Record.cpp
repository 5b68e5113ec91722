#include "frontend/Record.h"

#include "frontend/GraphScope.h"
#include "frontend/Locations.h"
#include "frontend/Pieces.h"
#include "frontend/Sharding.h"
#include "frontend/Subgraphs.h"
#include "frontend/Trace.h"
#include "frontend/Transfer.h"
#include "ir/ShapeRules.h"
#include "kiln/Defaults.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <limits>

namespace kiln::detail {

void Call::fail(ErrorKind kind, const std::string &message) const {
  throwError(kind, fmt::format("[{}] {}{}", name, message, atLocation(where)));
}

const TensorType &Call::type(const Tensor &x) const { return nodeOf(x, name, where)->type(); }

int64_t Call::axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank)
    fail(ErrorKind::index, fmt::format("axis {} is out of range for rank {}", axis, rank));
  return axis < 0 ? axis + rank : axis;
}

int64_t Call::axis(int64_t axis, const TensorType &x) const {
  if (axis < -x.rank() || axis >= x.rank())
    fail(ErrorKind::index,
         fmt::format("axis {} is out of range for rank {}: x {}", axis, x.rank(), x.str()));
  return axis < 0 ? axis + x.rank() : axis;
}

void Call::rethrow() const {
  rethrowWith([&](const std::string &message) {
    std::string_view text = message;
    if (text.ends_with(')') && text.find(" (at ") != text.npos) // complete already
      return message;
    if (std::size_t end = text.find("] "); text.starts_with('[') && end != text.npos)
      text.remove_prefix(end + 2);
    return completed(std::string(text), name, where);
  });
}

/// The contents of a view that lies dense in those of its operand: they need no work and no copy.
/// Null for everything else, and where a graph is being recorded.
static std::shared_ptr<const runtime::Buffer>
viewOf(std::string_view op, const std::vector<std::shared_ptr<Node>> &operands,
       const ir::Attributes &attributes, std::vector<uint8_t> hints, const TensorType &type) {
  bool isReshape = op == "reshape";
  if ((!isReshape && op != "slice") || TraceScope::isActive() || GraphScope::current() ||
      !operands.front()->isRealized() || operands.front()->sharding || !type.shape.isStatic())
    return nullptr;
  const std::shared_ptr<const runtime::Buffer> &whole = operands.front()->value.buffer;
  if (isReshape)
    return whole;
  std::vector<int64_t> from = operands.front()->type().shape.sizes();
  hints.resize(from.size());
  const auto &starts = attributes.get<Shape>("starts"), &stops = attributes.get<Shape>("stops");
  const auto &steps = attributes.get<std::vector<int64_t>>("steps");
  // Dense: single entries, then one range, then axes that are asked for whole. By what was asked
  // for, not by what the sizes happen to be, so that calls of all sizes record the same.
  int64_t offset = 0, stride = 1;
  bool isTail = true;
  for (std::size_t i = from.size(); i-- > 0;) {
    auto axis = static_cast<int64_t>(i);
    int64_t start = starts[axis].value();
    bool isWhole = start == 0 && steps[i] == 1 && hints[i] == stopFromEnd;
    bool isSingle = stops[axis].value() - start == 1 && hints[i] != stopFromEnd;
    if (!isTail && !isSingle)
      return nullptr;
    if (isTail && !isWhole) {
      if (steps[i] != 1)
        return nullptr;
      isTail = false;
    }
    offset += start * stride;
    stride *= from[i];
  }
  auto elementBytes = static_cast<int64_t>(sizeBytes(type.dtype));
  int64_t numBytes = type.shape.numElements().value() * elementBytes;
  if (numBytes == 0) // its offset may lie behind the end
    return runtime::Buffer::allocate(0, type.device);
  return runtime::Buffer::partOf(whole, static_cast<std::size_t>(offset * elementBytes),
                                 static_cast<std::size_t>(numBytes));
}

/// A scalar of sizes on another device. While a graph is recorded: what it is computed by, recorded
/// there.
static Tensor sizesOn(const Call &call, const Tensor &x, Device device) {
  Tensor moved = lazilyOn(call, x, device);
  if (moved.device() == device)
    return moved;
  const Node &node = *x.handle();
  std::vector<Tensor> operands;
  for (const std::shared_ptr<Node> &operand : node.operands)
    operands.push_back(sizesOn(call, Tensor(operand), device));
  moved = call.record(node.op, operands, node.attributes, node.hints);
  moved.handle()->value.type.device = device; // nobody else sees it yet
  moved.handle()->isOfSizes = true;
  return moved;
}

/// Whether a scalar of them is one of sizes: numbers of the program may be among them.
static bool areOfSizes(const std::vector<std::shared_ptr<Node>> &operands) {
  bool hasSize = false;
  for (const std::shared_ptr<Node> &operand : operands) {
    if (operand->type().rank() > 0 || (!operand->isOfSizes && operand->op != "constant"))
      return false;
    hasSize |= operand->isOfSizes;
  }
  return hasSize;
}

/// Where an operation's result is: scalars of sizes go where their fellow operands are.
static void bringTogether(const Call &call, std::vector<Tensor> &operands) {
  const Tensor *leader = nullptr;
  for (const Tensor &operand : operands)
    if (!leader && !nodeOf(operand, call.name, call.where)->isOfSizes)
      leader = &operand;
  if (!leader)
    return;
  const Device device = leader->device();
  for (Tensor &operand : operands)
    if (nodeOf(operand, call.name, call.where)->isOfSizes && operand.device() != device)
      operand = sizesOn(call, operand, device);
}

Tensor Call::record(std::string_view op, const std::vector<Tensor> &given,
                    ir::Attributes attributes, std::vector<uint8_t> hints) const {
  std::vector<Tensor> operands = given;
  bringTogether(*this, operands);
  auto node = std::make_shared<Node>();
  std::vector<TensorType> types;
  types.reserve(operands.size());
  node->operands.reserve(operands.size());
  for (const Tensor &operand : operands) {
    node->operands.push_back(nodeOf(operand, name, where));
    types.push_back(operand.type());
    if (types.back().device != types.front().device)
      fail(ErrorKind::value, fmt::format("operands must be on the same device: {} on {}, {} on {}",
                                         types.front().str(), types.front().device.str(),
                                         types.back().str(), types.back().device.str()));
  }
  node->isOfSizes = areOfSizes(node->operands);
  checkGraph(*node, name, where);
  node->subgraphCall = SubgraphScope::current();
  node->devices = devicesOf(*this, node->operands);
  ir::Inferred inferred = ir::inferType(op, types, attributes);
  if (!inferred)
    fail(inferred.error, inferred.message);
  if (auto buffer =
          !sharesMemory ? nullptr : viewOf(op, node->operands, attributes, hints, inferred.type))
    return realizedTensor(std::move(inferred.type), std::move(buffer));
  node->op = op;
  node->value.type = std::move(inferred.type);
  node->attributes = std::move(attributes);
  node->assumptions = std::move(inferred.assumptions);
  node->assumptionNotes = std::move(inferred.notes);
  for (std::string &note : node->assumptionNotes)
    if (!note.empty())
      note = fmt::format("[{}] {}", name, note);
  node->hints = std::move(hints);
  node->where = where;
  boundPending(node);
  return Tensor(std::move(node));
}

DType Call::promote(DType a, DType b) const {
  try {
    return kiln::promote(a, b);
  } catch (const TypeError &) {
    fail(ErrorKind::type, fmt::format("no integer dtype holds both {} and {}: cast one",
                                      shortName(a), shortName(b)));
  }
}

Tensor Call::cast(const Tensor &x, DType dtype) const {
  return type(x).dtype == dtype ? x : record("cast", {x}, {{"dtype", dtype}});
}

DType Call::floatOf(const Tensor &x) const {
  return isFloat(type(x).dtype) ? x.dtype() : DType::float32;
}

Tensor Call::toFloat(const Tensor &x) const { return cast(x, floatOf(x)); }

Tensor Call::toWide(const Tensor &x) const {
  return type(x).dtype == DType::float64 ? x : cast(x, DType::float32);
}

Tensor Call::reshape(const Tensor &x, Shape shape) const {
  return type(x).shape == shape ? x : record("reshape", {x}, {{"shape", std::move(shape)}});
}

Tensor Call::joinAxes(const Tensor &x, Shape shape, const std::vector<int64_t> &targets) const {
  if (type(x).shape == shape)
    return x;
  std::vector<uint8_t> hints = {joinsAxes};
  for (int64_t target : targets)
    hints.push_back(static_cast<uint8_t>(target + 1));
  return record("reshape", {x}, {{"shape", std::move(shape)}}, std::move(hints));
}

Tensor Call::permute(const Tensor &x, std::vector<int64_t> axes) const {
  return record("permute", {x}, {{"axes", std::move(axes)}});
}

Tensor Call::broadcastTo(const Tensor &x, Shape shape) const {
  return type(x).shape == shape ? x : record("broadcast_to", {x}, {{"shape", std::move(shape)}});
}

Tensor Call::sizeOf(const Dim &dim, Device device) const {
  Tensor result = record("size", {}, {{"dim", Shape{dim}}});
  result.handle()->value.type.device = device; // the rules know none; nobody else sees it yet
  return result;
}

Tensor Call::reverse(const Tensor &x, int64_t axis) const {
  const Dim size = type(x).shape[axis];
  Device device = type(x).device;
  auto lookUp = [&](const Tensor &positions) {
    return record("gather", {x, positions}, {{"axis", axis}}, {notAWeight});
  };
  if (size.isStatic())
    return lookUp(Tensor::arange(size - Dim(1), Dim(-1), -1, DType::int64, device, where));
  Tensor count = sizeOf(size, device);
  Tensor last = record("sub", {count, scalar(1, DType::int64, device)});
  Tensor positions = Tensor::arange(0, size, 1, DType::int64, device, where);
  return lookUp(record("sub", {last, positions}));
}

namespace {

template <class T> bool storeInteger(const Scalar &value, std::byte *to) {
  if (value.kind == Scalar::Kind::real)
    return false;
  bool isNegative = value.kind == Scalar::Kind::integer && value.integer < 0;
  auto magnitude = static_cast<uint64_t>(value.integer);
  if (isNegative ? std::is_unsigned_v<T> ||
                       value.integer < static_cast<int64_t>(std::numeric_limits<T>::min())
                 : magnitude > static_cast<uint64_t>(std::numeric_limits<T>::max()))
    return false;
  T result = static_cast<T>(value.integer);
  std::memcpy(to, &result, sizeof(T));
  return true;
}

template <class T> bool storeReal(const Scalar &value, std::byte *to) {
  double real = value.kind == Scalar::Kind::real ? value.real
                : value.kind == Scalar::Kind::unsignedInteger
                    ? static_cast<double>(static_cast<uint64_t>(value.integer))
                    : static_cast<double>(value.integer);
  T result;
  if constexpr (std::is_same_v<T, double>)
    result = real;
  else
    result = static_cast<T>(static_cast<float>(real));
  // A finite number that would become infinite does not fit.
  if (std::isfinite(real) && !std::isfinite(static_cast<double>(result)))
    return false;
  std::memcpy(to, &result, sizeof(T));
  return true;
}

} // namespace

bool storeScalar(const Scalar &value, DType dtype, std::byte *to) {
  switch (dtype) {
  case DType::boolean:
    if (value.kind == Scalar::Kind::real || (value.integer != 0 && value.integer != 1))
      return false;
    *to = static_cast<std::byte>(value.integer);
    return true;
  case DType::int8:
    return storeInteger<int8_t>(value, to);
  case DType::int16:
    return storeInteger<int16_t>(value, to);
  case DType::int32:
    return storeInteger<int32_t>(value, to);
  case DType::int64:
    return storeInteger<int64_t>(value, to);
  case DType::uint8:
    return storeInteger<uint8_t>(value, to);
  case DType::uint16:
    return storeInteger<uint16_t>(value, to);
  case DType::uint32:
    return storeInteger<uint32_t>(value, to);
  case DType::uint64:
    return storeInteger<uint64_t>(value, to);
  case DType::float16:
    return storeReal<Float16>(value, to);
  case DType::bfloat16:
    return storeReal<BFloat16>(value, to);
  case DType::float32:
    return storeReal<float>(value, to);
  case DType::float64:
    return storeReal<double>(value, to);
  }
  return false;
}

DType scalarDType(const Scalar &value) {
  switch (value.kind) {
  case Scalar::Kind::boolean:
    return DType::boolean;
  case Scalar::Kind::integer:
    return DType::int64;
  case Scalar::Kind::unsignedInteger:
    return DType::uint64;
  case Scalar::Kind::real:
    return defaults().first;
  }
  return DType::float32;
}

static std::string scalarText(const Scalar &value) {
  switch (value.kind) {
  case Scalar::Kind::boolean:
    return value.integer ? "true" : "false";
  case Scalar::Kind::integer:
    return fmt::format("{}", value.integer);
  case Scalar::Kind::unsignedInteger:
    return fmt::format("{}", static_cast<uint64_t>(value.integer));
  case Scalar::Kind::real:
    return fmt::format("{}", value.real);
  }
  return {};
}

Tensor Call::scalar(const Scalar &value, DType dtype, Device device) const {
  auto data = std::make_shared<ir::DenseData>();
  data->type = TensorType(dtype, Shape{}, device);
  data->bytes.resize(sizeBytes(dtype));
  if (!storeScalar(value, dtype, data->bytes.data()))
    fail(ErrorKind::value, fmt::format("Unsafe cast: the number {} does not fit {}",
                                       scalarText(value), kiln::name(dtype)));
  return record("constant", {}, {{"value", std::shared_ptr<const ir::DenseData>(std::move(data))}});
}

std::pair<Tensor, Tensor> Call::promoted(const Operand &x, const Operand &y, Kind kind) const {
  if (!x.tensor && !y.tensor)
    fail(ErrorKind::type, "one operand must be a tensor");
  DType dtype;
  if (x.tensor && y.tensor)
    dtype = promote(type(*x.tensor).dtype, type(*y.tensor).dtype);
  else
    dtype = type(x.tensor ? *x.tensor : *y.tensor).dtype;
  if (kind == Kind::division && !isFloat(dtype))
    dtype = DType::float32;
  // Beside booleans 0 and 1 are truths in a comparison, but numbers in a sum.
  for (const Operand *operand : {&x, &y})
    if (kind == Kind::arithmetic && dtype == DType::boolean && !operand->tensor &&
        operand->scalar.kind != Scalar::Kind::boolean)
      fail(ErrorKind::value, fmt::format("Unsafe cast: the number {} does not fit bool; cast the "
                                         "tensor first",
                                         scalarText(operand->scalar)));
  Device device = type(x.tensor ? *x.tensor : *y.tensor).device;
  auto side = [&](const Operand &operand) {
    return operand.tensor ? cast(*operand.tensor, dtype) : scalar(operand.scalar, dtype, device);
  };
  Tensor first = side(x);
  return {std::move(first), side(y)};
}

Tensor Call::binary(std::string_view op, const Operand &x, const Operand &y, Kind kind) const {
  auto [a, b] = promoted(x, y, kind);
  if (a.dtype() == DType::boolean && kind == Kind::arithmetic)
    op = op == "add" || op == "maximum"   ? "or" // as PyTorch has it
         : op == "mul" || op == "minimum" ? "and"
                                          : op;
  return record(op, {a, b});
}

} // namespace kiln::detail
