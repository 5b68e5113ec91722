//===- Bandwidth.cpp - What the machine's memory gives ------------------------===//

#include "Bandwidth.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

namespace kiln::tools {

namespace {
constexpr std::size_t bytes = std::size_t{512} << 20; // beyond any cache

/// Eight sums, so that no addition waits for another one.
uint64_t sumOf(const uint64_t *values, std::size_t count) {
  uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= count; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane)
      sums[lane] += values[i + lane];
  uint64_t total = 0;
  for (uint64_t sum : sums)
    total += sum;
  return total;
}
} // namespace

Bandwidth::Bandwidth(int64_t threads)
    : threads(threads),
      contents(Tensor::ones({static_cast<int64_t>(bytes / sizeof(uint64_t))}, DType::uint64)) {
  contents.realize();
}

double Bandwidth::measure() const {
  using Clock = std::chrono::steady_clock;
  const auto values = contents.data<uint64_t>();
  const std::size_t share = values.size() / static_cast<std::size_t>(threads);
  std::atomic<int64_t> waiting{threads};
  std::atomic<uint64_t> total{0};
  auto read = [&](int64_t thread) {
    --waiting;
    while (waiting > 0)
      std::this_thread::yield();
    total += sumOf(values.data() + share * static_cast<std::size_t>(thread), share);
  };
  std::vector<std::thread> others;
  for (int64_t thread = 1; thread < threads; ++thread)
    others.emplace_back(read, thread);
  while (waiting > 1)
    std::this_thread::yield();
  const auto start = Clock::now();
  read(0);
  for (std::thread &other : others)
    other.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  // The sum is looked at, so that it must be made.
  const auto all = share * static_cast<std::size_t>(threads);
  return total == all ? static_cast<double>(all * sizeof(uint64_t)) / seconds : 0;
}

} // namespace kiln::tools
