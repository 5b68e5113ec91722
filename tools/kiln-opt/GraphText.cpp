#include "tools/kiln-opt/GraphText.h"

#include "ir/KilnDialect.h"
#include "tools/kiln-opt/GraphLabels.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/JSON.h"

using namespace mlir;

namespace kiln {
namespace {

constexpr size_t longestName = 48;     // characters of a name in a label
constexpr size_t manyOperations = 400; // curved edges around more take dot minutes

constexpr const char *argumentStyle = "shape=ellipse, style=filled, fillcolor=\"#cfe2f3\"";
constexpr const char *weightStyle = "shape=cylinder, style=filled, fillcolor=\"#fff2cc\"";
constexpr const char *constantStyle = "shape=plaintext, fontcolor=\"#555555\"";
constexpr const char *resultStyle = "shape=ellipse, style=filled, fillcolor=\"#d9ead3\"";
constexpr const char *anchorStyle = "penwidth=2.2";
constexpr const char *callStyle = "shape=box3d";
constexpr const char *fusionStyle = "style=\"rounded,filled\", fillcolor=\"#f0f0f0\"";
constexpr const char *kernelStyle = "style=\"rounded,filled\", fillcolor=\"#e8e4f0\"";

std::string kindOf(Block &body) {
  Operation *anchor = findAnchor(body);
  return anchor ? anchor->getName().stripDialect().str() : "elementwise";
}

/// The function that a launch, or the call of a subgraph, names; null for other operations.
func::FuncOp calleeOf(Operation *op) {
  FlatSymbolRefAttr name;
  if (auto launch = dyn_cast<ir::LaunchOp>(op))
    name = launch.getKernelAttr();
  else if (auto call = dyn_cast<func::CallOp>(op))
    name = call.getCalleeAttr();
  return name ? SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, name) : nullptr;
}

class Drawer {
public:
  explicit Drawer(ModuleOp module) {
    size_t operations = 0;
    module.walk([&](Operation *op) {
      ++operations;
      if (func::FuncOp callee = calleeOf(op))
        ++callers[callee];
    });
    text = "digraph kiln {\n"
           "  graph [fontname=\"Helvetica\", fontsize=11, nodesep=0.2, ranksep=0.35, "
           "compound=true" +
           std::string(operations > manyOperations ? ", splines=line" : "") +
           "];\n"
           "  node [fontname=\"Helvetica\", fontsize=10, shape=box, margin=\"0.08,0.04\", "
           "height=0.3];\n"
           "  edge [fontname=\"Helvetica\", fontsize=8, arrowsize=0.6];\n";
  }

  std::string draw(func::FuncOp main) {
    ++callers[main]; // from outside, so that calls of it are never drawn in their place
    drawBody(main, "argument ", "result ");
    // Drawing one may name others.
    for (size_t i = 0; i < apart.size(); ++i) {
      func::FuncOp callee = apart[i];
      std::string title = calledTitle(callee) + ", called " + std::to_string(callers[callee]) +
                          " times" + kindSuffix(callee, ": ");
      openCluster(title, kernelStyle);
      drawBody(callee, "in ", "out ");
      closeCluster();
    }
    return text + outside + edges + "}\n";
  }

private:
  std::string indent() const { return std::string(2 + 2 * depth, ' '); }

  void openCluster(const std::string &title, const char *style) {
    text += indent() + "subgraph cluster" + std::to_string(clusters++) + " {\n";
    ++depth;
    text += indent() + "graph [label=" + quoteForDot(shorten(title, 2 * longestName)) + ", " +
            style + "];\n";
  }
  void closeCluster() {
    --depth;
    text += indent() + "}\n";
  }

  static std::string nodeLine(const std::string &id, const std::string &label,
                              const std::string &style) {
    return id + " [label=" + quoteForDot(label) + (style.empty() ? "" : ", " + style) + "];\n";
  }
  std::string addNode(const std::string &label, const std::string &style) {
    std::string id = "n" + std::to_string(nodes++);
    text += indent() + nodeLine(id, label, style);
    return id;
  }
  /// Beside what is being drawn, not in its cluster.
  std::string addOutside(const std::string &label, const std::string &style) {
    std::string id = "n" + std::to_string(nodes++);
    outside += "  " + nodeLine(id, label, style);
    return id;
  }

  /// What stands for a value where it is read: inputs of a fusion are what was given to it.
  Value resolve(Value value) const {
    for (auto found = aliases.find(value); found != aliases.end(); found = aliases.find(value))
      value = found->second;
    return value;
  }

  static bool isWeight(func::FuncOp function, unsigned index) {
    auto role = function.getArgAttrOfType<StringAttr>(index, ir::roleAttrName);
    return role && role.getValue() == "weight";
  }

  /// A function that is drawn apart, and @main: with its inputs and results.
  void drawBody(func::FuncOp function, const std::string &inName, const std::string &outName) {
    Block &body = function.getBody().front();
    for (BlockArgument argument : body.getArguments()) {
      unsigned index = argument.getArgNumber();
      auto name = function.getArgAttrOfType<StringAttr>(index, ir::nameAttrName);
      std::string label =
          name ? shorten(name.getValue(), longestName) : inName + std::to_string(index);
      if (isWeight(function, index)) {
        label = "weight\n" + label;
        if (auto axis = function.getArgAttrOfType<IntegerAttr>(index, ir::shardAttrName))
          label += "\nsplit along axis " + std::to_string(axis.getInt());
      }
      label += "\n" + typeLabel(argument.getType());
      // A weight is drawn beside each operation that reads it: one for all would stretch the graph.
      if (isWeight(function, index) && !argument.use_empty())
        copied[argument] = {label, weightStyle};
      else
        ids[argument] = addNode(label, isWeight(function, index) ? weightStyle : argumentStyle);
    }
    drawOperations(body, isKernel(function) ? findAnchor(body) : nullptr);
    for (auto [index, value] : llvm::enumerate(body.getTerminator()->getOperands()))
      addEdge(value, addNode(outName + std::to_string(index), resultStyle), "", &body);
  }

  void drawOperations(Block &body, Operation *anchor) {
    for (Operation &op : body.without_terminator()) {
      if (auto constant = dyn_cast<ir::ConstantOp>(op))
        copied[constant.getResult()] = {constantLabel(constant.getValue()), constantStyle};
      else if (auto fusion = dyn_cast<ir::FusionOp>(op))
        drawFusion(fusion);
      else if (func::FuncOp callee = calleeOf(&op); callee && hasBody(callee))
        drawCall(&op, callee);
      else
        drawOperation(&op, operationLabel(&op), &op == anchor ? anchorStyle : "");
    }
  }

  static bool hasBody(func::FuncOp function) { return function.getBody().hasOneBlock(); }

  void drawFusion(ir::FusionOp fusion) {
    Block &body = fusion.getBody().front();
    drawInside(fusion, body, "fusion: " + kindOf(body), fusionStyle, findAnchor(body));
  }

  void drawCall(Operation *op, func::FuncOp callee) {
    if (callers[callee] == 1) {
      Block &body = callee.getBody().front();
      return drawInside(op, body, "@" + callee.getSymName().str() + kindSuffix(callee, ": "),
                        kernelStyle, isKernel(callee) ? findAnchor(body) : nullptr);
    }
    if (numbers.try_emplace(callee, apart.size() + 1).second)
      apart.push_back(callee);
    drawOperation(op, calledTitle(callee) + kindSuffix(callee, "\n"), callStyle);
  }

  static bool isKernel(func::FuncOp function) { return function->hasAttr(ir::kernelAttrName); }
  /// Of a kernel; subgraphs have no anchor.
  static std::string kindSuffix(func::FuncOp callee, const char *separator) {
    return isKernel(callee) ? separator + kindOf(callee.getBody().front()) : "";
  }

  /// "kernel 2 @linear"
  std::string calledTitle(func::FuncOp callee) const {
    return (isKernel(callee) ? "kernel " : "subgraph ") + std::to_string(numbers.lookup(callee)) +
           " @" + shorten(callee.getSymName(), longestName);
  }

  /// The body in the place of an operation whose operands and results are the body's.
  void drawInside(Operation *op, Block &body, const std::string &title, const char *style,
                  Operation *anchor) {
    for (auto [inner, outer] : llvm::zip_equal(body.getArguments(), op->getOperands()))
      aliases[inner] = outer;
    openCluster(title, style);
    drawOperations(body, anchor);
    closeCluster();
    for (auto [outer, inner] :
         llvm::zip_equal(op->getResults(), body.getTerminator()->getOperands()))
      aliases[outer] = inner;
  }

  void drawOperation(Operation *op, const std::string &label, const std::string &style) {
    std::string id = addNode(label, style);
    for (Value result : op->getResults())
      ids[result] = id;
    // Which operand is which, where that matters.
    bool numbered = op->getNumOperands() > 1 && !op->hasTrait<OpTrait::IsCommutative>();
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      addEdge(operand, id,
              numbered ? "headlabel=\"" + std::to_string(index) + "\", labelfontsize=7" : "",
              op->getBlock());
  }

  void addEdge(Value value, const std::string &to, std::string attributes, Block *reader) {
    value = resolve(value);
    std::string from;
    if (auto copy = copied.find(value); copy != copied.end()) {
      const auto &[label, style] = copy->second;
      from = value.getParentBlock() == reader ? addNode(label, style) : addOutside(label, style);
    } else {
      from = ids.lookup(value);
      auto result = dyn_cast<OpResult>(value);
      std::string which = result && result.getOwner()->getNumResults() > 1
                              ? "#" + std::to_string(result.getResultNumber()) + " "
                              : "";
      attributes = "label=" + quoteForDot(which + typeLabel(value.getType())) +
                   (attributes.empty() ? "" : ", ") + attributes;
    }
    edges +=
        "  " + from + " -> " + to + (attributes.empty() ? "" : " [" + attributes + "]") + ";\n";
  }

  struct Copied {
    std::string label;
    const char *style;
  };

  std::string text, outside, edges;
  size_t nodes = 0, clusters = 0, depth = 0;
  DenseMap<Value, std::string> ids; // of the nodes that make values
  DenseMap<Value, Copied> copied;   // drawn anew for each reader
  DenseMap<Value, Value> aliases;   // across the borders of fusions and of kernels
  DenseMap<Operation *, size_t> callers, numbers;
  SmallVector<func::FuncOp> apart; // functions with several callers, in the order of their numbers
};

} // namespace

std::string quoteForDot(const std::string &text) {
  std::string quoted = "\"";
  for (char c : llvm::json::fixUTF8(text)) {
    if (c == '\n')
      quoted += "\\n";
    else if (c == '&') // else "&lt;" in a name would be shown as "<"
      quoted += "&amp;";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      quoted += '?';
    else if (c == '"' || c == '\\')
      (quoted += '\\') += c;
    else
      quoted += c;
  }
  return quoted + "\"";
}

std::string graphText(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || !main.getBody().hasOneBlock())
    return "";
  return Drawer(module).draw(main);
}

} // namespace kiln
