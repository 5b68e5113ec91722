#include "ir/Import.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

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

static func::FuncOp createMain(OpBuilder &builder, const Graph &graph) {
  MLIRContext *context = builder.getContext();
  SmallVector<Type> inputs, results;
  for (const Input &input : graph.inputs)
    inputs.push_back(toMlirType(context, input.type));
  for (ValueId output : graph.outputs)
    results.push_back(toMlirType(context, graph.type(output)));
  auto main = func::FuncOp::create(builder, builder.getUnknownLoc(), "main",
                                   builder.getFunctionType(inputs, results));
  for (auto [index, input] : llvm::enumerate(graph.inputs)) {
    StringRef role = input.role == Input::Role::weight ? "weight" : "argument";
    main.setArgAttr(index, roleAttrName, builder.getStringAttr(role));
    main.setArgAttr(index, nameAttrName, builder.getStringAttr(input.name));
    if (input.type.device != CPU())
      main.setArgAttr(index, deviceAttrName, builder.getStringAttr(input.type.device.str()));
  }
  return main;
}

OwningOpRef<ModuleOp> importGraph(const Graph &graph, MLIRContext &context) {
  OpBuilder builder(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc(), graph.name);
  if (!graph.constraints.empty())
    (*module)->setAttr(constraintsAttrName, toMlirAttribute(&context, graph.constraints));

  builder.setInsertionPointToEnd(module->getBody());
  func::FuncOp main = createMain(builder, graph);
  Block *body = main.addEntryBlock();
  builder.setInsertionPointToEnd(body);

  SmallVector<Value> values(body->getArguments()); // by ValueId
  for (const Node &node : graph.nodes) {
    OperationState state(toLocation(context, node.location),
                         (KilnDialect::getDialectNamespace() + "." + node.op).str());
    for (ValueId operand : node.operands)
      state.operands.push_back(values[operand]);
    for (const auto &[name, value] : node.attributes)
      state.addAttribute(name, toMlirAttribute(&context, value));
    state.addTypes(toMlirType(&context, node.type));
    values.push_back(builder.create(state)->getResult(0));
  }

  SmallVector<Value> outputs;
  for (ValueId output : graph.outputs)
    outputs.push_back(values[output]);
  func::ReturnOp::create(builder, builder.getUnknownLoc(), outputs);
  return module;
}

} // namespace kiln::ir
