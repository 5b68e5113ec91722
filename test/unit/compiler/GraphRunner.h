#pragma once

#include "codegen/Compiler.h"
#include "ir/ShapeRules.h"
#include "runtime/Executable.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace kiln::test {

/// Builds graphs as the frontend does: every node's type comes from ShapeRules.
struct GraphBuilder {
  ir::Graph graph;

  ir::ValueId input(ir::Input::Role role, TensorType type) {
    std::string name = "input " + std::to_string(graph.inputs.size());
    graph.inputs.push_back({role, name, std::move(type)});
    return graph.inputs.size() - 1;
  }
  ir::ValueId argument(Shape shape, DType dtype = DType::float32) {
    return input(ir::Input::Role::argument, TensorType(dtype, std::move(shape), CPU()));
  }
  ir::ValueId weight(Shape shape, DType dtype = DType::float32) {
    return input(ir::Input::Role::weight, TensorType(dtype, std::move(shape), CPU()));
  }
  ir::ValueId node(const char *op, std::vector<ir::ValueId> operands,
                   ir::Attributes attributes = {}) {
    std::vector<TensorType> types;
    for (ir::ValueId operand : operands)
      types.push_back(graph.type(operand));
    ir::Inferred inferred = ir::inferType(op, types, attributes);
    EXPECT_TRUE(inferred) << op << ": " << inferred.message;
    return graph.addNode(
        {op, std::move(operands), std::move(attributes), inferred.type, "test.cpp:1"});
  }
  void output(ir::ValueId value) { graph.outputs.push_back(value); }
};

/// Compiles, with the verifier after every pass.
inline runtime::CompileResult compileGraph(const ir::Graph &graph, std::string target = "native",
                                           std::vector<std::string> disabled = {},
                                           Precision precision = Precision::highest) {
  setenv("KILN_VERIFY", "1", 1);
  runtime::CompileRequest request;
  request.target = std::move(target);
  request.disabledPasses = std::move(disabled);
  request.precision = precision;
  runtime::CompileResult result;
  kilnCompile(graph, request, result);
  return result;
}

inline std::shared_ptr<const runtime::Executable> load(const ir::Graph &graph,
                                                       std::string target = "native",
                                                       std::vector<std::string> disabled = {},
                                                       Precision precision = Precision::highest) {
  runtime::CompileResult result =
      compileGraph(graph, std::move(target), std::move(disabled), precision);
  if (result.error != ErrorKind::none) {
    ADD_FAILURE() << result.message;
    return nullptr;
  }
  return runtime::Executable::load(std::move(result.artifact));
}

template <class T>
runtime::TensorValue tensor(std::vector<int64_t> sizes, const std::vector<T> &values) {
  auto bytes = std::as_bytes(std::span(values));
  return {TensorType(dtypeOf<T>(), Shape(std::span<const int64_t>(sizes)), CPU()),
          runtime::Buffer::copyOf(bytes)};
}

inline std::vector<float> randomFloats(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(generator);
  return values;
}

template <class T> std::vector<T> contents(const runtime::TensorValue &value) {
  const T *data = value.buffer->as<T>();
  return {data, data + value.buffer->sizeBytes() / sizeof(T)};
}

inline std::vector<runtime::TensorValue> run(const runtime::Executable &executable,
                                             const std::vector<runtime::TensorValue> &inputs) {
  std::vector<const runtime::TensorValue *> pointers;
  for (const runtime::TensorValue &input : inputs)
    pointers.push_back(&input);
  return executable.run(pointers);
}

} // namespace kiln::test
