#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using testing::HasSubstr;

namespace {

class RanksTest : public testing::Test {
protected:
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
  }
  static nn::embedding::VocabParallelEmbedding embeddingOn(std::vector<Device> devices) {
    nn::embedding::VocabParallelEmbedding embedding({.vocabSize = 11,
                                                     .hiddenDim = 4,
                                                     .dtype = DType::float32,
                                                     .devices = devices,
                                                     .name = "tokens"});
    std::map<std::string, Tensor> state;
    state["weight"] = Tensor::arange(0, 44, 1, DType::float32, CPU()).reshape({11, 4});
    embedding.loadStateDict(state);
    return embedding;
  }
};

TEST_F(RanksTest, aTableInPartsGivesTheSameOnEachDevice) {
  auto embedding = embeddingOn({Accelerator(0), Accelerator(1)});
  auto indices = Tensor::constant({int64_t{10}, int64_t{0}, int64_t{6}}).to(Accelerator(0));
  std::vector<Tensor> rows = embedding(indices);
  ASSERT_EQ(rows.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(rows[static_cast<std::size_t>(i)].device(), Accelerator(i));
    EXPECT_EQ(rows[static_cast<std::size_t>(i)].toVector<float>(),
              (std::vector<float>{40, 41, 42, 43, 0, 1, 2, 3, 24, 25, 26, 27}));
  }
}

TEST_F(RanksTest, indicesAreCheckedOnAllDevices) {
  auto embedding = embeddingOn({Accelerator(0), Accelerator(1)});
  auto indices = Tensor::constant({int64_t{10}, int64_t{11}}).to(Accelerator(0));
  try {
    embedding(indices)[1].realize();
    FAIL() << "no error";
  } catch (const IndexError &error) {
    EXPECT_THAT(error.what(), HasSubstr("index 11 at position 1 is out of range [0, 11)"));
  }
  auto good = Tensor::constant({int64_t{1}}).to(Accelerator(0));
  EXPECT_EQ(embedding(good)[1].toVector<float>(), (std::vector<float>{4, 5, 6, 7}));
}

TEST_F(RanksTest, aRankThatFailsEndsTheCall) {
  auto embedding = embeddingOn({Accelerator(0), Accelerator(1)});
  auto indices = Tensor::constant({int64_t{10}}).to(Accelerator(0));
  embedding(indices)[0].toVector<float>();
  standin::failCall("cuLaunchKernel", 2, 1);
  EXPECT_THROW(embedding(indices)[0].realize(), DeviceError);
  EXPECT_EQ(embedding(indices)[1].toVector<float>(), (std::vector<float>{40, 41, 42, 43}));
}

} // namespace
