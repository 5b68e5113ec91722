#include "kiln/Shape.h"
#include "kiln/Defaults.h"
#include "kiln/Error.h"

#include <gtest/gtest.h>

#include <sstream>
#include <thread>

using namespace kiln;

namespace {

template <class T> std::string printed(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

int64_t rankOf(const Shape &shape) { return shape.rank(); }

TEST(Shape, IsMadeOfNumbersAndNames) {
  EXPECT_EQ((Shape{10, 128}).sizes(), (std::vector<int64_t>{10, 128}));
  EXPECT_EQ((Shape{"batch", 2})[0], Dim("batch"));
  EXPECT_EQ((Shape{"a", "b"}).rank(), 2);
  EXPECT_EQ(Shape{0}.rank(), 1);
  EXPECT_EQ(Shape{}.rank(), 0);
  EXPECT_EQ(rankOf({}), 0);
  EXPECT_EQ(rankOf({0}), 1);
  EXPECT_EQ(rankOf({3, 2}), 2);
  EXPECT_EQ(rankOf({"batch", Dim("n") * 2, int64_t(4), std::size_t(4), 4u}), 5);
  std::vector<int64_t> sizes{2, 3};
  EXPECT_EQ(Shape(sizes), (Shape{2, 3}));
  EXPECT_EQ(Shape(std::vector<Dim>{2, "n"}), (Shape{2, "n"}));
}

TEST(Shape, Axes) {
  Shape shape{2, "n", 4};
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape[-3], 2);
  EXPECT_THROW(shape[3], IndexError);
  EXPECT_THROW(shape[-4], IndexError);
  EXPECT_THROW(Shape{}[0], IndexError);
}

TEST(Shape, Elements) {
  EXPECT_EQ(Shape{}.numElements(), 1);
  EXPECT_EQ((Shape{2, 0, 3}).numElements(), 0);
  EXPECT_EQ((Shape{"batch", 4, 2}).numElements(), 8 * Dim("batch"));
  EXPECT_EQ((Shape{INT64_MAX, 0, 2}).numElements(), 0);
  EXPECT_THROW((Shape{INT64_MAX, 2}).numElements(), ValueError);
}

TEST(Shape, Sizes) {
  EXPECT_TRUE((Shape{2, 3}).isStatic());
  EXPECT_FALSE((Shape{"n", 3}).isStatic());
  EXPECT_THROW((Shape{"n", 3}).sizes(), TypeError);
  EXPECT_EQ((Shape{"n", Dim("n") / 2}).evaluate({{"n", 9}}), (std::vector<int64_t>{9, 4}));
}

TEST(Shape, Text) {
  EXPECT_EQ((Shape{3, "batch", Dim("n") + 1}).str(), "[3, batch, n + 1]");
  EXPECT_EQ(Shape{}.str(), "[]");
  EXPECT_EQ(printed(Shape{4, 16, 256}), "[Dim(4), Dim(16), Dim(256)]");
  EXPECT_EQ(printed(Shape{"n"}), "[Dim(\"n\")]");
}

TEST(TensorType, Basics) {
  TensorType type(DType::float32, {"batch", 2}, CPU(1));
  EXPECT_EQ(type.rank(), 2);
  EXPECT_EQ(type.str(), "[batch, 2] f32");
  EXPECT_EQ(type.sizeBytes(), 8 * Dim("batch"));
  EXPECT_EQ(type, TensorType(DType::float32, {"batch", 2}, CPU(1)));
  EXPECT_NE(type, TensorType(DType::float32, {"batch", 2}, CPU()));
  EXPECT_NE(type, TensorType(DType::float16, {"batch", 2}, CPU(1)));
  EXPECT_EQ(printed(type), "TensorType(float32, [Dim(\"batch\"), Dim(2)], cpu:1)");
}

TEST(TensorType, RefusesNegativeDims) {
  try {
    TensorType(DType::float32, {-1, 2});
    FAIL();
  } catch (const TypeError &error) {
    EXPECT_STREQ(error.what(), "[TensorType] dimensions must be non-negative: [-1, 2] f32");
  }
}

TEST(Defaults, ScopesNestPerThread) {
  EXPECT_EQ(defaults(), std::pair(DType::float32, CPU()));
  {
    DefaultsScope scope(DType::bfloat16, CPU(1));
    EXPECT_EQ(TensorType(DType::int8, {1}).device, CPU(1));
    {
      DefaultsScope inner(DType::int32);
      EXPECT_EQ(defaults(), std::pair(DType::int32, CPU(1)));
      DefaultsScope accelerator(Accelerator());
      EXPECT_EQ(defaults(), std::pair(DType::bfloat16, Accelerator()));
    }
    EXPECT_EQ(defaults(), std::pair(DType::bfloat16, CPU(1)));
    std::thread([] { EXPECT_EQ(defaults(), std::pair(DType::float32, CPU())); }).join();
  }
  EXPECT_EQ(defaults(), std::pair(DType::float32, CPU()));
}

TEST(Device, Text) {
  EXPECT_EQ(CPU().str(), "cpu:0");
  EXPECT_EQ(printed(Accelerator(1)), "gpu:1");
  EXPECT_EQ(DeviceRef::GPU(1), Accelerator(1));
  EXPECT_NE(CPU(0), CPU(1));
}

TEST(Error, KindsAreClasses) {
  EXPECT_THROW(throwError(ErrorKind::value, "m"), ValueError);
  EXPECT_THROW(throwError(ErrorKind::type, "m"), TypeError);
  EXPECT_THROW(throwError(ErrorKind::key, "m"), KeyError);
  EXPECT_THROW(throwError(ErrorKind::index, "m"), IndexError);
  EXPECT_THROW(throwError(ErrorKind::device, "m"), DeviceError);
  EXPECT_THROW(throwError(ErrorKind::compile, "m"), CompileError);
  EXPECT_THROW(throwError(ErrorKind::io, "m"), IoError);
}

TEST(Error, LocationNamesFileAndLine) {
  int line = __LINE__ + 1;
  std::string text = atLocation(std::source_location::current());
  EXPECT_EQ(text, " (at ShapeTest.cpp:" + std::to_string(line) + ")");
}

} // namespace
