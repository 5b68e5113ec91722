#include "codegen/cpu/OptimizeIR.h"

#include "llvm/Analysis/AliasAnalysis.h"
#include "llvm/Analysis/AssumptionCache.h"
#include "llvm/Analysis/BasicAliasAnalysis.h"
#include "llvm/Analysis/BlockFrequencyInfo.h"
#include "llvm/Analysis/BranchProbabilityInfo.h"
#include "llvm/Analysis/LastRunTrackingAnalysis.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/MemorySSA.h"
#include "llvm/Analysis/OptimizationRemarkEmitter.h"
#include "llvm/Analysis/PostDominators.h"
#include "llvm/Analysis/ProfileSummaryInfo.h"
#include "llvm/Analysis/ScalarEvolution.h"
#include "llvm/Analysis/ScopedNoAliasAA.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassInstrumentation.h"
#include "llvm/IR/PassManager.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

using namespace llvm;

namespace kiln::codegen {
namespace {

/// The analyses of the passes below, registered by hand: llvm::PassBuilder would link every pass of
/// LLVM into the compiler.
struct Managers {
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  ModuleAnalysisManager modules;

  explicit Managers(TargetMachine &machine) {
    TargetLibraryInfoImpl noLibrary(machine.getTargetTriple());
    noLibrary.disableAllFunctions();

    modules.registerPass([] { return PassInstrumentationAnalysis(); });
    modules.registerPass([] { return ProfileSummaryAnalysis(); });
    modules.registerPass([&] { return FunctionAnalysisManagerModuleProxy(functions); });

    functions.registerPass([] { return PassInstrumentationAnalysis(); });
    functions.registerPass([&] { return machine.getTargetIRAnalysis(); });
    functions.registerPass([&] { return TargetLibraryAnalysis(noLibrary); });
    functions.registerPass([] { return AssumptionAnalysis(); });
    functions.registerPass([] { return DominatorTreeAnalysis(); });
    functions.registerPass([] { return PostDominatorTreeAnalysis(); });
    functions.registerPass([] { return LoopAnalysis(); });
    functions.registerPass([] { return ScalarEvolutionAnalysis(); });
    functions.registerPass([] { return MemorySSAAnalysis(); });
    functions.registerPass([] { return BranchProbabilityAnalysis(); });
    functions.registerPass([] { return BlockFrequencyAnalysis(); });
    functions.registerPass([] { return OptimizationRemarkEmitterAnalysis(); });
    functions.registerPass([] { return LastRunTrackingAnalysis(); });
    functions.registerPass([] { return BasicAA(); });
    functions.registerPass([] { return ScopedNoAliasAA(); });
    functions.registerPass([] {
      AAManager alias;
      alias.registerFunctionAnalysis<BasicAA>();
      alias.registerFunctionAnalysis<ScopedNoAliasAA>();
      return alias;
    });
    functions.registerPass([&] { return ModuleAnalysisManagerFunctionProxy(modules); });
    functions.registerPass([&] { return LoopAnalysisManagerFunctionProxy(loops); });

    loops.registerPass([] { return PassInstrumentationAnalysis(); });
    loops.registerPass([&] { return FunctionAnalysisManagerLoopProxy(functions); });
  }
};

} // namespace

void optimizeIR(Module &module, TargetMachine &machine) {
  Managers managers(machine);

  FunctionPassManager functionPasses;
  functionPasses.addPass(
      SROAPass(SROAOptions::PreserveCFG)); // allocas of scratch values to registers
  functionPasses.addPass(EarlyCSEPass(/*UseMemorySSA=*/false)); // equal addresses and loads
  functionPasses.addPass(InstCombinePass()); // folds what the lowering left, once
  functionPasses.addPass(SimplifyCFGPass()); // empty blocks of scf lowering
  LoopPassManager loopPasses;
  loopPasses.addPass(LoopRotatePass(/*EnableHeaderDuplication=*/true)); // test at the bottom
  loopPasses.addPass(LICMPass(LICMOptions())); // invariant loads, broadcasts and addresses
  functionPasses.addPass(
      createFunctionToLoopPassAdaptor(std::move(loopPasses), /*UseMemorySSA=*/true));
  functionPasses.addPass(EarlyCSEPass(/*UseMemorySSA=*/false)); // what rotation duplicated
  functionPasses.addPass(SimplifyCFGPass());

  ModulePassManager passes;
  passes.addPass(AlwaysInlinerPass(/*InsertLifetimeIntrinsics=*/false));
  passes.addPass(createModuleToFunctionPassAdaptor(std::move(functionPasses)));
  passes.run(module, managers.modules);
}

} // namespace kiln::codegen
