#pragma once

#include "ir/ShapeRules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

/// What the tests of the shape rules share.
namespace kiln::ir::test {

using testing::HasSubstr;
using enum DType;

inline const Dim n("n"), m("m"), b("b");

inline TensorType f32(Shape shape) { return {float32, std::move(shape), CPU()}; }
inline TensorType i64(Shape shape) { return {int64, std::move(shape), CPU()}; }
inline TensorType b1(Shape shape) { return {boolean, std::move(shape), CPU()}; }

inline Inferred infer(std::string_view op, const std::vector<TensorType> &operands,
                      const Attributes &attributes = {}) {
  return inferType(op, operands, attributes);
}

inline void expectType(const Inferred &inferred, const TensorType &type) {
  EXPECT_TRUE(inferred) << inferred.label << ": " << inferred.message;
  EXPECT_EQ(inferred.type, type) << inferred.type << ", expected " << type;
}

inline void expectError(const Inferred &inferred, ErrorKind kind, std::string_view label,
                        const std::string &message) {
  EXPECT_EQ(inferred.error, kind) << inferred.message;
  EXPECT_EQ(inferred.label, label);
  EXPECT_EQ(inferred.message, message);
}

using Axes = std::vector<int64_t>;
inline Attributes axis(int64_t value) { return {{"axis", value}}; }
inline Attributes shape(Shape value) { return {{"shape", std::move(value)}}; }

} // namespace kiln::ir::test
