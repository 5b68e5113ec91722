#include "runtime/Collective.h"

#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <thread>

using namespace kiln;
using namespace kiln::runtime;

namespace {

/// Runs `body` as each rank on a thread of its own; how many of them were aborted.
int onRanks(int64_t ranks, const std::function<void(Collective &)> &body) {
  auto collectives = makeInProcessCollectives(ranks);
  std::atomic<int> aborted = 0;
  std::vector<std::thread> threads;
  for (auto &collective : collectives)
    threads.emplace_back([&body, &aborted, &own = *collective] {
      try {
        body(own);
      } catch (const CollectiveAborted &) {
        ++aborted;
      }
      own.finish();
    });
  for (std::thread &thread : threads)
    thread.join();
  return aborted;
}

/// Small numbers that every dtype holds, other ones for each rank and place.
template <class T> std::vector<T> values(int64_t rank, int64_t count) {
  std::vector<T> result(static_cast<std::size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    auto number = static_cast<float>((i * 7 + rank * 3) % 11);
    if constexpr (std::is_same_v<T, bool>)
      result[static_cast<std::size_t>(i)] = number == 5;
    else
      result[static_cast<std::size_t>(i)] = static_cast<T>(number);
  }
  return result;
}

template <class T> void expectSums(int64_t ranks, int64_t count, bool inPlace) {
  // A vector of bool is no array.
  using Array = std::unique_ptr<T[]>;
  std::vector<Array> in, out;
  std::vector<float> sums(static_cast<std::size_t>(count));
  for (int64_t rank = 0; rank < ranks; ++rank) {
    std::vector<T> own = values<T>(rank, count);
    in.push_back(std::make_unique<T[]>(static_cast<std::size_t>(count) + 1));
    std::copy(own.begin(), own.end(), in.back().get());
    for (std::size_t i = 0; i < own.size(); ++i)
      sums[i] += static_cast<float>(static_cast<T>(own[i]));
    out.push_back(std::make_unique<T[]>(static_cast<std::size_t>(count) + 1));
  }
  int aborted = onRanks(ranks, [&](Collective &own) {
    auto rank = static_cast<std::size_t>(own.rank());
    T *to = inPlace ? in[rank].get() : out[rank].get();
    own.allReduce(in[rank].get(), to, count, dtypeOf<T>());
  });
  EXPECT_EQ(aborted, 0);
  for (int64_t i = 0; i < count; ++i) {
    float sum = sums[static_cast<std::size_t>(i)];
    if (std::is_same_v<T, bool>)
      sum = sum > 0;
    for (std::size_t rank = 0; rank < in.size(); ++rank) {
      T got = inPlace ? in[rank][i] : out[rank][i];
      ASSERT_EQ(static_cast<float>(got), sum) << name(dtypeOf<T>()) << ", rank " << rank << " of "
                                              << ranks << ", element " << i << " of " << count;
    }
  }
}

template <class T> class CollectiveSums : public testing::Test {};
using AllTypes = testing::Types<bool, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                                uint32_t, uint64_t, Float16, BFloat16, float, double>;
TYPED_TEST_SUITE(CollectiveSums, AllTypes);

} // namespace

TYPED_TEST(CollectiveSums, AreTheSameOnAllRanks) {
  for (int64_t ranks = 1; ranks <= 8; ++ranks)
    for (int64_t count : {0, 1, 7, 1025})
      expectSums<TypeParam>(ranks, count, ranks % 2 == 0);
  expectSums<TypeParam>(3, 5000, true);
  expectSums<TypeParam>(3, 5000, false);
}

TEST(Collective, RoundsSixteenBitFloatsOnce) {
  // 256 + 1 is 256 in bfloat16, 2048 + 1 is 2048 in float16: rounded at each step nothing is added.
  std::vector<BFloat16> b = {BFloat16(256), BFloat16(1), BFloat16(1)}, sumB(3);
  std::vector<Float16> h = {Float16(2048), Float16(1), Float16(1)}, sumH(3);
  onRanks(3, [&](Collective &own) {
    auto rank = static_cast<std::size_t>(own.rank());
    own.allReduce(&b[rank], &sumB[rank], 1, DType::bfloat16);
    own.allReduce(&h[rank], &sumH[rank], 1, DType::float16);
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(static_cast<float>(sumB[rank]), 258);
    EXPECT_EQ(static_cast<float>(sumH[rank]), 2050);
  }
}

TEST(Collective, SumsInTheOrderOfTheRanks) {
  // (1e8 + 1) + -1e8 is 0 in float32, and 1 in other orders.
  std::vector<float> in = {1e8f, 1, -1e8f}, out(3, -1);
  onRanks(3, [&](Collective &own) {
    auto rank = static_cast<std::size_t>(own.rank());
    own.allReduce(&in[rank], &out[rank], 1, DType::float32);
  });
  EXPECT_EQ(out, (std::vector<float>{0, 0, 0}));
}

TEST(Collective, IntegersWrapAround) {
  std::vector<int8_t> in = {127, 1, 0}, out(3);
  onRanks(3, [&](Collective &own) {
    auto rank = static_cast<std::size_t>(own.rank());
    own.allReduce(&in[rank], &out[rank], 1, DType::int8);
  });
  EXPECT_EQ(out, (std::vector<int8_t>{-128, -128, -128}));
}

TEST(Collective, GathersTheRunsOfAllRanks) {
  for (int64_t ranks = 1; ranks <= 8; ++ranks)
    for (int64_t outer : {0, 1, 3})
      for (int64_t inner : {0, 1, 40}) {
        std::vector<std::vector<uint8_t>> out(
            static_cast<std::size_t>(ranks),
            std::vector<uint8_t>(static_cast<std::size_t>(outer * inner * ranks), 99));
        auto element = [&](int64_t rank, int64_t run, int64_t i) {
          return static_cast<uint8_t>(rank * 50 + run * 7 + i % 5);
        };
        int aborted = onRanks(ranks, [&](Collective &own) {
          std::vector<uint8_t> in;
          for (int64_t run = 0; run < outer; ++run)
            for (int64_t i = 0; i < inner; ++i)
              in.push_back(element(own.rank(), run, i));
          own.allGather(in.data(), out[static_cast<std::size_t>(own.rank())].data(), outer, inner);
        });
        EXPECT_EQ(aborted, 0);
        std::vector<uint8_t> expected;
        for (int64_t run = 0; run < outer; ++run)
          for (int64_t rank = 0; rank < ranks; ++rank)
            for (int64_t i = 0; i < inner; ++i)
              expected.push_back(element(rank, run, i));
        for (auto &contents : out)
          ASSERT_EQ(contents, expected) << ranks << " ranks, " << outer << " x " << inner;
      }
}

TEST(Collective, ManyCallsInARow) {
  // Each takes what the one before gave: a rank that is ahead must not disturb one that lags.
  constexpr int64_t rounds = 500;
  std::vector<int64_t> last(4);
  int aborted = onRanks(4, [&](Collective &own) {
    int64_t x = own.rank(), gathered[4];
    for (int64_t round = 0; round < rounds; ++round) {
      own.allReduce(&x, &x, 1, DType::int64);
      x = x % 1000 + own.rank();
      own.allGather(&x, gathered, 1, sizeof(x));
      x = std::accumulate(gathered, gathered + 4, int64_t{0}) % 1000;
    }
    last[static_cast<std::size_t>(own.rank())] = x;
  });
  EXPECT_EQ(aborted, 0);
  int64_t x[4] = {0, 1, 2, 3};
  for (int64_t round = 0; round < rounds; ++round) {
    int64_t sum = std::accumulate(x, x + 4, int64_t{0}), gathered = 0;
    for (int64_t rank = 0; rank < 4; ++rank)
      gathered += sum % 1000 + rank;
    std::fill(x, x + 4, gathered % 1000);
  }
  EXPECT_EQ(last, std::vector<int64_t>(4, x[0]));
}

TEST(Collective, ARankThatFailsWakesTheOthers) {
  for (int64_t failing : {0, 2, 3}) {
    int aborted = onRanks(4, [&](Collective &own) {
      float x = 1, sum = 0;
      own.allReduce(&x, &sum, 1, DType::float32);
      EXPECT_EQ(sum, 4);
      if (own.rank() == failing)
        return own.abort();
      own.allReduce(&x, &sum, 1, DType::float32);
      ADD_FAILURE() << "rank " << own.rank() << " went on";
    });
    EXPECT_EQ(aborted, 3);
  }
}

TEST(Collective, ARankThatEndsEarlyWakesTheOthers) {
  int aborted = onRanks(3, [&](Collective &own) {
    float x = 1;
    own.allReduce(&x, &x, 1, DType::float32);
    if (own.rank() == 1)
      return;
    float all[3];
    own.allGather(&x, all, 1, sizeof(x));
    ADD_FAILURE() << "rank " << own.rank() << " went on";
  });
  EXPECT_EQ(aborted, 2);
}
