#include "passes/Pipelines.h"

#include "passes/Passes.h"
#include "passes/gpu/GpuTarget.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace kiln::passes {

static constexpr std::pair<std::string_view, Precision> precisions[] = {
    {"highest", Precision::highest}, {"high", Precision::high}, {"bf16", Precision::bf16}};

std::string_view precisionName(Precision precision) {
  for (auto [name, value] : precisions)
    if (value == precision)
      return name;
  llvm_unreachable("all precisions are above");
}

std::optional<Precision> precisionByName(std::string_view name) {
  for (auto [known, value] : precisions)
    if (known == name)
      return value;
  return std::nullopt;
}

bool PipelineOptions::isEnabled(std::string_view pass) const {
  return !llvm::is_contained(disabledPasses, pass);
}

const std::vector<std::string> &optionalPasses() {
  static const std::vector<std::string> passes = {"kiln-fuse-attention", "kiln-fuse-linear",
                                                  "kiln-fuse-siblings",  "kiln-fuse-epilogue",
                                                  "kiln-fuse-gather",    "kiln-fuse-elementwise"};
  return passes;
}

// The only place that states the order of passes; a reason for each step.
const std::vector<Phase> &cpuPhases() {
  static const std::vector<Phase> phases = {
      {"canonicalize",
       [](OpPassManager &pm, const PipelineOptions &) {
         // A subgraph that is called once saves no work by itself, and costs fusions at its
         // borders.
         pm.addPass(createInlineSubgraphsPass({/*once=*/true}));
         // Fewer forms for the fusions to know.
         pm.addPass(createCanonicalizerPass());
         // Equal operations once: the same mask or position ids in every layer.
         pm.addPass(createCSEPass());
         // Where several ranks run the program: before it is told what is a kernel, and which
         // weights are read packed.
         pm.addPass(createPartitionPass());
       }},
      {"fuse",
       [](OpPassManager &pm, const PipelineOptions &options) {
         auto add = [&](const char *name, std::unique_ptr<Pass> pass) {
           assert(llvm::is_contained(optionalPasses(), name));
           if (options.isEnabled(name))
             pm.addPass(std::move(pass));
         };
         // Before products become linears, which attention's are not.
         add("kiln-fuse-attention", createFuseAttentionPass());
         // What no kernel of an accelerator holds: products again.
         if (!options.chip.empty())
           pm.addPass(createUnfuseAttentionPass({mostAttentionDepth, mostAttentionColumns}));
         // Layers share a mask: what that made of it is needed once.
         pm.addPass(createCSEPass());
         // Products with weights get a kernel that reads them packed.
         add("kiln-fuse-linear", createFuseLinearPass());
         // While linears are still loose: q, k and v in one product.
         add("kiln-fuse-siblings", createFuseSiblingsPass());
         // The dearest kernels choose what they take in first.
         add("kiln-fuse-epilogue", createFuseEpiloguePass());
         add("kiln-fuse-gather", createFuseGatherPass());
         // The rest in as few passes over memory as possible.
         add("kiln-fuse-elementwise", createFuseElementwisePass());
       }},
      {"outline",
       [](OpPassManager &pm, const PipelineOptions &) {
         // One function for each distinct kernel: what compile time grows with.
         pm.addPass(createOutlinePass());
         // Each subgraph was worked on once; from here on its calls are launches like others.
         pm.addPass(createInlineSubgraphsPass());
         // What several calls of a subgraph made of the same values is needed once.
         pm.addPass(createCSEPass());
       }},
      {"lower",
       [](OpPassManager &pm, const PipelineOptions &options) {
         // Kernels to loops and vectors, memory planned, the entry written.
         pm.addPass(createLowerToCpuPass(options.cpu, options.int8Activations, options.precision));
       }},
  };
  return phases;
}

const std::vector<Phase> &gpuPhases() {
  static const std::vector<Phase> phases = [] {
    std::vector<Phase> phases = cpuPhases();
    assert(phases.back().name == "lower");
    phases.back().build = [](OpPassManager &pm, const PipelineOptions &options) {
      // Kernels to functions of the accelerator, memory planned, the entry written.
      pm.addPass(
          createLowerToGpuPass({options.chip, std::string(precisionName(options.precision))}));
    };
    return phases;
  }();
  return phases;
}

namespace {
void addPhases(OpPassManager &pm, const std::vector<Phase> &phases, const PipelineOptions &options,
               AfterPhase afterPhase) {
  for (const Phase &phase : phases) {
    phase.build(pm, options);
    if (afterPhase)
      afterPhase(pm, phase);
  }
}

struct GpuPipelineOptions : PassPipelineOptions<GpuPipelineOptions> {
  Option<std::string> chip{*this, "chip", llvm::cl::desc("sm_80, sm_90, sm_90a or sm_100"),
                           llvm::cl::init("sm_80")};
  Option<std::string> precision{*this, "precision",
                                llvm::cl::desc("of products of float32: highest, high or bf16"),
                                llvm::cl::init("highest")};
  ListOption<std::string> disable{*this, "disable", llvm::cl::desc("passes to leave out")};
};

struct CpuPipelineOptions : PassPipelineOptions<CpuPipelineOptions> {
  Option<std::string> target{*this, "target", llvm::cl::desc("x86-64, x86-64-v3 or x86-64-v4"),
                             llvm::cl::init("x86-64-v3")};
  Option<bool> int8Activations{*this, "int8-activations",
                               llvm::cl::desc("round what packed weights are multiplied with"),
                               llvm::cl::init(false)};
  Option<std::string> precision{*this, "precision",
                                llvm::cl::desc("of products of float32: highest, high or bf16"),
                                llvm::cl::init("highest")};
  ListOption<std::string> disable{*this, "disable", llvm::cl::desc("passes to leave out")};
};
} // namespace

void registerPipelines(AfterPhase afterPhase) {
  PassPipelineRegistration<CpuPipelineOptions>(
      "kiln-cpu-pipeline", "all phases, from the kiln dialect to loops and vectors",
      [afterPhase](OpPassManager &pm, const CpuPipelineOptions &options) {
        PipelineOptions pipeline;
        if (auto cpu = CpuTarget::byName(options.target))
          pipeline.cpu = *cpu;
        else // says so when it runs
          pm.addPass(createLowerToCpuPass({options.target}));
        pipeline.int8Activations = options.int8Activations;
        if (auto precision = precisionByName(options.precision.getValue()))
          pipeline.precision = *precision;
        else // says so when it runs
          pm.addPass(createLowerToCpuPass({"x86-64", false, options.precision}));
        pipeline.disabledPasses.assign(options.disable.begin(), options.disable.end());
        addPhases(pm, cpuPhases(), pipeline, afterPhase);
      });
  PassPipelineRegistration<GpuPipelineOptions>(
      "kiln-gpu-pipeline", "all phases, from the kiln dialect to functions of an accelerator",
      [afterPhase](OpPassManager &pm, const GpuPipelineOptions &options) {
        PipelineOptions pipeline;
        pipeline.chip = options.chip;
        if (auto precision = precisionByName(options.precision.getValue()))
          pipeline.precision = *precision;
        else // says so when it runs
          pm.addPass(createLowerToGpuPass({options.chip, options.precision}));
        pipeline.disabledPasses.assign(options.disable.begin(), options.disable.end());
        addPhases(pm, gpuPhases(), pipeline, afterPhase);
      });
}

} // namespace kiln::passes
