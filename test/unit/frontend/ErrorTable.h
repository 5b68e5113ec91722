#pragma once

#include "kiln/kiln.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

/// The list of mistakes: each row makes one, and says the class of the error and what its message
/// has to name. Every message begins with the operation in brackets and ends with the line of the
/// call.
namespace kiln::testing {

enum class Kind : uint8_t { Value, Type, Key, Index, Device, Compile, Io };

inline std::string className(const Error &error) {
  auto is = [&]<class T>(T *) { return dynamic_cast<const T *>(&error) != nullptr; };
  return is(static_cast<ValueError *>(nullptr))     ? "ValueError"
         : is(static_cast<TypeError *>(nullptr))    ? "TypeError"
         : is(static_cast<KeyError *>(nullptr))     ? "KeyError"
         : is(static_cast<IndexError *>(nullptr))   ? "IndexError"
         : is(static_cast<DeviceError *>(nullptr))  ? "DeviceError"
         : is(static_cast<CompileError *>(nullptr)) ? "CompileError"
         : is(static_cast<IoError *>(nullptr))      ? "IoError"
                                                    : "Error";
}

inline std::string className(Kind kind) {
  constexpr const char *names[] = {"ValueError",  "TypeError",    "KeyError", "IndexError",
                                   "DeviceError", "CompileError", "IoError"};
  return names[static_cast<std::size_t>(kind)];
}

/// What is wrong, and where it was written.
struct Mistake {
  template <class F>
  Mistake(F make, Where where = Where::current()) : make(std::move(make)), where(where) {}
  std::function<void()> make;
  Where where;
};

enum class Place : uint8_t {
  ofMistake,
  none, // of arithmetic on dims, which is written without one
};

struct Row {
  Kind kind;
  Mistake mistake;                // on one line
  std::vector<std::string> parts; // of the message; the first is its beginning
  Place place = Place::ofMistake;
};

inline void check(const Row &row) {
  std::string at = atLocation(row.mistake.where), message, got = "no error", wrong;
  try {
    row.mistake.make();
  } catch (const Error &error) {
    message = error.what();
    got = className(error);
  } catch (const std::exception &error) {
    message = error.what();
    got = "another exception";
  }
  if (got != className(row.kind))
    wrong += ", expected " + className(row.kind);
  if (!message.starts_with(row.parts.front()))
    wrong += ", expected \"" + row.parts.front() + "\" in front";
  for (const std::string &part : row.parts)
    if (message.find(part) == std::string::npos)
      wrong += ", expected \"" + part + "\"";
  if (row.place == Place::ofMistake && !message.ends_with(at))
    wrong += ", expected \"" + at + "\" at the end";
  if (!wrong.empty())
    ADD_FAILURE_AT(row.mistake.where.file_name(), static_cast<int>(row.mistake.where.line()))
        << got << ": " << message << wrong;
}

inline void check(const std::vector<Row> &rows) {
  for (const Row &row : rows)
    check(row);
}

} // namespace kiln::testing
