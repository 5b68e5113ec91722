#include "runtime/quantization/Quantize.h"

#include "kiln/DType.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

/// Encoders of the K formats, in three steps: each sub-block is fitted on its own with real
/// numbers; the scales of the whole block are chosen from those; then, in turn, each sub-block
/// takes the best whole numbers near its fit, and the block's scales are solved by least squares
/// for these. The best block seen is kept. ggml's encoders share the first step and stop after
/// rounding.
namespace kiln::runtime::detail {

namespace {

constexpr float huge = std::numeric_limits<float>::infinity();
constexpr int rounds = 3; // of the last step; a fourth gains less than 0.1 % on normal weights

/// A half as it will be read; the least one rather than zero, so that tiny blocks keep something.
float roundToHalf(float value) {
  float half = Float16(value);
  return half == 0 && value != 0 ? std::copysign(0x1p-24f, value) : half;
}

void store(std::byte *packed, std::size_t at, float half) {
  Float16 value(half);
  std::memcpy(packed + at, &value.bits, sizeof(value.bits));
}

/// The nearest whole number in [least, most]; written so that loops of it become vector code.
float nearest(float value, float least, float most) {
  value = value > least ? value : least;
  value = value < most ? value : most;
  return static_cast<float>(static_cast<int>(value - least + 0.5f)) + least;
}

/// A sum in eight parts, which vector code adds up without changing the order of any.
struct Sum {
  float parts[8] = {};
  float value() const {
    return ((parts[0] + parts[4]) + (parts[2] + parts[6])) +
           ((parts[1] + parts[5]) + (parts[3] + parts[7]));
  }
};
/// body(i, i % 8) for i in [0, count), a multiple of 8.
template <int count, class Body> void forEach(Body body) {
  for (int begin = 0; begin < count; begin += 8)
    for (int part = 0; part < 8; ++part)
      body(begin + part, part);
}

// ---- Q4_K and Q5_K: x ~ step * q + offset; q in [0, most], offset <= 0 ----

struct Line {
  float step = 0, offset = 0, error = huge;
};

/// The best line of 32 values for the q that `from` gives, and then for those that it gives.
Line improve(const float *x, float sumX, float sumXX, Line from, float most) {
  Line best;
  for (int round = 0; round < 2 && from.step > 0; ++round) {
    Sum q1, q2, xq;
    float inverse = 1 / from.step;
    forEach<32>([&](int i, int part) {
      float q = nearest((x[i] - from.offset) * inverse, 0, most);
      q1.parts[part] += q;
      q2.parts[part] += q * q;
      xq.parts[part] += x[i] * q;
    });
    float sumQ = q1.value(), sumQQ = q2.value(), sumXQ = xq.value();
    Line line;
    float determinant = 32 * sumQQ - sumQ * sumQ;
    if (determinant > 0) {
      line.step = (32 * sumXQ - sumX * sumQ) / determinant;
      line.offset = (sumX - line.step * sumQ) / 32;
    }
    if (determinant <= 0 || line.offset > 0) {
      line.offset = 0;
      line.step = sumQQ > 0 ? std::max(0.0f, sumXQ / sumQQ) : 0;
    }
    line.error = sumXX + line.step * (line.step * sumQQ - 2 * sumXQ + 2 * line.offset * sumQ) +
                 line.offset * (32 * line.offset - 2 * sumX);
    if (line.error >= best.error)
      break;
    best = from = line;
  }
  return best;
}

Line fit(const float *x, float most) {
  float low = std::min(0.0f, *std::min_element(x, x + 32)), high = *std::max_element(x, x + 32);
  if (high <= low)
    return {0, low, 0};
  Sum x1, x2;
  forEach<32>([&](int i, int part) {
    x1.parts[part] += x[i];
    x2.parts[part] += x[i] * x[i];
  });
  float sumX = x1.value(), sumXX = x2.value(), range = high - low;
  // Ranges cut off at either end: outliers may be worth their error.
  Line best;
  for (float cut : {-0.1f, -0.05f, 0.0f, 0.05f, 0.1f, 0.15f, 0.2f, 0.25f, 0.3f})
    for (float share : {0.0f, 0.5f, 1.0f}) { // of the cut at the low end
      Line from{(1 - cut) * range / most, std::min(0.0f, low + cut * share * range)};
      Line line = improve(x, sumX, sumXX, from, most);
      if (line.error < best.error)
        best = line;
    }
  return best;
}

/// A whole block as its numbers; they are whole, and kept as floats.
struct Mins {
  float scale = 0, minScale = 0; // halves
  std::array<float, 8> steps{}, mins{};
  std::array<float, 256> quants{};
  float error = huge;
};

/// Takes for each sub-block the best of the whole numbers around its fit. Sets the error.
void chooseNumbers(const float *x, const std::array<Line, 8> &fits, float most, Mins &block) {
  auto around = [](float value, float unit) { return unit > 0 ? nearest(value / unit, 0, 63) : 0; };
  block.error = 0;
  for (std::size_t j = 0; j < 8; ++j, x += 32) {
    float middle = around(fits[j].step, block.scale);
    float base = around(-fits[j].offset, block.minScale), best = huge;
    for (float step = std::max(0.0f, middle - 1); step <= std::min(63.0f, middle + 1); ++step)
      for (float min = std::max(0.0f, base - 1); min <= std::min(63.0f, base + 1); ++min) {
        float unit = block.scale * step, offset = block.minScale * min;
        float inverse = unit > 0 ? 1 / unit : 0;
        float quants[32];
        Sum error;
        forEach<32>([&](int i, int part) {
          quants[i] = nearest((x[i] + offset) * inverse, 0, most);
          float difference = x[i] + offset - unit * quants[i];
          error.parts[part] += difference * difference;
        });
        if (error.value() < best) {
          best = error.value();
          block.steps[j] = step, block.mins[j] = min;
          std::copy_n(quants, 32, block.quants.begin() + static_cast<std::ptrdiff_t>(32 * j));
        }
      }
    block.error += best;
  }
}

/// The scales that are best for the numbers of `block`: x ~ scale * a - minScale * b.
void solveScales(const float *x, Mins &block) {
  double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
  for (std::size_t e = 0; e < 256; ++e) {
    double a = block.steps[e / 32] * block.quants[e], b = -block.mins[e / 32];
    aa += a * a, ab += a * b, bb += b * b, xa += x[e] * a, xb += x[e] * b;
  }
  double determinant = aa * bb - ab * ab;
  double scale = aa > 0 ? xa / aa : 0, minScale = 0;
  if (determinant > 1e-9 * aa * bb) {
    scale = (xa * bb - xb * ab) / determinant;
    minScale = (xb * aa - xa * ab) / determinant;
  }
  if (scale > 0)
    block.scale = roundToHalf(static_cast<float>(scale));
  if (minScale > 0)
    block.minScale = roundToHalf(static_cast<float>(minScale));
}

Mins encodeWithMins(const float *x, float most) {
  std::array<Line, 8> fits;
  Mins block;
  for (std::size_t j = 0; j < 8; ++j) {
    fits[j] = fit(x + 32 * j, most);
    block.scale = std::max(block.scale, fits[j].step / 63);
    block.minScale = std::max(block.minScale, -fits[j].offset / 63);
  }
  block.scale = roundToHalf(block.scale);
  block.minScale = roundToHalf(block.minScale);
  Mins best;
  for (int round = 0; round < rounds; ++round) {
    chooseNumbers(x, fits, most, block);
    if (round && block.error >= best.error)
      break;
    best = block;
    solveScales(x, block);
  }
  return best;
}

template <class Block> void storeWithMins(const Mins &block, std::byte *packed) {
  std::fill_n(packed, Block::bytes, std::byte{0});
  store(packed, Block::scale, block.scale);
  store(packed, Block::minScale, block.minScale);
  std::byte *scales = packed + Block::scales;
  for (std::size_t j = 0; j < 4; ++j) {
    int step = static_cast<int>(block.steps[j + 4]), min = static_cast<int>(block.mins[j + 4]);
    scales[j] = std::byte(static_cast<int>(block.steps[j]) | step >> 4 << 6);
    scales[j + 4] = std::byte(static_cast<int>(block.mins[j]) | min >> 4 << 6);
    scales[j + 8] = std::byte((step & 15) | (min & 15) << 4);
  }
  for (std::size_t e = 0; e < 256; ++e) {
    std::size_t j = e / 32, i = e % 32;
    int q = static_cast<int>(block.quants[e]);
    packed[Block::quants + 32 * (j / 2) + i] |= std::byte((q & 15) << (4 * (j % 2)));
    if constexpr (requires { Block::highBits; })
      packed[Block::highBits + i] |= std::byte(q >> 4 << j);
  }
}

// ---- Q6_K: x ~ step * q; q in [-32, 31] ----

/// The best step of 16 values, of either sign.
float fitStep(const float *x) {
  float largest = 0, best = 0, gain = 0;
  for (int i = 0; i < 16; ++i)
    if (std::abs(x[i]) > std::abs(largest))
      largest = x[i];
  auto attempt = [&](float levels) { // the q of the largest value
    Sum xq, qq;
    float inverse = levels / largest;
    forEach<16>([&](int i, int part) {
      float q = nearest(x[i] * inverse, -32, 31);
      xq.parts[part] += x[i] * q;
      qq.parts[part] += q * q;
    });
    float sumXQ = xq.value(), sumQQ = qq.value();
    if (sumQQ > 0 && sumXQ * sumXQ > gain * sumQQ) {
      gain = sumXQ * sumXQ / sumQQ;
      best = sumXQ / sumQQ;
    }
  };
  if (largest != 0)
    for (float levels = 29; levels <= 33; levels += 0.25f) {
      attempt(levels);
      attempt(-levels);
    }
  return best;
}

struct Signed {
  float scale = 0; // half
  std::array<float, 16> steps{};
  std::array<float, 256> quants{};
  float error = huge;
};

void chooseNumbers(const float *x, const std::array<float, 16> &fits, Signed &block) {
  block.error = 0;
  for (std::size_t j = 0; j < 16; ++j, x += 16) {
    float middle = block.scale != 0 ? nearest(fits[j] / block.scale, -128, 127) : 0, best = huge;
    for (float step = std::max(-128.0f, middle - 2); step <= std::min(127.0f, middle + 2); ++step) {
      float unit = block.scale * step, inverse = unit != 0 ? 1 / unit : 0;
      float quants[16];
      Sum error;
      forEach<16>([&](int i, int part) {
        quants[i] = nearest(x[i] * inverse, -32, 31);
        float difference = x[i] - unit * quants[i];
        error.parts[part] += difference * difference;
      });
      if (error.value() < best) {
        best = error.value();
        block.steps[j] = step;
        std::copy_n(quants, 16, block.quants.begin() + static_cast<std::ptrdiff_t>(16 * j));
      }
    }
    block.error += best;
  }
}

} // namespace

void encodeQ4_K(const float *values, std::byte *packed) {
  storeWithMins<blocks::Q4_K>(encodeWithMins(values, 15), packed);
}

void encodeQ5_K(const float *values, std::byte *packed) {
  storeWithMins<blocks::Q5_K>(encodeWithMins(values, 31), packed);
}

void encodeQ6_K(const float *values, std::byte *packed) {
  std::array<float, 16> fits;
  float largest = 0;
  for (std::size_t j = 0; j < 16; ++j) {
    fits[j] = fitStep(values + 16 * j);
    if (std::abs(fits[j]) > std::abs(largest))
      largest = fits[j];
  }
  Signed block, best;
  block.scale = roundToHalf(largest / -128);
  for (int round = 0; round < rounds; ++round) {
    chooseNumbers(values, fits, block);
    if (round && block.error >= best.error)
      break;
    best = block;
    double aa = 0, xa = 0;
    for (std::size_t e = 0; e < 256; ++e) {
      double a = block.steps[e / 16] * block.quants[e];
      aa += a * a, xa += values[e] * a;
    }
    if (aa > 0)
      block.scale = roundToHalf(static_cast<float>(xa / aa));
  }
  using Block = blocks::Q6_K;
  std::fill_n(packed, Block::bytes, std::byte{0});
  store(packed, Block::scale, best.scale);
  for (std::size_t j = 0; j < 16; ++j)
    packed[Block::scales + j] = std::byte(static_cast<int>(best.steps[j]));
  for (std::size_t e = 0; e < 256; ++e) {
    std::size_t h = e / 128, k = e / 32 % 4, l = e % 32;
    int q = static_cast<int>(best.quants[e]) + 32;
    packed[Block::quants + 64 * h + 32 * (k % 2) + l] |= std::byte((q & 15) << (4 * (k / 2)));
    packed[Block::highBits + 32 * h + l] |= std::byte(q >> 4 << (2 * k));
  }
}

} // namespace kiln::runtime::detail
