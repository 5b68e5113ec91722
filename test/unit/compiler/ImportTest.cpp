#include "ir/Import.h"
#include "ir/InterpreterElements.h"
#include "ir/InterpreterOps.h"
#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"
#include "ir/TypeConversion.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

using namespace kiln;
using namespace kiln::ir;
using testing::HasSubstr;

namespace {

constexpr DType allDTypes[] = {DType::boolean, DType::int8,    DType::int16,    DType::int32,
                               DType::int64,   DType::uint8,   DType::uint16,   DType::uint32,
                               DType::uint64,  DType::float16, DType::bfloat16, DType::float32,
                               DType::float64};

struct ImportTest : testing::Test {
  ImportTest() : context(mlir::MLIRContext::Threading::DISABLED) {
    context.loadDialect<KilnDialect, mlir::func::FuncDialect>();
  }
  std::string print(mlir::ModuleOp module, bool locations = false) {
    std::string text;
    llvm::raw_string_ostream os(text);
    mlir::OpPrintingFlags flags;
    if (locations)
      flags.enableDebugInfo(true, /*prettyForm=*/true);
    module->print(os, flags.useLocalScope());
    return text;
  }
  mlir::MLIRContext context;
};

/// relu(x @ w) for x [batch, 3].
Graph product() {
  Graph graph;
  graph.name = "product";
  graph.inputs.push_back(
      {Input::Role::argument, "argument 0", TensorType(DType::float32, {"batch", 3}, CPU())});
  graph.inputs.push_back(
      {Input::Role::weight, "layer.weight", TensorType(DType::float32, {3, 2}, CPU())});
  TensorType type(DType::float32, {"batch", 2}, CPU());
  ValueId y = graph.addNode({"matmul", {0, 1}, {}, type, "net.cpp:42"});
  graph.outputs = {graph.addNode({"relu", {y}, {}, type, "somewhere"})};
  return graph;
}

TEST_F(ImportTest, MakesAVerifiedMain) {
  auto module = importGraph(product(), context);
  ASSERT_TRUE(mlir::succeeded(mlir::verify(*module)));
  std::string text = print(*module);
  EXPECT_THAT(text, HasSubstr("module @product"));
  EXPECT_THAT(text, HasSubstr("func.func @main(%arg0: tensor<?x3xf32, #kiln.dims<batch, 3>> "
                              "{kiln.name = \"argument 0\", kiln.role = \"argument\"}, "
                              "%arg1: tensor<3x2xf32> "
                              "{kiln.name = \"layer.weight\", kiln.role = \"weight\"})"));
  EXPECT_THAT(text, HasSubstr("kiln.relu %0 : tensor<?x2xf32, #kiln.dims<batch, 2>>"));
}

TEST_F(ImportTest, KeepsLocations) {
  std::string text = print(*importGraph(product(), context), /*locations=*/true);
  EXPECT_THAT(text, HasSubstr("net.cpp:42:0"));
  auto module = importGraph(product(), context);
  module->walk([](ReluOp op) { EXPECT_TRUE(mlir::isa<mlir::UnknownLoc>(op.getLoc())); });
}

TEST_F(ImportTest, KeepsConstraintsDevicesAndParts) {
  Graph graph = product();
  graph.constraints = {Dim("batch").between(1, 64), Dim("batch").multipleOf(8)};
  graph.inputs[1].type.device = Accelerator(1);
  graph.inputs[1].shardAxis = 1;
  auto module = importGraph(graph, context);
  auto attribute = (*module)->getAttrOfType<mlir::ArrayAttr>(constraintsAttrName);
  ASSERT_TRUE(attribute);
  EXPECT_EQ(toConstraints(attribute), graph.constraints);
  auto main = module->lookupSymbol<mlir::func::FuncOp>("main");
  EXPECT_EQ(main.getArgAttrOfType<mlir::IntegerAttr>(1, shardAttrName).getInt(), 1);
  EXPECT_FALSE(main.getArgAttr(0, shardAttrName));
  EXPECT_FALSE(main.getArgAttr(0, deviceAttrName));
  EXPECT_EQ(main.getArgAttrOfType<mlir::StringAttr>(1, deviceAttrName).str(), "gpu:1");
}

TEST_F(ImportTest, EveryKindOfAttributeComesBack) {
  auto data = std::make_shared<DenseData>();
  data->type = TensorType(DType::boolean, {3}, CPU());
  data->bytes = {std::byte{1}, std::byte{0}, std::byte{1}};
  Attributes attributes{{"bool", true},
                        {"int", int64_t{-3}},
                        {"double", -0.5},
                        {"text", std::string("bhsd")},
                        {"dtype", DType::uint16},
                        {"list", std::vector<int64_t>{2, 0, 1}},
                        {"shape", Shape{"n", 4, Dim("n") * 2 + 1}},
                        {"scalarShape", Shape{}},
                        {"data", std::shared_ptr<const DenseData>(data)}};
  for (const auto &[name, value] : attributes) {
    std::optional<Attribute> back = toAttribute(toMlirAttribute(&context, value));
    ASSERT_TRUE(back) << name;
    EXPECT_EQ((Attributes{{"x", *back}}), (Attributes{{"x", value}})) << name;
  }
}

TEST_F(ImportTest, EveryTypeComesBackAndEqualTypesAreOne) {
  for (DType dtype : allDTypes) {
    for (const Shape &shape : {Shape{}, Shape{0, 3}, Shape{"n", 2}, Shape{Dim("n") / 2, "m"}}) {
      TensorType type(dtype, shape, CPU());
      EXPECT_EQ(toTensorType(toMlirType(&context, type)), type);
      EXPECT_TRUE(isKilnTensor(toMlirType(&context, type)));
    }
  }
  Dim x("x");
  EXPECT_EQ(toMlirType(&context, DType::float32, Shape{4 * x + 4}),
            toMlirType(&context, DType::float32, Shape{(x + 1) * 4}));
  EXPECT_NE(toMlirType(&context, DType::float32, Shape{"x"}),
            toMlirType(&context, DType::float32, Shape{"y"}));
  EXPECT_FALSE(toMlirType(&context, DType::int8, Shape{2}).getEncoding());
}

TEST_F(ImportTest, EveryDTypesContentsComeBack) {
  for (DType dtype : allDTypes) {
    for (size_t elements : {0, 1, 4}) {
      DenseData data{TensorType(dtype, {Dim(elements)}, CPU()), {}};
      for (size_t i = 0; i < elements * sizeBytes(dtype); ++i)
        data.bytes.push_back(static_cast<std::byte>(dtype == DType::boolean ? i % 2 : i + 1));
      EXPECT_EQ(toDenseData(toMlirAttribute(&context, data)), data) << name(dtype);
      EXPECT_EQ(Array(data).toHost(), data) << name(dtype);
    }
  }
}

/// The tables of the graph, the dialect, the rules and the interpreter have the same operations.
TEST_F(ImportTest, EveryOperationIsKnownEverywhere) {
  std::set<std::string> table;
#define KILN_UNARY(op, kind) table.insert(#op);
#define KILN_BINARY(op, kind) table.insert(#op);
#include "ir/Elementwise.def"
  std::set<std::string> elementwise, known;
  for (mlir::RegisteredOperationName op : context.getRegisteredOperations()) {
    if (op.getDialectNamespace() != "kiln" || !op.hasTrait<Typed>())
      continue;
    std::string name = op.stripDialect().str();
    EXPECT_TRUE(findOp(name)) << name;
    EXPECT_TRUE(findOpFunction(name) || findCollective(name)) << name;
    known.insert(name);
    if (op.hasTrait<KilnElementwise>())
      elementwise.insert(name);
  }
  for (const std::string &op : table) {
    EXPECT_TRUE(known.contains(op)) << op;
    EXPECT_TRUE(findElementFunction(op)) << op;
  }
  elementwise.erase("select");
  elementwise.erase("cast");
  EXPECT_EQ(elementwise, table);
}

} // namespace
