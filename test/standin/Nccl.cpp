// NVIDIA's library of collectives, as runtime/cuda/Nccl.cpp finds it: it sums and gathers, in the
// order of the streams.
#include "standin/Call.h"

#include "standin/ptx/Numbers.h"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <optional>

using namespace standin;

namespace {

struct Part {
  const void *in;
  void *out;
  CUstream_st *stream;
  uint64_t position; // of what was in the stream before
};

/// One call of all ranks.
struct Round {
  std::vector<std::optional<Part>> parts;
  std::size_t count = 0; // elements of a rank
  int type = 0;
  bool isGather = false;
  bool isDone = false;
  int result = 0;

  bool isWhole() const {
    for (const auto &part : parts)
      if (!part)
        return false;
    return true;
  }
};

/// The communicators of one ncclCommInitAll.
struct Clique {
  std::vector<int> devices;
  std::map<uint64_t, std::shared_ptr<Round>> rounds; // that not all ranks have joined
};

constexpr int unhandledError = 1, invalidArgument = 4;
constexpr int sum = 0;
std::condition_variable_any joined;

/// ncclDataType_t: int8, uint8, int32, uint32, int64, uint64, float16, float32, float64, bfloat16.
constexpr std::size_t typeBytes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2};
bool isType(int type) { return type >= 0 && type < static_cast<int>(std::size(typeBytes)); }

using Places = std::vector<std::byte *>;

/// `widen` and `narrow`: to what is summed, and back.
template <class T, class Widen, class Narrow>
void add(const Places &ins, const Places &outs, std::size_t count, Widen widen, Narrow narrow) {
  for (std::size_t i = 0; i < count; ++i) {
    decltype(widen(T())) total{};
    for (std::byte *in : ins) {
      T value;
      std::memcpy(&value, in + i * sizeof(T), sizeof(T));
      total += widen(value);
    }
    T rounded = narrow(total);
    for (std::byte *out : outs)
      std::memcpy(out + i * sizeof(T), &rounded, sizeof(T));
  }
}

template <class T> void addPlain(const Places &ins, const Places &outs, std::size_t count) {
  auto same = [](auto value) { return value; };
  add<T>(ins, outs, count, same, same);
}

void addAs(int type, const Places &ins, const Places &outs, std::size_t count) {
  auto addBytes = [](auto value) { return static_cast<uint8_t>(value); };
  switch (type) {
  case 0:
  case 1:
    return add<uint8_t>(ins, outs, count, [](uint8_t value) { return int{value}; }, addBytes);
  case 2:
  case 3:
    return addPlain<uint32_t>(ins, outs, count);
  case 4:
  case 5:
    return addPlain<uint64_t>(ins, outs, count);
  case 7:
    return addPlain<float>(ins, outs, count);
  case 8:
    return addPlain<double>(ins, outs, count);
  default: { // 16 bits: summed in float32
    ptx::Type half = type == 6 ? ptx::Type::f16 : ptx::Type::bf16;
    return add<uint16_t>(
        ins, outs, count,
        [&](uint16_t bits) { return static_cast<float>(ptx::toDouble(bits, half)); },
        [&](float total) {
          return static_cast<uint16_t>(ptx::fromDouble(static_cast<double>(total), half));
        });
  }
  }
}

/// When one rank comes to it: waits for the others, and for what is before it in their streams.
int finish(State &state, Round &round) {
  if (round.isDone)
    return round.result;
  if (!joined.wait_for(state.mutex, std::chrono::seconds(10), [&] { return round.isWhole(); })) {
    state.wrong("a collective is waited for that not all ranks join");
    return round.result = errorLaunchFailed;
  }
  if (round.isDone)
    return round.result;
  round.isDone = true;
  for (const auto &part : round.parts)
    if (int code = state.runTo(*part->stream, part->position))
      return round.result = code;
  std::size_t ranks = round.parts.size();
  std::size_t bytes = round.count * typeBytes[round.type];
  Places ins, outs;
  for (const auto &part : round.parts) {
    int device = part->stream->device;
    ins.push_back(state.findOn(device, reinterpret_cast<uint64_t>(part->in), bytes));
    outs.push_back(state.findOn(device, reinterpret_cast<uint64_t>(part->out),
                                round.isGather ? bytes * ranks : bytes));
    if (!ins.back() || !outs.back()) {
      state.wrong("a collective reaches beyond an allocation");
      return round.result = errorIllegalAddress;
    }
  }
  if (!round.isGather) {
    addAs(round.type, ins, outs, round.count);
  } else {
    for (std::byte *out : outs)
      for (std::size_t r = 0; r < ranks; ++r)
        std::memcpy(out + r * bytes, ins[r], bytes);
  }
  return round.result = 0;
}

} // namespace

struct ncclComm {
  int rank;
  std::shared_ptr<Clique> clique;
  uint64_t next = 0; // its rounds so far
};

static int join(State &state, ncclComm &own, const Part &part, std::size_t count, int type,
                bool isGather) {
  if (!state.streams.contains(part.stream) ||
      part.stream->device != own.clique->devices[static_cast<std::size_t>(own.rank)] ||
      !isType(type)) {
    state.wrong("a collective on a stream of another device, or of no type");
    return invalidArgument;
  }
  uint64_t number = own.next++;
  std::shared_ptr<Round> &round = own.clique->rounds[number];
  if (!round) {
    round = std::make_shared<Round>();
    round->parts.resize(own.clique->devices.size());
    round->count = count;
    round->type = type;
    round->isGather = isGather;
  }
  if (round->count != count || round->type != type || round->isGather != isGather)
    state.wrong("ranks call collectives that differ");
  round->parts[static_cast<std::size_t>(own.rank)] = part;
  state.put(*part.stream, {isGather ? "ncclAllGather" : "ncclAllReduce",
                           [&state, round] { return finish(state, *round); }, nullptr, 0, nullptr});
  if (round->isWhole())
    own.clique->rounds.erase(number);
  joined.notify_all();
  return 0;
}

extern "C" {

int ncclCommInitAll(ncclComm **communicators, int count, const int *devices) {
  ENTER(ncclCommInitAll);
  auto clique = std::make_shared<Clique>();
  clique->devices.assign(devices, devices + count);
  for (int rank = 0; rank < count; ++rank)
    communicators[rank] = new ncclComm{rank, clique}; // for the process's life, as Kiln's are
  return 0;
}

int ncclAllReduce(const void *in, void *out, std::size_t count, int type, int operation,
                  ncclComm *own, CUstream_st *stream) {
  ENTER(ncclAllReduce);
  if (operation != sum)
    return invalidArgument;
  return join(state, *own, {in, out, stream, stream->enqueued}, count, type, false);
}

int ncclAllGather(const void *in, void *out, std::size_t count, int type, ncclComm *own,
                  CUstream_st *stream) {
  ENTER(ncclAllGather);
  return join(state, *own, {in, out, stream, stream->enqueued}, count, type, true);
}

const char *ncclGetErrorString(int code) {
  return code == 0                 ? "no error"
         : code == unhandledError  ? "unhandled cuda error"
         : code == invalidArgument ? "invalid argument"
                                   : "unknown result code";
}

} // extern "C"
