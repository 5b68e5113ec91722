#include "ir/ToGraph.h"

#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Path.h"

#include <map>

using namespace mlir;

namespace kiln::ir {
namespace {

class Exporter {
public:
  Exporter(ModuleOp module, Graph &graph) : module(module), graph(graph) {}
  LogicalResult run();

private:
  using Values = llvm::DenseMap<Value, ValueId>;

  LogicalResult inputs(func::FuncOp main);
  /// The nodes of a function's body, and what it returns.
  LogicalResult body(func::FuncOp function, Values &values, std::vector<ValueId> &results);
  LogicalResult node(Operation *op, Values &values);
  LogicalResult call(func::CallOp op, Values &values);
  void numberDefinitions();

  ModuleOp module;
  Graph &graph;
  bool isInCall = false;
};

} // namespace

static std::string locationOf(Operation *op) {
  auto place = op->getLoc()->findInstanceOf<FileLineColLoc>();
  if (!place)
    return "";
  return (llvm::sys::path::filename(place.getFilename()) + ":" + Twine(place.getLine())).str();
}

static LogicalResult checkTypes(Operation *op, TypeRange types) {
  for (Type type : types)
    if (!isKilnTensor(type))
      return op->emitError() << type << " is no tensor of the kiln dialect, whose dims are known";
  return success();
}

LogicalResult Exporter::inputs(func::FuncOp main) {
  std::size_t numArguments = 0;
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes())) {
    auto number = static_cast<unsigned>(index);
    auto role = main.getArgAttrOfType<StringAttr>(number, roleAttrName);
    auto name = main.getArgAttrOfType<StringAttr>(number, nameAttrName);
    if (!role || (role != "argument" && role != "weight"))
      return main.emitError() << "argument " << number << " of @main: expected " << roleAttrName
                              << " = \"argument\" or \"weight\"";
    if (main.getArgAttr(number, deviceAttrName) || main.getArgAttr(number, shardAttrName))
      return main.emitError() << "argument " << number << " of @main lies on another device than "
                              << "the CPU";
    Input input{role == "weight" ? Input::Role::weight : Input::Role::argument, "",
                toTensorType(type)};
    if (input.role == Input::Role::weight) {
      if (!name || name.empty())
        return main.emitError() << "weight " << number << " of @main has no " << nameAttrName;
      for (const Dim &dim : input.type.shape)
        if (!dim.isStatic())
          return main.emitError() << "weight \"" << name.getValue() << "\" has symbolic dims";
    }
    input.name = name ? name.str() : "argument " + std::to_string(numArguments);
    numArguments += input.role == Input::Role::argument;
    graph.inputs.push_back(std::move(input));
  }
  return success();
}

/// Whether a graph's node can be this: not what only passes make, such as `linear`, whose groups of
/// operands a node does not have.
static bool isGraphOp(Operation *op) {
  if (op->getName().getDialectNamespace() != KilnDialect::getDialectNamespace() ||
      op->getNumRegions() != 0 || !findOp(std::string_view(op->getName().stripDialect())))
    return false;
  auto properties = dyn_cast_or_null<DictionaryAttr>(op->getPropertiesAsAttribute());
  return !properties || llvm::all_of(properties, [](NamedAttribute named) {
    return toAttribute(named.getValue()).has_value();
  });
}

LogicalResult Exporter::node(Operation *op, Values &values) {
  if (!isGraphOp(op))
    return op->emitError() << "'" << op->getName()
                           << "' is no operation of a model: expected the kiln dialect as the "
                              "import prints it, func.call and func.return";
  if (op->getNumResults() != 1)
    return op->emitError() << "'" << op->getName() << "' has " << op->getNumResults()
                           << " results: expected one, as the import prints it";
  if (failed(checkTypes(op, op->getResultTypes())))
    return failure();
  Node node;
  node.op = op->getName().stripDialect().str();
  for (Value operand : op->getOperands())
    node.operands.push_back(values.at(operand));
  node.attributes = attributesOf(op);
  node.type = toTensorType(op->getResult(0).getType());
  node.location = locationOf(op);
  values[op->getResult(0)] = graph.addNode(std::move(node));
  return success();
}

LogicalResult Exporter::call(func::CallOp op, Values &values) {
  auto callee = module.lookupSymbol<func::FuncOp>(op.getCallee());
  if (isInCall || !callee || callee.isExternal())
    return op.emitError() << "expected calls in @main alone, of functions of the module";
  Values inner;
  for (auto [argument, operand] : llvm::zip_equal(callee.getArguments(), op.getOperands()))
    inner[argument] = values.at(operand);
  std::vector<ValueId> results;
  std::size_t begin = graph.nodes.size();
  isInCall = true;
  if (failed(body(callee, inner, results)))
    return failure();
  isInCall = false;
  if (graph.nodes.size() > begin)
    graph.segments.push_back({begin, graph.nodes.size()});
  for (auto [result, id] : llvm::zip_equal(op.getResults(), results))
    values[result] = id;
  return success();
}

LogicalResult Exporter::body(func::FuncOp function, Values &values, std::vector<ValueId> &results) {
  if (!function.getBody().hasOneBlock())
    return function.emitError() << "@" << function.getName() << ": expected one block";
  for (Operation &op : function.getBody().front()) {
    if (auto result = dyn_cast<func::ReturnOp>(op)) {
      for (Value value : result.getOperands())
        results.push_back(values.at(value));
      return success();
    }
    auto called = dyn_cast<func::CallOp>(op);
    if (failed(called ? call(called, values) : node(&op, values)))
      return failure();
  }
  return function.emitError() << "@" << function.getName() << " returns nothing";
}

/// Counts by what they compute: one function may be called in ways that differ, such as with one
/// value for two operands.
void Exporter::numberDefinitions() {
  std::map<std::string, std::size_t> known;
  for (auto [segment, use] : llvm::zip_equal(graph.segments, segmentUses(graph)))
    segment.definition =
        known.emplace(segmentText(graph, segment, use), known.size()).first->second;
}

LogicalResult Exporter::run() {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isExternal())
    return module.emitError() << "expected a function @main with a body";
  if (module->hasAttr(ranksAttrName))
    return module.emitError() << "the model runs on several devices";
  graph.name = module.getName().value_or("main").str();
  if (failed(checkTypes(main, main.getArgumentTypes())) || failed(inputs(main)))
    return failure();
  if (auto constraints = module->getAttrOfType<ArrayAttr>(constraintsAttrName))
    graph.constraints = toConstraints(constraints); // whose form the dialect has verified
  for (const Constraint &constraint : graph.constraints)
    if (constraint.kind == Constraint::Kind::multipleOf && constraint.low < 1)
      return module.emitError() << "multiple of " << constraint.low;
  Values values;
  for (auto [index, argument] : llvm::enumerate(main.getArguments()))
    values[argument] = static_cast<ValueId>(index);
  if (failed(body(main, values, graph.outputs)))
    return failure();
  numberDefinitions();
  return success();
}

LogicalResult toGraph(ModuleOp module, Graph &graph) { return Exporter(module, graph).run(); }

} // namespace kiln::ir
