#include "codegen/Compiler.h"

#include "ir/KilnDialect.h"
#include "ir/ToGraph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

/// "encoder.mlir:3:7: " or nothing.
static std::string at(Location location) {
  auto place = location->findInstanceOf<FileLineColLoc>();
  if (!place)
    return "";
  return (place.getFilename().getValue() + ":" + Twine(place.getLine()) + ":" +
          Twine(place.getColumn()) + ": ")
      .str();
}

extern "C" void kilnParse(const std::string &text, const std::string &file, kiln::ir::Graph &graph,
                          std::string &error) {
  // libkiln throws (a size that overflows, say); nothing may cross this door.
  try {
    MLIRContext context(MLIRContext::Threading::DISABLED);
    context.loadDialect<kiln::ir::KilnDialect, func::FuncDialect>();
    context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
      if (error.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
        error = at(diagnostic.getLocation()) + diagnostic.str();
      return success();
    });
    auto module = parseSourceString<ModuleOp>(text, ParserConfig(&context), file);
    if ((!module || failed(kiln::ir::toGraph(*module, graph))) && error.empty())
      error = file + ": no module";
  } catch (const std::exception &thrown) {
    error = file + ": " + thrown.what();
  }
}
