#include "frontend/GraphMemo.h"

#include "frontend/CompileGraph.h"
#include "frontend/Sharding.h"
#include "frontend/Symbolise.h"
#include "runtime/Checksum.h"

#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace kiln::detail {

namespace {

/// All of a pending graph that its symbolic form is made of, as bytes: equal for no two graphs that
/// differ in it.
class Fingerprint {
public:
  /// Nothing where a size is no number.
  static std::optional<runtime::Checksum> of(const PendingGraph &pending, int64_t ranks) {
    Fingerprint print;
    print.number(ranks);
    print.number(pending.leaves.size());
    for (const std::shared_ptr<Node> &leaf : pending.leaves) {
      print.type(leaf->type());
      print.number(leaf->sharding ? leaf->sharding->axis : -1);
    }
    print.number(pending.nodes.size());
    for (std::size_t i = 0; i < pending.nodes.size(); ++i) {
      const Node &node = *pending.nodes[i];
      print.text(node.op);
      print.list(pending.operands[i]);
      print.list(node.hints);
      print.attributes(node.attributes);
      print.type(node.type());
    }
    print.list(pending.outputs);
    if (!print.isStatic)
      return std::nullopt;
    std::span<const std::byte> parts[] = {print.bytes};
    return runtime::checksum(parts);
  }

private:
  Fingerprint() { bytes.reserve(1024); }

  void raw(const void *data, std::size_t count) {
    std::size_t at = bytes.size();
    bytes.resize(at + count);
    std::memcpy(bytes.data() + at, data, count);
  }
  template <class T> void number(T value) { raw(&value, sizeof(value)); }
  void text(std::string_view value) {
    number(value.size());
    raw(value.data(), value.size());
  }
  template <class T> void list(const std::vector<T> &values) {
    number(values.size());
    if (!values.empty())
      raw(values.data(), values.size() * sizeof(T));
  }
  void shape(const Shape &shape) {
    number(shape.rank());
    for (const Dim &dim : shape)
      if (dim.isStatic())
        number(dim.value());
      else
        isStatic = false;
  }
  void type(const TensorType &type) {
    number(type.dtype);
    number(type.device.kind());
    number(type.device.index());
    shape(type.shape);
  }
  void attributes(const ir::Attributes &attributes) {
    for (const auto &[name, attribute] : attributes) {
      text(name);
      number(attribute.index());
      std::visit([&](const auto &value) { content(value); }, attribute);
    }
    number('.'); // no length of a name
  }
  void content(bool value) { number(value); }
  void content(int64_t value) { number(value); }
  void content(double value) { number(value); } // by its bits, as the graph's text has it
  void content(const std::string &value) { text(value); }
  void content(DType value) { number(value); }
  void content(const std::vector<int64_t> &value) { list(value); }
  void content(const Shape &value) { shape(value); }
  void content(const std::shared_ptr<const ir::DenseData> &value) {
    type(value->type);
    list(value->bytes);
  }

  std::vector<std::byte> bytes;
  bool isStatic = true;
};

struct HashOfSum {
  std::size_t operator()(const runtime::Checksum &sum) const { return sum.low; }
};

/// Keys of artifacts by fingerprint.
class Memo {
public:
  static Memo &instance() {
    static Memo memo;
    return memo;
  }
  std::optional<std::string> find(const runtime::Checksum &sum) {
    std::lock_guard lock(mutex);
    auto found = keys.find(sum);
    return found == keys.end() ? std::nullopt : std::optional(found->second);
  }
  void add(const runtime::Checksum &sum, const std::string &key) {
    std::lock_guard lock(mutex);
    if (keys.size() >= most)
      keys.clear();
    keys.emplace(sum, key);
  }

private:
  static constexpr std::size_t most = 4096; // some 100 bytes each
  std::mutex mutex;
  std::unordered_map<runtime::Checksum, std::string, HashOfSum> keys;
};

} // namespace

runtime::CachedExecutable compilePending(const PendingGraph &pending,
                                         const runtime::CompileRequest &request) {
  std::optional<runtime::Checksum> sum = Fingerprint::of(pending, request.ranks);
  if (sum)
    if (std::optional<std::string> key = Memo::instance().find(*sum))
      return compileWithKey(*key, [&] { return symbolicGraph(pending); }, request);
  ir::Graph graph = symbolicGraph(pending);
  std::string key = keyOf(graph, request);
  if (sum)
    Memo::instance().add(*sum, key);
  return compileWithKey(key, [&] { return graph; }, request);
}

} // namespace kiln::detail
