#include "passes/LowerModule.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"
#include "passes/Fusing.h"
#include "passes/KernelCost.h"
#include "passes/Pipelines.h"
#include "passes/cpu/Entry.h"
#include "passes/cpu/KernelForms.h"
#include "passes/cpu/MemoryPlan.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// The entry's view of main's inputs: one buffer for each distinct packing of each input.
struct InputBuffers {
  SmallVector<SmallVector<std::string>> packings;

  /// The number of the first buffer of input `input`; the count of all for the one past the last.
  unsigned first(unsigned input) const {
    unsigned number = 0;
    for (unsigned i = 0; i < input; ++i)
      number += packings[i].size();
    return number;
  }
  unsigned find(unsigned input, StringRef packing) const {
    return first(input) + (llvm::find(packings[input], packing) - packings[input].begin());
  }
  unsigned count() const { return first(packings.size()); }
};

class Lowering {
public:
  Lowering(ModuleLowering &lowering, const Backend &backend)
      : lowering(lowering), backend(backend), module(lowering.module) {}

  LogicalResult run() {
    main = module.lookupSymbol<func::FuncOp>("main");
    if (!main || !main.getBody().hasOneBlock())
      return module.emitError("needs a function @main of one block");
    collectSymbols();
    for (func::FuncOp function : inOrderOfLaunches())
      if (failed(lowerKernel(function)))
        return failure();
    if (failed(collectPackings()))
      return failure();
    plan = planMemory(main);
    emitEntry(lowering, main.getLoc(), entryPlan(), backend.emitCopy);
    attachDescription();
    main.erase();
    for (func::FuncOp kernel : kernels)
      kernel.erase();
    return success();
  }

private:
  void addNames(ArrayRef<Dim> dims) {
    for (const Dim &dim : dims)
      for (const std::string &name : dim.names())
        if (!llvm::is_contained(lowering.symbols, name))
          lowering.symbols.push_back(name);
  }
  void addNames(Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (auto dims = dyn_cast_if_present<ir::DimsAttr>(tensor.getEncoding()))
        addNames(dims.getDims());
  }
  void collectSymbols() {
    for (Type type : main.getArgumentTypes())
      addNames(type);
    module.walk([&](Operation *op) {
      for (Type type : op->getResultTypes())
        addNames(type);
      for (NamedAttribute attribute : op->getAttrs())
        if (auto dims = dyn_cast<ir::DimsAttr>(attribute.getValue()))
          addNames(dims.getDims());
    });
  }

  /// The kernels as they first run, so that of several bad indices the first one's place has the
  /// smallest number; then those that nothing launches.
  SmallVector<func::FuncOp> inOrderOfLaunches() {
    llvm::SetVector<func::FuncOp> functions;
    for (auto launch : main.getOps<ir::LaunchOp>())
      functions.insert(module.lookupSymbol<func::FuncOp>(launch.getKernel()));
    for (auto function : module.getOps<func::FuncOp>())
      if (function != main)
        functions.insert(function);
    return functions.takeVector();
  }

  LogicalResult lowerKernel(func::FuncOp function) {
    kernels.push_back(function);
    Kernel kernel{function, function.getSymName().str(), nullptr};
    function.setSymName((function.getSymName() + ".kiln").str()); // the launcher takes its name
    for (Operation &op : kernel.body().without_terminator()) {
      StringRef name = op.getName().stripDialect();
      if (findViewEmitter(name) || decodesForLinears(&op))
        continue;
      if (op.hasTrait<ir::KilnElementwise>()) {
        DType dtype = ElementEmitter::typeOf(op.getOperands().back()).dtype;
        if (!backend.hasElementwise(name, dtype))
          return op.emitOpError("has no lowering for ")
                 << std::string(shortName(dtype)) << " on " << backend.device << " yet";
        continue;
      }
      if (kernel.anchor && isa<ir::LinearOp>(kernel.anchor) && isa<ir::LayerNormOp>(op))
        continue; // part of the linear's form: KernelForms.h
      if (kernel.anchor)
        return op.emitOpError("is a second anchor of kernel ") << kernel.name;
      kernel.anchor = &op;
    }
    KernelEmitter emitter = backend.findEmitter(kernel.anchor);
    if (!emitter)
      return kernel.anchor->emitOpError("has no lowering for ") << backend.device;
    kernelOf[function.getSymName()] = function;
    names[function] = kernel.name;
    return emitter(lowering, kernel);
  }

  func::FuncOp kernelFunction(ir::LaunchOp launch) {
    return kernelOf.lookup((launch.getKernel() + ".kiln").str());
  }
  /// What the kernel wants of the weight that it reads: of a filter that is a matrix to it by a
  /// reshape, the filter's own packing.
  std::string packingOf(ir::LaunchOp launch, unsigned operand) {
    auto packing = kernelFunction(launch).getArgAttrOfType<StringAttr>(operand, packingAttrName);
    if (!packing)
      return "none";
    auto reshape = launch.getInputs()[operand].getDefiningOp<ir::ReshapeOp>();
    auto [kind, panel] = packing.getValue().split(':');
    StringRef suffix = kind == "column-pairs"   ? "-pairs:"
                       : kind == "column-parts" ? "-parts:"
                       : kind == "column-tiles" ? "-tiles:"
                                                : ":";
    if ((kind != "columns" && suffix == ":") || !reshape || !isFilterMatrix(reshape))
      return packing.str();
    Operation *source = reshape.getX().getDefiningOp();
    StringRef layout = source && isPackedPermute(source) ? "channels-first" : "filter";
    return (layout + suffix + panel).str();
  }
  static bool isFilterPacking(StringRef packing) {
    return packing.starts_with("filter") || packing.starts_with("channels-first");
  }

  void addPacking(BlockArgument argument, const std::string &packing) {
    auto &packings = inputs.packings[argument.getArgNumber()];
    if (!llvm::is_contained(packings, packing))
      packings.push_back(packing);
  }

  LogicalResult collectPackings() {
    inputs.packings.resize(main.getNumArguments());
    for (auto launch : main.getOps<ir::LaunchOp>())
      for (auto [i, operand] : llvm::enumerate(launch.getInputs())) {
        std::string packing = packingOf(launch, i);
        Value root = viewedValue(operand);
        auto argument = dyn_cast<BlockArgument>(root);
        bool isAsItIs = root == operand || isFilterPacking(packing);
        if (packing != "none" && (!argument || !isAsItIs))
          return launch.emitOpError("operand ") << i << " must be a weight: its kernel wants it "
                                                << "packed as " << packing;
        if (argument)
          addPacking(argument, packing);
      }
    for (Operation &op : main.getBody().front())
      if (isCollective(&op))
        if (auto argument = dyn_cast<BlockArgument>(viewedValue(op.getOperand(0))))
          addPacking(argument, "none");
    for (auto &list : inputs.packings) // an input that no kernel reads has a buffer all the same
      if (list.empty())
        list.push_back("none");
    return success();
  }

  /// Launches and collectives in order, each with where its operands and results lie.
  EntryPlan entryPlan() {
    EntryPlan entry;
    unsigned firstOutput = inputs.count();
    entry.buffers = firstOutput + main.getNumResults();
    entry.workspaceBytes = plan.workspace;
    auto place = [&](Value value, StringRef packing) -> unsigned {
      Placement placement = plan.placements.lookup(value);
      switch (placement.kind) {
      case Placement::Kind::input:
        return inputs.find(placement.index, packing);
      case Placement::Kind::output:
        return firstOutput + placement.index;
      case Placement::Kind::workspace:
        return entry.spot(placement.offset);
      }
      llvm_unreachable("all kinds are above");
    };
    for (Operation &op : main.getBody().front()) {
      if (isCollective(&op)) {
        EntryPlan::Step &step = entry.steps.emplace_back();
        step.collective = &op;
        step.places.push_back(place(op.getOperand(0), "none"));
        if (!isView(&op))
          step.places.push_back(place(op.getResult(0), "none"));
      }
      auto launch = dyn_cast<ir::LaunchOp>(op);
      if (!launch)
        continue;
      EntryPlan::Step &step = entry.steps.emplace_back();
      step.launcher = launch.getKernel().str();
      for (auto [i, operand] : llvm::enumerate(launch.getInputs()))
        step.places.push_back(place(operand, packingOf(launch, i)));
      for (Value result : launch.getResults())
        step.places.push_back(place(result, "none"));
    }
    for (const OutputCopy &copy : plan.copies)
      entry.copies.push_back({place(copy.source, "none"), firstOutput + copy.output,
                              ir::toTensorType(copy.source.getType()).sizeBytes()});
    return entry;
  }

  /// What the artifact must say of this code, as attributes of the module.
  void attachDescription() {
    Builder b(module.getContext());
    auto strings = [&](auto &&range) {
      SmallVector<Attribute> list;
      for (const auto &text : range)
        list.push_back(b.getStringAttr(text));
      return b.getArrayAttr(list);
    };
    SmallVector<Attribute> packings, sites, aliases;
    for (const auto &list : inputs.packings)
      packings.push_back(strings(list));
    for (const auto &[message, where] : lowering.indexSites)
      sites.push_back(strings(std::initializer_list<std::string>{message, where}));
    for (const auto &alias : plan.outputAliases)
      aliases.push_back(b.getI64IntegerAttr(alias ? int64_t(*alias) : -1));
    SmallVector<std::string> kernelNames;
    llvm::DenseMap<func::FuncOp, int64_t> numberOf;
    for (func::FuncOp kernel : kernels) {
      numberOf[kernel] = static_cast<int64_t>(kernelNames.size());
      kernelNames.push_back(names[kernel]);
    }
    SmallVector<Attribute> costs(kernels.size(), b.getDictionaryAttr({}));
    SmallVector<int64_t> launches;
    for (auto launch : main.getOps<ir::LaunchOp>()) {
      func::FuncOp kernel = kernelFunction(launch);
      launches.push_back(numberOf.lookup(kernel));
      if (Attribute &cost = costs[launches.back()]; cast<DictionaryAttr>(cost).empty())
        cost = kernelCost(kernel, launch); // launches of one kernel have operands of one kind
    }
    module->setAttr("kiln.artifact",
                    b.getDictionaryAttr({
                        b.getNamedAttr("symbols", strings(lowering.symbols)),
                        b.getNamedAttr("packings", b.getArrayAttr(packings)),
                        b.getNamedAttr("output_aliases", b.getArrayAttr(aliases)),
                        b.getNamedAttr("index_sites", b.getArrayAttr(sites)),
                        b.getNamedAttr("kernels", strings(kernelNames)),
                        b.getNamedAttr("costs", b.getArrayAttr(costs)),
                        b.getNamedAttr("launches", b.getDenseI64ArrayAttr(launches)),
                        b.getNamedAttr("workspace", b.getStringAttr(plan.workspace.str())),
                        b.getNamedAttr("scratch", b.getStringAttr(lowering.scratchPerThread.str())),
                    }));
  }

  ModuleLowering &lowering;
  const Backend &backend;
  ModuleOp module;
  func::FuncOp main;
  InputBuffers inputs;
  MemoryPlan plan;
  SmallVector<func::FuncOp> kernels;
  llvm::StringMap<func::FuncOp> kernelOf;
  llvm::DenseMap<func::FuncOp, std::string> names;
};

} // namespace

std::optional<Precision> precisionOption(ModuleOp module, StringRef name) {
  std::optional<Precision> precision = precisionByName(name);
  if (!precision)
    module.emitError("unknown precision \"") << name << "\": expected highest, high or bf16";
  return precision;
}

LogicalResult lowerModule(ModuleLowering &lowering, const Backend &backend) {
  return Lowering(lowering, backend).run();
}

} // namespace kiln::passes
