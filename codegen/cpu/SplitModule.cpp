#include "codegen/cpu/SplitModule.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <algorithm>
#include <tuple>

using namespace mlir;

namespace kiln::codegen {
namespace {

/// How many parts for so many operations. A part costs 3 to 5 ms beside its functions, as much as
/// selecting instructions for some 150 operations (measured); even numbers suit most machines.
size_t partsOf(size_t operations) { return operations >= 2500 ? 4 : operations >= 900 ? 2 : 1; }

struct Part {
  llvm::SetVector<Operation *> functions;
  size_t operations = 0;
};

class Splitter {
public:
  Splitter(ModuleOp module, StringRef entry) : module(module), symbols(module), entry(entry) {}

  std::vector<OwningOpRef<ModuleOp>> run() {
    collectUses();
    size_t all = 0;
    SmallVector<std::pair<size_t, LLVM::LLVMFuncOp>> functions; // by their number in the module
    for (auto &[function, used] : uses) {
      all += used.operations;
      functions.emplace_back(functions.size(), function);
    }
    size_t count = std::min(partsOf(all), functions.size());
    if (count < 2)
      return {};
    markRepeated();
    // The largest function first, to the smallest part.
    llvm::sort(functions, [&](const auto &a, const auto &b) {
      size_t ofA = uses[a.second].operations, ofB = uses[b.second].operations;
      return std::tie(ofB, a.first) < std::tie(ofA, b.first);
    });
    std::vector<Part> parts(count);
    for (auto &[number, function] : functions) {
      Part &smallest = *llvm::min_element(
          parts, [](const Part &a, const Part &b) { return a.operations < b.operations; });
      smallest.functions.insert(function);
      smallest.operations += uses[function].operations;
    }
    std::vector<OwningOpRef<ModuleOp>> modules;
    for (const Part &part : parts)
      modules.push_back(makeModule(part));
    for (auto [part, made] : llvm::zip(parts, modules))
      for (Operation *function : part.functions)
        function->moveBefore(made->getBody(), made->getBody()->end());
    return modules;
  }

private:
  void collectUses() {
    for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
      Used &used = uses[function];
      function.walk([&](Operation *op) {
        ++used.operations;
        FlatSymbolRefAttr name;
        if (auto call = dyn_cast<LLVM::CallOp>(op))
          name = call.getCalleeAttr();
        else if (auto address = dyn_cast<LLVM::AddressOfOp>(op))
          name = address.getGlobalNameAttr();
        if (name)
          if (Operation *target = symbols.lookup(name.getValue()))
            used.symbols.insert(target);
      });
    }
  }

  /// What anything but the entry uses may run often in a call; in a part of its own it would look
  /// as if nothing did.
  void markRepeated() {
    for (auto &[function, used] : uses)
      if (function.getSymName() != entry)
        for (Operation *target : used.symbols)
          if (auto callee = dyn_cast<LLVM::LLVMFuncOp>(target); callee && callee != function)
            callee.setPassthroughAttr(
                Builder(module.getContext()).getStrArrayAttr(repeatedAttribute));
  }

  /// With all that the part's functions need of others; without them.
  OwningOpRef<ModuleOp> makeModule(const Part &part) {
    OwningOpRef<ModuleOp> made(ModuleOp::create(module.getLoc()));
    (*made)->setAttrs(module->getAttrs());
    OpBuilder b = OpBuilder::atBlockEnd(made->getBody());
    llvm::SetVector<Operation *> outside;
    for (Operation *function : part.functions)
      for (Operation *target : uses[cast<LLVM::LLVMFuncOp>(function)].symbols)
        if (!part.functions.contains(target))
          outside.insert(target);
    for (Operation *target : outside) {
      auto function = dyn_cast<LLVM::LLVMFuncOp>(target);
      if (!function) {
        b.clone(*target);
        continue;
      }
      LLVM::LLVMFuncOp::create(b, function.getLoc(), function.getSymName(),
                               function.getFunctionType());
    }
    return made;
  }

  struct Used {
    llvm::SetVector<Operation *> symbols;
    size_t operations = 0;
  };
  ModuleOp module;
  SymbolTable symbols;
  StringRef entry;
  llvm::MapVector<LLVM::LLVMFuncOp, Used> uses; // in the order of the module
};

} // namespace

std::vector<OwningOpRef<ModuleOp>> splitModule(ModuleOp module, StringRef entry) {
  return Splitter(module, entry).run();
}

} // namespace kiln::codegen
