#include "kiln/Random.h"

#include "frontend/RandomFill.h"
#include "frontend/Record.h"
#include "kiln/Defaults.h"
#include "kiln/Reflect.h"
#include "runtime/ThreadPool.h"

#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <mutex>
#include <numbers>

namespace kiln {

using detail::Call;
using detail::Distribution;

namespace {

struct Stream {
  uint64_t seed, number;
};

std::mutex streamMutex;
Stream nextStream{0, 0};

Stream drawStream() {
  if (nn::detail::DefaultsProbe::isActive())
    return {0, 0};
  std::lock_guard lock(streamMutex);
  return {nextStream.seed, nextStream.number++};
}

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
std::array<uint32_t, 4> philox(const Stream &stream, uint64_t position) {
  std::array<uint32_t, 4> counter = {
      static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
      static_cast<uint32_t>(stream.number), static_cast<uint32_t>(stream.number >> 32)};
  auto key0 = static_cast<uint32_t>(stream.seed), key1 = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// Two numbers in [0, 1) with 53 random bits each.
std::array<double, 2> uniformPair(const Stream &stream, uint64_t position) {
  auto bits = philox(stream, position);
  auto unit = [](uint32_t high, uint32_t low) {
    return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
  };
  return {unit(bits[0], bits[1]), unit(bits[2], bits[3])};
}

std::array<double, 2> drawPair(Distribution distribution, const Stream &stream, uint64_t position,
                               double a, double b) {
  auto [u, v] = uniformPair(stream, position);
  if (distribution == Distribution::uniform)
    return {a + u * (b - a), a + v * (b - a)};
  double radius = b * std::sqrt(-2 * std::log1p(-u)); // Box-Muller; 1 - u is never 0
  double angle = 2 * std::numbers::pi * v;
  return {a + radius * std::cos(angle), a + radius * std::sin(angle)};
}

template <class T> T convert(double value, Distribution distribution, double high) {
  if constexpr (std::is_same_v<T, bool>)
    return value != 0;
  else if constexpr (std::is_integral_v<T>) { // as a cast: towards zero, the nearest there is
    constexpr auto least = static_cast<double>(std::numeric_limits<T>::min());
    // One above the greatest, which a double may not hold.
    const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
    return !(value >= least) ? (std::isnan(value) ? T(0) : std::numeric_limits<T>::min())
           : value >= limit  ? std::numeric_limits<T>::max()
                             : static_cast<T>(value);
  } else {
    T result = static_cast<T>(static_cast<float>(value));
    if constexpr (std::is_same_v<T, double>)
      result = value;
    // Rounding must not reach the open end of the range.
    if (distribution == Distribution::uniform && static_cast<double>(result) >= high) {
      if constexpr (std::is_floating_point_v<T>)
        result = std::nextafter(static_cast<T>(high), -std::numeric_limits<T>::infinity());
      else
        result.bits =
            static_cast<uint16_t>(result.bits + (static_cast<float>(result) > 0 ? -1 : 1));
    }
    return result;
  }
}

/// What is drawn: numbers of one stream, each of which depends on its place alone.
struct Source {
  Distribution distribution;
  Stream stream;
  double a, b;
};

/// Elements [first, first + count).
template <class T> void fill(T *to, int64_t first, int64_t count, const Source &source) {
  // A task makes so many pairs: about 50 us of work, far above the cost of handing it out.
  constexpr int64_t pairsPerTask = 4096;
  const int64_t last = first + count, firstPair = first / 2, pairs = (last + 1) / 2 - firstPair;
  auto body = [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin * pairsPerTask; i < std::min(pairs, end * pairsPerTask); ++i) {
      int64_t at = 2 * (firstPair + i);
      auto [even, odd] = drawPair(source.distribution, source.stream, static_cast<uint64_t>(at / 2),
                                  source.a, source.b);
      if (at >= first)
        to[at - first] = convert<T>(even, source.distribution, source.b);
      if (at + 1 < last)
        to[at + 1 - first] = convert<T>(odd, source.distribution, source.b);
    }
  };
  runtime::ThreadPool::instance().parallelFor((pairs + pairsPerTask - 1) / pairsPerTask, body);
}

void fillRandom(DType dtype, std::byte *to, int64_t first, int64_t count, const Source &source) {
  auto as = [&]<class T>(T) {
    if (count)
      fill(reinterpret_cast<T *>(to), first, count, source);
  };
  switch (dtype) {
  case DType::boolean:
    as(bool());
    break;
  case DType::int8:
    as(int8_t());
    break;
  case DType::int16:
    as(int16_t());
    break;
  case DType::int32:
    as(int32_t());
    break;
  case DType::int64:
    as(int64_t());
    break;
  case DType::uint8:
    as(uint8_t());
    break;
  case DType::uint16:
    as(uint16_t());
    break;
  case DType::uint32:
    as(uint32_t());
    break;
  case DType::uint64:
    as(uint64_t());
    break;
  case DType::float16:
    as(Float16());
    break;
  case DType::bfloat16:
    as(BFloat16());
    break;
  case DType::float32:
    as(float());
    break;
  case DType::float64:
    as(double());
    break;
  }
}

std::shared_ptr<const runtime::Buffer> makeRandom(const Call &call, const TensorType &type,
                                                  const Source &source) {
  auto buffer = detail::allocate(call, type);
  fillRandom(type.dtype, buffer->mutableData(), 0, type.shape.numElements().value(), source);
  return buffer;
}

Tensor draw(const Call &call, Distribution distribution, const Shape &shape, double a, double b,
            std::optional<DType> dtype, std::optional<Device> device) {
  TensorType type = call.dims([&] { return detail::parameterType(shape, dtype, device); });
  detail::checkDevice(type.device, call.name, call.where);
  if (!shape.isStatic())
    call.fail(ErrorKind::type, "the shape " + shape.str() + " is symbolic");
  return detail::realizedTensor(type, makeRandom(call, type, {distribution, drawStream(), a, b}));
}

} // namespace

Tensor detail::lazyRandom(Distribution distribution, const TensorType &type, double a, double b,
                          const std::source_location &where) {
  Source source{distribution, drawStream(), a, b};
  Tensor result =
      lazyTensor(type, [=] { return makeRandom(Call("random", where), type, source); }, where);
  result.handle()->fill = [=, dtype = type.dtype](std::byte *to, int64_t first, int64_t count) {
    fillRandom(dtype, to, first, count, source);
  };
  return result;
}

TensorType detail::parameterType(const Shape &shape, std::optional<DType> dtype,
                                 std::optional<Device> device) {
  auto [defaultDType, defaultDevice] = defaults();
  return TensorType(dtype.value_or(defaultDType), shape, device.value_or(defaultDevice));
}

namespace random {

uint64_t seed() {
  std::lock_guard lock(streamMutex);
  return nextStream.seed;
}

void seed(uint64_t value) {
  std::lock_guard lock(streamMutex);
  nextStream = {value, 0};
}

Tensor uniform(const Shape &shape, double low, double high, std::optional<DType> dtype,
               std::optional<Device> device, std::source_location where) {
  Call call("random::uniform", where);
  if (!(low <= high) || !std::isfinite(low) || !std::isfinite(high))
    call.fail(ErrorKind::value,
              fmt::format("expected finite bounds in order, got low {} and high {}", low, high));
  return draw(call, Distribution::uniform, shape, low, high, dtype, device);
}

Tensor normal(const Shape &shape, double mean, double deviation, std::optional<DType> dtype,
              std::optional<Device> device, std::source_location where) {
  Call call("random::normal", where);
  if (!std::isfinite(mean) || !(deviation >= 0) || !std::isfinite(deviation))
    call.fail(ErrorKind::value,
              fmt::format("expected a finite mean and a finite deviation that is not negative, got "
                          "mean {} and deviation {}",
                          mean, deviation));
  return draw(call, Distribution::normal, shape, mean, deviation, dtype, device);
}

} // namespace random
} // namespace kiln
