#pragma once

#include "kiln/Tensor.h"

#include <concepts>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// Tensors in files.
namespace kiln::io {

/// An opened safetensors file. Its tensors are views of the mapped file; they keep it mapped, and
/// their pages are read when touched. Iterates over (name, tensor) in the order of the names.
class SafetensorsFile {
public:
  using Entries = std::map<std::string, Tensor>;

  std::vector<std::string> keys() const;
  std::size_t size() const { return entries.size(); }
  bool contains(const std::string &name) const { return entries.contains(name); }
  std::optional<Tensor> find(const std::string &name) const;
  /// A name, and where it was asked for.
  struct Key {
    template <std::convertible_to<std::string> T>
    Key(const T &name, Where where = Where::current()) : name(name), where(where) {}
    std::string name;
    Where where;
  };
  /// Errors: KeyError that names the file.
  const Tensor &operator[](const Key &key) const;
  Entries::const_iterator begin() const { return entries.begin(); }
  Entries::const_iterator end() const { return entries.end(); }
  /// What stands under `__metadata__`.
  const std::map<std::string, std::string> &metadata() const { return notes; }
  const std::string &path() const { return filePath; }

private:
  friend SafetensorsFile openSafetensors(const std::string &path, Where where);
  std::string filePath;
  Entries entries;
  std::map<std::string, std::string> notes;
};

/// Maps a file and checks its header in full before anything else is believed.
/// Errors: IoError that names the file, the tensor and the field.
SafetensorsFile openSafetensors(const std::string &path, Where where = Where::current());

/// Writes all tensors under a temporary name in the same folder and then renames: the file is
/// there whole, or as it was before. Errors: IoError.
void saveSafetensors(const std::string &path, const std::map<std::string, Tensor> &tensors,
                     const std::map<std::string, std::string> &metadata = {},
                     Where where = Where::current());

} // namespace kiln::io
