#pragma once

#include "kiln/Stats.h"
#include "runtime/CallContext.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

/// Records what a program spends its time on: what it does beside calls, calls of compiled code,
/// their kernels, the pieces of these on each thread. Times are nanoseconds of
/// std::chrono::steady_clock, threads the system's numbers of them.
namespace kiln::runtime {

class Executable;

int64_t profileClock();

/// Something beside a call: loading a file, a phase of the compiler.
struct ProfiledPhase {
  std::string name;
  int64_t thread = 0, beginNs = 0, endNs = 0;
  std::vector<std::pair<std::string, std::string>> notes; // name, text
};

/// Tasks of a launch that a thread did in one go.
struct ProfiledPiece {
  int64_t thread = 0, launch = 0, beginNs = 0, endNs = 0;
};

struct ProfiledLaunch {
  int64_t launch = 0; // in Artifact::launches; -1: copies of outputs, collectives
  int64_t beginNs = 0, endNs = 0;
};

struct ProfiledCall {
  std::shared_ptr<const Executable> executable;
  std::vector<int64_t> symbols; // values of the artifact's
  int64_t thread = 0, beginNs = 0, endNs = 0;
  std::vector<ProfiledLaunch> launches; // in order, one behind the other
  std::vector<ProfiledPiece> pieces;    // of loops that several threads shared
};

struct Profile {
  std::vector<ProfiledPhase> phases;
  std::vector<ProfiledCall> calls; // in the order in which they ended
  int64_t droppedCalls = 0;        // beyond Profiler::maxRecords
};

/// The recording of a process. A call costs one comparison more where none is under way.
class Profiler {
public:
  /// Launches and pieces that are kept, at most: 32 bytes each.
  static constexpr std::size_t maxRecords = std::size_t{1} << 22;

  static void start();
  static Profile stop();
  static bool isRecording() { return recording.load(std::memory_order_relaxed); }

  /// Dropped where no recording is under way.
  static void add(ProfiledPhase phase);
  static void add(ProfiledCall call);
  /// Phases of the compiler, on this thread.
  static void add(const std::vector<PhaseTime> &phases);

private:
  static std::atomic<bool> recording;
};

/// Records the time between its beginning and its end as a phase of this thread.
class ProfileScope {
public:
  explicit ProfileScope(std::string name);
  ~ProfileScope();
  ProfileScope(const ProfileScope &) = delete;
  ProfileScope &operator=(const ProfileScope &) = delete;
  void note(std::string name, std::string text) {
    phase.notes.emplace_back(std::move(name), std::move(text));
  }

private:
  ProfiledPhase phase;
};

/// Records one call of an artifact's entry while it lives: gives `context` what the entry calls.
class CallRecorder {
public:
  CallRecorder(const Executable &executable, CallContext &context, const int64_t *symbols);
  ~CallRecorder();
  CallRecorder(const CallRecorder &) = delete;
  CallRecorder &operator=(const CallRecorder &) = delete;

private:
  static CallRecorder &of(const KilnRuntime *runtime);
  void launching(int64_t launch);
  int64_t launch() const { return call.launches.empty() ? -1 : call.launches.back().launch; }

  CallContext &context;
  void (*sharedLoop)(const KilnRuntime *, int64_t, KilnBody, void *); // the context's own
  ProfiledCall call;
  std::vector<std::vector<ProfiledPiece>> pieces; // of each worker
};

} // namespace kiln::runtime
