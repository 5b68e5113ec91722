#include "test/unit/random/Drawer.h"

#include "ir/ShapeRules.h"
#include "test/unit/random/Element.h"

#include <algorithm>

namespace kiln::test {

Drawer::Drawer(unsigned seed) : random(seed) {
  mainDType = chance(55) ? DType::float32 : static_cast<DType>(number(0, 12));
  isSpecial = chance(25);
  // Sizes of 0 and 1, around the widths of vectors, and beyond their tails.
  const std::vector<int64_t> sizes{0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 33};
  for (int i = 0; i < 3; ++i)
    bindings.push_back({{"a", pick(sizes)}, {"b", pick(sizes)}, {"c", pick<int64_t>({1, 2, 3})}});
  if (chance(15)) // names that are always equal, and one that always stands for one number
    for (DimBindings &sizes : bindings) {
      sizes["b"] = sizes["a"];
      sizes["c"] = bindings[0]["c"];
    }
}

DType Drawer::pickDType() { return chance(60) ? mainDType : static_cast<DType>(number(0, 12)); }

Dim Drawer::pickDim() {
  return pick<Dim>({Dim("a"), Dim("b"), Dim("a"), Dim("c"), Dim(1), Dim(3), Dim(8), Dim(17)});
}

Shape Drawer::drawShape(int64_t rank) {
  if (rank < 0)
    rank = pick<int64_t>({0, 1, 1, 2, 2, 2, 3, 3, 4, 5});
  std::vector<Dim> dims(static_cast<std::size_t>(rank));
  for (Dim &dim : dims)
    dim = rank > 3 && chance(50) ? pick<Dim>({Dim(1), Dim(2), Dim("c")}) : pickDim();
  if (chance(3) && rank > 0)
    dims.back() = 0;
  return Shape(dims);
}

Drawer::Id Drawer::addInput(TensorType type, ir::Input::Role role, Dim indexBound) {
  Value value;
  value.type = std::move(type);
  value.isInput = true;
  value.role = role;
  value.indexBound = std::move(indexBound);
  values.push_back(std::move(value));
  return values.size() - 1;
}

Drawer::Id Drawer::addParameter(TensorType type) {
  bool isWeight = type.shape.isStatic() && chance(75);
  return addInput(std::move(type), isWeight ? ir::Input::Role::weight : ir::Input::Role::argument);
}

Drawer::Id Drawer::anyExact() {
  for (int i = 0; i < 20; ++i)
    if (Id id = any(); values[id].isExact || chance(10))
      return id;
  return any();
}

Drawer::Id Drawer::anyFloat(int64_t minRank) {
  for (int i = 0; i < 20; ++i)
    if (Id id = any(); isFloat(type(id).dtype) && type(id).rank() >= minRank)
      return id;
  return addInput(TensorType(isFloat(mainDType) ? mainDType : DType::float32,
                             drawShape(number(minRank, 4)), CPU()));
}

Drawer::Id Drawer::partner(Id value, bool exact) {
  for (int i = 0; i < 4; ++i)
    if (Id other = any();
        type(other).dtype == type(value).dtype && (!exact || values[other].isExact) &&
        ir::broadcastShapes(std::vector<Shape>{type(other).shape, type(value).shape}))
      return other;
  if (chance(15))
    if (auto number = constant(TensorType(type(value).dtype, Shape{}, CPU())))
      return *number;
  const TensorType own = type(value);
  std::vector<Dim> dims(own.shape.begin() + number(0, own.rank()), own.shape.end());
  for (Dim &dim : dims)
    if (chance(25))
      dim = 1;
  for (const Dim &dim : dims)
    if (dim.isAlgebraic()) // inputs have none
      return value;
  return addParameter(TensorType(own.dtype, Shape(dims), CPU()));
}

int64_t Drawer::sizeInCase(const Dim &dim, std::size_t which) const {
  return dim.evaluate(bindings[which]);
}

bool Drawer::holdsInAllCases(const Constraint &constraint) const {
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    int64_t size = sizeInCase(constraint.dim, i);
    if (constraint.kind == Constraint::Kind::multipleOf
            ? size % constraint.low != 0
            : size < constraint.low || size > constraint.high)
      return false;
  }
  return true;
}

std::optional<Drawer::Id> Drawer::add(Draft draft) {
  constexpr int64_t maxElements = 12000; // the interpreter is slow
  std::vector<TensorType> types;
  for (Id operand : draft.operands)
    types.push_back(type(operand));
  ir::Inferred inferred = ir::inferType(draft.op, types, draft.attributes);
  if (!inferred || inferred.type.rank() > 5)
    return std::nullopt;
  for (const Constraint &assumption : inferred.assumptions)
    if (!holdsInAllCases(assumption))
      return std::nullopt;
  for (std::size_t i = 0; i < bindings.size(); ++i)
    if (sizeInCase(inferred.type.shape.numElements(), i) > maxElements)
      return std::nullopt;
  Value value;
  value.type = inferred.type;
  value.op = std::move(draft.op);
  value.isExact = draft.isExact || !isFloat(inferred.type.dtype);
  for (Id operand : draft.operands)
    value.isExact = value.isExact && values[operand].isExact;
  value.operands = std::move(draft.operands);
  value.attributes = std::move(draft.attributes);
  values.push_back(std::move(value));
  return values.size() - 1;
}

std::optional<Drawer::Id> Drawer::constant(TensorType type) {
  auto data = std::make_shared<ir::DenseData>();
  data->type = std::move(type);
  data->bytes.resize(static_cast<std::size_t>(data->type.sizeBytes().value()));
  fill(*data, 0);
  return add({"constant", {}, {{"value", std::shared_ptr<const ir::DenseData>(data)}}, true});
}

std::optional<Drawer::Id> Drawer::scalar(DType dtype, double value) {
  auto data = std::make_shared<ir::DenseData>();
  data->type = TensorType(dtype, Shape{}, CPU());
  data->bytes.resize(sizeBytes(dtype));
  storeElement(*data, 0, value);
  return add({"constant", {}, {{"value", std::shared_ptr<const ir::DenseData>(data)}}, true});
}

Program Drawer::draw() {
  addInput(TensorType(mainDType, Shape{"a", "b"}, CPU())); // where the names get sizes
  addInput(TensorType{pickDType(), Shape{"c", chance(50) ? Dim("b") : Dim(8)}, CPU()});
  addInput(TensorType(mainDType, drawShape(), CPU()));
  int64_t count = number(1, 10);
  for (int tries = 0; count > 0 && tries < 500; ++tries)
    count -= step();
  return finish();
}

Program Drawer::finish() {
  Program result;
  std::vector<ir::ValueId> ids(values.size());
  std::vector<bool> isUsed(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i].isInput) {
      ids[i] = static_cast<ir::ValueId>(result.graph.inputs.size());
      result.graph.inputs.push_back(
          {values[i].role, "input " + std::to_string(ids[i]), values[i].type});
    }
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!values[i].isInput) {
      std::vector<ir::ValueId> operands;
      for (Id operand : values[i].operands) {
        operands.push_back(ids[operand]);
        isUsed[operand] = true;
      }
      std::string line = "random.cpp:" + std::to_string(result.graph.nodes.size() + 1);
      ids[i] = result.graph.addNode(
          {values[i].op, operands, values[i].attributes, values[i].type, line});
    }
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!values[i].isInput && values[i].op != "constant" && (!isUsed[i] || chance(10)))
      result.graph.outputs.push_back(ids[i]);
  if (result.graph.outputs.empty())
    result.graph.outputs.push_back(ids[values.size() - 1]);

  for (const DimBindings &sizes : bindings) {
    Case one{sizes, {}};
    for (const Value &value : values)
      if (value.isInput) {
        std::size_t index = one.inputs.size();
        bool isSame = value.role == ir::Input::Role::weight && !result.cases.empty();
        one.inputs.push_back(isSame ? result.cases[0].inputs[index] : contents(value, sizes));
      }
    result.cases.push_back(std::move(one));
  }
  return result;
}

Program drawProgram(unsigned seed) { return Drawer(seed).draw(); }

ir::Graph withOutputs(const ir::Graph &graph, std::vector<ir::ValueId> outputs) {
  ir::Graph result = graph;
  result.outputs = std::move(outputs);
  return result;
}

std::vector<ir::ValueId> allNodes(const ir::Graph &graph) {
  std::vector<ir::ValueId> ids;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i)
    ids.push_back(static_cast<ir::ValueId>(graph.inputs.size() + i));
  return ids;
}

} // namespace kiln::test
