#include "runtime/Packing.h"

#include "kiln/Error.h"
#include "runtime/Buffer.h"
#include "runtime/HostMemory.h"
#include "runtime/MappedFile.h"
#include "runtime/Unpacking.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <thread>

using namespace kiln;
using namespace kiln::runtime;

namespace {

constexpr Packing rows(int64_t panel) { return {Packing::Kind::rowPanels, panel}; }
constexpr Packing columns(int64_t panel) { return {Packing::Kind::columnPanels, panel}; }

TensorType typeOf(DType dtype, std::vector<int64_t> sizes) {
  return TensorType(dtype, Shape(std::span<const int64_t>(sizes)), CPU());
}

constexpr Packing filter(int64_t panel) { return {Packing::Kind::filterPanels, panel}; }
constexpr Packing channelsFirst(int64_t panel) {
  return {Packing::Kind::channelsFirstPanels, panel};
}

/// Element `position` of the packed copy, read off Artifact.h's definition; -1 for padding.
int64_t sourceOf(const Packing &packing, const MatrixShape &shape, int64_t position) {
  bool byRows = packing.kind == Packing::Kind::rowPanels;
  int64_t n = byRows ? shape.rows : shape.columns, k = byRows ? shape.columns : shape.rows;
  int64_t panels = (n + packing.panel - 1) / packing.panel;
  int64_t j = position % packing.panel, at = position / packing.panel % k;
  int64_t panel = position / packing.panel / k % panels;
  int64_t matrix = position / packing.panel / k / panels;
  int64_t row = panel * packing.panel + j;
  if (row >= n)
    return -1;
  return matrix * n * k + (byRows ? row * k + at : at * n + row);
}

template <class T>
void checkPacking(DType dtype, const Packing &packing, std::vector<int64_t> sizes) {
  TensorType type = typeOf(dtype, sizes);
  MatrixShape shape = matrixShape(packing, type);
  std::vector<T> source(shape.matrices * shape.rows * shape.columns);
  std::iota(source.begin(), source.end(), T(1));
  auto buffer = Buffer::copyOf(std::as_bytes(std::span(source)));
  std::shared_ptr<const Buffer> packed = buffer->packed(packing, type);
  int64_t elements = int64_t(packed->sizeBytes() / sizeof(T));
  for (int64_t i = 0; i < elements; ++i) {
    int64_t from = sourceOf(packing, shape, i);
    ASSERT_EQ(packed->template as<T>()[i], from < 0 ? T(0) : source[from])
        << type.str() << " panel " << packing.panel << " position " << i;
  }
  std::shared_ptr<const Buffer> dense = unpacked(*packed, packing, type);
  ASSERT_EQ(dense->sizeBytes(), buffer->sizeBytes());
  EXPECT_TRUE(std::equal(source.begin(), source.end(), dense->template as<T>())) << type.str();
}

} // namespace

TEST(Packing, FollowsTheDefinition) {
  for (std::vector<int64_t> sizes : std::vector<std::vector<int64_t>>{
           {1, 1}, {3, 2}, {16, 16}, {48, 64}, {50, 37}, {33, 129}, {2, 3, 17, 19}, {384, 100}})
    for (int64_t panel : {1, 4, 6, 16, 48, 64})
      for (const Packing &packing : {rows(panel), columns(panel)}) {
        checkPacking<uint8_t>(DType::uint8, packing, sizes);
        checkPacking<uint16_t>(DType::bfloat16, packing, sizes);
        checkPacking<uint32_t>(DType::float32, packing, sizes);
        checkPacking<uint64_t>(DType::int64, packing, sizes);
      }
}

TEST(Packing, FiltersAreTheSameInBothLayouts) {
  const int64_t outputs = 21, channels = 5, taps = 6, depth = channels * taps;
  std::vector<float> last(depth * outputs), first(last.size());
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        first[(n * channels + c) * taps + tap] = last[(tap * channels + c) * outputs + n] =
            float(n * depth + c * taps + tap + 1);
  for (int64_t panel : {4, 16, 32}) {
    auto packedAs = [&](const std::vector<float> &values, const Packing &packing,
                        std::vector<int64_t> sizes) {
      auto packed = Buffer::copyOf(std::as_bytes(std::span(values)))
                        ->packed(packing, typeOf(DType::float32, sizes));
      return std::vector<float>(packed->as<float>(),
                                packed->as<float>() + packed->sizeBytes() / sizeof(float));
    };
    auto expected = packedAs(last, columns(panel), {depth, outputs});
    EXPECT_EQ(packedAs(last, filter(panel), {2, 3, channels, outputs}), expected);
    EXPECT_EQ(packedAs(last, filter(panel), {taps, channels, outputs}), expected);
    EXPECT_EQ(packedAs(first, channelsFirst(panel), {outputs, channels, 2, 3}), expected);
  }
}

TEST(Packing, FiltersAreUnpacked) {
  const std::vector<int64_t> sizes = {6, 5, 3, 2};
  TensorType type = typeOf(DType::float32, sizes);
  std::vector<float> values(6 * 5 * 3 * 2);
  std::iota(values.begin(), values.end(), 1.0f);
  auto buffer = Buffer::copyOf(std::as_bytes(std::span(values)));
  for (const Packing &packing : {filter(4), channelsFirst(4), Packing{}}) {
    auto dense = unpacked(*buffer->packed(packing, type), packing, type);
    ASSERT_EQ(dense->sizeBytes(), buffer->sizeBytes());
    EXPECT_TRUE(std::equal(values.begin(), values.end(), dense->as<float>()));
  }
}

// packed[n / panel][k / 2][n % panel][k % 2], of bfloat16 and of float32 rounded to it.
TEST(Packing, PairsFollowTheDefinition) {
  using Kind = Packing::Kind;
  auto narrow = [](float value) { // exact: small integers
    return uint16_t(std::bit_cast<uint32_t>(value) >> 16);
  };
  for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {3, 2}, {50, 37}, {64, 64}, {130, 6}})
    for (int64_t panel : {4, 16, 64}) {
      const int64_t panels = (n + panel - 1) / panel, pairs = (k + 1) / 2;
      std::vector<uint16_t> expected(panels * pairs * panel * 2, 0);
      // Element (j, p) is j + 128 * (p % 2): exact in bfloat16.
      auto value = [](int64_t j, int64_t p) { return float(j % 128 + (p % 2 ? 128 : 0)); };
      for (int64_t j = 0; j < n; ++j)
        for (int64_t p = 0; p < k; ++p)
          expected[((j / panel * pairs + p / 2) * panel + j % panel) * 2 + p % 2] =
              narrow(value(j, p));
      for (Kind kind : {Kind::rowPairs, Kind::columnPairs, Kind::filterPairs}) {
        std::vector<float> wide(n * k);
        for (int64_t j = 0; j < n; ++j)
          for (int64_t p = 0; p < k; ++p)
            wide[kind == Kind::rowPairs ? j * k + p : p * n + j] = value(j, p);
        std::vector<uint16_t> halves(wide.size());
        std::transform(wide.begin(), wide.end(), halves.begin(), narrow);
        std::vector<int64_t> sizes = {kind == Kind::rowPairs ? n : k,
                                      kind == Kind::rowPairs ? k : n};
        if (kind == Kind::filterPairs)
          sizes.insert(sizes.begin(), 1);
        for (bool isWide : {false, true}) {
          auto source = isWide ? std::as_bytes(std::span(wide)) : std::as_bytes(std::span(halves));
          auto packed = Buffer::copyOf(source)->packed(
              {kind, panel}, typeOf(isWide ? DType::float32 : DType::bfloat16, sizes));
          ASSERT_EQ(packed->sizeBytes(), expected.size() * 2);
          EXPECT_TRUE(std::equal(expected.begin(), expected.end(), packed->as<uint16_t>()))
              << n << "x" << k << " panel " << panel << " kind " << int(kind) << " " << isWide;
        }
      }
    }
}

TEST(Packing, PairsOfBFloat16AreUnpacked) {
  using Kind = Packing::Kind;
  for (std::vector<int64_t> sizes :
       {std::vector<int64_t>{3, 2}, {50, 37}, {2, 9, 70}, {300, 257}}) {
    TensorType type = typeOf(DType::bfloat16, sizes);
    std::vector<uint16_t> values(matrixShape({}, type).columns);
    std::iota(values.begin(), values.end(), uint16_t(1));
    auto buffer = Buffer::copyOf(std::as_bytes(std::span(values)));
    for (Kind kind :
         {Kind::rowPairs, Kind::columnPairs, Kind::filterPairs, Kind::channelsFirstPairs}) {
      Packing packing{kind, 16};
      auto dense = unpacked(*buffer->packed(packing, type), packing, type);
      ASSERT_EQ(dense->sizeBytes(), buffer->sizeBytes());
      EXPECT_TRUE(std::equal(values.begin(), values.end(), dense->as<uint16_t>())) << int(kind);
    }
  }
  TensorType wide = typeOf(DType::float32, {2, 2});
  const std::vector<float> zeros(4);
  auto packed = Buffer::copyOf(std::as_bytes(std::span(zeros)))->packed({Kind::rowPairs, 4}, wide);
  EXPECT_THROW(unpacked(*packed, {Kind::rowPairs, 4}, wide), CompileError);
}

TEST(Packing, PairsRoundToNearestEven) {
  std::vector<float> values = {1 + 0x1p-8f,        1 + 0x1.8p-7f,   1 + 0x1.01p-8f, -0x1p-130f,
                               0x1.ffp127f * 1.0f, 0x1.fffffep127f, std::nanf(""),  -0.0f};
  std::vector<uint16_t> expected = {0x3f80, 0x3f82, 0x3f81, 0x8008, 0x7f80, 0x7f80, 0x7fc0, 0x8000};
  auto packed = Buffer::copyOf(std::as_bytes(std::span(values)))
                    ->packed({Packing::Kind::rowPairs, 1}, typeOf(DType::float32, {1, 8}));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), packed->as<uint16_t>()));
}

/// What the lower 16 bits of a float32 are zeros behind.
float widened(uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); }

TEST(Packing, PartsAddUpToTheNumbers) {
  using Kind = Packing::Kind;
  for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {3, 2}, {50, 37}, {64, 64}, {130, 6}}) {
    const int64_t panel = 16, panels = (n + panel - 1) / panel, pairs = (k + 1) / 2;
    auto value = [](int64_t j, int64_t p) {
      return std::sin(float(j * 251 + p + 1)) * std::exp2(float(p % 20));
    };
    for (Kind kind :
         {Kind::rowParts, Kind::columnParts, Kind::filterParts, Kind::channelsFirstParts}) {
      const bool byRows = kind == Kind::rowParts || kind == Kind::channelsFirstParts;
      std::vector<float> source(n * k);
      for (int64_t j = 0; j < n; ++j)
        for (int64_t p = 0; p < k; ++p)
          source[byRows ? j * k + p : p * n + j] = value(j, p);
      std::vector<int64_t> sizes = {byRows ? n : k, byRows ? k : n};
      auto packed = Buffer::copyOf(std::as_bytes(std::span(source)))
                        ->packed({kind, panel}, typeOf(DType::float32, sizes));
      ASSERT_EQ(packed->sizeBytes(), std::size_t(panels * 2 * pairs * panel * 4));
      auto *halves = packed->as<uint16_t>();
      for (int64_t j = 0; j < panels * panel; ++j)
        for (int64_t p = 0; p < pairs * 2; ++p) {
          auto at = [&](int64_t part) {
            return widened(
                halves[(((j / panel * 2 + part) * pairs + p / 2) * panel + j % panel) * 2 + p % 2]);
          };
          if (j >= n || p >= k) {
            EXPECT_EQ(at(0), 0);
            EXPECT_EQ(at(1), 0);
            continue;
          }
          // To nearest of 8 bits, and what that leaves likewise.
          EXPECT_LE(std::abs(at(0) - value(j, p)), std::abs(value(j, p)) * 0x1p-8f);
          EXPECT_LE(std::abs(at(0) + at(1) - value(j, p)), std::abs(value(j, p)) * 0x1p-17f);
        }
    }
  }
  TensorType type = typeOf(DType::float32, {2, 2});
  const std::vector<float> zeros(4);
  auto packed = Buffer::copyOf(std::as_bytes(std::span(zeros)))->packed({Kind::rowParts, 4}, type);
  EXPECT_THROW(unpacked(*packed, {Kind::rowParts, 4}, type), CompileError);
  EXPECT_THROW(matrixShape({Kind::rowParts, 64}, typeOf(DType::bfloat16, {4, 4})), ValueError);
}

TEST(Packing, FiltersInPairsAreTheSameInBothLayouts) {
  const int64_t outputs = 21, channels = 5, taps = 5, depth = channels * taps;
  std::vector<float> last(depth * outputs), first(last.size());
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t tap = 0; tap < taps; ++tap)
        first[(n * channels + c) * taps + tap] = last[(tap * channels + c) * outputs + n] =
            float(n * depth + c * taps + tap + 1);
  using Kind = Packing::Kind;
  auto a = Buffer::copyOf(std::as_bytes(std::span(last)))
               ->packed({Kind::columnPairs, 16}, typeOf(DType::float32, {depth, outputs}));
  auto b = Buffer::copyOf(std::as_bytes(std::span(first)))
               ->packed({Kind::channelsFirstPairs, 16},
                        typeOf(DType::float32, {outputs, channels, taps}));
  ASSERT_EQ(a->sizeBytes(), b->sizeBytes());
  EXPECT_EQ(std::memcmp(a->as<uint16_t>(), b->as<uint16_t>(), a->sizeBytes()), 0);
}

TEST(Packing, PairsOfOtherTypesAreRefused) {
  EXPECT_THROW(matrixShape({Packing::Kind::rowPairs, 64}, typeOf(DType::float16, {4, 4})),
               ValueError);
}

TEST(Packing, EmptyMatrices) {
  checkPacking<uint32_t>(DType::float32, rows(16), {0, 5});
  checkPacking<uint32_t>(DType::float32, rows(16), {5, 0});
  checkPacking<uint32_t>(DType::float32, columns(16), {0, 3, 3});
}

TEST(Packing, CopiesAreMadeOnceAndFreedWithTheSource) {
  int64_t before = memoryUsage(CPU()).heldBytes;
  {
    std::vector<float> values(64 * 64, 1.5f);
    auto source = Buffer::copyOf(std::as_bytes(std::span(values)));
    TensorType type = typeOf(DType::float32, {64, 64});
    std::shared_ptr<const Buffer> copies[4];
    std::vector<std::thread> threads;
    for (auto &copy : copies)
      threads.emplace_back([&] { copy = source->packed(rows(16), type); });
    for (std::thread &thread : threads)
      thread.join();
    for (auto &copy : copies)
      EXPECT_EQ(copy, copies[0]);
    EXPECT_NE(source->packed(rows(32), type), copies[0]);
    EXPECT_NE(source->packed(columns(16), type), copies[0]);
    EXPECT_NE(source->packed(rows(16), typeOf(DType::float32, {32, 128})), copies[0]);
    EXPECT_EQ(source->packed(Packing{}, type), source) << "dense contents need no copy";
    EXPECT_EQ(memoryUsage(CPU()).heldBytes - before, 5 * 64 * 64 * 4);
  }
  EXPECT_EQ(memoryUsage(CPU()).heldBytes, before);
}

TEST(Packing, UnalignedContentsAreCopied) {
  std::string path = testing::TempDir() + "kiln-packing-test-" + std::to_string(::getpid());
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  {
    std::ofstream file(path, std::ios::binary);
    file << "x";
    file.write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  }
  auto buffer = Buffer::ofFile(MappedFile::open(path), 1, 24);
  std::filesystem::remove(path);
  TensorType type = typeOf(DType::float32, {2, 3});
  auto dense = buffer->packed(Packing{}, type);
  EXPECT_NE(dense, buffer);
  EXPECT_EQ(std::memcmp(dense->data(), values.data(), 24), 0);
  EXPECT_EQ(buffer->packed(Packing{}, type), dense);
  auto panels = buffer->packed(rows(4), type);
  EXPECT_EQ(panels->as<float>()[0], 1);
  EXPECT_EQ(panels->as<float>()[1], 4);
  EXPECT_EQ(panels->as<float>()[2], 0);
}

TEST(Packing, PagesOfAPackedFileLeaveMemory) {
  constexpr int64_t n = 1024; // 4 MB
  std::string path = testing::TempDir() + "kiln-packing-pages-test-" + std::to_string(::getpid());
  {
    std::ofstream file(path, std::ios::binary);
    std::vector<float> values(n * n, 2.5f);
    file.write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  }
  auto mapped = MappedFile::open(path);
  auto buffer = Buffer::ofFile(mapped, 0, n * n * sizeof(float));
  std::filesystem::remove(path);
  auto residentKilobytes = [&] {
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    std::ostringstream address;
    address << std::hex << reinterpret_cast<uintptr_t>(mapped->bytes().data());
    long kilobytes = -1;
    bool found = false;
    while (std::getline(maps, line)) {
      found = found || line.starts_with(address.str() + "-");
      if (found && std::sscanf(line.c_str(), "Rss: %ld kB", &kilobytes) == 1)
        break;
    }
    return kilobytes;
  };
  float sum = std::accumulate(buffer->as<float>(), buffer->as<float>() + n * n, 0.0f);
  EXPECT_GT(sum, 0);
  long before = residentKilobytes();
  if (before < 4096)
    GTEST_SKIP() << "the system does not say what is resident";
  auto packed = buffer->packed(rows(16), typeOf(DType::float32, {n, n}));
  EXPECT_LT(residentKilobytes(), 100);
  EXPECT_EQ(packed->as<float>()[n * n - 1], 2.5f);
  EXPECT_EQ(buffer->as<float>()[12345], 2.5f) << "read again when touched";
}

TEST(Packing, Errors) {
  auto buffer = Buffer::allocate(16);
  EXPECT_THROW(buffer->packed(rows(16), typeOf(DType::float32, {4})), ValueError);
  EXPECT_THROW(buffer->packed(rows(16), typeOf(DType::float32, {4, 4})), ValueError);
  EXPECT_THROW(buffer->packed(rows(0), typeOf(DType::float32, {2, 2})), ValueError);
}
