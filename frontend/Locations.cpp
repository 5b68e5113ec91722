#include "frontend/Locations.h"

#include "kiln/Error.h"

#include <charconv>
#include <fmt/format.h>
#include <string_view>

namespace kiln::detail {

static constexpr std::string_view prefix = "node:";

std::string nodeLocation(std::size_t node) { return std::string(prefix) + std::to_string(node); }

Locations locationsOf(const PendingGraph &pending) {
  Locations result;
  for (const std::shared_ptr<Node> &node : pending.nodes)
    result.push_back(node->where);
  return result;
}

std::string withLocations(const std::string &message, const Locations &locations) {
  const std::string opening = " (at " + std::string(prefix);
  std::string result;
  std::size_t from = 0;
  for (std::size_t at; (at = message.find(opening, from)) != std::string::npos;) {
    const char *digits = message.data() + at + opening.size();
    const char *end = message.data() + message.size();
    std::size_t node = 0;
    auto [rest, error] = std::from_chars(digits, end, node);
    result.append(message, from, at - from);
    from = static_cast<std::size_t>(rest - message.data());
    if (error == std::errc() && rest != end && *rest == ')' && node < locations.size()) {
      result += atLocation(locations[node]);
      ++from;
    } else {
      result.append(message, at, from - at);
    }
  }
  return result + message.substr(from);
}

std::string completed(const std::string &message, std::string_view operation,
                      const std::source_location &where) {
  std::string result =
      message.starts_with('[') ? message : fmt::format("[{}] {}", operation, message);
  return message.find(" (at ") == std::string::npos ? result + atLocation(where) : result;
}

void rethrowWith(const std::function<std::string(const std::string &)> &change) {
  try {
    throw;
  } catch (const ValueError &error) {
    throw ValueError(change(error.what()));
  } catch (const TypeError &error) {
    throw TypeError(change(error.what()));
  } catch (const KeyError &error) {
    throw KeyError(change(error.what()));
  } catch (const IndexError &error) {
    throw IndexError(change(error.what()));
  } catch (const DeviceError &error) {
    throw DeviceError(change(error.what()));
  } catch (const CompileError &error) {
    throw CompileError(change(error.what()));
  } catch (const IoError &error) {
    throw IoError(change(error.what()));
  }
}

} // namespace kiln::detail
