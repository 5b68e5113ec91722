#include "runtime/cuda/DeviceCollective.h"

#include "runtime/cuda/Nccl.h"
#include "runtime/cuda/Staging.h"

#include <algorithm>

namespace kiln::runtime::cuda {
namespace {

/// What the ranks of one call know of each other.
struct Group {
  std::vector<Stream *> streams;
  std::vector<const void *> ins; // of each rank: written before the ranks meet
  std::vector<Communicator> communicators;
  bool reachAll = true; // each device reaches each other one
};

class DeviceCollective final : public Collective {
public:
  DeviceCollective(std::shared_ptr<Group> group, std::unique_ptr<Collective> meeting)
      : group(std::move(group)), meeting(std::move(meeting)) {}

  int64_t rank() const override { return meeting->rank(); }
  int64_t ranks() const override { return meeting->ranks(); }

  void allReduce(const void *in, void *out, int64_t count, DType dtype) override {
    if (count <= 0)
      return;
    if (auto type = Nccl::typeOf(dtype); type && !group->communicators.empty()) {
      meet(); // one that has failed would leave the others' streams waiting
      gpu().enter();
      return Nccl::find()->allReduce(in, out, static_cast<std::size_t>(count), *type,
                                     communicator(), stream().handle());
    }
    // Summed by the host, in the order of the ranks.
    std::size_t bytes = static_cast<std::size_t>(count) * sizeBytes(dtype);
    std::vector<std::byte> own = download(in, bytes);
    meeting->allReduce(own.data(), own.data(), count, dtype);
    gpu().staging().upload(reinterpret_cast<Address>(out), own.data(), bytes, stream());
  }

  void allGather(const void *in, void *out, int64_t outer, int64_t innerBytes) override {
    if (outer <= 0 || innerBytes <= 0)
      return;
    auto bytes = static_cast<std::size_t>(innerBytes);
    if (!group->communicators.empty() && outer == 1) {
      meet();
      gpu().enter();
      return Nccl::find()->allGather(in, out, bytes, communicator(), stream().handle());
    }
    if (group->reachAll && outer <= mostCopies)
      return gatherByCopies(in, out, outer, bytes);
    std::vector<std::byte> own = download(in, static_cast<std::size_t>(outer) * bytes);
    std::vector<std::byte> all(own.size() * static_cast<std::size_t>(ranks()));
    meeting->allGather(own.data(), all.data(), outer, innerBytes);
    gpu().staging().upload(reinterpret_cast<Address>(out), all.data(), all.size(), stream());
  }

  void abort() noexcept override { meeting->abort(); }
  void finish() noexcept override { meeting->finish(); }

private:
  /// Beyond so many runs one copy through the host takes less time than many small ones.
  static constexpr int64_t mostCopies = 64;

  Stream &stream() const { return *group->streams[static_cast<std::size_t>(rank())]; }
  Gpu &gpu() const { return stream().gpu(); }
  Communicator communicator() const {
    return group->communicators[static_cast<std::size_t>(rank())];
  }
  void meet() {
    bool here = true;
    meeting->allReduce(&here, &here, 1, DType::boolean);
  }
  std::vector<std::byte> download(const void *from, std::size_t bytes) {
    std::vector<std::byte> copy(bytes);
    gpu().staging().download(copy.data(), reinterpret_cast<Address>(from), bytes, stream());
    return copy;
  }

  /// Each rank fetches the parts of all.
  void gatherByCopies(const void *in, void *out, int64_t outer, std::size_t bytes) {
    auto own = static_cast<std::size_t>(rank());
    group->ins[own] = in;
    meet(); // everybody's part is in its stream by now
    auto to = reinterpret_cast<Address>(out);
    for (Stream *source : group->streams)
      stream().waitFor(*source);
    gpu().enter();
    for (int64_t run = 0; run < outer; ++run)
      for (std::size_t r = 0; r < group->streams.size(); ++r, to += bytes)
        gpu().driver().copyToPeer(to, gpu().context(),
                                  reinterpret_cast<Address>(group->ins[r]) +
                                      static_cast<Address>(run) * bytes,
                                  group->streams[r]->gpu().context(), bytes, stream().handle());
    meet(); // all copies are enqueued: what comes next in a part's stream waits for them
    for (Stream *reader : group->streams)
      stream().waitFor(*reader);
  }

  std::shared_ptr<Group> group;
  std::unique_ptr<Collective> meeting;
};

} // namespace

std::vector<std::unique_ptr<Collective>>
makeDeviceCollectives(std::span<Stream *const> streams,
                      std::vector<std::unique_ptr<Collective>> meetings) {
  auto group = std::make_shared<Group>();
  group->streams.assign(streams.begin(), streams.end());
  group->ins.resize(streams.size());
  if (const Nccl *nccl = Nccl::find())
    group->communicators = nccl->communicators(streams);
  for (Stream *one : streams)
    for (Stream *other : streams)
      group->reachAll = group->reachAll && one->gpu().reaches(other->gpu());
  std::vector<std::unique_ptr<Collective>> result;
  for (std::unique_ptr<Collective> &meeting : meetings)
    result.push_back(std::make_unique<DeviceCollective>(group, std::move(meeting)));
  return result;
}

} // namespace kiln::runtime::cuda
