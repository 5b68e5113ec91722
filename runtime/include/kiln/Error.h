#pragma once

#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kiln {

/// Base of all errors that Kiln throws. A message begins with the operation in brackets, names
/// shapes and dtypes, and ends with where the operation was written:
/// `[matmul] inner dims differ: x [3, 4] f32, y [5, 6] f32 (at net.cpp:42)`.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A value does not fit: shapes that do not match, a size outside its range.
class ValueError : public Error {
public:
  using Error::Error;
};
/// A value of the wrong kind: dtype, rank, a symbolic dim where a number is needed.
class TypeError : public Error {
public:
  using Error::Error;
};
/// A name that is not there.
class KeyError : public Error {
public:
  using Error::Error;
};
/// An index outside its range, in an axis or in the contents of an index tensor.
class IndexError : public Error {
public:
  using Error::Error;
};
/// A device that is not there or failed.
class DeviceError : public Error {
public:
  using Error::Error;
};
/// The compiler refused a graph or failed at it.
class CompileError : public Error {
public:
  using Error::Error;
};
/// A file that cannot be read, written or believed.
class IoError : public Error {
public:
  using Error::Error;
};

/// Which class an error message belongs to; what crosses the compiler's C boundary, where no
/// exception may.
enum class ErrorKind : uint8_t { none, value, type, key, index, device, compile, io };

/// Throws the class of `kind` with `message`. `kind` is not `none`.
[[noreturn]] void throwError(ErrorKind kind, const std::string &message);

/// " (at net.cpp:42)": the file's name without its folders, and the line.
std::string atLocation(const std::source_location &where);

} // namespace kiln
