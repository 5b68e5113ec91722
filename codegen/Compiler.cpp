#include "codegen/Compiler.h"

#include "codegen/IrDump.h"
#include "codegen/PhaseTimer.h"
#include "codegen/Target.h"
#include "codegen/cpu/FlatImage.h"
#include "codegen/cpu/LowerToLLVM.h"
#include "codegen/cpu/ObjectEmitter.h"
#include "codegen/gpu/DeviceCode.h"
#include "codegen/gpu/PtxEmitter.h"
#include "ir/Import.h"
#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"
#include "passes/Pipelines.h"
#include "passes/gpu/GpuTarget.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <thread>

using namespace mlir;

namespace kiln::codegen {
namespace {

class Compilation {
public:
  Compilation(const ir::Graph &graph, const runtime::CompileRequest &request,
              runtime::CompileResult &result)
      : graph(graph), request(request), result(result), dump(request.dumpDir),
        contextTimer(std::in_place, &result.timings, "context"),
        context(registry(), MLIRContext::Threading::DISABLED) {
    context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
        errors += (errors.empty() ? "" : "; ") + diagnostic.str() + at(diagnostic.getLocation());
      return success();
    });
    context.loadDialect<ir::KilnDialect, func::FuncDialect>();
    contextTimer.reset();
  }

  /// False: `result` says why.
  bool run() {
    auto target = Target::byName(request.target);
    if (!target)
      return fail(ErrorKind::value, llvm::toString(target.takeError()));

    for (const std::string &pass : request.disabledPasses)
      if (!llvm::is_contained(passes::optionalPasses(), pass))
        return fail(ErrorKind::value, "no pass \"" + pass + "\" can be switched off; these can: " +
                                          llvm::join(passes::optionalPasses(), ", "));

    if (onDevice() && !passes::gpuTarget(request.chip))
      return fail(ErrorKind::value,
                  "unknown chip \"" + request.chip + "\": expected " + passes::gpuChips());

    if (request.ranks < 1)
      return fail(ErrorKind::value, std::to_string(request.ranks) + " ranks");

    OwningOpRef<ModuleOp> module;
    timed("import", [&] { module = ir::importGraph(graph, context); });
    if (request.ranks != 1)
      (*module)->setAttr(ir::ranksAttrName, Builder(&context).getI64IntegerAttr(request.ranks));
    if (request.captureStages.size() && failed(verify(*module)))
      return fail(ErrorKind::compile, errors);
    if (!capture("import", *module))
      return false;

    passes::PipelineOptions options{target->forPasses(), request.disabledPasses,
                                    request.int8Activations, request.chip, request.precision};
    for (const passes::Phase &phase : onDevice() ? passes::gpuPhases() : passes::cpuPhases()) {
      if (!runPhase(phase.name, *module, [&](OpPassManager &pm) { phase.build(pm, options); }))
        return false;
      if (phase.name == request.lastPhase)
        return true;
    }
    if (!describe(*module, *target))
      return false;
    if (!runPhase("llvm", *module, [](OpPassManager &pm) { addLowerToLLVM(pm); }))
      return false;
    if (onDevice() && !emitDevice(*module))
      return false;
    return emit(*module, *target);
  }

private:
  bool onDevice() const { return !request.chip.empty(); }

  static const DialectRegistry &registry() {
    static const DialectRegistry registry = [] {
      DialectRegistry dialects;
      dialects.insert<ir::KilnDialect, func::FuncDialect, arith::ArithDialect, scf::SCFDialect,
                      vector::VectorDialect, LLVM::LLVMDialect>();
      registerLLVMTranslation(dialects);
      registerGpuTranslation(dialects);
      return dialects;
    }();
    return registry;
  }

  static std::string at(Location location) {
    auto file = location->findInstanceOf<FileLineColLoc>();
    if (!file)
      return "";
    return (" (at " + file.getFilename().getValue() + ":" + Twine(file.getLine()) + ")").str();
  }

  bool fail(ErrorKind kind, std::string message) {
    result.error = kind;
    result.message = "[compile] " + std::move(message);
    return false;
  }

  template <class Work> void timed(StringRef phase, Work work) {
    PhaseTimer timer(&result.timings, phase.str());
    work();
  }

  bool wants(StringRef stage) const {
    return llvm::is_contained(request.captureStages, stage) ||
           llvm::is_contained(request.captureStages, "all");
  }

  /// Keeps the IR after a stage where the request wants it: in the result, in the folder of dumps.
  bool capture(StringRef stage, ModuleOp module) {
    bool inFolder = !request.dumpDir.empty();
    if (!inFolder && !wants(stage))
      return true;
    std::string text;
    llvm::raw_string_ostream os(text);
    module.print(os, OpPrintingFlags().elideLargeElementsAttrs());
    if (inFolder)
      if (std::string error = dump.add(stage, text); !error.empty())
        return fail(ErrorKind::io, error);
    if (wants(stage))
      result.stages.emplace_back(stage.str(), std::move(text));
    return true;
  }

  bool runPhase(const std::string &name, ModuleOp module,
                llvm::function_ref<void(OpPassManager &)> build) {
    PassManager pm(&context);
    // The verifier costs as much as the passes; the tests run it after each of them.
    pm.enableVerifier(std::getenv("KILN_VERIFY") != nullptr);
    build(pm);
    LogicalResult ran = failure();
    timed(name, [&] { ran = pm.run(module); });
    if (failed(ran) && StringRef(errors).starts_with("[partition] ")) { // by the user's wish
      result.error = ErrorKind::value;
      result.message = errors;
      return false;
    }
    if (failed(ran))
      return fail(ErrorKind::compile, errors.empty() ? "phase " + name + " failed" : errors);
    return capture(name, module);
  }

  /// Fills the artifact from the module's `kiln.artifact` (passes/LowerToCpu.cpp).
  bool describe(ModuleOp module, const Target &target) {
    auto description = module->getAttrOfType<DictionaryAttr>("kiln.artifact");
    auto list = [&](StringRef name) { return cast<ArrayAttr>(description.get(name)); };
    auto text = [](Attribute attribute) { return cast<StringAttr>(attribute).str(); };
    runtime::Artifact &artifact = result.artifact;
    artifact.target = target.name;
    artifact.ranks = request.ranks;
    artifact.constraints = ir::allConstraints(graph);
    for (Attribute symbol : list("symbols"))
      artifact.symbols.push_back(text(symbol));
    for (auto [input, packings] : llvm::zip(graph.inputs, list("packings"))) {
      runtime::ArtifactInput described;
      described.isWeight = input.role == ir::Input::Role::weight;
      described.name = input.name;
      described.type = ir::localType(input, request.ranks);
      described.shardAxis = input.shardAxis;
      for (Attribute packing : cast<ArrayAttr>(packings)) {
        auto parsed = parsePacking(text(packing));
        if (!parsed)
          return fail(ErrorKind::compile, "unknown packing " + text(packing));
        described.packings.push_back(*parsed);
      }
      artifact.inputs.push_back(std::move(described));
    }
    for (auto [value, alias] : llvm::zip(graph.outputs, list("output_aliases"))) {
      runtime::ArtifactOutput output;
      output.type = graph.type(value);
      int64_t input = cast<IntegerAttr>(alias).getInt();
      if (input >= 0)
        output.aliasOfInput = static_cast<uint32_t>(input);
      artifact.outputs.push_back(std::move(output));
    }
    for (Attribute site : list("index_sites")) {
      auto pair = cast<ArrayAttr>(site);
      artifact.indexSites.push_back({text(pair[0]), text(pair[1])});
    }
    for (Attribute kernel : list("kernels"))
      artifact.kernels.push_back(text(kernel));
    for (Attribute each : list("costs")) {
      auto given = cast<DictionaryAttr>(each);
      runtime::KernelCost &cost = artifact.costs.emplace_back();
      if (given.empty()) // of a kernel that is never launched
        continue;
      auto dim = [&](StringRef name) { return Dim::parse(text(given.get(name))); };
      cost.flops = dim("flops");
      cost.weightBytes = dim("weight_bytes");
      cost.otherBytes = dim("other_bytes");
      cost.products = static_cast<DType>(cast<IntegerAttr>(given.get("products")).getInt());
      cost.types = text(given.get("types"));
    }
    for (int64_t kernel : cast<DenseI64ArrayAttr>(description.get("launches")).asArrayRef())
      artifact.launches.push_back(static_cast<uint32_t>(kernel));
    artifact.workspace = Dim::parse(text(description.get("workspace")));
    artifact.scratchPerThread = Dim::parse(text(description.get("scratch")));
    return true;
  }

  /// "none", "rows:32", "columns:16", "filter:16", "channels-first:16"; "row-pairs:64",
  /// "row-parts:64", "row-tiles:256" and so on.
  static std::optional<runtime::Packing> parsePacking(StringRef text) {
    if (text == "none")
      return runtime::Packing{};
    auto [kind, size] = text.split(':');
    runtime::Packing packing;
    if (size.getAsInteger(10, packing.panel) || packing.panel < 1)
      return std::nullopt;
    if (kind == "rows")
      packing.kind = runtime::Packing::Kind::rowPanels;
    else if (kind == "columns")
      packing.kind = runtime::Packing::Kind::columnPanels;
    else if (kind == "filter")
      packing.kind = runtime::Packing::Kind::filterPanels;
    else if (kind == "channels-first")
      packing.kind = runtime::Packing::Kind::channelsFirstPanels;
    else if (kind == "row-pairs")
      packing.kind = runtime::Packing::Kind::rowPairs;
    else if (kind == "column-pairs")
      packing.kind = runtime::Packing::Kind::columnPairs;
    else if (kind == "filter-pairs")
      packing.kind = runtime::Packing::Kind::filterPairs;
    else if (kind == "channels-first-pairs")
      packing.kind = runtime::Packing::Kind::channelsFirstPairs;
    else if (kind == "row-parts")
      packing.kind = runtime::Packing::Kind::rowParts;
    else if (kind == "column-parts")
      packing.kind = runtime::Packing::Kind::columnParts;
    else if (kind == "filter-parts")
      packing.kind = runtime::Packing::Kind::filterParts;
    else if (kind == "channels-first-parts")
      packing.kind = runtime::Packing::Kind::channelsFirstParts;
    else if (kind == "row-tiles")
      packing.kind = runtime::Packing::Kind::rowTiles;
    else if (kind == "column-tiles")
      packing.kind = runtime::Packing::Kind::columnTiles;
    else if (kind == "filter-tiles")
      packing.kind = runtime::Packing::Kind::filterTiles;
    else if (kind == "channels-first-tiles")
      packing.kind = runtime::Packing::Kind::channelsFirstTiles;
    else
      return std::nullopt;
    return packing;
  }

  /// The device's part; what stays in the module is the host's.
  bool emitDevice(ModuleOp module) {
    llvm::Error error = llvm::Error::success();
    timed("device code",
          [&] { error = emitDeviceCode(module, request.architectures, result.artifact.device); });
    if (error)
      return fail(ErrorKind::compile, llvm::toString(std::move(error)));
    if (wants("ptx"))
      result.stages.emplace_back("ptx", result.artifact.device.ptx);
    return true;
  }

  bool emit(ModuleOp module, const Target &target) {
    EmitOptions options;
    options.times = &result.timings;
    if (wants("assembly")) {
      auto assembly = emitAssembly(module, target, options);
      if (!assembly)
        return fail(ErrorKind::compile, llvm::toString(assembly.takeError()));
      result.stages.emplace_back("assembly", *assembly);
    }
    auto objects = emitObjects(module, target, options, std::thread::hardware_concurrency());
    if (!objects)
      return fail(ErrorKind::compile, llvm::toString(objects.takeError()));
    PhaseTimer timer(&result.timings, "link");
    auto image = makeFlatImage(*objects, options.entry);
    if (!image)
      return fail(ErrorKind::compile, llvm::toString(image.takeError()));
    auto bytes = reinterpret_cast<const std::byte *>(image->bytes.data());
    result.artifact.code.assign(bytes, bytes + image->bytes.size());
    result.artifact.entryOffset = static_cast<int64_t>(image->entryOffset);
    return true;
  }

  const ir::Graph &graph;
  const runtime::CompileRequest &request;
  runtime::CompileResult &result;
  std::string errors;
  IrDump dump;
  std::optional<PhaseTimer> contextTimer;
  MLIRContext context;
};

} // namespace
} // namespace kiln::codegen

extern "C" void kilnCompile(const kiln::ir::Graph &graph,
                            const kiln::runtime::CompileRequest &request,
                            kiln::runtime::CompileResult &result) {
  // libkiln throws (a size that overflows, say); nothing may cross this door.
  try {
    kiln::codegen::Compilation(graph, request, result).run();
  } catch (const std::exception &error) {
    result.error = kiln::ErrorKind::compile;
    result.message = std::string("[compile] ") + error.what();
  }
}
