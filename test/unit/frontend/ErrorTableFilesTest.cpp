#include "ErrorTable.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

using namespace kiln;
using namespace kiln::testing;

// Files that are not there, cannot be read, or lie.

namespace {

class ErrorTableFiles : public ::testing::Test {
protected:
  ErrorTableFiles()
      : folder(std::filesystem::temp_directory_path() /
               ("kiln-error-table-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder);
  }
  ~ErrorTableFiles() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return (folder / name).string(); }

  std::string write(const std::string &name, const std::string &bytes) const {
    std::filesystem::remove(path(name)); // some file systems are slow to write over a file
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  /// Opens a file of this header and so many bytes of data.
  void open(const std::string &header, std::size_t dataBytes = 0, Where where = Where::current()) {
    uint64_t size = header.size();
    std::string bytes(reinterpret_cast<const char *>(&size), sizeof(size));
    io::openSafetensors(write("x", bytes + header + std::string(dataBytes, '\0')), where);
  }
  void open(uint64_t headerBytes, const std::string &header, Where where = Where::current()) {
    std::string bytes(reinterpret_cast<const char *>(&headerBytes), sizeof(headerBytes));
    io::openSafetensors(write("x", bytes + header), where);
  }

  std::filesystem::path folder;
};

TEST_F(ErrorTableFiles, Paths) {
  std::string secret = write("secret", "12345678");
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  io::saveSafetensors(path("good"), {{"w", Tensor::ones({2})}});
  auto good = io::openSafetensors(path("good"));
  std::string under = path("good") + "/below", missing = path("missing") + "/file";
  check({
      {Kind::Io, [&] { io::openSafetensors(path("none")); }, {"[openSafetensors]", path("none")}},
      {Kind::Io, [&] { io::openSafetensors(""); }, {"[openSafetensors]", "cannot read"}},
      {Kind::Io,
       [&] { io::openSafetensors(folder.string()); },
       {"[openSafetensors]", folder.string(), "directory"}},
      {Kind::Io, [&] { io::openSafetensors("/dev/null"); }, {"[openSafetensors]", "/dev/null"}},
      {Kind::Io, [&] { io::openSafetensors(under); }, {"[openSafetensors]", under}},
      {Kind::Io,
       [&] { io::openSafetensors(write("empty", "")); },
       {"[openSafetensors]", "0 bytes are too few"}},
      {Kind::Io,
       [&] { io::openSafetensors(write("short", "1234567")); },
       {"[openSafetensors]", "7 bytes are too few"}},
      {Kind::Key, [&] { good["v"]; }, {"[openSafetensors]", path("good"), "\"v\""}},
      {Kind::Io, [&] { io::saveSafetensors(missing, {}); }, {"[saveSafetensors]", missing}},
      {Kind::Io, [&] { io::saveSafetensors(under, {}); }, {"[saveSafetensors]", under}},
      {Kind::Io,
       [&] { io::saveSafetensors(folder.string(), {}); },
       {"[saveSafetensors]", folder.string()}},
      {Kind::Type,
       [&] { io::saveSafetensors(path("y"), {{"w", Tensor()}}); },
       {"[saveSafetensors]", "\"w\"", "empty"}},
      {Kind::Value,
       [&] { io::saveSafetensors(path("y"), {{"__metadata__", Tensor::ones({1})}}); },
       {"[saveSafetensors]", "__metadata__"}},
      {Kind::Value,
       [&] { io::saveSafetensors(path("y"), {{"\xff", Tensor::ones({1})}}); },
       {"[saveSafetensors]", "UTF-8"}},
  });
  if (::geteuid() != 0) // who may read everything
    check({{Kind::Io,
            [&] { io::openSafetensors(secret); },
            {"[openSafetensors]", secret, "denied"}}});
  EXPECT_FALSE(std::filesystem::exists(path("y")));
}

TEST_F(ErrorTableFiles, Headers) {
  const std::string deep(1'000'000, '['), name(100'000, 'n'),
      f32 = R"("dtype":"F32",)", end = R"("shape":[1],"data_offsets":[0,4])",
      behind = R"("shape":[1],"data_offsets":[2,6])",
      twice = "{\"w\":{" + f32 + end + "},\"w\":{" + f32 + end + "}}",
      overlap = "{\"v\":{" + f32 + end + "},\"w\":{" + f32 + behind + "}}";
  auto one = [&](const std::string &fields) { return "{\"w\":{" + f32 + fields + "}}"; };
  check({
      {Kind::Io,
       [&] { open(~uint64_t{0}, "{}"); },
       {"[openSafetensors]", "header size 18446744073709551615", "10 bytes"}},
      {Kind::Io, [&] { open(3, "{}"); }, {"[openSafetensors]", "header size 3"}},
      {Kind::Io, [&] { open(200'000'000, "{}"); }, {"[openSafetensors]", "header size 200000000"}},
      {Kind::Io, [&] { open(uint64_t{1}, "{}"); }, {"[openSafetensors]", "no JSON"}},
      {Kind::Io, [&] { open(""); }, {"[openSafetensors]", "no JSON"}},
      {Kind::Io, [&] { open("[]"); }, {"[openSafetensors]", "no JSON object"}},
      {Kind::Io, [&] { open("null"); }, {"[openSafetensors]", "no JSON object"}},
      {Kind::Io, [&] { open(std::string("\xff\xfe{}")); }, {"[openSafetensors]", "no JSON"}},
      {Kind::Io, [&] { open("{} {}"); }, {"[openSafetensors]", "no JSON"}},
      {Kind::Io, [&] { open(deep); }, {"[openSafetensors]", "nests deeper than 3"}},
      {Kind::Io,
       [&] { open(R"({"w":{"shape":)" + deep); },
       {"[openSafetensors]", "nests deeper than 3"}},
      {Kind::Io,
       [&] { open("{\"" + name + "\":3}"); },
       {"[openSafetensors]", "entry", "no JSON object", "nnn…"}},
      {Kind::Io, [&] { open(R"({"__metadata__":3})"); }, {"[openSafetensors]", "__metadata__"}},
      {Kind::Io,
       [&] { open(R"({"__metadata__":{"a":3}})"); },
       {"[openSafetensors]", "__metadata__, a", "string"}},
      {Kind::Io, [&] { open(R"({"w":3})"); }, {"[openSafetensors]", "tensor \"w\", entry"}},
      {Kind::Io,
       [&] { open(R"({"w":{}})"); },
       {"[openSafetensors]", "tensor \"w\", dtype: missing"}},
      {Kind::Io,
       [&] { open(R"({"w":{"dtype":"F31","shape":[],"data_offsets":[0,4]}})", 4); },
       {"[openSafetensors]", "tensor \"w\", dtype: F31"}},
      {Kind::Io,
       [&] { open(R"({"w":{"dtype":32,"shape":[],"data_offsets":[0,4]}})", 4); },
       {"[openSafetensors]", "\"w\", dtype: not a string"}},
      {Kind::Io,
       [&] { open(one(R"("data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "\"w\", shape: missing"}},
      {Kind::Io,
       [&] { open(one(R"("shape":4,"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "\"w\", shape: not an array"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[-1],"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "\"w\", shape: -1 is no size"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[1.5],"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "shape: 1.5 is no size"}},
      {Kind::Io,
       [&] { open(one(R"("shape":["1"],"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "is no size"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[NaN],"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "no JSON"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[99999999999999999999],"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "is no size"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[4294967296,4294967296],"data_offsets":[0,0])")); },
       {"[openSafetensors]", "\"w\", shape", "overflows"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[2],"data_offsets":[0,4])"), 4); },
       {"[openSafetensors]", "\"w\", data_offsets: 4 bytes", "[2] has 8"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[2],"data_offsets":[0,8])"), 4); },
       {"[openSafetensors]", "[0, 8] is not inside the 4 bytes"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[1],"data_offsets":[4,0])"), 4); },
       {"[openSafetensors]", "data_offsets: [4, 0]"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[1],"data_offsets":[0])"), 4); },
       {"[openSafetensors]", "not two offsets"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[1],"data_offsets":[-4,0])"), 4); },
       {"[openSafetensors]", "not two offsets"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[1],"data_offsets":[4,8])"), 8); },
       {"[openSafetensors]", "bytes 0 to 4", "no tensor"}},
      {Kind::Io,
       [&] { open(one(R"("shape":[1],"data_offsets":[0,4])"), 8); },
       {"[openSafetensors]", "bytes 4 to 8", "no tensor"}},
      {Kind::Io, [&] { open(overlap, 6); }, {"[openSafetensors]", "\"w\"", "[2, 6] overlaps"}},
      {Kind::Io, [&] { open(twice, 4); }, {"[openSafetensors]", "\"w\" is there twice"}},
      {Kind::Io,
       [&] { open(one(f32 + end), 4); },
       {"[openSafetensors]", "\"dtype\" is there twice"}},
  });
}

/// Whatever happens to the bytes of a file: it opens, or it is an IoError that names the file.
TEST_F(ErrorTableFiles, MutatedBytes) {
  io::saveSafetensors(path("valid"),
                      {{"layer.weight", Tensor::ones({2, 3})},
                       {"layer.bias", Tensor::ones({3}, DType::bfloat16)},
                       {"ids", Tensor::arange(4)},
                       {"on", Tensor::constant({true, false})}},
                      {{"format", "pt"}});
  std::ifstream file(path("valid"), std::ios::binary);
  const std::string valid((std::istreambuf_iterator<char>(file)), {});
  std::mt19937_64 random(42);
  auto draw = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  const std::string likely = "0123456789-.,:\"[]{}eEnulltrue\\ ";
  int accepted = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = valid;
    for (std::size_t changes = 1 + draw(4); changes > 0 && !bytes.empty(); --changes) {
      std::size_t at = draw(draw(4) ? std::min<std::size_t>(bytes.size(), 400) : bytes.size());
      char put = draw(2) ? likely[draw(likely.size())] : static_cast<char>(draw(256));
      switch (draw(5)) {
      case 0:
        bytes.insert(at, 1, put);
        break;
      case 1:
        bytes.erase(at, 1 + draw(8));
        break;
      case 2:
        bytes.resize(at + 1);
        break;
      default:
        bytes[at] = put;
      }
    }
    try {
      auto opened = io::openSafetensors(write("x", bytes));
      for (auto &[name, tensor] : opened)
        EXPECT_EQ(Dim(tensor.bytes().size()), tensor.type().sizeBytes());
      ++accepted;
    } catch (const IoError &error) {
      ASSERT_EQ(std::string(error.what()).find("[openSafetensors] "), 0u) << error.what();
      ASSERT_NE(std::string(error.what()).find(path("x")), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 10'000);
}

} // namespace
