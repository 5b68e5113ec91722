#include "kiln/kiln.h"

#include "runtime/ArtifactCache.h"
#include "standin/StandIn.h"
#include "tools/common/minilm/Bert.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;

namespace {

/// A small sentence encoder, whole, executed from its PTX.
class EncoderTest : public testing::TestWithParam<bool> {
protected:
  EncoderTest() : scope(DType::float32, CPU()) { random::seed(31); }
  void TearDown() override {
    standin::forgive();
    standin::machine().isReversed = false;
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
  }
  static tools::SentenceEncoder make() {
    tools::SentenceEncoder model({.vocabulary = 50,
                                  .positions = 24,
                                  .segments = 2,
                                  .hidden = 32,
                                  .intermediate = 64,
                                  .layers = 2,
                                  .heads = 4});
    model.applyToParameters([](const std::string &, const Tensor &weight) {
      Tensor drawn = random::uniform(weight.shape(), -0.3, 0.3, DType::float32);
      drawn.realize();
      return drawn;
    });
    return model;
  }
  static void expectNear(const std::vector<float> &got, const std::vector<float> &expected) {
    ASSERT_EQ(got.size(), expected.size());
    float largest = 0;
    for (float one : expected)
      largest = std::max(largest, std::fabs(one));
    ASSERT_GT(largest, 0);
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], 1e-5f * largest) << i;
  }
  DefaultsScope scope;
};

TEST_P(EncoderTest, eagerCompiledAndFromTheArtifact) {
  standin::machine().isReversed = GetParam();
  tools::SentenceEncoder model = make();
  Tensor ids = random::uniform({3, 11}, 0, 50, DType::int64);
  Tensor mask = random::uniform({3, 11}, 0, 4, DType::int64);
  std::vector<float> expected = model(ids, mask).toVector<float>();

  model.to(Accelerator());
  Tensor idsThere = ids.to(Accelerator()), maskThere = mask.to(Accelerator());
  int64_t launches = standin::calls("cuLaunchKernel");
  expectNear(model(idsThere, maskThere).toVector<float>(), expected);
  EXPECT_GT(standin::calls("cuLaunchKernel"), launches);

  TensorType type(DType::int64, {"texts", "tokens"}, Accelerator());
  auto compiled = model.compile(type, type);
  std::vector<float> first = compiled(idsThere, maskThere).toVector<float>();
  expectNear(first, expected);
  EXPECT_EQ(compiled(idsThere, maskThere).toVector<float>(), first); // recorded
  EXPECT_EQ(compiled(idsThere, maskThere).toVector<float>(), first); // replayed

  runtime::ArtifactCache::instance().clearMemory();
  auto loaded = model.compile(type, type);
  EXPECT_EQ(loaded.stats().cacheHit, CacheHit::disk);
  EXPECT_EQ(loaded(idsThere, maskThere).toVector<float>(), first);
  // Other sizes: each text as if it were alone, which padding that is masked does not change.
  for (int64_t text = 0; text < 3; ++text) {
    Tensor one = ids.slice({Slice(text, text + 1)}), its = mask.slice({Slice(text, text + 1)});
    std::vector<float> alone =
        loaded(one.to(Accelerator()), its.to(Accelerator())).toVector<float>();
    expectNear(alone, {expected.begin() + text * 32, expected.begin() + (text + 1) * 32});
  }
}

TEST_P(EncoderTest, anIdBeyondTheVocabularyIsAnError) {
  standin::machine().isReversed = GetParam();
  tools::SentenceEncoder model = make();
  model.to(Accelerator());
  TensorType type(DType::int64, {"texts", "tokens"}, Accelerator());
  auto compiled = model.compile(type, type);
  std::vector<int64_t> ids{3, 50, 7};
  Tensor x = Tensor::fromData(std::span<const int64_t>(ids), {1, 3}).to(Accelerator());
  Tensor mask = Tensor::ones({1, 3}, DType::int64, Accelerator());
  try {
    compiled(x, mask).realize();
    FAIL() << "no error";
  } catch (const IndexError &error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("index 50 at position 1 is out of range [0, 50)"));
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, EncoderTest, testing::Bool(), [](const auto &info) {
  return info.param ? "lastToFirst" : "firstToLast";
});

} // namespace
