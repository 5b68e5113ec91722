//===- QuantizedLinear.cpp - Packed weights against memory and float32 --------===//

#include "QuantizedLinear.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <kiln/kiln.h>
#include <nlohmann/json.hpp>

#include "Bandwidth.h"

namespace kiln::tools {

namespace {
using Clock = std::chrono::steady_clock;
using Model = decltype(std::declval<nn::Linear>().compile(std::declval<TensorType>()));

/// Weights that are read in turns are more than any cache holds.
constexpr int64_t weightBytes = int64_t{256} << 20;
constexpr std::size_t mostModels = 64; // of small ones

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// Several models of equal sizes, called in turns from the one numbered `first`.
class Turns {
public:
  Turns(const std::vector<nn::Linear> &linears, const CompileOptions &options, int64_t in,
        std::size_t first = 0)
      : next(first) {
    for (const nn::Linear &linear : linears)
      models.push_back(linear.compile(options, TensorType(DType::float32, {"n", in}, CPU())));
  }
  double seconds(const Tensor &x) {
    const Model &model = models[next++ % models.size()];
    const auto start = Clock::now();
    const Tensor result = model(x);
    [[maybe_unused]] volatile std::byte first = result.bytes()[0];
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

private:
  std::vector<Model> models;
  std::size_t next;
};

Tensor drawn(const Shape &shape, float range) {
  static std::mt19937 draw(1);
  std::uniform_real_distribution<float> values(-range, range);
  std::vector<float> contents(static_cast<std::size_t>(shape.numElements().value()));
  for (float &value : contents)
    value = values(draw);
  return Tensor::fromData(std::span<const float>(contents), shape);
}

/// As many as make `weightBytes`, each with memory of its own.
std::vector<nn::Linear> copies(const Tensor &weight, std::optional<QuantizationEncoding> encoding) {
  const auto bytes = weight.bytes();
  std::vector<nn::Linear> linears;
  for (int64_t total = 0; total < weightBytes && linears.size() < mostModels;
       total += static_cast<int64_t>(bytes.size())) {
    if (!encoding) {
      linears.emplace_back(Tensor::fromData(weight.data<float>(), weight.shape()));
      continue;
    }
    linears.emplace_back(Tensor::fromData(weight.data<uint8_t>(), weight.shape()), *encoding);
  }
  return linears;
}

/// Weights of few different rows, for encoding them takes its time.
Tensor packedWeight(QuantizationEncoding encoding, int64_t in, int64_t out) {
  constexpr int64_t distinct = 64;
  const Tensor some = quantization::quantize(drawn({distinct, in}, 0.05f), encoding);
  const int64_t rowBytes = packedRowBytes(encoding, in);
  std::vector<uint8_t> bytes;
  for (int64_t row = 0; row < out; ++row) {
    const auto from = some.data<uint8_t>().subspan(
        static_cast<std::size_t>(row % distinct * rowBytes), static_cast<std::size_t>(rowBytes));
    bytes.insert(bytes.end(), from.begin(), from.end());
  }
  return Tensor::fromData(std::span<const uint8_t>(bytes), {out, rowBytes});
}

/// The median of what calls return that go on for so many seconds, after two that do not count.
template <typename Call> double medianOf(Call call, double seconds) {
  for (int i = 0; i < 2; ++i)
    call();
  std::vector<double> values;
  const auto start = Clock::now();
  do
    values.push_back(call());
  while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
  return median(values);
}

/// The same packed weights with float32 and with int8 activations.
struct PackedTurns {
  PackedTurns(const Tensor &weight, QuantizationEncoding encoding, int64_t in)
      : PackedTurns(copies(weight, encoding), in) {}

  Turns asFloat32, asInt8;

private:
  /// The second begins half-way: what both of them share is not read twice in a row.
  PackedTurns(const std::vector<nn::Linear> &linears, int64_t in)
      : asFloat32(linears, {}, in),
        asInt8(linears, CompileOptions{.quantizedActivations = true}, in, linears.size() / 2) {}
};
} // namespace

void benchQuantizedLinear(QuantizationEncoding encoding, int64_t in, int64_t out, double seconds) {
  const Tensor weight = packedWeight(encoding, in, out);
  PackedTurns packed(weight, encoding, in);
  Turns plain(copies(dequantize(weight, encoding), {}), {}, in);
  const Bandwidth memory(threadCount());

  std::cout << fmt::format("{} {}x{}, {} threads; medians, memory read in turns\n"
                           "{:>5} {:>11} {:>11} {:>14} {:>11} {:>11} {:>16}\n",
                           name(encoding), in, out, threadCount(), "rows", "packed", "of memory",
                           "memory", "int8", "float32", "float32/packed");
  for (int64_t rows : {1, 8, 64, 512}) {
    const Tensor x = drawn({rows, in}, 1);
    std::vector<double> times[3], speeds;
    for (int i = 0; i < 2; ++i)
      for (Turns *turns : {&packed.asFloat32, &packed.asInt8, &plain})
        turns->seconds(x);
    const auto start = Clock::now();
    do {
      speeds.push_back(memory.measure());
      for (int i = 0; i < 3; ++i) {
        times[0].push_back(packed.asFloat32.seconds(x));
        times[1].push_back(packed.asInt8.seconds(x));
        times[2].push_back(plain.seconds(x));
      }
    } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
    const double speed = median(speeds), time = median(times[0]);
    std::cout << fmt::format(
        "{:>5} {:>8.3f} ms {:>9.0f} % {:>9.1f} GB/s {:>8.3f} ms {:>8.3f} ms {:>16.2f}\n", rows,
        time * 1e3, static_cast<double>(weight.bytes().size()) / time / speed * 100, speed * 1e-9,
        median(times[1]) * 1e3, median(times[2]) * 1e3, median(times[2]) / time);
  }
}

void answerQuantizedLinear(QuantizationEncoding encoding, int64_t in, int64_t out) {
  PackedTurns packed(packedWeight(encoding, in, out), encoding, in);
  const Bandwidth memory(threadCount());
  std::cout << R"({"ready": true})" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto request = nlohmann::json::parse(line);
    const auto seconds = request.at("seconds").get<double>();
    if (!request.contains("rows")) {
      const double speed = medianOf([&] { return memory.measure(); }, seconds);
      std::cout << fmt::format(R"({{"memory_gb_s": {:.3f}}})", speed * 1e-9) << std::endl;
      continue;
    }
    const Tensor x = drawn({request.at("rows").get<int64_t>(), in}, 1);
    Turns &turns = request.at("int8").get<bool>() ? packed.asInt8 : packed.asFloat32;
    const double time = medianOf([&] { return turns.seconds(x); }, seconds);
    std::cout << fmt::format(R"({{"median_us": {:.3f}}})", time * 1e6) << std::endl;
  }
}

} // namespace kiln::tools
