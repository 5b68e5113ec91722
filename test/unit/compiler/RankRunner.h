#pragma once

#include "GraphRunner.h"

#include "ir/Interpreter.h"
#include "ir/InterpreterOps.h"
#include "runtime/Abi.h"
#include "runtime/CodeImage.h"

#include <array>
#include <barrier>
#include <cmath>
#include <thread>

namespace kiln::test {

/// Collectives as plain as can be: all ranks meet, read what the others have, and meet again.
class Meeting {
public:
  explicit Meeting(int64_t ranks)
      : given(static_cast<std::size_t>(ranks)), barrier(static_cast<std::ptrdiff_t>(ranks)) {}

  /// What all ranks gave, as arrays.
  std::vector<ir::ArrayPtr> exchange(int64_t rank, const ir::HostTensor &mine) {
    given[static_cast<std::size_t>(rank)] = std::make_shared<ir::Array>(mine);
    barrier.arrive_and_wait();
    std::vector<ir::ArrayPtr> all = given;
    barrier.arrive_and_wait();
    return all;
  }

private:
  std::vector<ir::ArrayPtr> given;
  std::barrier<> barrier;
};

/// The runtime as one rank sees it, with one thread.
struct RankRuntime : KilnRuntime {
  Meeting *meeting = nullptr;
  std::vector<std::array<int64_t, 4>> indexErrors; // site, index, position, bound
  int numReduced = 0, numGathered = 0;
  KilnMath library = {std::exp,  std::log, std::log1p, std::tanh, std::erf,
                      std::erfc, std::sin, std::cos,   std::pow,  std::fmod};

  RankRuntime(Meeting &group, int64_t number) : KilnRuntime{}, meeting(&group) {
    abiVersion = KILN_ABI_VERSION;
    threads = 1;
    rank = number;
    math = &library;
    parallelFor = [](const KilnRuntime *, int64_t tasks, KilnBody body, void *context) {
      body(context, 0, tasks, 0);
    };
    indexError = [](const KilnRuntime *runtime, int64_t site, int64_t index, int64_t position,
                    int64_t bound) {
      self(runtime).indexErrors.push_back({site, index, position, bound});
    };
    allReduce = [](const KilnRuntime *runtime, const void *in, void *out, int64_t count,
                   int64_t dtype) {
      ir::HostTensor x{TensorType(static_cast<DType>(dtype), {count}, CPU()), {}};
      auto sum = ir::findCollective("all_reduce");
      ++self(runtime).numReduced;
      self(runtime).exchange(x, in, out, [&](auto &all) { return sum({}, all); });
    };
    allGather = [](const KilnRuntime *runtime, const void *in, void *out, int64_t outer,
                   int64_t innerBytes) {
      ir::HostTensor x{TensorType(DType::uint8, {outer, innerBytes}, CPU()), {}};
      auto gather = ir::findCollective("all_gather");
      ++self(runtime).numGathered;
      self(runtime).exchange(x, in, out, [&](auto &all) {
        return gather({{"axis", int64_t(1)}, {"ranks", static_cast<int64_t>(all.size())}}, all);
      });
    };
  }

private:
  static RankRuntime &self(const KilnRuntime *runtime) {
    return *const_cast<RankRuntime *>(static_cast<const RankRuntime *>(runtime));
  }
  template <class Combine>
  void exchange(ir::HostTensor &x, const void *in, void *out, Combine combine) {
    x.bytes.resize(static_cast<std::size_t>(x.type.sizeBytes().value()));
    if (!x.bytes.empty())
      std::memcpy(x.bytes.data(), in, x.bytes.size());
    auto all = meeting->exchange(rank, x);
    std::vector<std::byte> bytes = combine(all).toHost().bytes;
    if (!bytes.empty())
      std::memcpy(out, bytes.data(), bytes.size());
  }
};

/// What each rank computed.
struct RankResults {
  std::vector<std::vector<ir::HostTensor>> outputs;
  std::vector<std::vector<std::array<int64_t, 4>>> indexErrors;
  int numReduced = 0, numGathered = 0; // calls of each rank
};

/// Runs an artifact on all its ranks at the same time. `inputs` are whole; `sizes` are those of the
/// artifact's symbols.
KILN_CALLS_COMPILED_CODE inline RankResults runRanks(const runtime::Artifact &artifact,
                                                     const std::vector<ir::HostTensor> &inputs,
                                                     const DimBindings &sizes = {}) {
  using runtime::Buffer;
  auto ranks = static_cast<std::size_t>(artifact.ranks);
  runtime::CodeImage code = runtime::CodeImage::copyOf(artifact.code);
  auto entry = reinterpret_cast<KilnEntry>(
      reinterpret_cast<std::uintptr_t>(code.data() + artifact.entryOffset));
  std::vector<int64_t> dims;
  for (const std::string &symbol : artifact.symbols)
    dims.push_back(sizes.at(symbol));

  Meeting meeting(artifact.ranks);
  std::vector<RankRuntime> runtimes;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    runtimes.emplace_back(meeting, static_cast<int64_t>(rank));
  for (RankRuntime &runtime : runtimes) // it may have been moved
    runtime.math = &runtime.library;
  RankResults results;
  results.outputs.resize(ranks);
  auto runRank = [&](std::size_t rank) {
    std::vector<std::shared_ptr<const Buffer>> held;
    std::vector<void *> buffers;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const runtime::ArtifactInput &input = artifact.inputs[i];
      ir::HostTensor mine = inputs[i];
      if (input.shardAxis)
        mine = ir::partOf(ir::Array(mine), *input.shardAxis,
                          input.type.shape[*input.shardAxis].value(), static_cast<int64_t>(rank))
                   .toHost();
      auto buffer = Buffer::copyOf(mine.bytes);
      std::vector<runtime::Packing> packings = input.packings;
      if (packings.empty())
        packings.emplace_back();
      for (const runtime::Packing &packing : packings) {
        held.push_back(buffer->packed(packing, mine.type));
        buffers.push_back(const_cast<std::byte *>(held.back()->data()));
      }
    }
    std::vector<std::shared_ptr<Buffer>> outputs;
    for (const runtime::ArtifactOutput &output : artifact.outputs) {
      TensorType type = output.type;
      type.shape = Shape(std::span<const int64_t>(type.shape.evaluate(sizes)));
      results.outputs[rank].push_back({type, {}});
      outputs.push_back(Buffer::allocate(static_cast<std::size_t>(type.sizeBytes().value())));
      buffers.push_back(outputs.back()->mutableData());
    }
    int64_t workspace = (artifact.workspace.evaluate(sizes) + 63) / 64 * 64;
    auto scratch = Buffer::allocate(
        static_cast<std::size_t>(workspace + artifact.scratchPerThread.evaluate(sizes)));
    buffers.push_back(scratch->mutableData());
    entry(&runtimes[rank], buffers.data(), dims.data());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto &alias = artifact.outputs[i].aliasOfInput;
      results.outputs[rank][i].bytes =
          alias ? inputs[*alias].bytes
                : std::vector<std::byte>(outputs[i]->bytes().begin(), outputs[i]->bytes().end());
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] { runRank(rank); });
  for (std::thread &thread : threads)
    thread.join();
  for (RankRuntime &runtime : runtimes) {
    results.indexErrors.push_back(runtime.indexErrors);
    EXPECT_EQ(runtime.numReduced, runtimes[0].numReduced);
    EXPECT_EQ(runtime.numGathered, runtimes[0].numGathered);
  }
  results.numReduced = runtimes[0].numReduced;
  results.numGathered = runtimes[0].numGathered;
  return results;
}

} // namespace kiln::test
