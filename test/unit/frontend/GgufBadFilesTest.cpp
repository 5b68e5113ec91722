// Files that lie: always an IoError that names the tensor or metadata entry and the field; never a
// crash, a read outside of the file or an allocation in the size of a lie.
#include "GgufTesting.h"

#include "frontend/gguf/Reader.h"

#include <cstring>
#include <random>
#include <set>
#include <sys/mman.h>
#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KILN_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILN_SANITIZED
#endif

using namespace kiln;
using namespace kiln::test;
using testing::AllOf;
using testing::HasSubstr;

namespace {

class GgufBadFiles : public GgufFolder {
protected:
  /// Expects a refusal that names `subject` and `field`.
  void expectRefusal(const std::string &contents, const std::string &subject,
                     const std::string &field, const std::string &reason = {}) const {
    EXPECT_THAT(refusal(contents),
                AllOf(HasSubstr("[openGguf] "), HasSubstr(path("x")), HasSubstr(subject),
                      HasSubstr(field + ": "), HasSubstr(reason), HasSubstr("GgufTesting.h:")));
  }
};

using Bytes = GgufBytes;

TEST_F(GgufBadFiles, Headers) {
  EXPECT_THROW(io::openGguf(path("none")), IoError);
  EXPECT_THROW(io::openGguf(folder.string()), IoError);
  expectRefusal("", "", "magic", "ends after 0");
  expectRefusal("GGU", "", "magic");
  expectRefusal("GGML" + std::string(100, '\0'), "", "magic", "does not begin");
  expectRefusal("GGUF\3", "", "version");
  expectRefusal(Bytes().header(1, 0).data, "", "tensor count", "1 tensors do not fit");
  expectRefusal(Bytes().header(0, 1).data, "", "metadata count");
  expectRefusal(Bytes().header(UINT64_MAX, 0).withData(1000), "", "tensor count");
  expectRefusal(Bytes().header(0, UINT64_MAX).withData(1000), "", "metadata count");
  expectRefusal(Bytes().header(uint64_t{1} << 61, uint64_t{1} << 61).withData(1000), "", "count");
}

TEST_F(GgufBadFiles, Metadata) {
  auto entry = [](uint32_t type, uint64_t value = 0) {
    return Bytes().header(0, 1).put("key").put(type).put(value);
  };
  const std::string key = "metadata \"key\"";
  expectRefusal(Bytes().header(0, 1).put(UINT64_MAX).withData(100), "metadata entry 0 of 1", "key");
  expectRefusal(Bytes().header(0, 1).put(uint64_t{1000}).withData(100), "entry 0", "key");
  expectRefusal(entry(13).data, key, "type", "no value type 13");
  expectRefusal(entry(UINT32_MAX).data, key, "type");
  expectRefusal(entry(8, 1000).data, key, "value", "1000 bytes");
  expectRefusal(entry(8, UINT64_MAX).data, key, "value");
  expectRefusal(entry(7, 2).data, key, "value", "neither 0 nor 1");
  expectRefusal(Bytes().header(0, 1).put("key").put(uint32_t{10}).put(uint32_t{0}).data, key,
                "value");
  auto array = [](uint32_t type, uint64_t count) {
    return Bytes().header(0, 1).put("key").put(uint32_t{9}).put(type).put(count);
  };
  for (uint32_t type = 0; type <= 12; ++type)
    for (uint64_t count : {uint64_t{1} << 20, uint64_t{1} << 61, UINT64_MAX})
      expectRefusal(array(type, count).withData(100), key, "array length", "do not fit");
  expectRefusal(array(13, 0).data, key, "element type");
  expectRefusal(array(8, 2).put("abc").put(uint64_t{50}).data, key, "value", "50 bytes");
  Bytes deep = array(9, 1);
  for (int i = 0; i < 10000; ++i)
    deep.put(uint32_t{9}).put(uint64_t{1});
  expectRefusal(deep.data, key, "value", "deep");
  expectRefusal(Bytes()
                    .header(0, 2)
                    .put("k")
                    .put(uint32_t{0})
                    .put('a')
                    .put("k")
                    .put(uint32_t{0})
                    .put('b')
                    .data,
                "metadata \"k\"", "key", "already exists");
  auto alignment = [](uint32_t type, auto value) {
    return Bytes().header(0, 1).put("general.alignment").put(type).put(value).data;
  };
  expectRefusal(alignment(10, uint64_t{32}), "general.alignment", "type", "uint64");
  expectRefusal(alignment(4, uint32_t{0}), "general.alignment", "value", "power of two");
  expectRefusal(alignment(4, uint32_t{48}), "general.alignment", "value", "power of two");
}

TEST_F(GgufBadFiles, Tensors) {
  auto one = [](const std::vector<uint64_t> &dims, uint32_t type, uint64_t offset,
                std::size_t numBytes) {
    return Bytes().header(1, 0).tensor("a.b", dims, type, offset).withData(numBytes);
  };
  const std::string tensor = "tensor \"a.b\"";
  EXPECT_EQ(io::openGguf(write(one({2, 3}, typeF32, 0, 24)))["a.b"].shape(), (Shape{3, 2}));
  expectRefusal(Bytes().header(1, 0).put(uint64_t{1} << 62).withData(100), "tensor 0 of 1", "name",
                "the file ends");
  expectRefusal(one({2, 3}, typeF32, 0, 23), tensor, "offset", "24 bytes at 0");
  expectRefusal(one({2, 3}, typeF32, 0, 0), tensor, "offset", "not inside");
  expectRefusal(one({2, 3}, typeF32, 32, 24), tensor, "offset", "not inside");
  expectRefusal(one({2, 3}, typeF32, 16, 64), tensor, "offset", "multiple of the alignment");
  expectRefusal(one({2, 3}, typeF32, UINT64_MAX - 31, 64), tensor, "offset", "not inside");
  expectRefusal(one({2, 3}, 4, 0, 64), tensor, "type", "no tensor type 4");
  expectRefusal(one({2, 3}, UINT32_MAX, 0, 64), tensor, "type");
  expectRefusal(one({48, 3}, typeQ4_0, 0, 640), tensor, "dims", "blocks of 32");
  expectRefusal(one({32, 3}, typeQ4_K, 0, 640), tensor, "dims", "blocks of 256");
  expectRefusal(one({}, typeQ4_K, 0, 640), tensor, "dims", "blocks of 256");
  expectRefusal(one({UINT64_MAX}, typeI8, 0, 64), tensor, "dims", "no size");
  expectRefusal(one({1ull << 32, 1ull << 32}, typeI8, 0, 64), tensor, "dims", "overflows");
  expectRefusal(one({1ull << 62, 1}, typeF32, 0, 64), tensor, "dims", "overflows");
  expectRefusal(one({0, 1ull << 62, 1ull << 62}, typeF32, 0, 64), tensor, "dims", "overflows");
  // Fewer bytes than elements: the elements are counted too.
  expectRefusal(one({256, 1ull << 55}, typeQ4_K, 0, 64), tensor, "dims", "overflows");
  expectRefusal(one(std::vector<uint64_t>(9, 1), typeF32, 0, 64), tensor, "number of dims");
  expectRefusal(Bytes().header(1, 0).put("a.b").put(UINT32_MAX).withData(100), tensor,
                "number of dims");
  // Empty tensors, wherever they are.
  EXPECT_EQ(io::openGguf(write(one({0}, typeF32, 0, 0)))["a.b"].shape(), Shape{0});
  EXPECT_EQ(io::openGguf(write(one({4, 0}, typeF32, 32, 32)))["a.b"].shape(), (Shape{0, 4}));
  auto unpadded = Bytes().header(1, 0).tensor("a.b", {0}, typeF32, 0).data;
  EXPECT_EQ(io::openGguf(write(unpadded))["a.b"].toVector<float>().size(), 0u);

  auto two = [](const std::string &second, uint64_t offset) {
    return Bytes()
        .header(2, 0)
        .tensor("a.b", {16}, typeF32, 32)
        .tensor(second, {12}, typeF32, offset)
        .withData(256);
  };
  expectRefusal(two("a.b", 96), tensor, "name", "already exists");
  expectRefusal(two("c", 64), "tensor \"c\"", "offset", "overlaps tensor \"a.b\"");
  expectRefusal(two("c", 32), "tensor", "offset", "overlaps");
  expectRefusal(two("c", 0), tensor, "offset", "overlaps tensor \"c\"");
  EXPECT_EQ(io::openGguf(write(two("c", 128))).size(), 2u); // holes are allowed
}

TEST_F(GgufBadFiles, NamesAreShortAndCleanInMessages) {
  std::string name = "\x1b[31m\n\"" + std::string(10000, 'x') + "\xff";
  auto message = refusal(Bytes().header(1, 0).tensor(name, {1}, 99, 0).withData(4));
  EXPECT_LT(message.size(), 500u);
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_THAT(message, HasSubstr("\\u001b[31m\\n\\\"xxx"));
}

/// Limits the address space to what is in use and some more, so that a large allocation fails.
class AddressLimit {
public:
  explicit AddressLimit([[maybe_unused]] rlim_t moreBytes) {
    getrlimit(RLIMIT_AS, &before);
#ifndef KILN_SANITIZED
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    rlimit now = before;
    now.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + moreBytes;
    setrlimit(RLIMIT_AS, &now);
#endif
  }
  ~AddressLimit() { setrlimit(RLIMIT_AS, &before); }

private:
  rlimit before{};
};

/// A copy of some bytes, behind which there is nothing to read.
class Guarded {
public:
  explicit Guarded(std::size_t capacity) {
    auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    numBytes = (capacity + page - 1) / page * page;
    begin = static_cast<std::byte *>(
        mmap(nullptr, numBytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(begin + numBytes, page, PROT_NONE);
  }
  ~Guarded() { munmap(begin, numBytes + static_cast<std::size_t>(sysconf(_SC_PAGESIZE))); }
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;

  std::span<const std::byte> hold(const std::string &contents) {
    std::byte *at = begin + numBytes - contents.size();
    std::memcpy(at, contents.data(), contents.size());
    return {at, contents.size()};
  }

private:
  std::size_t numBytes;
  std::byte *begin;
};

/// A valid file with everything in it: values of all types, arrays in arrays, tensors of several
/// formats, one empty.
std::string validFile() {
  std::string name =
      std::filesystem::temp_directory_path() / ("kiln-gguf-valid-" + std::to_string(::getpid()));
  io::GgufMetadata metadata = {
      {"a.uint8", uint8_t{1}},
      {"b.bool", true},
      {"c.string", "text"},
      {"d.strings", std::vector<std::string>{"one", "two", ""}},
      {"e.int64s", std::vector<int64_t>{1, 2, 3}},
      {"f.nested", io::GgufValue(std::vector<io::GgufValue>{std::vector<float>{1, 2},
                                                            std::vector<std::string>{"x"}})},
      {"g.float64", 0.5},
      {"general.alignment", uint32_t{16}}};
  io::saveGguf(name,
               {{"blk.0.weight", Tensor::ones({2, 256})},
                {"blk.0.bias", Tensor::ones({2}, DType::float16)},
                {"empty", Tensor::zeros({0, 3})},
                {"ids", Tensor::arange(6)},
                {"q8", Tensor::ones({3, 32})}},
               metadata,
               {.encodings = {{"blk.0.weight", QuantizationEncoding::Q5_K},
                              {"q8", QuantizationEncoding::Q8_0}}});
  std::ifstream stream(name, std::ios::binary);
  std::string contents(std::istreambuf_iterator<char>(stream), {});
  std::filesystem::remove(name);
  return contents;
}

/// One of many ways to spoil a file. `headerBytes` is where most of the harm is done.
std::string mutated(std::string contents, std::size_t headerBytes, std::mt19937_64 &random) {
  auto below = [&](std::size_t bound) { return random() % std::max<std::size_t>(bound, 1); };
  constexpr uint64_t lies[] = {0,          1,
                               2,          8,
                               255,        65536,
                               0x7fffffff, 0x80000000,
                               0xffffffff, 0x100000000,
                               1ull << 61, 0x7fffffffffffffff,
                               1ull << 63, 0xffffffffffffffe0,
                               UINT64_MAX};
  for (std::size_t times = 1 + below(3); times && !contents.empty(); --times) {
    std::size_t at = below(std::min(headerBytes, contents.size()));
    switch (below(8)) {
    case 0: // one bit
      contents[at] = static_cast<char>(contents[at] ^ (1 << below(8)));
      break;
    case 1: // one byte
      contents[at] = static_cast<char>(random());
      break;
    case 2:   // a length, count, size or offset,
    case 3: { // or something near the one that is there
      uint64_t value = 0;
      std::size_t width = below(2) ? 8 : 4;
      at = std::min(at, contents.size() - std::min(contents.size(), width));
      width = std::min(width, contents.size() - at);
      std::memcpy(&value, contents.data() + at, width);
      value = below(2) ? lies[below(std::size(lies))] : value + below(64) - 32;
      std::memcpy(contents.data() + at, &value, width);
      break;
    }
    case 4: // the file ends too soon
      contents.resize(below(contents.size()));
      break;
    case 5: // something is there twice
      contents.insert(below(std::min(headerBytes, contents.size())),
                      contents.substr(at, below(64)));
      break;
    case 6: // or not at all
      contents.erase(at, below(32));
      break;
    default: // or noise
      for (std::size_t i = at; i < std::min(at + below(16), contents.size()); ++i)
        contents[i] = static_cast<char>(random());
    }
  }
  return contents;
}

/// Reads all that an accepted file has.
std::size_t readAll(const io::GgufFile &file) {
  std::size_t numBytes = testing::PrintToString(file.metadata()).size();
  for (auto &[name, info] : file.infos()) {
    if (!info.isReadable())
      continue;
    numBytes += file[name].bytes().size();
    if (info.encoding || info.dtype == DType::float16)
      numBytes += file.dequantize(name).bytes().size();
  }
  return numBytes;
}

TEST_F(GgufBadFiles, FiftyThousandMutations) {
  const std::string valid = validFile();
  const std::size_t headerBytes = valid.size() - io::openGguf(write(valid)).info("q8").sizeBytes;
  Guarded guarded(valid.size() + 4096);
  std::mt19937_64 random(5);
  std::size_t numAccepted = 0, numBytes = 0;
  std::set<std::string> fields;
  AddressLimit limit(64 << 20); // more than any file here has by far
  for (int round = 0; round < 50000; ++round) {
    std::string contents = mutated(valid, headerBytes, random);
    SCOPED_TRACE(round);
    try {
      if (round % 10 == 0) { // as a whole
        numBytes += readAll(io::openGguf(write(contents)));
      } else {
        io::gguf::Header header = io::gguf::readHeader(guarded.hold(contents), "file");
        for (const auto &entry : header.tensors)
          ASSERT_TRUE(entry.sizeBytes == 0 || (entry.offset <= contents.size() &&
                                               entry.sizeBytes <= contents.size() - entry.offset));
      }
      ++numAccepted;
    } catch (const IoError &error) { // any other error ends the test
      std::string message = error.what();
      ASSERT_LT(message.size(), 2000u);
      // "[openGguf] path: tensor "x", offset: what is wrong": the field.
      std::size_t begin = message.find(": ") + 2, end = message.rfind(": ");
      ASSERT_LT(begin, end) << message;
      bool known = false;
      for (const char *field :
           {"magic", "version", "tensor count", "metadata count", "key", "type", "value",
            "element type", "array length", "name", "number of dims", "dims", "offset"})
        if (message.find(std::string(field) + ": ") != std::string::npos) {
          fields.insert(field);
          known = true;
        }
      ASSERT_TRUE(known) << message;
    }
  }
  EXPECT_EQ(fields.size(), 13u); // all of them were hit
  EXPECT_GT(numAccepted, 1000u);
  EXPECT_GT(numBytes, 0u);
}

TEST_F(GgufBadFiles, EveryTruncation) {
  const std::string valid = validFile();
  Guarded guarded(valid.size());
  for (std::size_t size = 0; size < valid.size(); ++size)
    try {
      io::gguf::readHeader(guarded.hold(valid.substr(0, size)), "file");
      // Only the padding at the end may be missing.
      EXPECT_GT(size + 16, valid.size());
    } catch (const IoError &) {
    }
  EXPECT_EQ(io::gguf::readHeader(guarded.hold(valid), "file").tensors.size(), 5u);
}

} // namespace
