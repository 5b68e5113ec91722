#include "kiln/Error.h"

namespace kiln {

void throwError(ErrorKind kind, const std::string &message) {
  switch (kind) {
  case ErrorKind::value:
    throw ValueError(message);
  case ErrorKind::type:
    throw TypeError(message);
  case ErrorKind::key:
    throw KeyError(message);
  case ErrorKind::index:
    throw IndexError(message);
  case ErrorKind::device:
    throw DeviceError(message);
  case ErrorKind::compile:
    throw CompileError(message);
  case ErrorKind::io:
    throw IoError(message);
  case ErrorKind::none:
    break;
  }
  throw Error(message);
}

std::string atLocation(const std::source_location &where) {
  std::string_view file = where.file_name();
  file.remove_prefix(file.find_last_of('/') + 1); // npos + 1 is 0
  return " (at " + std::string(file) + ":" + std::to_string(where.line()) + ")";
}

} // namespace kiln
