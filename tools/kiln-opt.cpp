// mlir-opt with our dialect and passes, and the upstream dialects and passes that Kiln uses.

#include "codegen/cpu/CodegenPasses.h"
#include "codegen/cpu/LowerToLLVM.h"
#include "codegen/gpu/GpuPasses.h"
#include "codegen/gpu/PtxEmitter.h"
#include "ir/KilnDialect.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "tools/kiln-opt/DrawGraph.h"
#include "tools/kiln-opt/Interpret.h"
#include "tools/kiln-opt/PrintPhases.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/InlinerInterfaceImpl.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

static void registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<kiln::ir::KilnDialect, mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect,
                  mlir::func::FuncDialect, mlir::index::IndexDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::scf::SCFDialect, mlir::ub::UBDialect,
                  mlir::vector::VectorDialect>();
  mlir::func::registerInlinerExtension(registry);
  kiln::codegen::registerLLVMTranslation(registry);
  kiln::codegen::registerGpuTranslation(registry);
  mlir::LLVM::registerInlinerInterface(registry);
}

static void afterPhase(mlir::OpPassManager &passes, const kiln::passes::Phase &phase) {
  kiln::printAfterPhase(passes, phase);
  kiln::drawAfterPhase(passes, phase);
}

static void registerPasses() {
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerInlinerPass();
  mlir::registerSymbolDCEPass();
  mlir::registerConvertControlFlowToLLVMPass();
  mlir::registerConvertFuncToLLVMPass();
  mlir::registerConvertMathToLLVMPass();
  mlir::registerConvertVectorToLLVMPass();
  mlir::registerArithToLLVMConversionPass();
  mlir::registerReconcileUnrealizedCastsPass();
  mlir::registerSCFToControlFlowPass();
  kiln::registerInterpretPass();
  kiln::codegen::registerCodegenPasses();
  kiln::codegen::registerGpuPasses();
  kiln::passes::registerKilnPasses();
  kiln::passes::registerPipelines(afterPhase);
}

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPasses();
  kiln::registerPrintPhases();
  kiln::registerDrawGraph();
  auto [input, output] =
      mlir::registerAndParseCLIOptions(argc, argv, "Kiln's optimiser driver\n", registry);
  if (kiln::wantsGraph())
    return kiln::optimizeAndDraw(input, output, registry) ? EXIT_SUCCESS : EXIT_FAILURE;
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, input, output, registry));
}
