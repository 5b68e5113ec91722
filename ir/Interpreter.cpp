#include "ir/Interpreter.h"

#include "ir/Import.h"
#include "ir/InterpreterOps.h"
#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace kiln::ir {
namespace {

/// Checks arguments against the types of a function and finds what its dims stand for.
class Binder {
public:
  explicit Binder(DimBindings known) : dims(std::move(known)) {}

  /// Names that stand alone get their sizes here; everything else is compared in `check`.
  void bind(TypeRange types, std::span<const ArrayPtr> arguments) {
    if (types.size() != arguments.size())
      throw ValueError("expected " + std::to_string(types.size()) + " arguments, got " +
                       std::to_string(arguments.size()));
    for (auto [index, type] : llvm::enumerate(types)) {
      if (!isKilnTensor(type))
        throw ValueError("argument " + std::to_string(index) + " is no tensor of kiln");
      TensorType expected = toTensorType(type);
      const Array &argument = *arguments[index];
      if (expected.dtype != argument.dtype || expected.rank() != argument.rank())
        throw ValueError("argument " + std::to_string(index) + ": expected " + expected.str() +
                         ", got " + argument.toHost().type.str());
      for (int64_t axis = 0; axis < expected.rank(); ++axis)
        if (const Dim &dim = expected.shape[axis]; dim.isName())
          bind(dim.str(), argument.sizes[static_cast<size_t>(axis)], index, axis);
    }
    for (auto [index, type] : llvm::enumerate(types))
      check(toTensorType(type), *arguments[index], index);
  }

  DimBindings dims;

private:
  void bind(const std::string &name, int64_t size, size_t argument, int64_t axis) {
    auto [origin, isNew] = origins.try_emplace(name, std::pair(argument, axis));
    if (isNew)
      dims[name] = size;
    else if (dims[name] != size)
      throw ValueError("argument " + std::to_string(argument) + ": symbolic dimension \"" + name +
                       "\": expected " + std::to_string(dims[name]) + " (from argument " +
                       std::to_string(origin->second.first) + ", dim " +
                       std::to_string(origin->second.second) + "), got " + std::to_string(size));
  }

  void check(const TensorType &expected, const Array &argument, size_t index) {
    for (int64_t axis = 0; axis < expected.rank(); ++axis) {
      int64_t size = expected.shape[axis].evaluate(dims);
      int64_t got = argument.sizes[static_cast<size_t>(axis)];
      if (size != got)
        throw ValueError("argument " + std::to_string(index) + ": dim " + std::to_string(axis) +
                         ": expected " + std::to_string(size) + ", got " + std::to_string(got));
    }
  }

  std::map<std::string, std::pair<size_t, int64_t>> origins; // name -> argument, axis
};

/// Runs a program on all ranks in lockstep: each operation on each rank, then the next one.
class Interpreter {
public:
  explicit Interpreter(ModuleOp module) : module(module) {}

  using Values = std::vector<ArrayPtr>;
  using RankValues = std::vector<Values>; // by rank

  /// Runs a function. Dims that its arguments do not say keep the caller's values; ranks have equal
  /// sizes.
  RankValues call(StringRef name, const RankValues &arguments, DimBindings callerDims) {
    auto function = module.lookupSymbol<func::FuncOp>(name);
    if (!function || function.isExternal())
      throw ValueError("the module has no function @" + name.str());
    Binder binder(std::move(callerDims));
    binder.bind(function.getArgumentTypes(), arguments[0]);
    return runBlock(function.getBody().front(), arguments, binder.dims);
  }

private:
  /// The operands of the terminator.
  RankValues runBlock(Block &block, const RankValues &arguments, const DimBindings &dims) {
    std::vector<llvm::DenseMap<Value, ArrayPtr>> values(arguments.size());
    for (auto [known, given] : llvm::zip_equal(values, arguments))
      for (auto [argument, value] : llvm::zip_equal(block.getArguments(), given))
        known[argument] = value;
    for (Operation &op : block) {
      RankValues operands(values.size());
      for (auto [known, mine] : llvm::zip_equal(values, operands))
        for (Value operand : op.getOperands())
          mine.push_back(known.at(operand));
      if (op.hasTrait<OpTrait::IsTerminator>() && op.getNumSuccessors() == 0)
        return operands;
      RankValues results = run(op, operands, dims);
      for (auto [known, mine] : llvm::zip_equal(values, results))
        for (auto [result, value] : llvm::zip_equal(op.getResults(), mine))
          known[result] = value;
    }
    throw std::logic_error("a block without a terminator");
  }

  RankValues run(Operation &op, const RankValues &operands, const DimBindings &dims) {
    if (auto launch = dyn_cast<LaunchOp>(op))
      return call(launch.getKernel(), operands, dims);
    if (auto subgraph = dyn_cast<func::CallOp>(op))
      return call(subgraph.getCallee(), operands, dims);
    if (auto fusion = dyn_cast<FusionOp>(op))
      return runBlock(fusion.getBody().front(), operands, dims);
    if (!isa_and_nonnull<KilnDialect>(op.getDialect()))
      throw ValueError("the interpreter does not know " + op.getName().getStringRef().str());
    std::string_view name(op.getName().stripDialect());
    if (CollectiveFunction collective = findCollective(name)) {
      Values x;
      for (const Values &mine : operands)
        x.push_back(mine[0]);
      return RankValues(x.size(), {std::make_shared<Array>(collective(attributesOf(&op), x))});
    }
    if (!findOpFunction(name))
      throw ValueError("the interpreter does not know " + op.getName().getStringRef().str());
    RankValues results(operands.size());
    for (size_t rank = 0; rank < operands.size(); ++rank)
      for (Array &result : evaluateOp(&op, operands[rank], dims, static_cast<int64_t>(rank)))
        results[rank].push_back(std::make_shared<Array>(std::move(result)));
    return results;
  }

  ModuleOp module;
};

int64_t ranksOf(ModuleOp module) {
  auto ranks = module->getAttrOfType<IntegerAttr>(ranksAttrName);
  return ranks ? ranks.getInt() : 1;
}

/// What each rank gets: its part of an argument that is split, all of any other one.
std::vector<std::vector<ArrayPtr>> distribute(ModuleOp module,
                                              std::span<const HostTensor> arguments) {
  std::vector<std::vector<ArrayPtr>> byRank(static_cast<size_t>(ranksOf(module)));
  auto main = module.lookupSymbol<func::FuncOp>("main");
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto whole = std::make_shared<const Array>(argument);
    IntegerAttr size;
    if (main && i < main.getNumArguments())
      size = main.getArgAttrOfType<IntegerAttr>(i, wholeAttrName);
    if (!size) {
      for (auto &mine : byRank)
        mine.push_back(whole);
      continue;
    }
    auto axis = main.getArgAttrOfType<IntegerAttr>(i, shardAttrName).getInt();
    int64_t rows = shapeOf(main.getArgumentTypes()[i])[axis].value();
    if (axis >= whole->rank() || whole->sizes[static_cast<size_t>(axis)] != size.getInt())
      throw ValueError("argument " + std::to_string(i) + ": expected " +
                       std::to_string(size.getInt()) + " entries along axis " +
                       std::to_string(axis) + ", got " + whole->toHost().type.str());
    for (auto [rank, mine] : llvm::enumerate(byRank))
      mine.push_back(
          std::make_shared<Array>(partOf(*whole, axis, rows, static_cast<int64_t>(rank))));
  }
  return byRank;
}

} // namespace

static Evaluation failed(ErrorKind kind, std::string message) {
  return {{}, kind, std::move(message)};
}

Evaluation interpret(ModuleOp module, std::span<const HostTensor> arguments) {
  try {
    Evaluation evaluation;
    for (const auto &mine : Interpreter(module).call("main", distribute(module, arguments), {})) {
      auto &results = evaluation.byRank.emplace_back();
      for (const ArrayPtr &result : mine)
        results.push_back(result->toHost());
    }
    evaluation.results = evaluation.byRank[0];
    if (llvm::all_equal(evaluation.byRank))
      evaluation.byRank.clear();
    return evaluation;
  } catch (const IndexError &error) {
    return failed(ErrorKind::index, error.what());
  } catch (const TypeError &error) {
    return failed(ErrorKind::type, error.what());
  } catch (const Error &error) {
    return failed(ErrorKind::value, error.what());
  }
}

Evaluation interpretGraph(const Graph &graph, std::span<const HostTensor> arguments) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<KilnDialect, func::FuncDialect>();
  std::string messages;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { messages += diagnostic.str() + "\n"; });
  OwningOpRef<ModuleOp> module = importGraph(graph, context);
  if (mlir::failed(verify(*module)))
    return failed(ErrorKind::compile, messages);
  return interpret(*module, arguments);
}

} // namespace kiln::ir
