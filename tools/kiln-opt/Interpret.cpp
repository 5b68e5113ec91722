#include "tools/kiln-opt/Interpret.h"

#include "ir/Interpreter.h"
#include "ir/InterpreterArray.h"
#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <random>

using namespace mlir;

namespace kiln {
namespace {

using ir::Array;
using ir::HostTensor;

constexpr llvm::StringLiteral inputAttrName = "kiln.input"; // of an argument: its contents
constexpr int64_t defaultSize = 3;                          // of a dim without another, elements

/// Small numbers, the same for the same seed everywhere: quarters in [-2, 2), integers in [0, 4).
HostTensor randomTensor(const TensorType &type, std::mt19937 &generator) {
  Array array(type.dtype, type.shape.sizes());
  for (int64_t i = 0; i < array.numElements(); ++i) {
    auto number = static_cast<int64_t>(generator() % 16);
    array.set(i, isFloat(type.dtype) ? ir::real(static_cast<double>(number - 8) / 4)
                                     : ir::integer(number % 4));
  }
  return array.toHost();
}

void printElement(llvm::raw_ostream &os, DType dtype, ir::Scalar value) {
  if (dtype == DType::boolean)
    os << (value.integer ? "true" : "false");
  else if (isFloat(dtype))
    os << llvm::format("%.7g", value.real);
  else if (isUnsigned(dtype))
    os << static_cast<uint64_t>(value.integer);
  else
    os << value.integer;
}

/// [[1, 2], [3, 4]]
void printElements(llvm::raw_ostream &os, const Array &array, size_t axis, int64_t &next) {
  if (axis == array.sizes.size())
    return printElement(os, array.dtype, array.values[static_cast<size_t>(next++)]);
  os << '[';
  for (int64_t i = 0; i < array.sizes[axis]; ++i) {
    os << (i ? ", " : "");
    printElements(os, array, axis + 1, next);
  }
  os << ']';
}

struct InterpretPass : PassWrapper<InterpretPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(InterpretPass)
  InterpretPass() = default;
  InterpretPass(const InterpretPass &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "kiln-interpret"; }
  StringRef getDescription() const final {
    return "Run @main and print its results. An argument has the contents of its attribute "
           "kiln.input, else random ones";
  }

  void runOnOperation() final {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main) {
      getOperation().emitError("has no function @main");
      return signalPassFailure();
    }
    if (!llvm::all_of(main.getArgumentTypes(), ir::isKilnTensor)) {
      main.emitError("has an argument that is no tensor of kiln");
      return signalPassFailure();
    }
    ir::Evaluation evaluation = ir::interpret(getOperation(), makeArguments(main));
    if (!evaluation) {
      main.emitError(evaluation.message);
      return signalPassFailure();
    }
    if (evaluation.byRank.empty())
      print(evaluation.results, "");
    for (auto [rank, results] : llvm::enumerate(evaluation.byRank))
      print(results, "rank " + std::to_string(rank) + ", ");
    llvm::outs().flush();
    markAllAnalysesPreserved();
  }

  static void print(const std::vector<HostTensor> &results, const std::string &where) {
    for (auto [index, result] : llvm::enumerate(results)) {
      llvm::outs() << where << "result " << index << ": " << result.type.str() << " = ";
      int64_t next = 0;
      printElements(llvm::outs(), Array(result), 0, next);
      llvm::outs() << '\n';
    }
  }

  /// Given contents say what names stand for; random contents take their sizes from there.
  std::vector<HostTensor> makeArguments(func::FuncOp main) {
    DimBindings sizes;
    for (unsigned i = 0; i < main.getNumArguments(); ++i)
      for (auto [axis, dim] : llvm::enumerate(ir::shapeOf(main.getArgumentTypes()[i])))
        for (const std::string &name : dim.names()) {
          auto given = main.getArgAttrOfType<DenseElementsAttr>(i, inputAttrName);
          if (given && dim.isName() && axis < static_cast<size_t>(given.getType().getRank()))
            sizes[name] = given.getType().getDimSize(axis);
          else
            sizes.try_emplace(name, defaultSize);
        }
    std::mt19937 generator(seed);
    std::vector<HostTensor> arguments;
    for (unsigned i = 0; i < main.getNumArguments(); ++i) {
      TensorType type = ir::toTensorType(main.getArgumentTypes()[i]);
      if (auto whole = main.getArgAttrOfType<IntegerAttr>(i, ir::wholeAttrName)) {
        auto axis = main.getArgAttrOfType<IntegerAttr>(i, ir::shardAttrName).getInt();
        std::vector<Dim> dims = type.shape.vec();
        dims[static_cast<size_t>(axis)] = whole.getInt();
        type.shape = Shape(std::move(dims));
      }
      type.shape = Shape(std::span<const int64_t>(type.shape.evaluate(sizes)));
      auto given = main.getArgAttrOfType<DenseElementsAttr>(i, inputAttrName);
      arguments.push_back(given ? ir::toDenseData(given) : randomTensor(type, generator));
    }
    return arguments;
  }

  Option<unsigned> seed{*this, "seed", llvm::cl::desc("Seed of random contents"),
                        llvm::cl::init(0)};
};

} // namespace

void registerInterpretPass() { PassRegistration<InterpretPass>(); }

} // namespace kiln
