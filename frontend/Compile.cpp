#include "kiln/Compile.h"

#include "frontend/CompiledState.h"
#include "frontend/Evaluate.h"
#include "frontend/FoldTables.h"
#include "frontend/GraphScope.h"
#include "frontend/PendingGraph.h"
#include "frontend/SizeNames.h"
#include "frontend/Subgraphs.h"
#include "frontend/Trace.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/Profile.h"
#include "runtime/ThreadPool.h"
#include "runtime/cuda/Gpu.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <set>

namespace kiln::detail {

int &TraceScope::depth() {
  thread_local int depth = 0;
  return depth;
}

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

} // namespace

std::shared_ptr<Node> symbolicNode(const TensorType &type) {
  auto node = std::make_shared<Node>();
  node->value.type = type;
  node->state.store(Node::State::symbolic, std::memory_order_release);
  return node;
}

void checkInputType(const TensorType &type, std::size_t index, const std::string &name,
                    const std::source_location &where) {
  for (const Dim &dim : type.shape)
    if (dim.isAlgebraic())
      throw ValueError(fmt::format("[compile] {}: argument {}: algebraic dim {} in {}: dims of "
                                   "arguments are numbers or names{}",
                                   name, index, dim.str(), type.str(), atLocation(where)));
  checkDevice(type.device, "compile", where);
}

/// A constraint is on dims that the arguments have.
void checkConstraints(const std::vector<TensorType> &types, const std::string &name,
                      const CompileOptions &options) {
  std::set<std::string> known;
  for (const TensorType &type : types)
    for (const Dim &dim : type.shape)
      known.merge(dim.names());
  for (const Constraint &constraint : options.constraints)
    for (const std::string &dim : constraint.dim.names())
      if (!known.contains(dim))
        throw ValueError(fmt::format("[compile] {}: a constraint is on \"{}\", which is no dim of "
                                     "an argument{}",
                                     name, dim, atLocation(options.where)));
}

namespace {

/// Results of the traced function that are pending or symbolic are of the graph; the arguments
/// stand first among its inputs.
ir::Graph buildGraph(const PendingGraph &pending, std::size_t numArguments,
                     const NamedTensors &parameters, const std::string &name,
                     const CompileOptions &options) {
  std::unordered_map<const Node *, const std::string *> names;
  for (auto &[parameter, tensor] : parameters)
    names.emplace(tensor.handle().get(), &parameter);
  ir::Graph graph;
  graph.name = name;
  graph.constraints = options.constraints;
  std::size_t captured = 0;
  for (std::size_t i = 0; i < pending.leaves.size(); ++i) {
    const Node &leaf = *pending.leaves[i];
    if (i < numArguments) {
      graph.inputs.push_back(
          {ir::Input::Role::argument, fmt::format("argument {}", i), leaf.type()});
      continue;
    }
    if (leaf.state.load(std::memory_order_acquire) == Node::State::symbolic)
      throw TypeError(fmt::format("[compile] {}: a tensor {} of another trace is used", name,
                                  leaf.type().str()));
    auto known = names.find(&leaf);
    if (known == names.end())
      known = names.find(leaf.movedFrom.lock().get());
    graph.inputs.push_back(
        {ir::Input::Role::weight,
         known != names.end() ? *known->second : fmt::format("captured {}", captured++),
         leaf.type()});
  }
  for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
    const Node &node = *pending.nodes[i];
    graph.nodes.push_back(
        {std::string(node.op), pending.operands[i], node.attributes, node.type(), nodeLocation(i)});
    for (const Constraint &assumption : node.assumptions)
      if (std::find(graph.constraints.begin(), graph.constraints.end(), assumption) ==
          graph.constraints.end())
        graph.constraints.push_back(assumption);
  }
  graph.outputs = pending.outputs;
  return graph;
}

/// What the nodes assume of symbolic sizes, apart from what the caller has promised, in the names
/// of the arguments.
std::vector<Requirement> requirementsOf(const PendingGraph &pending,
                                        const std::vector<Constraint> &promised,
                                        const SizeNames &names) {
  std::vector<Requirement> result;
  for (const std::shared_ptr<Node> &node : pending.nodes)
    for (std::size_t i = 0; i < node->assumptions.size(); ++i) {
      Constraint assumption = node->assumptions[i];
      if (std::find(promised.begin(), promised.end(), assumption) != promised.end())
        continue;
      const std::string &note = node->assumptionNotes[i];
      // An equality speaks for itself; of a bound it helps to see what is needed, too.
      bool isEquality = assumption.kind == Constraint::Kind::between &&
                        assumption.low == assumption.high && !note.empty();
      bool isWorded = !node->requirement.empty();
      std::string message = isWorded       ? node->requirement
                            : isEquality   ? note
                            : note.empty() ? fmt::format("[{}]", node->op)
                                           : note + ":";
      assumption.dim = assumption.dim.substitute(names);
      result.push_back(
          {std::move(assumption), std::move(message), isWorded || isEquality, node->where});
    }
  return result;
}

/// The message for a call that breaks a constraint: what it was needed for, and where.
std::string constraintMessage(const CompiledState &state, const runtime::ConstraintError &error,
                              const std::source_location &where) {
  for (const Requirement &known : state.requirements)
    if (known.constraint == error.constraint)
      return known.namesSizes
                 ? fmt::format("{}: {}{}", known.message, error.sizes, atLocation(known.where))
                 : fmt::format("{} {}{}", known.message, error.what(), atLocation(known.where));
  return completed(error.what(), state.name, where);
}

} // namespace

Traced trace(const std::vector<TensorType> &types, const NamedTensors &parameters,
             const std::string &name, const CompileOptions &options, const TraceBody &body) {
  const std::source_location &where = options.where;
  GraphScope outside(nullptr); // what is compiled within a graph's scope is no part of that graph
  OutsideSubgraphs outsideSubgraphs;
  for (std::size_t i = 0; i < types.size(); ++i)
    checkInputType(types[i], i, name, where);
  checkConstraints(types, name, options);
  // Parameters that are still to be computed are weights too, not part of every call.
  std::vector<std::shared_ptr<Node>> unread;
  for (auto &[parameter, tensor] : parameters) {
    if (!tensor.defined())
      throw TypeError(fmt::format("[compile] {}: the parameter \"{}\" is empty{}", name, parameter,
                                  atLocation(where)));
    if (tensor.handle()->state.load(std::memory_order_acquire) == Node::State::pending)
      unread.push_back(tensor.handle());
  }
  if (!unread.empty())
    evaluate(unread, "compile", where);

  runtime::ProfileScope profile("trace " + name);
  Traced traced;
  auto &[arguments, results, start] = traced;
  start = Clock::now();
  {
    TraceScope scope;
    std::vector<Tensor> symbols;
    for (const TensorType &type : types) {
      arguments.push_back(symbolicNode(type));
      symbols.emplace_back(arguments.back());
    }
    for (const Tensor &result : body(symbols.data())) {
      if (!result.defined())
        throw TypeError(fmt::format("[compile] {}: result {} is empty{}", name, results.size(),
                                    atLocation(where)));
      results.push_back(result.handle());
    }
  }
  if (results.empty())
    throw ValueError(fmt::format("[compile] {}: there is no result{}", name, atLocation(where)));
  return traced;
}

std::shared_ptr<const CompiledState>
traceAndCompile(const std::vector<TensorType> &types, const NamedTensors &parameters,
                const std::string &name, const CompileOptions &options, const TraceBody &body) {
  Traced traced = trace(types, parameters, name, options, body);
  return compileRecorded(traced.arguments, traced.results, parameters, name, options, traced.start);
}

Recorded recordGraph(const std::vector<std::shared_ptr<Node>> &arguments,
                     const std::vector<std::shared_ptr<Node>> &results,
                     const NamedTensors &parameters, const std::string &name,
                     const CompileOptions &options) {
  Recorded recorded;
  PendingGraph &pending = recorded.pending = collectPending(results, arguments);
  for (const std::shared_ptr<Node> &leaf : pending.leaves) {
    checkDevice(leaf->type().device, "compile", options.where);
    if (leaf->sharding)
      for (Device device : *leaf->sharding->devices)
        checkDevice(device, "compile", options.where);
  }
  for (const std::shared_ptr<Node> &node : pending.nodes)
    checkDevice(node->type().device, "compile", node->where);
  try {
    recorded.devices = devicesOf(pending);
  } catch (const Error &) {
    rethrowWith(
        [&](const std::string &message) { return completed(message, "compile", options.where); });
  }
  dropReplicas(pending);
  if (recorded.devices)
    recorded.places = shareOutputs(pending, results);
  std::vector<ir::Segment> segments;
  if (options.subgraphs)
    segments = findSegments(pending);
  recorded.graph = buildGraph(pending, arguments.size(), parameters, name, options);
  splitInputs(recorded.graph, pending);
  recorded.names = resolveNames(recorded.graph, pending, name);
  recorded.graph.segments = std::move(segments);
  shareDefinitions(recorded.graph, pending);
  recorded.locations = locationsOf(pending);
  return recorded;
}

/// Runs what `foldTables` took out of the graph.
static std::vector<runtime::TensorValue>
makeTables(const FoldedTables &folded, const PendingGraph &pending, CompiledState &state) {
  Clock::time_point start = Clock::now();
  std::vector<const runtime::TensorValue *> inputs;
  for (std::size_t input : folded.loadInputs)
    inputs.push_back(&pending.leaves[input]->value);
  std::vector<runtime::TensorValue> tables =
      compileThroughCache(folded.load, state.request).executable->run(inputs);
  state.stats.foldedTables = static_cast<int64_t>(tables.size());
  for (const runtime::TensorValue &table : tables)
    state.stats.foldedBytes += static_cast<int64_t>(table.buffer->sizeBytes());
  state.stats.foldSeconds = secondsSince(start);
  return tables;
}

std::shared_ptr<const CompiledState>
compileRecorded(const std::vector<std::shared_ptr<Node>> &arguments,
                const std::vector<std::shared_ptr<Node>> &results, const NamedTensors &parameters,
                const std::string &name, const CompileOptions &options, Clock::time_point start) {
  if (options.threads < 0 || options.threads > runtime::ThreadPool::maxThreads)
    throw ValueError(
        fmt::format("[compile] the number of threads must be between 0 and {}, got {}{}",
                    runtime::ThreadPool::maxThreads, options.threads, atLocation(options.where)));
  auto state = std::make_shared<CompiledState>();
  Recorded recorded = recordGraph(arguments, results, parameters, name, options);
  const PendingGraph &pending = recorded.pending;
  FoldedTables folded;
  if (options.foldTables && !recorded.devices) // a table that is split stays so
    folded = foldTables(recorded.graph);
  bool folds = !folded.load.outputs.empty();
  state->graph = std::move(folds ? folded.main : recorded.graph);
  state->stats.subgraphCalls = static_cast<int64_t>(state->graph.segments.size());
  for (const ir::Segment &segment : state->graph.segments)
    state->stats.subgraphs =
        std::max(state->stats.subgraphs, static_cast<int64_t>(segment.definition) + 1);
  state->request.target = options.target;
  state->request.disabledPasses = options.disabledPasses;
  state->request.int8Activations = options.quantizedActivations;
  state->request.precision = options.precision;
  state->request.dumpDir = options.dumpDir;
  state->request.ranks =
      recorded.devices ? static_cast<int64_t>(recorded.devices->size()) : int64_t{1};
  runtime::cuda::requestFor(recorded.devices ? recorded.devices->front()
                                             : results.front()->type().device,
                            state->request);
  state->numArguments = arguments.size();
  state->mostThreads = options.threads;
  state->numResults = results.size();
  state->name = name;
  state->locations = std::move(recorded.locations);
  state->requirements = requirementsOf(pending, options.constraints, recorded.names);
  state->stats.traceSeconds = secondsSince(start);

  runtime::CachedExecutable found;
  std::vector<runtime::TensorValue> tables;
  std::vector<const runtime::TensorValue *> weights;
  try {
    found = compileThroughCache(state->graph, state->request);
    start = Clock::now();
    makeLazyLeaves(pending);
    if (folds)
      tables = makeTables(folded, pending, *state);
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) {
      return completed(withLocations(message, state->locations), "compile", options.where);
    });
  }
  if (recorded.devices) {
    bindRanks(*state, found.executable, recorded, arguments.size());
  } else {
    for (std::size_t i = arguments.size(); i < pending.leaves.size(); ++i)
      if (!folds || std::find(folded.mainInputs.begin(), folded.mainInputs.end(), i) !=
                        folded.mainInputs.end())
        weights.push_back(&pending.leaves[i]->value);
    for (const runtime::TensorValue &table : tables)
      weights.push_back(&table);
    // Large weights should not have to share the memory with what compiled them.
    constexpr std::size_t large = std::size_t{32} << 20;
    std::size_t weightBytes = 0;
    for (const runtime::TensorValue *weight : weights)
      weightBytes += weight->buffer->sizeBytes();
    if (found.hit == CacheHit::none && weightBytes >= large)
      runtime::releaseCompilerMemory();
    state->bound = found.executable->bindWeights(weights, {}, options.threads);
  }
  state->stats.compileSeconds = found.compileSeconds;
  state->stats.phases = std::move(found.phases);
  state->stats.loadSeconds = found.loadSeconds + secondsSince(start);
  state->stats.cacheHit = found.hit;
  state->stats.missReason = found.missReason;
  const std::vector<std::string> &kernels = found.executable->artifact().kernels;
  state->stats.kernels.assign(kernels.begin(), kernels.end());
  return state;
}

std::size_t numResults(const CompiledState &state) { return state.numResults; }

void callCompiled(const CompiledState &state, const Tensor *const *arguments, Tensor *results,
                  const std::source_location &where) {
  constexpr std::size_t most = 16; // arguments without an allocation
  const runtime::TensorValue *fixed[most];
  std::vector<const runtime::TensorValue *> many;
  const runtime::TensorValue **inputs = fixed;
  if (state.numArguments > most) {
    many.resize(state.numArguments);
    inputs = many.data();
  }
  bool isReady = true;
  for (std::size_t i = 0; i < state.numArguments; ++i) {
    if (!arguments[i]->defined())
      throw TypeError(
          fmt::format("[{}] argument {}: the tensor is empty{}", state.name, i, atLocation(where)));
    const std::shared_ptr<Node> &node = arguments[i]->handle();
    isReady = isReady && node->isRealized();
    inputs[i] = &node->value;
  }
  if (!isReady) {
    std::vector<std::shared_ptr<Node>> pending;
    for (std::size_t i = 0; i < state.numArguments; ++i)
      pending.push_back(arguments[i]->handle());
    evaluate(pending, "call", where);
  }
  std::vector<runtime::TensorValue> outputs;
  try {
    outputs = state.ranked ? callRanks(state, {inputs, state.numArguments})
                           : state.bound->run({inputs, state.numArguments});
  } catch (const runtime::ConstraintError &error) {
    throw ValueError(constraintMessage(state, error, where));
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) {
      return completed(withLocations(message, state.locations), state.name, where);
    });
  }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    results[i] = realizedTensor(std::move(outputs[i].type), std::move(outputs[i].buffer));
}

CompileStats compiledStats(const CompiledState &state) { return state.stats; }

std::string compiledIr(const CompiledState &state, const std::string &stage,
                       const std::source_location &where) {
  runtime::CompileRequest request = state.request;
  request.captureStages = {stage};
  runtime::CompileResult result = runtime::compileGraph(state.graph, request);
  if (result.error != ErrorKind::none)
    throwError(result.error,
               completed(withLocations(result.message, state.locations), "ir", where));
  for (auto &[name, text] : result.stages)
    if (name == stage)
      return text;
  request.captureStages = {"all"};
  std::string known;
  for (auto &[name, text] : runtime::compileGraph(state.graph, request).stages)
    known += (known.empty() ? "" : ", ") + name;
  throw KeyError(fmt::format("[ir] there is no stage \"{}\"; there are {}{}", stage, known,
                             atLocation(where)));
}

} // namespace kiln::detail
