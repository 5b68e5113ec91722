#include "runtime/CallContext.h"

#include "runtime/Collective.h"
#include "runtime/DimProgram.h"
#include "runtime/cuda/DeviceCall.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include <fmt/format.h>

namespace kiln::runtime {

std::string withSizes(std::string_view text, const Artifact &artifact, const int64_t *symbols) {
  std::string result;
  while (true) {
    std::size_t open = text.find('['), close = text.find(']', open);
    if (open == text.npos || close == text.npos)
      return result += text;
    result += text.substr(0, open + 1);
    std::string_view list = text.substr(open + 1, close - open - 1);
    try {
      std::string sizes;
      for (std::string_view rest = list; !rest.empty();) {
        std::string_view dim = rest.substr(0, rest.find(", "));
        rest.remove_prefix(std::min(rest.size(), dim.size() + 2));
        int64_t size = DimProgram(Dim::parse(dim), artifact.symbols).evaluate(symbols);
        sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", size);
      }
      result += sizes;
    } catch (const Error &) {
      result += list;
    }
    text.remove_prefix(close);
  }
}

namespace {

constexpr KilnMath libraryMath = {std::exp,  std::log, std::log1p, std::tanh, std::erf,
                                  std::erfc, std::sin, std::cos,   std::pow,  std::fmod};

CallContext &own(const KilnRuntime *runtime) {
  return *const_cast<CallContext *>(static_cast<const CallContext *>(runtime));
}

/// What one rank among one sums and gathers.
void copyBytes(const void *in, void *out, int64_t bytes) {
  if (bytes > 0 && in != out)
    std::memcpy(out, in, static_cast<std::size_t>(bytes));
}

} // namespace

CallContext::CallContext(int64_t mostThreads) : CallContext(ThreadPool::instance()) {
  threads = pool->threads();
  if (mostThreads > 0)
    threads = std::min(threads, mostThreads);
  inProgress.emplace(*pool);
}

CallContext::CallContext(ThreadPool &ofCall) : KilnRuntime{}, pool(&ofCall) {
  abiVersion = KILN_ABI_VERSION;
  parallelFor = [](const KilnRuntime *runtime, int64_t tasks, KilnBody body, void *context) {
    static_cast<const CallContext *>(runtime)->pool->parallelFor(tasks, body, context,
                                                                 runtime->threads);
  };
  // Compiled code sees the table as constant; what stands beside it is not.
  indexError = [](const KilnRuntime *runtime, int64_t site, int64_t index, int64_t position,
                  int64_t bound) { own(runtime).record({site, index, position, bound}); };
  math = &libraryMath;
  allReduce = [](const KilnRuntime *runtime, const void *in, void *out, int64_t count,
                 int64_t dtype) {
    auto type = static_cast<DType>(dtype);
    if (CallContext &call = own(runtime); call.collective)
      call.runCollective([&] { call.collective->allReduce(in, out, count, type); });
    else
      copyBytes(in, out, count * static_cast<int64_t>(sizeBytes(type)));
  };
  allGather = [](const KilnRuntime *runtime, const void *in, void *out, int64_t outer,
                 int64_t innerBytes) {
    if (CallContext &call = own(runtime); call.collective)
      call.runCollective([&] { call.collective->allGather(in, out, outer, innerBytes); });
    else
      copyBytes(in, out, outer * innerBytes);
  };
}

CallContext::CallContext(Collective &ofRank, ThreadPool &poolOfRank, int64_t most)
    : CallContext(poolOfRank) {
  threads = most;
  rank = ofRank.rank();
  collective = &ofRank;
}

CallContext::CallContext(cuda::DeviceCall &ofDevice, void *record)
    : CallContext(ThreadPool::instance()) {
  device = &ofDevice;
  threads = 1; // the entry only enqueues
  indexRecord = record;
  launch = [](const KilnRuntime *runtime, int64_t kernel, int64_t gridX, int64_t gridY,
              int64_t gridZ, void *const *parameters) {
    own(runtime).device->launch(kernel, gridX, gridY, gridZ, parameters);
  };
  copy = [](const KilnRuntime *runtime, const void *from, void *to, int64_t bytes) {
    own(runtime).device->copy(from, to, bytes);
  };
}

CallContext::CallContext(Collective &ofRank, cuda::DeviceCall &ofDevice, void *record)
    : CallContext(ofDevice, record) {
  rank = ofRank.rank();
  collective = &ofRank;
}

/// Compiled code cannot be left by an exception: it goes on with whatever `out` holds.
template <class Body> void CallContext::runCollective(Body &&body) {
  if (failure)
    return;
  try {
    body();
  } catch (...) {
    fail(std::current_exception());
  }
}

void CallContext::fail(std::exception_ptr error) noexcept {
  if (failure)
    return;
  failure = std::move(error);
  if (collective)
    collective->abort();
}

void CallContext::record(const Report &found) {
  std::lock_guard lock(mutex);
  if (report.site < 0 ||
      std::tie(found.site, found.position) < std::tie(report.site, report.position))
    report = found;
}

void CallContext::raise(const Artifact &artifact, const int64_t *symbols) const {
  IndexSite site;
  if (static_cast<std::size_t>(report.site) < artifact.indexSites.size())
    site = artifact.indexSites[report.site];
  // "[gather] indices …": the operation stays in front.
  std::string_view text = site.message;
  std::string_view operation;
  if (std::size_t end = text.find("] "); text.starts_with('[') && end != text.npos) {
    operation = text.substr(0, end + 2);
    text.remove_prefix(end + 2);
  }
  // An index is reported as int64; only one of uint64 beyond its range looks negative and is not.
  bool isHuge = report.index < 0 && text.find(" u64 into ") != text.npos;
  std::string index = isHuge ? fmt::format("{}", static_cast<uint64_t>(report.index))
                             : fmt::format("{}", report.index);
  std::string message = fmt::format("{}index {} at position {} is out of range [0, {})", operation,
                                    index, report.position, report.bound);
  if (!text.empty())
    message += ": " + withSizes(text, artifact, symbols);
  if (!site.location.empty())
    message += fmt::format(" (at {})", site.location);
  throw IndexError(message);
}

} // namespace kiln::runtime
