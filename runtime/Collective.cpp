#include "runtime/Collective.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>

namespace kiln::runtime {
namespace {

/// How often a rank looks whether the last one has come before it sleeps: about 20 us.
constexpr int spinRounds = 500;
/// Elements that are summed at once: their float32 sums stay in the nearest cache.
constexpr int64_t blockElements = 1024;

void cpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Where the ranks of one call meet.
class Meeting {
public:
  explicit Meeting(int64_t ranks) : places(static_cast<std::size_t>(ranks)), ranks(ranks) {}

  struct Place {
    const void *in = nullptr;
    void *out = nullptr;
  };
  /// Of each rank: written before the ranks meet, read by all between two meetings.
  std::vector<Place> places;

  /// Returns when all ranks have come. Errors: CollectiveAborted.
  void meet() {
    uint32_t seen = round.load();
    if (isAborted.load())
      throw CollectiveAborted();
    if (arrived.fetch_add(1) + 1 == ranks) {
      arrived.store(0);
      next();
    } else {
      if (finished.load() > 0) // one that has ended will not come
        abort();
      for (int i = 0; i < spinRounds && round.load() == seen; ++i)
        cpuRelax();
      while (round.load() == seen)
        round.wait(seen);
    }
    if (isAborted.load())
      throw CollectiveAborted();
  }

  void abort() noexcept {
    isAborted.store(true);
    next();
  }

  void finish() noexcept {
    finished.fetch_add(1);
    if (arrived.load() > 0)
      abort();
  }

private:
  void next() {
    round.fetch_add(1);
    round.notify_all();
  }

  const int64_t ranks;
  std::atomic<int64_t> arrived = 0, finished = 0;
  std::atomic<uint32_t> round = 0;
  std::atomic<bool> isAborted = false;
};

/// What elements of T are summed in.
template <class T> struct SumOf {
  using type = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>,
                                           std::conditional<sizeof(T) == 2, float, T>>::type;
};
template <> struct SumOf<bool> {
  using type = bool;
};

/// Sums elements [begin, end) of all ranks and writes them for all.
template <class T>
void reducePart(const std::vector<Meeting::Place> &places, int64_t begin, int64_t end) {
  using Sum = typename SumOf<T>::type;
  Sum sums[blockElements];
  T results[blockElements];
  for (; begin < end; begin += blockElements) {
    int64_t count = std::min(blockElements, end - begin);
    const T *first = static_cast<const T *>(places[0].in) + begin;
    for (int64_t i = 0; i < count; ++i)
      sums[i] = static_cast<Sum>(first[i]);
    for (std::size_t rank = 1; rank < places.size(); ++rank) {
      const T *in = static_cast<const T *>(places[rank].in) + begin;
      for (int64_t i = 0; i < count; ++i)
        if constexpr (std::is_same_v<T, bool>)
          sums[i] = sums[i] || in[i];
        else
          sums[i] = static_cast<Sum>(sums[i] + static_cast<Sum>(in[i]));
    }
    for (int64_t i = 0; i < count; ++i)
      results[i] = static_cast<T>(sums[i]);
    for (const Meeting::Place &place : places)
      std::memcpy(static_cast<T *>(place.out) + begin, results,
                  static_cast<std::size_t>(count) * sizeof(T));
  }
}

using Reduce = void (*)(const std::vector<Meeting::Place> &, int64_t, int64_t);

Reduce reduceOf(DType dtype) {
  switch (dtype) {
  case DType::boolean:
    return reducePart<bool>;
  case DType::int8:
    return reducePart<int8_t>;
  case DType::int16:
    return reducePart<int16_t>;
  case DType::int32:
    return reducePart<int32_t>;
  case DType::int64:
    return reducePart<int64_t>;
  case DType::uint8:
    return reducePart<uint8_t>;
  case DType::uint16:
    return reducePart<uint16_t>;
  case DType::uint32:
    return reducePart<uint32_t>;
  case DType::uint64:
    return reducePart<uint64_t>;
  case DType::float16:
    return reducePart<Float16>;
  case DType::bfloat16:
    return reducePart<BFloat16>;
  case DType::float32:
    return reducePart<float>;
  case DType::float64:
    break;
  }
  return reducePart<double>;
}

class InProcessCollective final : public Collective {
public:
  InProcessCollective(std::shared_ptr<Meeting> meeting, int64_t rank)
      : meeting(std::move(meeting)), own(rank) {}

  int64_t rank() const override { return own; }
  int64_t ranks() const override { return static_cast<int64_t>(meeting->places.size()); }

  void allReduce(const void *in, void *out, int64_t count, DType dtype) override {
    if (count <= 0)
      return;
    meeting->places[static_cast<std::size_t>(own)] = {in, out};
    meeting->meet();
    // Blocks, not elements, are divided: no two ranks write one cache line, but at the edges.
    int64_t blocks = (count + blockElements - 1) / blockElements;
    int64_t begin = blocks * own / ranks(), end = blocks * (own + 1) / ranks();
    reduceOf(dtype)(meeting->places, begin * blockElements, std::min(end * blockElements, count));
    meeting->meet(); // all is written, and nobody reads `in` any more
  }

  void allGather(const void *in, void *out, int64_t outer, int64_t innerBytes) override {
    if (outer <= 0 || innerBytes <= 0)
      return;
    meeting->places[static_cast<std::size_t>(own)] = {in, out};
    meeting->meet();
    auto *to = static_cast<std::byte *>(out);
    for (int64_t run = 0; run < outer; ++run)
      for (const Meeting::Place &place : meeting->places) {
        std::memcpy(to, static_cast<const std::byte *>(place.in) + run * innerBytes,
                    static_cast<std::size_t>(innerBytes));
        to += innerBytes;
      }
    meeting->meet();
  }

  void abort() noexcept override { meeting->abort(); }
  void finish() noexcept override { meeting->finish(); }

private:
  std::shared_ptr<Meeting> meeting;
  int64_t own;
};

} // namespace

std::vector<std::unique_ptr<Collective>> makeInProcessCollectives(int64_t ranks) {
  auto meeting = std::make_shared<Meeting>(ranks);
  std::vector<std::unique_ptr<Collective>> result;
  for (int64_t rank = 0; rank < ranks; ++rank)
    result.push_back(std::make_unique<InProcessCollective>(meeting, rank));
  return result;
}

} // namespace kiln::runtime
