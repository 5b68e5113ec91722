//===- QuantizedGather.cpp - Gathers of packed rows against floats ------------===//

#include "QuantizedGather.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <kiln/kiln.h>

#include "Bandwidth.h"

using namespace kiln;
using Clock = std::chrono::steady_clock;

namespace kiln::tools {
namespace {

double secondsOf(const std::function<void()> &work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// The rows of `tile` again and again.
Tensor repeated(const Tensor &tile, int64_t rows) {
  const auto bytes = tile.bytes();
  std::vector<std::byte> all;
  const std::size_t rowBytes = bytes.size() / static_cast<std::size_t>(tile.shape()[0].value());
  const std::size_t size = rowBytes * static_cast<std::size_t>(rows);
  all.reserve(size);
  while (all.size() < size)
    all.insert(all.end(), bytes.begin(),
               bytes.begin() +
                   static_cast<std::ptrdiff_t>(std::min(bytes.size(), size - all.size())));
  const Shape shape{Dim(rows), tile.shape()[1]};
  if (tile.dtype() == DType::uint8)
    return Tensor::fromData(std::span(reinterpret_cast<const uint8_t *>(all.data()), size), shape);
  return Tensor::fromData(std::span(reinterpret_cast<const float *>(all.data()), size / 4), shape);
}

/// One of the tables, ready to be called.
struct Contender {
  std::string name;
  int64_t rowBytes;
  Tensor table;
  std::function<Tensor(const Tensor &)> call;
  std::vector<double> times{};
};

Contender contender(std::optional<QuantizationEncoding> encoding, const Tensor &tile,
                    const QuantizedGatherOptions &options) {
  Tensor table = repeated(encoding ? quantization::quantize(tile, *encoding) : tile, options.rows);
  nn::embedding::EmbeddingV2 embedding({.vocabSize = options.rows,
                                        .hiddenDim = options.columns,
                                        .dtype = DType::float32,
                                        .device = CPU(),
                                        .quantizationEncoding = encoding});
  embedding.loadStateDict({{"weight", table}});
  auto model = embedding.compile(TensorType(DType::int64, {"n"}));
  return {encoding ? std::string(name(*encoding)) : "float32",
          encoding ? packedRowBytes(*encoding, options.columns) : options.columns * 4, table,
          [model](const Tensor &ids) { return model(ids).realize(); }};
}

} // namespace

void benchQuantizedGather(const QuantizedGatherOptions &options) {
  random::seed(1);
  const Tensor tile = random::normal({std::min<int64_t>(options.rows, 1024), options.columns});
  std::vector<Contender> contenders = {contender({}, tile, options)};
  for (auto encoding :
       {QuantizationEncoding::Q4_0, QuantizationEncoding::Q8_0, QuantizationEncoding::Q4_K,
        QuantizationEncoding::Q5_K, QuantizationEncoding::Q6_K})
    contenders.push_back(contender(encoding, tile, options));

  std::mt19937_64 generator(1);
  std::uniform_int_distribution<int64_t> draw(0, options.rows - 1);
  std::vector<int64_t> values(static_cast<std::size_t>(options.ids));
  std::generate(values.begin(), values.end(), [&] { return draw(generator); });
  const Tensor ids = Tensor::fromData(values, {options.ids});

  const Bandwidth memory(threadCount());
  std::vector<double> rates;
  for (int round = -1; round < options.rounds; ++round) { // the first one warms up
    rates.push_back(memory.measure());
    for (Contender &one : contenders) {
      const double seconds = secondsOf([&] { one.call(ids); });
      if (round >= 0)
        one.times.push_back(seconds);
    }
  }

  const double bandwidth = median(rates);
  std::cout << fmt::format("{} random rows of {} of {} elements, {} threads; memory is read at "
                           "{:.1f} GB/s\n",
                           options.ids, options.rows, options.columns, threadCount(),
                           bandwidth / 1e9);
  const double base = median(contenders[0].times);
  for (const Contender &one : contenders) {
    const double seconds = median(one.times);
    const double rate = static_cast<double>(options.ids * one.rowBytes) / seconds;
    std::cout << fmt::format(
        "{:8} {:8.2f} ms  {:6.2f} GB/s packed, {:3.0f} % of the bandwidth  float32 / {}: {:.2f}\n",
        one.name, seconds * 1e3, rate / 1e9, 100 * rate / bandwidth, one.name, base / seconds);
  }
}

} // namespace kiln::tools
