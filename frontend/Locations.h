#pragma once

#include "frontend/PendingGraph.h"

#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::detail {

/// Where the nodes of a graph were written. An artifact may serve graphs of many places and
/// programs, so what is compiled knows only the number of a node, "node:12"; messages get the
/// place of the graph at hand.
using Locations = std::vector<std::source_location>;

std::string nodeLocation(std::size_t node);
Locations locationsOf(const PendingGraph &pending);

/// Puts places for numbers: " (at node:12)" becomes " (at net.cpp:42)".
std::string withLocations(const std::string &message, const Locations &locations);

/// With what a message lacks: "[operation] " in front and the place at the end.
std::string completed(const std::string &message, std::string_view operation,
                      const std::source_location &where);

/// In a handler: throws the current error again with another message, as the same class.
[[noreturn]] void rethrowWith(const std::function<std::string(const std::string &)> &change);

} // namespace kiln::detail
