// What a call of a compiled model asks of malloc: what its outputs are made of, whatever it
// computes.
#include "kiln/kiln.h"
#include "tools/common/minilm/Bert.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

// Sanitizers have a malloc of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KILN_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define KILN_OWN_MALLOC 0
#endif
#endif
#if !defined(KILN_OWN_MALLOC) && defined(__GLIBC__)
#define KILN_OWN_MALLOC 1
#endif

#if KILN_OWN_MALLOC
// Those of this program and of all libraries: operator new comes here, too.
static thread_local int64_t allocations = 0;

extern "C" {
void *__libc_malloc(std::size_t);
void *__libc_calloc(std::size_t, std::size_t);
void *__libc_realloc(void *, std::size_t);
void *__libc_memalign(std::size_t, std::size_t);

void *malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void *calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void *realloc(void *block, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(block, bytes);
}
void *aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **block, std::size_t alignment, std::size_t bytes) {
  ++allocations;
  *block = __libc_memalign(alignment, bytes);
  return *block ? 0 : ENOMEM;
}
}

using namespace kiln;

namespace {

Tensor drawn(Shape shape) {
  Tensor x = random::uniform(shape);
  x.realize();
  return x;
}

/// Calls with each argument once, so that what is kept is there, then counts those of each.
template <class Model>
std::vector<int64_t> countEach(const Model &model, const std::vector<std::vector<Tensor>> &inputs) {
  auto call = [&](const std::vector<Tensor> &x) {
    if constexpr (requires { model(x[0], x[1]); })
      return model(x[0], x[1]);
    else
      return model(x[0]);
  };
  for (int round = 0; round < 2; ++round)
    for (const auto &x : inputs)
      call(x);
  std::vector<int64_t> counts;
  for (const auto &x : inputs) {
    int64_t before = allocations;
    call(x).bytes(); // read, and given back
    counts.push_back(allocations - before);
  }
  return counts;
}

/// One output: the list of results, its shape twice, its buffer and the contents of that, its node,
/// and what the frontend returns them in. Nothing else.
constexpr int64_t ofOneOutput = 10;

TEST(CallAllocations, AreThoseOfTheOutputsAtAnySize) {
  nn::Linear linear(8, 8);
  auto model = linear.compile(TensorType(DType::float32, {"rows", 8}));
  std::vector<int64_t> counts =
      countEach(model, {{drawn({1, 8})}, {drawn({100, 8})}, {drawn({700, 8})}, {drawn({2, 8})}});
  for (int64_t count : counts)
    EXPECT_EQ(count, counts[0]);
  EXPECT_GT(counts[0], 0); // it is counted
  EXPECT_LE(counts[0], ofOneOutput);
}

TEST(CallAllocations, DoNotGrowWithTheModel) {
  std::vector<int64_t> all;
  for (int64_t layers : {1, 6}) {
    tools::BertConfig config;
    config.vocabulary = 50;
    config.positions = 64;
    config.hidden = 48;
    config.intermediate = 96;
    config.layers = layers;
    tools::SentenceEncoder encoder(config);
    TensorType type(DType::int64, {"batch", "seq"});
    auto model = encoder.compile(type, type);
    std::vector<std::vector<Tensor>> inputs;
    for (auto [batch, seq] : {std::pair(1, 5), std::pair(8, 32), std::pair(3, 64)}) {
      Tensor ids = Tensor::ones({batch, seq}, DType::int64), mask = ids;
      ids.realize();
      inputs.push_back({ids, mask});
    }
    for (int64_t count : countEach(model, inputs))
      all.push_back(count);
  }
  for (int64_t count : all)
    EXPECT_EQ(count, all[0]);
  EXPECT_LE(all[0], ofOneOutput);
}

} // namespace
#endif
