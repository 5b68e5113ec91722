#include "kiln/kiln.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// MAX's tests/graph/utils/test_load_gguf.py. test/data/max.gguf holds its six tensors, written by
/// the package gguf as there.
namespace {

io::GgufFile openExample() {
  const char *data = std::getenv("KILN_TEST_DATA");
  if (!data)
    throw IoError("set KILN_TEST_DATA to the folder test/data");
  return io::openGguf(std::string(data) + "/max.gguf");
}

TEST(MaxGguf, test_load_gguf) {
  auto weights = openExample();
  std::map<std::string, TensorType> types;
  for (auto &[name, tensor] : weights)
    types.emplace(name, tensor.type());
  EXPECT_EQ(types.size(), 6u);
  EXPECT_EQ(types["a"], TensorType(DType::int32, {5, 2}, CPU()));
  EXPECT_EQ(types["b"], TensorType(DType::float64, {1, 2, 3}, CPU()));
  EXPECT_EQ(types["c"], TensorType(DType::float32, {}, CPU()));
  EXPECT_EQ(types["fancy/name"], TensorType(DType::int64, {3}, CPU()));
  EXPECT_EQ(types["bf16"], TensorType(DType::bfloat16, {2}, CPU()));
  EXPECT_EQ(types["quantized"], TensorType(DType::uint8, {2, 144}, CPU()));
}

TEST(MaxGguf, test_load_gguf_values) {
  auto weights = openExample();
  EXPECT_THAT(weights["a"].toVector<int32_t>(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(weights["b"].toVector<double>(), std::vector<double>(6, 3.5));
  EXPECT_EQ(weights["c"].item<float>(), 5432.1f);
  EXPECT_THAT(weights["fancy/name"].toVector<int64_t>(), ElementsAre(1, 2, 3));
  EXPECT_THAT(weights["bf16"].cast(DType::float32).toVector<float>(), ElementsAre(123, 45));
  auto bytes = weights["quantized"].toVector<uint8_t>();
  for (std::size_t i = 0; i < bytes.size(); ++i)
    EXPECT_EQ(bytes[i], i % 256);
  EXPECT_EQ(weights.info("quantized").encoding, QuantizationEncoding::Q4_0);
  EXPECT_EQ(weights.dequantize("quantized").shape(), (Shape{2, 256}));
}

TEST(MaxGguf, test_load_using_prefix) {
  auto weights = openExample();
  EXPECT_EQ(weights.withPrefix("").size(), 6u);
  auto fancy = weights.withPrefix("fancy/");
  EXPECT_THAT(fancy.keys(), ElementsAre("name"));
  EXPECT_EQ(fancy["name"].type(), TensorType(DType::int64, {3}, CPU()));
  EXPECT_EQ(fancy.info("name").typeName, "I64");
  EXPECT_THAT(weights.withPrefix("b").keys(), ElementsAre("", "f16"));
  EXPECT_EQ(weights.withPrefix("none").size(), 0u);
}

TEST(MaxGguf, test_load_same_weight) {
  // Of one name twice in a file, neither can be meant.
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("kiln-same-weight-" + std::to_string(::getpid()));
  {
    std::ofstream file(path, std::ios::binary);
    auto put = [&](auto value) {
      file.write(reinterpret_cast<const char *>(&value), sizeof(value));
    };
    file << "GGUF";
    put(uint32_t{3}), put(uint64_t{2}), put(uint64_t{0});
    for (uint64_t offset : {0, 32}) {
      put(uint64_t{1}), put('a'), put(uint32_t{1}), put(uint64_t{4}), put(uint32_t{0});
      put(offset);
    }
    file << std::string(128, '\0');
  }
  EXPECT_THAT([&] { io::openGguf(path.string()); },
              ThrowsMessage<IoError>(HasSubstr("tensor \"a\", name: already exists")));
  std::filesystem::remove(path);

  // Taken twice from a file it is one weight.
  auto weights = openExample();
  Graph graph("same weight");
  {
    auto scope = graph.enter();
    graph.output(weights["a"] + weights["a"]);
  }
  Tensor sum = graph.compile()();
  EXPECT_THAT(sum.toVector<int32_t>(), ElementsAre(0, 2, 4, 6, 8, 10, 12, 14, 16, 18));
}

} // namespace
