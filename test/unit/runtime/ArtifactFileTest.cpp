#include "runtime/ArtifactFile.h"
#include "runtime/Abi.h"

#include "kiln/Error.h"
#include "runtime/Checksum.h"

#include <gmock/gmock.h>

#include <cstring>
#include <functional>

using namespace kiln;
using namespace kiln::runtime;

namespace {

/// An ELF file of 64 bits without segments and sections.
std::vector<std::byte> emptyElf() {
  std::vector<std::byte> file(64);
  std::memcpy(file.data(),
              "\x7f"
              "ELF\2",
              5);
  return file;
}

Artifact sampleArtifact() {
  Artifact artifact;
  artifact.key = "0123456789abcdef0123456789abcdef";
  artifact.compilerVersion = "kiln 0.1.0";
  artifact.target = "x86-64-v3";
  artifact.symbols = {"batch", "seq"};
  artifact.inputs = {{false, "argument 0", TensorType(DType::int64, {"batch", "seq"}, CPU()), {}},
                     {true,
                      "encoder.weight",
                      TensorType(DType::bfloat16, {384, 384}, CPU(1)),
                      {{Packing::Kind::rowPanels, 48},
                       {Packing::Kind::none, 0},
                       {Packing::Kind::channelsFirstParts, 64}},
                      1}};
  artifact.ranks = 3;
  artifact.outputs = {{TensorType(DType::float32, {Dim("batch") * 4 + 1, 384}, CPU()), {}},
                      {TensorType(DType::int64, {"batch", "seq"}, CPU()), 0u}};
  artifact.constraints = {Dim("batch").between(1, 1024), Dim("seq").multipleOf(8)};
  artifact.workspace = Dim("batch") * Dim("seq") * 1536 + 64;
  artifact.scratchPerThread = 4096;
  artifact.indexSites = {{"[gather] indices [batch, seq] i64", "net.cpp:42"}};
  artifact.kernels = {"linear_0", "attention_1"};
  artifact.costs = {
      {Dim("batch") * 768, 2048, Dim("batch") * 512, DType::bfloat16, "[batch, 8] bf16 -> [batch]"},
      {Dim("batch") * Dim("seq"), 0, 64, DType::float32, ""}};
  artifact.launches = {0, 1, 0};
  for (int i = 0; i < 300; ++i)
    artifact.code.push_back(std::byte(i));
  artifact.entryOffset = 16;
  artifact.device = {"sm_80",
                     ".version 8.0",
                     {{"sm_80", emptyElf()}, {"sm_90a", emptyElf()}},
                     {{"linear_0", 128, 49152, 6}, {"attention_1", 1024, 0, 4}}};
  return artifact;
}

void expectEqual(const Artifact &a, const Artifact &b) {
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.compilerVersion, b.compilerVersion);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.ranks, b.ranks);
  EXPECT_EQ(a.symbols, b.symbols);
  ASSERT_EQ(a.inputs.size(), b.inputs.size());
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    EXPECT_EQ(a.inputs[i].isWeight, b.inputs[i].isWeight);
    EXPECT_EQ(a.inputs[i].name, b.inputs[i].name);
    EXPECT_EQ(a.inputs[i].type, b.inputs[i].type);
    EXPECT_EQ(a.inputs[i].packings, b.inputs[i].packings);
    EXPECT_EQ(a.inputs[i].shardAxis, b.inputs[i].shardAxis);
  }
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    EXPECT_EQ(a.outputs[i].type, b.outputs[i].type);
    EXPECT_EQ(a.outputs[i].aliasOfInput, b.outputs[i].aliasOfInput);
  }
  EXPECT_EQ(a.constraints, b.constraints);
  EXPECT_EQ(a.workspace, b.workspace);
  EXPECT_EQ(a.scratchPerThread, b.scratchPerThread);
  ASSERT_EQ(a.indexSites.size(), b.indexSites.size());
  for (std::size_t i = 0; i < a.indexSites.size(); ++i) {
    EXPECT_EQ(a.indexSites[i].message, b.indexSites[i].message);
    EXPECT_EQ(a.indexSites[i].location, b.indexSites[i].location);
  }
  EXPECT_EQ(a.kernels, b.kernels);
  EXPECT_EQ(a.costs, b.costs);
  EXPECT_EQ(a.launches, b.launches);
  EXPECT_EQ(a.entryOffset, b.entryOffset);
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.device, b.device);
}

/// The error's text; "" if the bytes parse.
std::string failure(std::span<const std::byte> bytes) {
  try {
    parseArtifact(bytes);
    return "";
  } catch (const IoError &error) {
    return error.what();
  }
}

/// Puts the right checksum into bytes that were changed.
void sign(std::vector<std::byte> &bytes) {
  std::span<const std::byte> all = bytes;
  std::span<const std::byte> parts[] = {all.first(48), all.subspan(64)};
  Checksum sum = checksum(parts);
  std::memcpy(&bytes[48], &sum.high, 8);
  std::memcpy(&bytes[56], &sum.low, 8);
}

/// The message for a sample that `change` was done to.
std::string failureOf(const std::function<void(Artifact &)> &change) {
  Artifact artifact = sampleArtifact();
  change(artifact);
  return failure(serialize(artifact));
}

} // namespace

TEST(ArtifactFile, RoundTrip) {
  Artifact artifact = sampleArtifact();
  std::vector<std::byte> bytes = serialize(artifact);
  expectEqual(parseArtifact(bytes), artifact);
  EXPECT_EQ(serialize(artifact), bytes) << "the same artifact gives the same bytes";
  ParsedArtifact parsed = parseArtifactInPlace(bytes);
  EXPECT_TRUE(parsed.artifact.code.empty());
  EXPECT_EQ(parsed.codeOffset % artifactPageBytes, 0u);
  EXPECT_EQ(parsed.codeSizeBytes, artifact.code.size());
}

TEST(ArtifactFile, CutOffAtAnyLength) {
  std::vector<std::byte> bytes = serialize(sampleArtifact());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_NE(failure(std::span(bytes).first(size)), "") << size;
  bytes.push_back(std::byte{0});
  EXPECT_THAT(failure(bytes), testing::HasSubstr("fileBytes"));
}

TEST(ArtifactFile, AnyByteThatChangedIsNoticed) {
  std::vector<std::byte> bytes = serialize(sampleArtifact());
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (std::byte flip : {std::byte{1}, std::byte{0xff}}) {
      bytes[i] ^= flip;
      ASSERT_NE(failure(bytes), "") << i;
      bytes[i] ^= flip;
    }
  EXPECT_EQ(failure(bytes), "");
}

TEST(ArtifactFile, LiesUnderARightChecksumDoNoHarm) {
  // Most changes make another valid artifact or an IoError; none may read beyond the bytes or
  // throw anything else (the sanitizers' build looks closer).
  std::vector<std::byte> bytes = serialize(sampleArtifact());
  std::size_t refused = 0, metadataEnd = 64 + 1000;
  for (std::size_t i = 0; i < metadataEnd; ++i)
    for (int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::vector<std::byte> changed = bytes;
      changed[i] = std::byte(value);
      sign(changed);
      refused += failure(changed) != "";
    }
  EXPECT_GT(refused, 500u);
}

TEST(ArtifactFile, ErrorsNameTheField) {
  std::vector<std::byte> bytes = serialize(sampleArtifact());
  auto changed = [&](std::size_t at, uint32_t value) {
    std::vector<std::byte> copy = bytes;
    std::memcpy(&copy[at], &value, 4);
    sign(copy);
    return failure(copy);
  };
  EXPECT_EQ(failure({}), "artifact: header: the file has only 0 bytes");
  EXPECT_EQ(changed(0, 0), "artifact: magic: this is no artifact");
  EXPECT_EQ(changed(8, 7), "artifact: formatVersion: 7, this program reads 5");
  EXPECT_EQ(changed(12, 9),
            "artifact: abiVersion: 9, this program runs " + std::to_string(KILN_ABI_VERSION));
  EXPECT_THAT(changed(24, 1u << 30), testing::StartsWith("artifact: metadataBytes: "));
  EXPECT_THAT(changed(32, 100), testing::StartsWith("artifact: codeOffset: "));
  EXPECT_THAT(changed(40, 100), testing::StartsWith("artifact: codeBytes: "));
  EXPECT_THAT(changed(64, 1u << 30), testing::StartsWith("artifact: key: is cut off: "));
  std::vector<std::byte> damaged = bytes;
  damaged.back() ^= std::byte{1};
  EXPECT_EQ(failure(damaged), "artifact: checksum: the contents are damaged");

  EXPECT_EQ(failureOf([](Artifact &a) { a.entryOffset = 300; }),
            "artifact: entryOffset: 300 is not below 300");
  EXPECT_EQ(failureOf([](Artifact &a) { a.entryOffset = -1; }),
            "artifact: entryOffset: -1 is not below 300");
  EXPECT_EQ(failureOf([](Artifact &a) { a.outputs[1].aliasOfInput = 2; }),
            "artifact: outputs[1].aliasOfInput: 2 is not below 2");
  EXPECT_EQ(failureOf([](Artifact &a) { a.inputs[1].packings[0].panel = 0; }),
            "artifact: inputs[1].packings[0].panel: 0 is no size of a panel");
  EXPECT_EQ(failureOf([](Artifact &a) { a.inputs[0].type.dtype = DType(77); }),
            "artifact: inputs[0].type.dtype: 77 is not below 13");
  EXPECT_EQ(failureOf([](Artifact &a) { a.inputs[1].shardAxis = 2; }),
            "artifact: inputs[1].shardAxis: 2 is no axis of a weight");
  EXPECT_EQ(failureOf([](Artifact &a) { a.inputs[0].shardAxis = 0; }),
            "artifact: inputs[0].shardAxis: 0 is no axis of a weight");
  EXPECT_EQ(failureOf([](Artifact &a) { a.ranks = 0; }), "artifact: ranks: nobody would run it");
  EXPECT_EQ(failureOf([](Artifact &a) { a.ranks = 5000; }),
            "artifact: ranks: 5000 is not below 1025");
}

TEST(ArtifactFile, CodeForAcceleratorsIsChecked) {
  using testing::HasSubstr;
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.chip = "gfx90a"; }), HasSubstr("device.chip"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.chip = "sm_9x"; }), HasSubstr("device.chip"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.chip = ""; }), HasSubstr("device.chip"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.ptx[3] = '\0'; }), HasSubstr("device.ptx"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.cubins[1].first = "sm_"; }),
              HasSubstr("device.cubins[1].architecture"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.cubins[0].second.pop_back(); }),
              HasSubstr("device.cubins[0].code: is no ELF file"));
  // Tables that lie behind the end: the driver would follow them.
  EXPECT_THAT(failureOf([](Artifact &a) {
                a.device.cubins[0].second[40] = std::byte{8};
                a.device.cubins[0].second[58] = std::byte{64};
                a.device.cubins[0].second[60] = std::byte{1};
              }),
              HasSubstr("device.cubins[0].code"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.kernels[0].threads = 0; }),
              HasSubstr("device.kernels[0].threads"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.kernels[0].threads = 2048; }),
              HasSubstr("device.kernels[0].threads"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.kernels[1].sharedBytes = -1; }),
              HasSubstr("device.kernels[1].sharedBytes"));
  EXPECT_THAT(failureOf([](Artifact &a) { a.device.kernels[1].parameters = 1 << 20; }),
              HasSubstr("device.kernels[1].parameters"));
  EXPECT_EQ(failureOf([](Artifact &a) { a.device = {}; }), "");
}
