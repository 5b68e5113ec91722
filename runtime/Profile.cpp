#include "runtime/Profile.h"

#include "runtime/Executable.h"

#include <chrono>

#include <unistd.h>

namespace kiln::runtime {
namespace {

struct Recording {
  std::mutex mutex;
  Profile profile;
  std::size_t records = 0; // launches and pieces in it
};

Recording &current() {
  static Recording &recording = *new Recording;
  return recording;
}

int64_t threadNumber() {
  thread_local const int64_t number = gettid();
  return number;
}

} // namespace

std::atomic<bool> Profiler::recording = false;

int64_t profileClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Profiler::start() {
  std::lock_guard lock(current().mutex);
  current().profile = {};
  current().records = 0;
  recording = true;
}

Profile Profiler::stop() {
  std::lock_guard lock(current().mutex);
  recording = false;
  return std::exchange(current().profile, {});
}

void Profiler::add(ProfiledPhase phase) {
  std::lock_guard lock(current().mutex);
  if (isRecording())
    current().profile.phases.push_back(std::move(phase));
}

void Profiler::add(ProfiledCall call) {
  std::lock_guard lock(current().mutex);
  if (!isRecording())
    return;
  std::size_t added = call.launches.size() + call.pieces.size() + 1;
  if (current().records + added > maxRecords) {
    ++current().profile.droppedCalls;
    return;
  }
  current().records += added;
  current().profile.calls.push_back(std::move(call));
}

void Profiler::add(const std::vector<PhaseTime> &phases) {
  if (isRecording())
    for (const PhaseTime &phase : phases)
      add({phase.name,
           threadNumber(),
           phase.beginNs,
           phase.beginNs + static_cast<int64_t>(phase.seconds * 1e9),
           {}});
}

ProfileScope::ProfileScope(std::string name)
    : phase{std::move(name), threadNumber(), profileClock(), 0, {}} {}

ProfileScope::~ProfileScope() {
  phase.endNs = profileClock();
  try {
    Profiler::add(std::move(phase));
  } catch (const std::bad_alloc &) { // a phase less
  }
}

CallRecorder &CallRecorder::of(const KilnRuntime *runtime) {
  return *static_cast<const CallContext *>(runtime)->recorder;
}

CallRecorder::CallRecorder(const Executable &executable, CallContext &context,
                           const int64_t *symbols)
    : context(context), sharedLoop(context.parallelFor),
      pieces(static_cast<std::size_t>(context.threads)) {
  call.executable = executable.shared_from_this();
  call.symbols.assign(symbols, symbols + executable.artifact().symbols.size());
  call.thread = threadNumber();
  context.recorder = this;
  context.KilnRuntime::launching = [](const KilnRuntime *runtime, int64_t launch) {
    of(runtime).launching(launch);
  };
  context.parallelFor = [](const KilnRuntime *runtime, int64_t tasks, KilnBody body,
                           void *bodyContext) {
    struct Watched {
      CallRecorder &recorder;
      KilnBody body;
      void *context;
    } watched{of(runtime), body, bodyContext};
    auto piece = [](void *given, int64_t begin, int64_t end, int64_t worker)
                     KILN_CALLS_COMPILED_CODE {
                       auto &watched = *static_cast<Watched *>(given);
                       int64_t start = profileClock();
                       watched.body(watched.context, begin, end, worker);
                       // Vectors of different workers: no two bodies of a call share one.
                       watched.recorder.pieces[static_cast<std::size_t>(worker)].push_back(
                           {threadNumber(), watched.recorder.launch(), start, profileClock()});
                     };
    watched.recorder.sharedLoop(runtime, tasks, piece, &watched);
  };
  call.beginNs = profileClock();
}

void CallRecorder::launching(int64_t launch) {
  int64_t now = profileClock();
  if (!call.launches.empty())
    call.launches.back().endNs = now;
  call.launches.push_back({launch, now, now});
}

CallRecorder::~CallRecorder() {
  call.endNs = profileClock();
  context.recorder = nullptr;
  // What came last was the end of the entry.
  if (!call.launches.empty())
    call.launches.pop_back();
  try {
    for (const auto &worker : pieces)
      call.pieces.insert(call.pieces.end(), worker.begin(), worker.end());
    Profiler::add(std::move(call));
  } catch (const std::bad_alloc &) { // a call less
  }
}

} // namespace kiln::runtime
