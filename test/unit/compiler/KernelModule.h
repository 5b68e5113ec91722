#pragma once

#include "codegen/Target.h"
#include "codegen/cpu/FlatImage.h"
#include "codegen/cpu/LowerToLLVM.h"
#include "codegen/cpu/ObjectEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

namespace kiln::test {

/// A context with the dialects that kernels are written in.
struct KernelContext {
  KernelContext() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }

  static mlir::DialectRegistry makeRegistry() {
    mlir::DialectRegistry registry;
    registry.insert<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect,
                    mlir::func::FuncDialect, mlir::index::IndexDialect, mlir::LLVM::LLVMDialect,
                    mlir::scf::SCFDialect, mlir::ub::UBDialect, mlir::vector::VectorDialect>();
    codegen::registerLLVMTranslation(registry);
    return registry;
  }

  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text) {
    return mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }

  /// Lowers in place to the LLVM dialect.
  mlir::LogicalResult lower(mlir::ModuleOp module) {
    mlir::PassManager passes(&context);
    codegen::addLowerToLLVM(passes);
    return passes.run(module);
  }

  mlir::MLIRContext context;
};

/// Emits a module in the LLVM dialect as an image, with LLVM's verifier on.
inline llvm::Expected<codegen::FlatImage> compileImage(mlir::ModuleOp module,
                                                       const codegen::Target &target) {
  codegen::EmitOptions options;
  options.verify = true;
  auto object = codegen::emitObject(module, target, options);
  if (!object)
    return object.takeError();
  return codegen::makeFlatImage({std::move(*object)}, options.entry);
}

} // namespace kiln::test
