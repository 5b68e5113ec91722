#pragma once

#include "ir/Graph.h"
#include "kiln/Tensor.h"
#include "runtime/Buffer.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::detail {

class Sharding;
struct Replicas;

/// What a Tensor is a handle on. Everything but the state, the buffer, the operands and `make` is
/// fixed when it is made; those change once, under `nodeMutex`, when the contents appear.
struct Node {
  enum class State : uint8_t {
    pending,  // op and operands
    lazy,     // a leaf whose contents `make` gives when they are first wanted
    realized, // value.buffer
    symbolic, // an argument of the graph that is being traced
  };

  std::atomic<State> state{State::pending};
  /// The type from the start; the buffer once realized.
  runtime::TensorValue value;
  std::source_location where;

  std::string_view op; // a literal
  std::vector<std::shared_ptr<Node>> operands;
  ir::Attributes attributes;
  /// What the call said beyond its sizes; it helps to find their symbolic form.
  /// Of a slice, for each axis: which bounds count from the end of the axis.
  /// Of a reshape: {axis that was given as -1, plus one}; or `joinsAxes`, then for each axis of the
  /// operand the axis of the result that it is part of, plus one (0: dropped, of size 1).
  /// Of an argsort: {whether it is of all elements, whatever their number}.
  /// Of a gather: `notAWeight` if the table is data as any other, of another size in each call.
  std::vector<uint8_t> hints;
  /// What must hold of symbolic sizes: guards of the graph (ir/ShapeRules.h).
  std::vector<Constraint> assumptions;
  std::vector<std::string> assumptionNotes; // of each, "[slice] stop index …", or empty
  /// What breaks if they do not hold, in the words of the layer that recorded this:
  /// "[RotaryEmbedding] positions 0 to seq are beyond the table of 48". Empty: the op says it.
  std::string requirement;

  std::function<std::shared_ptr<const runtime::Buffer>()> make;
  /// Of a lazy leaf that can be made in parts: writes `count` elements from `first` on.
  std::function<void(std::byte *to, int64_t first, int64_t count)> fill;
  /// Of a lazy leaf whose contents are split over devices; `make` puts the whole together.
  std::shared_ptr<Sharding> sharding;
  /// The devices of the split leaves that this is or is computed from; null if there are none.
  std::shared_ptr<const std::vector<Device>> devices;
  /// Of a `replica`, its operand as it is on another device: it and the others of its call.
  std::shared_ptr<Replicas> replicas;

  /// Nodes of all threads in the order in which they were recorded: operands before their users.
  uint64_t sequence = 0;
  /// A scalar that is computed of sizes alone (fromDim): it goes to the device of whatever it is
  /// used with.
  bool isOfSizes = false;
  /// The longest chain of pending nodes that ends here, as far as it is known.
  std::atomic<uint32_t> depth{0};
  /// The name of the Graph that it is part of; null outside of one. Compared by address.
  std::shared_ptr<const std::string> graph;
  /// What this is a copy of, on another device: the parameter that it stands for.
  std::weak_ptr<Node> movedFrom;
  /// The call of `subgraph` that it was recorded in, counted from 1; 0 outside of one.
  uint64_t subgraphCall = 0;

  Node() = default;
  Node(const Node &) = delete;
  Node &operator=(const Node &) = delete;
  /// Frees long chains without recursion.
  ~Node();

  const TensorType &type() const { return value.type; }
  bool isRealized() const { return state.load(std::memory_order_acquire) == State::realized; }
};

inline constexpr uint8_t startFromEnd = 1, stopFromEnd = 2;
inline constexpr uint8_t joinsAxes = 255;
inline constexpr uint8_t sortsFirst = 0, sortsAll = 1;
inline constexpr uint8_t notAWeight = 1;

/// Guards the mutable parts of all nodes; held for pointer work only, never while anything runs.
std::mutex &nodeMutex();

/// Errors: TypeError if the handle is empty.
const std::shared_ptr<Node> &nodeOf(const Tensor &tensor, std::string_view operation,
                                    const std::source_location &where);

Tensor realizedTensor(TensorType type, std::shared_ptr<const runtime::Buffer> buffer);
Tensor lazyTensor(TensorType type, std::function<std::shared_ptr<const runtime::Buffer>()> make,
                  const std::source_location &where);

/// The contents, computed if they are not there yet.
std::shared_ptr<const runtime::Buffer> contents(const Tensor &tensor, std::string_view operation,
                                                const std::source_location &where);

/// Errors: DeviceError if the device is not there.
void checkDevice(Device device, std::string_view operation, const std::source_location &where);

} // namespace kiln::detail
