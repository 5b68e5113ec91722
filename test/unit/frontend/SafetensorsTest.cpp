#include "kiln/kiln.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class Safetensors : public testing::Test {
protected:
  Safetensors()
      : folder(std::filesystem::temp_directory_path() /
               ("kiln-safetensors-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder);
  }
  ~Safetensors() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return (folder / name).string(); }

  /// A file of this header and so many bytes of data.
  std::string write(const std::string &header, std::size_t dataBytes,
                    std::optional<uint64_t> headerBytes = {}) const {
    std::ofstream file(path("x"), std::ios::binary);
    uint64_t size = headerBytes.value_or(header.size());
    file.write(reinterpret_cast<const char *>(&size), 8);
    file << header << std::string(dataBytes, '\0');
    return path("x");
  }
  std::string refusal(const std::string &file) const {
    try {
      io::openSafetensors(file);
    } catch (const IoError &error) {
      return error.what();
    }
    ADD_FAILURE() << "the file was accepted";
    return {};
  }

  std::filesystem::path folder;
};

TEST_F(Safetensors, RoundTrip) {
  std::map<std::string, Tensor> state = {{"a", Tensor::constant({{1.5f, -2.0f}})},
                                         {"b.c", Tensor::constant({true, false, true})},
                                         {"empty", Tensor::zeros({0, 4})},
                                         {"half", Tensor::ones({3}, DType::bfloat16)},
                                         {"ids", Tensor::arange(5)}};
  io::saveSafetensors(path("a"), state, {{"format", "pt"}});
  auto file = io::openSafetensors(path("a"));
  EXPECT_THAT(file.keys(), ElementsAre("a", "b.c", "empty", "half", "ids"));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  for (auto &[name, tensor] : file) {
    EXPECT_EQ(tensor.type(), state.at(name).type());
    EXPECT_TRUE(std::ranges::equal(tensor.bytes(), state.at(name).bytes()));
  }
  EXPECT_THROW(file["none"], KeyError);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(Safetensors, TensorsOutliveTheFile) {
  nn::Linear linear(2, 3), other(2, 3);
  io::saveSafetensors(path("a"), linear.stateDict());
  other.loadStateDict(io::openSafetensors(path("a")));
  std::filesystem::remove(path("a"));
  EXPECT_EQ(other.weight.toVector<float>(), linear.weight.toVector<float>());
}

TEST_F(Safetensors, RefusesFilesThatLie) {
  EXPECT_THAT(refusal(path("none")), HasSubstr("none"));
  std::ofstream(path("x")) << "abc";
  EXPECT_THAT(refusal(path("x")), HasSubstr("too few"));
  EXPECT_THAT(refusal(write("{}", 0, 1000)), HasSubstr("header size"));
  EXPECT_THAT(refusal(write("{}", 0, ~uint64_t{0})), HasSubstr("header size"));
  EXPECT_THAT(refusal(write("{\"a\"", 0)), HasSubstr("no JSON"));
  EXPECT_THAT(refusal(write("[]", 0)), HasSubstr("no JSON object"));
  auto entry = [](const std::string &dtype, const std::string &shape, const std::string &offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  EXPECT_THAT(refusal(write(R"({"a":{"dtype":"F32","shape":[1]}})", 4)),
              testing::AllOf(HasSubstr("\"a\""), HasSubstr("data_offsets")));
  EXPECT_THAT(refusal(write(entry("F33", "[1]", "[0,4]"), 4)), HasSubstr("F33"));
  EXPECT_THAT(refusal(write(entry("F32", "[-1]", "[0,4]"), 4)), HasSubstr("shape"));
  EXPECT_THAT(refusal(write(entry("F32", "[1.5]", "[0,4]"), 4)), HasSubstr("shape"));
  EXPECT_THAT(refusal(write(entry("F32", "[4294967296,4294967296]", "[0,4]"), 4)),
              HasSubstr("overflow"));
  EXPECT_THAT(refusal(write(entry("F32", "[2]", "[0,8]"), 4)), HasSubstr("data_offsets"));
  EXPECT_THAT(refusal(write(entry("F32", "[2]", "[0,4]"), 4)), HasSubstr("8"));
  EXPECT_THAT(refusal(write(entry("F32", "[1]", "[4,0]"), 4)), HasSubstr("data_offsets"));
  EXPECT_THAT(refusal(write(entry("F32", "[1]", "[0,4]"), 8)), HasSubstr("no tensor"));
  EXPECT_THAT(refusal(write(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},
                               "b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                            6)),
              HasSubstr("overlaps"));
  EXPECT_THAT(refusal(write(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},
                               "a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                            0)),
              HasSubstr("twice"));
  EXPECT_THAT(refusal(write(R"({"__metadata__":{"x":1}})", 0)), HasSubstr("__metadata__"));
}

TEST_F(Safetensors, ReadsElementsThatAreNotAligned) {
  // The header's length is odd, so the data are too.
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize(header.size() | 1, ' ');
  EXPECT_EQ(io::openSafetensors(write(header, 4))["a"].item<float>(), 0);
}

TEST_F(Safetensors, WritesWholeFilesOrNone) {
  EXPECT_THROW(io::saveSafetensors(path("no/folder"), {{"a", Tensor::zeros({1})}}), IoError);
  EXPECT_THROW(io::saveSafetensors(path("bad"), {{"\xff", Tensor::zeros({1})}}), ValueError);
  EXPECT_FALSE(std::filesystem::exists(path("bad")));
}

} // namespace
