#include "passes/LowerModule.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"
#include "passes/Fusing.h"
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
    emitEntry();
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
    if (kind != "columns" || !reshape || !isFilterMatrix(reshape))
      return packing.str();
    Operation *source = reshape.getX().getDefiningOp();
    return ((source && isPackedPermute(source) ? "channels-first:" : "filter:") + panel).str();
  }
  static bool isFilterPacking(StringRef packing) {
    return packing.starts_with("filter:") || packing.starts_with("channels-first:");
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

  void emitEntry() {
    Location loc = main.getLoc();
    MLIRContext *context = module.getContext();
    Type pointer = LLVM::LLVMPointerType::get(context);
    FunctionEmitter f =
        FunctionEmitter::helper(lowering, loc, "kiln_entry", {pointer, pointer, pointer});
    f.function.setLinkage(LLVM::Linkage::External);
    Block *block = &f.function.getBody().front();
    f.runtime = block->getArgument(0);
    Value buffers = block->getArgument(1);
    f.dims = block->getArgument(2);
    auto bufferAt = [&](unsigned index) {
      return f.load(f.ptr(), f.offset(buffers, f.constant(index), 8));
    };
    unsigned firstOutput = inputs.count();
    Value workspace = bufferAt(firstOutput + main.getNumResults());
    Value scratch = f.offsetBytes(workspace, f.dimValue(plan.workspace));
    Value stride = f.dimValue(lowering.scratchPerThread);

    auto place = [&](Value value, StringRef packing) -> Value {
      Placement placement = plan.placements.lookup(value);
      switch (placement.kind) {
      case Placement::Kind::input:
        return bufferAt(inputs.find(placement.index, packing));
      case Placement::Kind::output:
        return bufferAt(firstOutput + placement.index);
      case Placement::Kind::workspace:
        return f.offsetBytes(workspace, f.dimValue(placement.offset));
      }
      llvm_unreachable("all kinds are above");
    };

    unsigned most = 1;
    for (auto launch : main.getOps<ir::LaunchOp>())
      most = std::max(most, launch->getNumOperands() + launch->getNumResults());
    Value args = f.stackArray(f.ptr(), most);
    // A launcher that reported a bad index ends the call.
    Block *leave = f.function.addBlock();
    for (Operation &op : main.getBody().front()) {
      if (isCollective(&op)) {
        Value in = place(op.getOperand(0), "none");
        emitCollective(f, op, in, isView(&op) ? in : place(op.getResult(0), "none"));
      }
      auto launch = dyn_cast<ir::LaunchOp>(op);
      if (!launch)
        continue;
      unsigned slot = 0;
      auto put = [&](Value address) { f.store(address, f.offset(args, f.constant(slot++), 8)); };
      for (auto [i, operand] : llvm::enumerate(launch.getInputs()))
        put(place(operand, packingOf(launch, i)));
      for (Value result : launch.getResults())
        put(place(result, "none"));
      Value status = LLVM::CallOp::create(f.b, f.b.getI32Type(), launch.getKernel(),
                                          ValueRange{f.runtime, f.dims, args, scratch, stride})
                         .getResult();
      Value zero = arith::ConstantIntOp::create(f.b, 0, 32);
      Value bad = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, status, zero);
      Block *next = f.function.addBlock();
      LLVM::CondBrOp::create(f.b, bad, leave, next);
      f.b.setInsertionPointToStart(next);
    }
    for (const OutputCopy &copy : plan.copies)
      backend.emitCopy(f, place(copy.source, "none"), bufferAt(firstOutput + copy.output),
                       f.dimValue(ir::toTensorType(copy.source.getType()).sizeBytes()));
    LLVM::BrOp::create(f.b, leave);
    f.b.setInsertionPointToEnd(leave);
    LLVM::ReturnOp::create(f.b, ValueRange{});
  }

  static void emitCollective(FunctionEmitter &f, Operation &op, Value in, Value out) {
    TensorType type = ir::toTensorType(op.getOperand(0).getType());
    auto gather = dyn_cast<ir::AllGatherOp>(op);
    if (!gather)
      return f.allReduce(in, out, f.dimValue(type.shape.numElements()), type.dtype);
    ArrayRef<Dim> dims(type.shape.vec());
    Value elements = emitNumElements(f, dims.drop_front(gather.getAxis()));
    f.allGather(in, out, emitNumElements(f, dims.take_front(gather.getAxis())),
                f.mul(elements, sizeBytes(type.dtype)));
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
    for (func::FuncOp kernel : kernels)
      kernelNames.push_back(names[kernel]);
    module->setAttr("kiln.artifact",
                    b.getDictionaryAttr({
                        b.getNamedAttr("symbols", strings(lowering.symbols)),
                        b.getNamedAttr("packings", b.getArrayAttr(packings)),
                        b.getNamedAttr("output_aliases", b.getArrayAttr(aliases)),
                        b.getNamedAttr("index_sites", b.getArrayAttr(sites)),
                        b.getNamedAttr("kernels", strings(kernelNames)),
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

LogicalResult lowerModule(ModuleLowering &lowering, const Backend &backend) {
  return Lowering(lowering, backend).run();
}

} // namespace kiln::passes
