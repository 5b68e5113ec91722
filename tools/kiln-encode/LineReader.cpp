//===- LineReader.cpp - Lines of several files --------------------------------===//

#include "LineReader.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include <unistd.h>

#include "kiln/Error.h"
#include "tools/common/text/Utf8.h"

namespace kiln::tools {

namespace {
[[noreturn]] void fail(const std::string &name, int reason) {
  throw IoError("cannot read " + name + ": " + std::strerror(reason));
}
} // namespace

LineReader::LineReader(std::vector<std::string> names) : files(std::move(names)) {
  for (const std::string &name : files) {
    if (name == "-")
      continue;
    if (::access(name.c_str(), R_OK) != 0)
      fail(name, errno);
    if (std::filesystem::is_directory(name))
      fail(name, EISDIR);
  }
}

bool LineReader::readRaw(std::string &line) {
  char *buffer = nullptr;
  size_t capacity = 0;
  errno = 0;
  const ssize_t length = getline(&buffer, &capacity, file.get());
  const int reason = errno;
  const std::unique_ptr<char, void (*)(void *)> owner(buffer, std::free);
  if (length < 0) {
    if (!std::feof(file.get()))
      fail(files[nextFile - 1], reason);
    return false;
  }
  line.assign(buffer, static_cast<size_t>(length));
  return true;
}

bool LineReader::next(std::string &line) {
  while (!file || !readRaw(line)) {
    if (nextFile == files.size())
      return false;
    const std::string &name = files[nextFile++];
    file.reset(name == "-" ? stdin : std::fopen(name.c_str(), "rb"));
    if (!file)
      fail(name, errno);
  }
  if (line.ends_with('\n'))
    line.pop_back();
  if (line.ends_with('\r'))
    line.pop_back();
  const size_t before = replaced;
  line = repairUtf8(line, replaced);
  repaired += replaced != before;
  return true;
}

} // namespace kiln::tools
