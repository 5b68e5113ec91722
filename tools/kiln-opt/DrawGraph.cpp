#include "tools/kiln-opt/DrawGraph.h"

#include "tools/kiln-opt/GraphText.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ToolOutputFile.h"

#include <optional>

using namespace mlir;

namespace kiln {
namespace {

struct Options {
  llvm::cl::opt<std::string> file{
      "kiln-graph", llvm::cl::value_desc("file"),
      llvm::cl::desc("Draw @main after the passes: .svg, .png or .pdf by Graphviz, .dot as text")};
  llvm::cl::opt<std::string> phase{
      "kiln-graph-phase", llvm::cl::value_desc("phase"),
      llvm::cl::desc("With --kiln-graph and a pipeline, draw after this phase of it")};
  bool drawn = false;
};

Options &options() {
  static Options options;
  return options;
}

std::string ending() { return llvm::sys::path::extension(options().file).lower(); }

/// What is wrong with the options, before any work is done.
std::optional<std::string> findMistake() {
  if (options().file.empty())
    return "no file; --kiln-graph-phase needs one";
  if (!llvm::is_contained({".svg", ".png", ".pdf", ".dot"}, ending()))
    return "'" + options().file + "' must end in .svg, .png, .pdf or .dot";
  std::vector<std::string> phases;
  for (const passes::Phase &phase : passes::cpuPhases())
    phases.push_back(phase.name);
  if (!options().phase.empty() && !llvm::is_contained(phases, options().phase.getValue()))
    return "no phase '" + options().phase + "'; there are: " + llvm::join(phases, ", ");
  if (ending() != ".dot" && !llvm::sys::findProgramByName("dot"))
    return "Graphviz is missing: there is no program 'dot' on the PATH. Install it (Debian: "
           "apt-get install graphviz), or write the text: --kiln-graph FILE.dot";
  return std::nullopt;
}

std::optional<std::string> writeText(const std::string &text, StringRef file) {
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> output = openOutputFile(file, &message);
  if (!output)
    return message;
  output->os() << text;
  output->os().close();
  if (output->os().has_error()) {
    message = "cannot write '" + file.str() + "': " + output->os().error().message();
    output->os().clear_error();
    return message;
  }
  output->keep();
  return std::nullopt;
}

/// Gives the text to dot, which writes the file.
std::optional<std::string> render(const std::string &text) {
  SmallString<128> source;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("kiln-graph", "dot", source))
    return "cannot make a temporary file: " + error.message();
  llvm::FileRemover remover(source);
  if (auto wrong = writeText(text, source))
    return wrong;
  llvm::ErrorOr<std::string> dot = llvm::sys::findProgramByName("dot");
  if (!dot)
    return "there is no program 'dot' any more";
  std::string format = "-T" + ending().substr(1), message;
  SmallVector<StringRef> command = {*dot, format, "-o", options().file, source};
  int status = llvm::sys::ExecuteAndWait(*dot, command, std::nullopt, {}, /*SecondsToWait=*/0,
                                         /*MemoryLimit=*/0, &message);
  if (status != 0)
    return "'" + *dot + "' failed with " + std::to_string(status) +
           (message.empty() ? "" : ": " + message);
  return std::nullopt;
}

struct DrawGraphPass : PassWrapper<DrawGraphPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DrawGraphPass)

  StringRef getName() const final { return "DrawGraph"; }
  void runOnOperation() final {
    markAllAnalysesPreserved();
    if (std::optional<std::string> wrong = draw()) {
      emitError(getOperation().getLoc()) << "--kiln-graph: " << *wrong;
      signalPassFailure();
    }
  }

  std::optional<std::string> draw() {
    if (options().drawn)
      return "draws one module, and the input has several";
    std::string text = graphText(getOperation());
    if (text.empty())
      return "needs a function @main of one block; what is lowered has none: name a phase before "
             "it with --kiln-graph-phase";
    if (auto wrong = ending() == ".dot" ? writeText(text, options().file) : render(text))
      return wrong;
    options().drawn = true;
    return std::nullopt;
  }
};

bool fail(const std::string &message) {
  llvm::errs() << "kiln-opt: --kiln-graph: " << message << '\n';
  return false;
}

} // namespace

void registerDrawGraph() { options(); }

bool wantsGraph() { return !options().file.empty() || !options().phase.empty(); }

void drawAfterPhase(OpPassManager &passes, const passes::Phase &phase) {
  if (!options().file.empty() && options().phase == phase.name)
    passes.addPass(std::make_unique<DrawGraphPass>());
}

bool optimizeAndDraw(const std::string &inputFile, const std::string &outputFile,
                     DialectRegistry &registry) {
  if (std::optional<std::string> mistake = findMistake())
    return fail(*mistake);
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> input = openInputFile(inputFile, &message);
  if (!input)
    return fail(message);
  std::unique_ptr<llvm::ToolOutputFile> output = openOutputFile(outputFile, &message);
  if (!output)
    return fail(message);

  MlirOptMainConfig given = MlirOptMainConfig::createFromCLOptions(), config = given;
  config.setPassPipelineSetupFn([given](PassManager &passes) {
    if (failed(given.setupPassPipeline(passes)))
      return failure();
    if (options().phase.empty())
      passes.addPass(std::make_unique<DrawGraphPass>());
    return success();
  });
  if (failed(MlirOptMain(output->os(), std::move(input), registry, config)))
    return false;
  output->keep();
  if (!options().drawn)
    return fail("--kiln-graph-phase needs a pipeline, such as --kiln-cpu-pipeline");
  return true;
}

} // namespace kiln
