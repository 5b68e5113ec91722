#pragma once

#include "frontend/CompileGraph.h"
#include "frontend/Locations.h"
#include "frontend/Node.h"
#include "frontend/PendingGraph.h"
#include "frontend/Sharding.h"
#include "frontend/SizeNames.h"
#include "kiln/Compile.h"
#include "runtime/Executable.h"

#include <chrono>
#include <span>

namespace kiln::detail {

/// A constraint that comes from an operation: what a call that breaks it is told.
struct Requirement {
  Constraint constraint;
  std::string message; // without the sizes of the call
  bool namesSizes;     // whether it lacks no more than them
  std::source_location where;
};

/// Where a result comes from and where it is to be.
struct ResultPlace {
  std::size_t output;
  Device device;
};

/// What a CompiledModel is a handle on.
struct CompiledState {
  std::shared_ptr<const runtime::BoundModel> bound;   // or, on several devices:
  std::shared_ptr<const runtime::RankedModel> ranked; // null on one
  std::vector<Device> argumentDevices;                // on several
  std::vector<ResultPlace> places;                    // of each result, on several
  std::size_t numArguments = 0, numResults = 0;
  int64_t mostThreads = 0; // of a call; 0: as many as there are
  CompileStats stats;
  std::string name;    // of the model
  Locations locations; // of the graph's nodes
  std::vector<Requirement> requirements;
  ir::Graph graph; // for `ir`
  runtime::CompileRequest request;
};

std::shared_ptr<Node> symbolicNode(const TensorType &type);

/// Errors: ValueError for an algebraic dim; DeviceError if the device is not there.
void checkInputType(const TensorType &type, std::size_t index, const std::string &name,
                    const std::source_location &where);

/// Errors: ValueError for a constraint on a dim that no argument has.
void checkConstraints(const std::vector<TensorType> &types, const std::string &name,
                      const CompileOptions &options);

/// What was recorded between symbolic arguments and results. `start`: when recording began.
struct Traced {
  std::vector<std::shared_ptr<Node>> arguments, results;
  std::chrono::steady_clock::time_point start;
};

/// Runs `body` once on symbolic arguments of these types; makes the contents of parameters.
/// Errors: as of `compile`, but for those of the compiler.
Traced trace(const std::vector<TensorType> &types, const NamedTensors &parameters,
             const std::string &name, const CompileOptions &options, const TraceBody &body);

/// The graph of what was recorded; its inputs are the leaves: the arguments, then the weights.
struct Recorded {
  PendingGraph pending;
  ir::Graph graph;
  SizeNames names;     // what the names stand for that a `rebind` introduced
  Locations locations; // of its nodes
  /// The devices that parts of it are split over, and where the results come from, or null and
  /// none: all is on one device.
  std::shared_ptr<const Devices> devices;
  std::vector<ResultPlace> places;
};

/// Errors: TypeError for arguments of another trace; DeviceError for a device that is not there.
Recorded recordGraph(const std::vector<std::shared_ptr<Node>> &arguments,
                     const std::vector<std::shared_ptr<Node>> &results,
                     const NamedTensors &parameters, const std::string &name,
                     const CompileOptions &options);

/// Makes each value that is a result an output once, whatever number of devices it is wanted on.
std::vector<ResultPlace> shareOutputs(PendingGraph &pending,
                                      const std::vector<std::shared_ptr<Node>> &results);

/// Gives a program that runs on several devices its weights.
void bindRanks(CompiledState &state, std::shared_ptr<const runtime::Executable> executable,
               Recorded &recorded, std::size_t numArguments);

/// The results of a call on several devices. Errors: ValueError for an argument on a device that it
/// was not compiled for; otherwise as RankedModel::run.
std::vector<runtime::TensorValue> callRanks(const CompiledState &state,
                                            std::span<const runtime::TensorValue *const> inputs);

/// Compiles what was recorded between symbolic arguments and results. `start`: when recording
/// began. Errors: CompileError; TypeError for arguments of another trace.
std::shared_ptr<const CompiledState>
compileRecorded(const std::vector<std::shared_ptr<Node>> &arguments,
                const std::vector<std::shared_ptr<Node>> &results, const NamedTensors &parameters,
                const std::string &name, const CompileOptions &options,
                std::chrono::steady_clock::time_point start);

} // namespace kiln::detail
