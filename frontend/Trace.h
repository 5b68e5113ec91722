#pragma once

namespace kiln::detail {

/// While it lives, operations of this thread only record: what they make may depend on symbolic
/// sizes, and small constants belong to the graph.
class TraceScope {
public:
  TraceScope() { ++depth(); }
  ~TraceScope() { --depth(); }
  TraceScope(const TraceScope &) = delete;
  TraceScope &operator=(const TraceScope &) = delete;
  static bool isActive() { return depth() > 0; }

private:
  static int &depth();
};

} // namespace kiln::detail
