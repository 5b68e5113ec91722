#include "frontend/gguf/Rows.h"

#include "runtime/ThreadPool.h"
#include "runtime/quantization/Quantize.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace kiln::io::gguf {

namespace {

/// Elements of one task: some tens of microseconds, far more than a fork and join.
constexpr int64_t taskElements = 16384;

/// body(begin, end) over [0, count), in tasks of `size`.
template <class Body> void inTasks(int64_t count, int64_t size, Body body) {
  runtime::ThreadPool::instance().parallelFor(
      (count + size - 1) / size, [&](int64_t first, int64_t last, int64_t) {
        for (int64_t task = first; task < last; ++task)
          body(task * size, std::min(count, (task + 1) * size));
      });
}

/// Elements may lie unaligned: some files are so.
template <class T> void widenPart(const std::byte *from, int64_t count, float *values) {
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    values[i] = value;
  }
}

void widenPart(DType dtype, const std::byte *from, int64_t count, float *values) {
  if (dtype == DType::float16)
    widenPart<Float16>(from, count, values);
  else if (dtype == DType::bfloat16)
    widenPart<BFloat16>(from, count, values);
  else
    widenPart<float>(from, count, values);
}

} // namespace

void decode(QuantizationEncoding encoding, std::span<const std::byte> packed, float *values) {
  int64_t numBytes = blockBytes(encoding), numElements = blockElements(encoding);
  auto count = static_cast<int64_t>(packed.size()) / numBytes;
  inTasks(count, taskElements / numElements, [&](int64_t begin, int64_t end) {
    runtime::decodeBlocks(encoding, packed.data() + begin * numBytes, end - begin,
                          values + begin * numElements);
  });
}

void widen(DType dtype, std::span<const std::byte> elements, float *values) {
  auto size = static_cast<int64_t>(sizeBytes(dtype));
  inTasks(static_cast<int64_t>(elements.size()) / size, taskElements,
          [&](int64_t begin, int64_t end) {
            widenPart(dtype, elements.data() + begin * size, end - begin, values + begin);
          });
}

int64_t encode(QuantizationEncoding encoding, DType dtype, std::span<const std::byte> elements,
               std::byte *packed) {
  constexpr int64_t maxBlockElements = 256;
  int64_t numBytes = blockBytes(encoding), numElements = blockElements(encoding);
  int64_t inputBytes = numElements * static_cast<int64_t>(sizeBytes(dtype));
  auto count = static_cast<int64_t>(elements.size()) / inputBytes;
  std::atomic<int64_t> firstBad = count;
  inTasks(count, taskElements / numElements, [&](int64_t begin, int64_t end) {
    float values[maxBlockElements];
    for (int64_t block = begin; block < end; ++block) {
      widenPart(dtype, elements.data() + block * inputBytes, numElements, values);
      if (runtime::encodeBlocks(encoding, values, 1, packed + block * numBytes))
        continue;
      int64_t known = firstBad;
      while (block < known && !firstBad.compare_exchange_weak(known, block)) {
      }
      return;
    }
  });
  return firstBad == count ? -1 : firstBad.load();
}

} // namespace kiln::io::gguf
