// The second door: the interpreter, for those who have no MLIR.

#include "codegen/Compiler.h"

#include "ir/Import.h"
#include "ir/Interpreter.h"
#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace kiln::codegen {
namespace {

/// As kiln-opt reads it: the contents of each argument are its attribute `kiln.input`.
std::string textWithInputs(ModuleOp module, ArrayRef<ir::HostTensor> inputs) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  for (unsigned i = 0; i < main.getNumArguments() && i < inputs.size(); ++i)
    main.setArgAttr(i, "kiln.input", ir::toMlirAttribute(module.getContext(), inputs[i]));
  std::string text;
  llvm::raw_string_ostream os(text);
  // Places are `loc("net.cpp":42:0)` behind each operation.
  module.print(os, OpPrintingFlags().useLocalScope().enableDebugInfo(true, /*prettyForm=*/false));
  return text + "\n";
}

void interpret(const ir::Graph &graph, const runtime::InterpretRequest &request,
               runtime::InterpretResult &result) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<ir::KilnDialect, func::FuncDialect>();
  std::string errors;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      errors += (errors.empty() ? "" : "; ") + diagnostic.str();
  });
  OwningOpRef<ModuleOp> module = ir::importGraph(graph, context);
  std::vector<ir::HostTensor> inputs;
  for (const runtime::HostContents &input : request.inputs)
    inputs.push_back({input.type, input.bytes});
  if (request.wantsText)
    result.text = textWithInputs(*module, inputs);
  if (failed(verify(*module))) {
    result.error = ErrorKind::compile;
    result.message = errors;
    return;
  }
  ir::Evaluation evaluation = ir::interpret(*module, inputs);
  result.error = evaluation.error;
  result.message = evaluation.message;
  for (ir::HostTensor &value : evaluation.results)
    result.results.push_back({std::move(value.type), std::move(value.bytes)});
}

} // namespace
} // namespace kiln::codegen

extern "C" void kilnInterpret(const kiln::ir::Graph &graph,
                              const kiln::runtime::InterpretRequest &request,
                              kiln::runtime::InterpretResult &result) {
  try {
    kiln::codegen::interpret(graph, request, result);
  } catch (const std::exception &error) {
    result.error = kiln::ErrorKind::compile;
    result.message = error.what();
  }
}
