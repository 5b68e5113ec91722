#include "ir/Graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

using namespace kiln;
using namespace kiln::ir;

namespace {

std::shared_ptr<const DenseData> dense(int value) {
  return std::make_shared<const DenseData>(
      DenseData{TensorType(DType::uint8, {1}), {static_cast<std::byte>(value)}});
}

Graph linearGraph() {
  Graph graph;
  graph.inputs.push_back(
      {Input::Role::argument, "argument 0", TensorType(DType::float32, {"batch", 2}, CPU())});
  graph.inputs.push_back(
      {Input::Role::weight, "weight", TensorType(DType::float32, {3, 2}, CPU())});
  ValueId t = graph.addNode({"permute",
                             {1},
                             {{"axes", std::vector<int64_t>{1, 0}}},
                             TensorType(DType::float32, {2, 3}, CPU()),
                             "net.cpp:1"});
  graph.outputs.push_back(graph.addNode(
      {"matmul", {0, t}, {}, TensorType(DType::float32, {"batch", 3}, CPU()), "net.cpp:2"}));
  return graph;
}

TEST(Attributes, AreSortedAndReplaced) {
  Attributes attributes{{"b", int64_t(1)}, {"a", true}};
  attributes.set("b", int64_t(2));
  EXPECT_EQ(attributes.begin()->first, "a");
  EXPECT_EQ(attributes.get<int64_t>("b"), 2);
  EXPECT_EQ(attributes.find("c"), nullptr);
  EXPECT_EQ(attributes.getOr<int64_t>("c", 7), 7);
  EXPECT_THROW(attributes.get<int64_t>("c"), std::logic_error);
  EXPECT_THROW(attributes.get<int64_t>("a"), std::bad_variant_access);
}

TEST(Attributes, EqualityIsByContents) {
  EXPECT_EQ((Attributes{{"v", dense(1)}}), (Attributes{{"v", dense(1)}}));
  EXPECT_FALSE((Attributes{{"v", dense(1)}}) == (Attributes{{"v", dense(2)}}));
  EXPECT_EQ((Attributes{{"v", std::nan("")}}), (Attributes{{"v", std::nan("")}}));
  EXPECT_FALSE((Attributes{{"v", 0.0}}) == (Attributes{{"v", -0.0}}));
  EXPECT_FALSE((Attributes{{"v", int64_t(1)}}) == (Attributes{{"v", true}}));
  EXPECT_FALSE((Attributes{{"v", true}}) == Attributes{});
}

TEST(Graph, TypesOfValues) {
  Graph graph = linearGraph();
  EXPECT_EQ(graph.type(1).str(), "[3, 2] f32");
  EXPECT_EQ(graph.type(3).str(), "[batch, 3] f32");
}

TEST(Graph, CanonicalText) {
  Graph graph = linearGraph();
  graph.constraints = {Dim("batch").multipleOf(8), Dim("batch").between(1, 64)};
  EXPECT_EQ(canonicalText(graph), "%0 = argument : [batch, 2] f32 cpu:0\n"
                                  "%1 = weight : [3, 2] f32 cpu:0\n"
                                  "%2 = permute(%1) {axes = (1, 0)} : [2, 3] f32 cpu:0\n"
                                  "%3 = matmul(%0, %2) : [batch, 3] f32 cpu:0\n"
                                  "return %3\n"
                                  "where batch between 1 and 64\n"
                                  "where batch multiple of 8\n");
}

TEST(Graph, CanonicalTextLeavesOutNamesAndPlaces) {
  Graph a = linearGraph(), b = linearGraph();
  b.name = "other";
  b.inputs[1].name = "encoder.weight";
  b.nodes[0].location = "other.cpp:9";
  a.constraints = {Dim("batch").multipleOf(8), Dim("batch").between(1, 64)};
  b.constraints = {a.constraints[1], a.constraints[0], a.constraints[1]};
  EXPECT_EQ(canonicalText(a), canonicalText(b));
}

TEST(Graph, CanonicalTextTellsProgramsApart) {
  std::vector<Graph> graphs(14, linearGraph());
  graphs[1].inputs[1].role = Input::Role::argument;
  graphs[2].inputs[0].type.shape = {"b", 2};
  graphs[3].inputs[0].type.device = CPU(1);
  graphs[4].nodes[1].operands = {2, 0};
  graphs[5].nodes[0].attributes.set("axes", std::vector<int64_t>{0, 1});
  graphs[6].outputs = {3, 3};
  graphs[7].constraints = {Dim("batch").multipleOf(8)};
  graphs[8].nodes[1].type.dtype = DType::float64;
  const Attribute values[] = {true, int64_t(1), 1.0};
  for (int i = 0; i < 3; ++i)
    graphs[static_cast<std::size_t>(9 + i)].nodes[1].attributes.set("v", values[i]);
  graphs[12].inputs[1].shardAxis = 0;
  graphs[13].inputs[1].shardAxis = 1;
  std::set<std::string> texts;
  for (const Graph &graph : graphs)
    texts.insert(canonicalText(graph));
  EXPECT_EQ(texts.size(), graphs.size());
}

TEST(Graph, LocalType) {
  Input weight{Input::Role::weight, "table", TensorType(DType::float32, {9, "n"}, CPU()), 0};
  EXPECT_EQ(localType(weight, 1).str(), "[9, n] f32");
  EXPECT_EQ(localType(weight, 2).str(), "[5, n] f32");
  EXPECT_EQ(localType(weight, 16).str(), "[1, n] f32");
  weight.shardAxis.reset();
  EXPECT_EQ(localType(weight, 2).str(), "[9, n] f32");
  weight.shardAxis = 1;
  EXPECT_THROW(localType(weight, 2), ValueError);
  weight.shardAxis = 2;
  EXPECT_THROW(localType(weight, 2), ValueError);
}

TEST(Graph, CanonicalTextTellsAttributesApart) {
  const Attribute values[] = {
      true,
      false,
      int64_t(0),
      int64_t(1),
      0.0,
      -0.0,
      1.0,
      std::nan(""),
      0.1,
      std::nextafter(0.1, 1.0),
      std::string("true"),
      std::string("1"),
      std::string("1\", b = \"2"),
      std::string("1\\"),
      DType::float32,
      std::string("f32"),
      std::vector<int64_t>{},
      std::vector<int64_t>{1, 2},
      Shape{},
      Shape{1, 2},
      Shape{"n", 2},
      dense(1),
      dense(2),
  };
  std::set<std::string> texts;
  for (const Attribute &value : values) {
    Graph graph = linearGraph();
    graph.nodes[1].attributes.set("v", value);
    texts.insert(canonicalText(graph));
  }
  EXPECT_EQ(texts.size(), std::size(values));
}

/// exp(x) * w, then the same of what that gave, and a last negation.
Graph segmentedGraph() {
  TensorType type(DType::float32, {"n"}, CPU());
  Graph graph;
  graph.inputs = {{Input::Role::argument, "x", type},
                  {Input::Role::weight, "v", type},
                  {Input::Role::weight, "w", type}};
  ValueId a = graph.addNode({"exp", {0}, {}, type, ""});
  ValueId b = graph.addNode({"mul", {a, 1}, {}, type, ""});
  ValueId c = graph.addNode({"exp", {b}, {}, type, ""});
  ValueId d = graph.addNode({"mul", {c, 2}, {}, type, ""});
  graph.outputs = {graph.addNode({"neg", {d}, {}, type, ""}), c};
  graph.segments = {{0, 2, 0}, {2, 4, 0}};
  return graph;
}

TEST(Graph, SegmentsTakeAndGiveWhatIsUsedAcrossTheirBorders) {
  std::vector<SegmentUse> uses = segmentUses(segmentedGraph());
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].inputs, (std::vector<ValueId>{0, 1}));
  EXPECT_EQ(uses[0].outputs, (std::vector<ValueId>{4}));
  EXPECT_EQ(uses[1].inputs, (std::vector<ValueId>{4, 2}));
  EXPECT_EQ(uses[1].outputs, (std::vector<ValueId>{5, 6})); // exp too: it is an output
}

TEST(Graph, SegmentTextIsEqualForWhatComputesTheSame) {
  Graph graph = segmentedGraph();
  auto text = [&](std::size_t i) {
    return segmentText(graph, graph.segments[i], segmentUses(graph)[i]);
  };
  EXPECT_NE(text(0), text(1)); // other results are used
  graph.outputs.pop_back();
  EXPECT_EQ(text(0), text(1));
  EXPECT_EQ(text(0), "%0 = argument : [n] f32 cpu:0\n"
                     "%1 = weight : [n] f32 cpu:0\n"
                     "%2 = exp(%0) : [n] f32 cpu:0\n"
                     "%3 = mul(%2, %1) : [n] f32 cpu:0\n"
                     "return %3\n");
  graph.inputs[2].role = Input::Role::argument;
  EXPECT_NE(text(0), text(1)); // a weight is read packed, an argument as it is
}

TEST(Graph, CanonicalTextTellsSegments) {
  Graph graph = segmentedGraph(), flat = graph;
  flat.segments.clear();
  EXPECT_NE(canonicalText(graph), canonicalText(flat));
  Graph other = graph;
  other.segments[1].definition = 1;
  EXPECT_NE(canonicalText(graph), canonicalText(other));
}

} // namespace
