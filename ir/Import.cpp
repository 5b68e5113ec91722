#include "ir/Import.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVectorExtras.h"

using namespace mlir;

namespace kiln::ir {

/// "net.cpp:42" as a place in a file; anything else as unknown.
static Location toLocation(MLIRContext &context, StringRef text) {
  auto [file, line] = text.rsplit(':');
  unsigned number = 0;
  if (file.empty() || line.getAsInteger(10, number))
    return UnknownLoc::get(&context);
  return FileLineColLoc::get(&context, file, number, /*column=*/0);
}

namespace {

/// One graph: @main, and a private function for each definition of its segments.
class Importer {
public:
  Importer(const Graph &graph, MLIRContext &context)
      : graph(graph), context(context), builder(&context), uses(segmentUses(graph)) {}

  OwningOpRef<ModuleOp> run();

private:
  using Values = llvm::DenseMap<ValueId, Value>;

  ValueId idOf(std::size_t node) const { return static_cast<ValueId>(graph.inputs.size() + node); }
  bool isWeight(ValueId value) const {
    return value < graph.inputs.size() && graph.inputs[value].role == Input::Role::weight;
  }
  func::FuncOp createMain();
  /// The function of a segment's definition, which this one is the first of.
  func::FuncOp createDefinition(const Segment &segment, const SegmentUse &use);
  void importNodes(std::size_t begin, std::size_t end, Values &values);
  void call(func::FuncOp definition, const SegmentUse &use, Values &values);
  SmallVector<Type> typesOf(const std::vector<ValueId> &values) {
    return llvm::map_to_vector(
        values, [&](ValueId value) -> Type { return toMlirType(&context, graph.type(value)); });
  }
  static SmallVector<Value> valuesOf(const std::vector<ValueId> &ids, const Values &values) {
    return llvm::map_to_vector(ids, [&](ValueId id) { return values.at(id); });
  }

  const Graph &graph;
  MLIRContext &context;
  OpBuilder builder;
  std::vector<SegmentUse> uses;
};

} // namespace

func::FuncOp Importer::createMain() {
  SmallVector<Type> inputs;
  for (const Input &input : graph.inputs)
    inputs.push_back(toMlirType(&context, input.type));
  auto main = func::FuncOp::create(builder, builder.getUnknownLoc(), "main",
                                   builder.getFunctionType(inputs, typesOf(graph.outputs)));
  SmallVector<mlir::Attribute> attributes; // all at once: each change makes the list anew
  for (const Input &input : graph.inputs) {
    bool isWeight = input.role == Input::Role::weight;
    SmallVector<NamedAttribute> named = {
        builder.getNamedAttr(roleAttrName, builder.getStringAttr(isWeight ? "weight" : "argument")),
        builder.getNamedAttr(nameAttrName, builder.getStringAttr(input.name))};
    if (input.type.device != CPU())
      named.push_back(
          builder.getNamedAttr(deviceAttrName, builder.getStringAttr(input.type.device.str())));
    if (input.shardAxis)
      named.push_back(
          builder.getNamedAttr(shardAttrName, builder.getI64IntegerAttr(*input.shardAxis)));
    attributes.push_back(builder.getDictionaryAttr(named));
  }
  main.setArgAttrsAttr(builder.getArrayAttr(attributes));
  return main;
}

func::FuncOp Importer::createDefinition(const Segment &segment, const SegmentUse &use) {
  auto function = func::FuncOp::create(
      builder, builder.getUnknownLoc(), ("subgraph_" + Twine(segment.definition)).str(),
      builder.getFunctionType(typesOf(use.inputs), typesOf(use.outputs)));
  function.setPrivate();
  for (auto [index, input] : llvm::enumerate(use.inputs))
    if (isWeight(input)) // its kernels read it packed, as in @main
      function.setArgAttr(index, roleAttrName, builder.getStringAttr("weight"));
  OpBuilder::InsertionGuard guard(builder);
  Values values;
  for (auto [input, argument] :
       llvm::zip_equal(use.inputs, function.addEntryBlock()->getArguments()))
    values[input] = argument;
  builder.setInsertionPointToEnd(&function.getBody().front());
  importNodes(segment.begin, segment.end, values);
  func::ReturnOp::create(builder, builder.getUnknownLoc(), valuesOf(use.outputs, values));
  return function;
}

void Importer::importNodes(std::size_t begin, std::size_t end, Values &values) {
  for (std::size_t i = begin; i < end; ++i) {
    const Node &node = graph.nodes[i];
    OperationState state(toLocation(context, node.location),
                         (KilnDialect::getDialectNamespace() + "." + node.op).str());
    state.addOperands(valuesOf(node.operands, values));
    for (const auto &[name, value] : node.attributes)
      state.addAttribute(name, toMlirAttribute(&context, value));
    state.addTypes(toMlirType(&context, node.type));
    values[idOf(i)] = builder.create(state)->getResult(0);
  }
}

void Importer::call(func::FuncOp definition, const SegmentUse &use, Values &values) {
  auto results = func::CallOp::create(builder, builder.getUnknownLoc(), definition,
                                      valuesOf(use.inputs, values))
                     .getResults();
  for (auto [output, result] : llvm::zip_equal(use.outputs, results))
    values[output] = result;
}

OwningOpRef<ModuleOp> Importer::run() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc(), graph.name);
  if (!graph.constraints.empty())
    (*module)->setAttr(constraintsAttrName, toMlirAttribute(&context, graph.constraints));

  builder.setInsertionPointToEnd(module->getBody());
  func::FuncOp main = createMain();
  SmallVector<func::FuncOp> definitions;
  for (auto [segment, use] : llvm::zip_equal(graph.segments, uses))
    if (segment.definition == definitions.size())
      definitions.push_back(createDefinition(segment, use));

  Block *body = main.addEntryBlock();
  builder.setInsertionPointToEnd(body);
  Values values;
  for (auto [index, argument] : llvm::enumerate(body->getArguments()))
    values[static_cast<ValueId>(index)] = argument;
  std::size_t next = 0;
  for (auto [segment, use] : llvm::zip_equal(graph.segments, uses)) {
    importNodes(next, segment.begin, values);
    call(definitions[segment.definition], use, values);
    next = segment.end;
  }
  importNodes(next, graph.nodes.size(), values);
  func::ReturnOp::create(builder, builder.getUnknownLoc(), valuesOf(graph.outputs, values));
  return module;
}

OwningOpRef<ModuleOp> importGraph(const Graph &graph, MLIRContext &context) {
  return Importer(graph, context).run();
}

} // namespace kiln::ir
