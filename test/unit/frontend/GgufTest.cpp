#include "GgufTesting.h"

#include <cmath>
#include <cstring>

using namespace kiln;
using namespace kiln::test;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class Gguf : public GgufFolder {};

template <class E, class F> std::string messageOf(F f) {
  try {
    f();
  } catch (const E &error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST_F(Gguf, ReadsMetadataOfEveryType) {
  auto file = io::openGguf(ggufData("blocks.gguf"));
  EXPECT_EQ(file.version(), 3u);
  auto value = [&](const std::string &name) { return file.metadata("test." + name); };
  EXPECT_EQ(file.metadata("general.architecture").as<std::string>(), "kiln-test");
  EXPECT_EQ(value("uint8"), io::GgufValue(uint8_t{255}));
  EXPECT_EQ(value("int8"), io::GgufValue(int8_t{-128}));
  EXPECT_EQ(value("uint16"), io::GgufValue(uint16_t{65535}));
  EXPECT_EQ(value("int16"), io::GgufValue(int16_t{-32768}));
  EXPECT_EQ(value("uint32"), io::GgufValue(UINT32_MAX));
  EXPECT_EQ(value("int32"), io::GgufValue(INT32_MIN));
  EXPECT_EQ(value("uint64"), io::GgufValue(UINT64_MAX));
  EXPECT_EQ(value("int64"), io::GgufValue(INT64_MIN));
  EXPECT_EQ(value("float32"), io::GgufValue(0.1f));
  EXPECT_EQ(value("float64"), io::GgufValue(0.1));
  EXPECT_EQ(value("bool"), io::GgufValue(true));
  EXPECT_EQ(value("string").as<std::string>(), "Grüße, 東京\n");
  EXPECT_THAT(value("strings").as<std::vector<std::string>>(),
              ElementsAre("a", "", "long long long long long long long long long long "));
  EXPECT_THAT(value("int32s").as<std::vector<int32_t>>(), ElementsAre(1, -2, 3));
  EXPECT_THAT(value("float32s").as<std::vector<float>>(), ElementsAre(0.5f, -1.5f));
  EXPECT_THAT(value("bools").as<std::vector<bool>>(), ElementsAre(true, false, true));
  io::GgufValue nested = value("nested");
  EXPECT_EQ(nested.elementType(), io::GgufValue::Type::array);
  EXPECT_THAT(nested.as<std::vector<std::vector<int64_t>>>(),
              ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
  EXPECT_THAT(messageOf<KeyError>([&] { file.metadata("none"); }),
              AllOf(HasSubstr("blocks.gguf"), HasSubstr("\"none\""), HasSubstr("GgufTest.cpp:")));
}

TEST_F(Gguf, ValuesConvertWhereNothingIsLost) {
  io::GgufValue small = uint32_t{200}, large = UINT64_MAX, negative = int8_t{-1}, real = 0.1;
  EXPECT_EQ(small.as<int64_t>(), 200);
  EXPECT_EQ(small.as<uint8_t>(), 200);
  EXPECT_EQ(small.as<double>(), 200);
  EXPECT_THROW(small.as<int8_t>(), TypeError);
  EXPECT_EQ(large.as<uint64_t>(), UINT64_MAX);
  EXPECT_THROW(large.as<int64_t>(), TypeError);
  EXPECT_THROW(large.as<double>(), TypeError);
  EXPECT_THROW(io::GgufValue((int64_t{1} << 53) + 1).as<double>(), TypeError);
  EXPECT_EQ(negative.as<int>(), -1);
  EXPECT_THROW(negative.as<uint64_t>(), TypeError);
  EXPECT_THROW(real.as<float>(), TypeError);
  EXPECT_EQ(io::GgufValue(0.5).as<float>(), 0.5f);
  EXPECT_TRUE(std::isnan(io::GgufValue(NAN).as<double>()));
  EXPECT_THROW(real.as<int>(), TypeError);
  EXPECT_THROW(io::GgufValue(true).as<int>(), TypeError);
  EXPECT_THROW(small.as<bool>(), TypeError);
  EXPECT_THAT(messageOf<TypeError>([&] { small.as<std::string>(); }),
              AllOf(HasSubstr("uint32 200"), HasSubstr("a string")));
  EXPECT_THROW(small.size(), TypeError);
  EXPECT_THROW(io::GgufValue(std::vector<int>{1})[1], IndexError);
  EXPECT_THROW(io::GgufValue(std::vector<io::GgufValue>{small}), TypeError);
}

TEST_F(Gguf, PrintsValuesShort) {
  auto text = [](const io::GgufValue &value) { return testing::PrintToString(value); };
  EXPECT_EQ(text(0.1f), "0.1");
  EXPECT_EQ(text("a\"\n\x01"), R"("a\"\n\u0001")");
  EXPECT_EQ(text("\xff"), "\"\uFFFD\"");
  EXPECT_EQ(text(std::vector<int>(32000, 7)), "[7, 7, 7, 7, 7, 7, ... 32000 values]");
  EXPECT_EQ(text(std::vector<bool>{true}), "[true]");
  EXPECT_EQ(text(std::string(1000, 'x')).size(), 120u + 2 + 3);
}

TEST_F(Gguf, DescribesTensors) {
  auto file = io::openGguf(ggufData("blocks.gguf"));
  const io::GgufTensorInfo &packed = file.info("Q6_K.packed");
  EXPECT_EQ(packed.shape, (Shape{2, 1024}));
  EXPECT_EQ(packed.typeName, "Q6_K");
  EXPECT_EQ(packed.encoding, QuantizationEncoding::Q6_K);
  EXPECT_FALSE(packed.dtype);
  EXPECT_EQ(packed.sizeBytes, 2u * 4 * 210);
  EXPECT_EQ(packed.offset % 64, 0u);
  EXPECT_EQ(file["Q6_K.packed"].type(), TensorType(DType::uint8, {2, 4 * 210}, CPU()));
  EXPECT_EQ(file.info("input").dtype, DType::float32);
  EXPECT_TRUE(file.contains("input"));
  EXPECT_FALSE(file.find("none"));
  EXPECT_THAT(messageOf<KeyError>([&] { file["none"]; }),
              AllOf(HasSubstr("\"none\""), HasSubstr("GgufTest.cpp:")));
  EXPECT_EQ(file.size(), 13u);
  EXPECT_EQ(file.keys().size(), 13u);
}

TEST_F(Gguf, SavesAndReads) {
  auto half = Tensor::constant({1.5f, -2.0f, 0.25f}).cast(DType::float16);
  std::map<std::string, Tensor> state = {{"a", Tensor::constant({{1.5f, -2.0f}})},
                                         {"bf", Tensor::ones({3}, DType::bfloat16)},
                                         {"d", Tensor::full({2}, 0.1, DType::float64)},
                                         {"empty", Tensor::zeros({0, 4})},
                                         {"half", half},
                                         {"i16", Tensor::full({2, 3, 5}, -7, DType::int16)},
                                         {"ids", Tensor::arange(5)},
                                         {"scalar", Tensor::constant(3)}};
  io::GgufMetadata metadata = {
      {"general.architecture", "test"},
      {"general.alignment", uint32_t{128}},
      {"x.nested", io::GgufValue(std::vector<io::GgufValue>{std::vector<std::string>{"a", "b"},
                                                            std::vector<double>{}})}};
  io::saveGguf(path("a"), state, metadata);
  auto file = io::openGguf(path("a"));
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.size(), state.size());
  for (auto &[name, tensor] : file) {
    EXPECT_EQ(tensor.type(), state.at(name).type()) << name;
    EXPECT_TRUE(std::ranges::equal(tensor.bytes(), state.at(name).bytes())) << name;
    EXPECT_EQ(file.info(name).offset % 128, 0u);
  }
  EXPECT_THAT(file.dequantize("half").toVector<float>(), ElementsAre(1.5f, -2, 0.25f));
  EXPECT_THAT(file.dequantize("bf").toVector<float>(), ElementsAre(1, 1, 1));
  EXPECT_EQ(file.dequantize("a").data<float>().data(), file["a"].data<float>().data());
  EXPECT_THAT(messageOf<TypeError>([&] { file.dequantize("ids"); }),
              AllOf(HasSubstr("\"ids\""), HasSubstr("I64")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(Gguf, PacksWhereItIsAskedTo) {
  random::seed(1);
  std::map<std::string, Tensor> state = {{"matrix", random::normal({3, 512})},
                                         {"half", random::normal({2, 256}, 0, 1, DType::float16)},
                                         {"narrow", random::normal({4, 100})},
                                         {"norm", random::normal({512})}};
  io::saveGguf(path("a"), state, {},
               {.encoding = QuantizationEncoding::Q4_K,
                .encodings = {{"norm", QuantizationEncoding::Q8_0}}});
  auto file = io::openGguf(path("a"));
  EXPECT_EQ(file.info("matrix").typeName, "Q4_K");
  EXPECT_EQ(file.info("matrix").shape, (Shape{3, 512}));
  EXPECT_EQ(file["matrix"].shape(), (Shape{3, 2 * 144}));
  EXPECT_EQ(file.info("half").typeName, "Q4_K");
  EXPECT_EQ(file.info("narrow").typeName, "F32");
  EXPECT_EQ(file.info("norm").typeName, "Q8_0");
  EXPECT_EQ(file.metadata("general.quantization_version").as<int>(), 2);
  auto packed = quantization::quantize(state.at("matrix"), QuantizationEncoding::Q4_K);
  EXPECT_TRUE(std::ranges::equal(file["matrix"].bytes(), packed.bytes()));

  // Packed bytes go from file to file as they are.
  std::map<std::string, Tensor> again;
  io::SaveGgufOptions options;
  for (auto &[name, tensor] : file) {
    again.emplace(name, tensor);
    options.encodings[name] = file.info(name).encoding;
  }
  io::saveGguf(path("b"), again, file.metadata(), options);
  auto contents = [&](const std::string &name) {
    std::ifstream stream(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  EXPECT_EQ(contents("a"), contents("b"));
}

TEST_F(Gguf, DecodesRows) {
  random::seed(2);
  auto table = random::normal({2, 50, 256});
  io::saveGguf(path("a"), {{"t", table}}, {}, {.encoding = QuantizationEncoding::Q6_K});
  auto file = io::openGguf(path("a"));
  auto whole = file.dequantize("t");
  EXPECT_EQ(whole.shape(), (Shape{2, 50, 256}));
  auto rows = file.dequantizeRows("t", 49, 53);
  EXPECT_EQ(rows.shape(), (Shape{4, 256}));
  EXPECT_TRUE(
      std::ranges::equal(rows.data<float>(), whole.data<float>().subspan(49 * 256, 4 * 256)));
  EXPECT_EQ(file.dequantizeRows("t", 7, 7).shape(), (Shape{0, 256}));
  EXPECT_THROW(file.dequantizeRows("t", 99, 101), IndexError);
  EXPECT_THROW(file.dequantizeRows("t", -1, 1), IndexError);
  EXPECT_THROW(file.dequantizeRows("t", 2, 1), IndexError);
}

TEST_F(Gguf, LoadsModules) {
  nn::Linear linear(2, 3), other(2, 3);
  io::saveGguf(path("a"), {{"layers.0.weight", linear.weight}, {"layers.0.bias", *linear.bias}});
  auto file = io::openGguf(path("a"));
  EXPECT_THROW(other.loadStateDict(file), KeyError);
  other.loadStateDict(file.withPrefix("layers.0."));
  std::filesystem::remove(path("a"));
  EXPECT_EQ(other.weight.toVector<float>(), linear.weight.toVector<float>());
}

TEST_F(Gguf, ListsWhatItCannotRead) {
  GgufBytes bytes;
  bytes.header(2, 0).tensor("a", {64, 3}, typeQ5_1, 0).tensor("b", {4}, typeF32, 160);
  auto file = io::openGguf(write(bytes.withData(176)));
  EXPECT_EQ(file.info("a").typeName, "Q5_1");
  EXPECT_EQ(file.info("a").sizeBytes, 3u * 2 * 24);
  EXPECT_FALSE(file.info("a").isReadable());
  EXPECT_THAT(file.keys(), ElementsAre("a", "b"));
  auto says = AllOf(HasSubstr("\"a\""), HasSubstr("Q5_1"), HasSubstr("Q4_K"), HasSubstr("Q8_0"));
  EXPECT_THAT(messageOf<IoError>([&] { file.find("a"); }), says);
  EXPECT_THAT(messageOf<IoError>([&] { file["a"]; }), says);
  EXPECT_THAT(messageOf<IoError>([&] { file.dequantize("a"); }), says);
  for (auto &[name, tensor] : file)
    if (name == "a")
      EXPECT_THAT(messageOf<IoError>([&, &tensor = tensor] { tensor.bytes(); }), says);
  EXPECT_EQ(file["b"].toVector<float>(), std::vector<float>(4));
}

TEST_F(Gguf, ReadsVersionTwoAndNoOther) {
  auto file = [](uint32_t version) {
    return GgufBytes().header(1, 0, version).tensor("a", {2}, typeI8, 0).withData(2);
  };
  EXPECT_EQ(io::openGguf(write(file(2)))["a"].shape(), Shape{2});
  EXPECT_THAT(refusal(file(1)), AllOf(HasSubstr("version"), HasSubstr("1 is not supported")));
  EXPECT_THAT(refusal(file(4)), HasSubstr("4 is not supported"));
  EXPECT_THAT(refusal(file(0)), HasSubstr("0 is not supported"));
  EXPECT_THAT(refusal(file(0x03000000)), HasSubstr("big-endian"));
}

TEST_F(Gguf, ReadsElementsThatAreNotAligned) {
  GgufBytes bytes;
  bytes.header(1, 1).put("general.alignment").put(uint32_t{4}).put(uint32_t{1});
  bytes.tensor("abc", {2}, typeF32, 1);
  std::string file = bytes.withData(9, 1);
  float values[] = {1.5f, -2};
  std::memcpy(file.data() + file.size() - 8, values, 8);
  EXPECT_THAT(io::openGguf(write(file))["abc"].toVector<float>(), ElementsAre(1.5f, -2));
}

TEST_F(Gguf, RefusesToSaveWhatNoReaderTakes) {
  auto refused = [&](const std::map<std::string, Tensor> &tensors,
                     const io::GgufMetadata &metadata = {},
                     const io::SaveGgufOptions &options = {}) {
    auto message =
        messageOf<ValueError>([&] { io::saveGguf(path("bad"), tensors, metadata, options); });
    EXPECT_TRUE(std::filesystem::is_empty(folder));
    EXPECT_THAT(message, AllOf(HasSubstr("[saveGguf]"), HasSubstr("GgufTest.cpp:")));
    return message;
  };
  io::SaveGgufOptions packed{.encodings = {{"a", QuantizationEncoding::Q4_K}}};
  EXPECT_THAT(refused({{"a", Tensor::zeros({2}, DType::uint8)}}),
              AllOf(HasSubstr("\"a\""), HasSubstr("uint8")));
  EXPECT_THAT(refused({{"a", Tensor::zeros({2}, DType::boolean)}}), HasSubstr("bool"));
  EXPECT_THAT(refused({{"a", Tensor::zeros({2, 100})}}, {}, packed), HasSubstr("256"));
  EXPECT_THAT(refused({{"a", Tensor::zeros({2, 100}, DType::uint8)}}, {}, packed),
              HasSubstr("144"));
  EXPECT_THAT(refused({{"a", Tensor::zeros({2, 256}, DType::int32)}}, {}, packed),
              HasSubstr("int32"));
  EXPECT_THAT(refused({{"a", Tensor::zeros({})}}, {}, packed), HasSubstr("256"));
  EXPECT_THAT(refused({{"b", Tensor::zeros({2})}}, {}, packed), HasSubstr("no such tensor"));
  std::vector<float> values(3 * 256);
  values[600] = INFINITY;
  EXPECT_THAT(refused({{"a", Tensor::fromData(values, {3, 256})}}, {}, packed),
              HasSubstr("512 to 767"));
  EXPECT_THAT(refused({{"a", Tensor::zeros({1, 1, 1, 1, 1, 1, 1, 1, 1})}}), HasSubstr("rank 9"));
  EXPECT_THAT(refused({}, {{"general.alignment", uint32_t{48}}}), HasSubstr("power of two"));
  EXPECT_THAT(refused({}, {{"general.alignment", 32}}), HasSubstr("int32"));
  EXPECT_THAT(refused({}, {{std::string(70000, 'k'), 1}}), HasSubstr("70000 bytes"));
  EXPECT_THROW(io::saveGguf(path("no/folder"), {}), IoError);
}

TEST_F(Gguf, ReportsProgressAndStopsWhereThatThrows) {
  std::map<std::string, Tensor> state = {{"a", Tensor::ones({3 << 20})},
                                         {"b", Tensor::ones({1, 512})}};
  std::vector<uint64_t> seen;
  uint64_t all = (3 << 20) * 4 + 512 * 4;
  io::saveGguf(path("a"), state, {},
               {.encoding = QuantizationEncoding::Q4_0,
                .progress = [&](const std::string &name, uint64_t done, uint64_t total) {
                  EXPECT_EQ(name, done == all ? "b" : "a");
                  EXPECT_EQ(total, all);
                  seen.push_back(done);
                }});
  EXPECT_THAT(seen, ElementsAre(8u << 20, 12u << 20, all));
  std::filesystem::remove(path("a"));
  struct Stop {};
  EXPECT_THROW(io::saveGguf(path("a"), state, {}, {.progress = [](auto &&...) { throw Stop(); }}),
               Stop);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

} // namespace
