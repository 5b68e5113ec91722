//===- Commands.cpp - What kiln-cache does ------------------------------------===//
#include "Commands.h"

#include <chrono>
#include <ctime>
#include <filesystem>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "kiln/Error.h"
#include "runtime/ArtifactKey.h"
#include "runtime/OpenFile.h"

namespace kiln::tools {

namespace {
using runtime::Artifact;
using runtime::DiskCache;

std::string signature(const Artifact &artifact) {
  std::string in, out;
  std::size_t weights = 0;
  for (const runtime::ArtifactInput &input : artifact.inputs)
    if (input.isWeight)
      ++weights;
    else
      in += (in.empty() ? "" : ", ") + input.type.str();
  for (const runtime::ArtifactOutput &output : artifact.outputs)
    out += (out.empty() ? "" : ", ") + output.type.str();
  return fmt::format("({}) -> {}, {} weights", in, out, weights);
}

std::string timeText(std::filesystem::file_time_type time) {
  auto system = std::chrono::file_clock::to_sys(time);
  auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(system);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}",
                     fmt::localtime(std::chrono::system_clock::to_time_t(seconds)));
}

DiskCache::Entry find(const DiskCache &cache, const std::string &key) {
  std::optional<DiskCache::Entry> found;
  for (DiskCache::Entry &entry : cache.entries())
    if (entry.key.starts_with(key)) {
      if (found)
        throw KeyError(
            fmt::format("several keys begin with {}: {}, {}", key, found->key, entry.key));
      found = std::move(entry);
    }
  if (!found)
    throw KeyError(fmt::format("there is no artifact {} in {}", key, cache.folder()));
  return *found;
}

} // namespace

void listEntries(const DiskCache &cache, std::ostream &os) {
  std::uintmax_t total = 0;
  std::size_t count = 0;
  for (const DiskCache::Entry &entry : cache.entries()) {
    ++count;
    total += entry.sizeBytes;
    os << fmt::format("{} {:>9} {} ", entry.key, entry.sizeBytes, timeText(entry.used));
    try {
      Artifact artifact = cache.read(entry);
      os << fmt::format("{:>3} kernels {}\n", artifact.kernels.size(), signature(artifact));
    } catch (const Error &error) {
      os << "not usable: " << error.what() << '\n';
    }
  }
  os << fmt::format("{} artifacts, {} bytes in {}\n", count, total, cache.folder());
}

void explainEntry(const DiskCache &cache, const std::string &key, const std::string &other,
                  std::ostream &os) {
  Artifact artifact = cache.read(find(cache, key));
  if (!other.empty()) {
    Artifact second = cache.read(find(cache, other));
    std::string text =
        runtime::describeDifference(artifact.parts, "in the first", second.parts, "in the second");
    os << (text.empty() ? "the same parts" : text) << '\n';
    return;
  }
  os << "key       " << artifact.key << "\ncompiler  " << artifact.parts.compiler << "\ntarget    "
     << artifact.parts.target << "\noptions   ";
  for (char letter : artifact.parts.options)
    os << (letter == '\n' ? std::string(", ") : std::string(1, letter));
  os << "\ncompiled  because " << artifact.madeBecause << "\ngraph\n" << artifact.parts.graph;
}

void shipEntries(const DiskCache &cache, const std::filesystem::path &folder, bool needsCubins,
                 std::ostream &os) {
  namespace fs = std::filesystem;
  fs::create_directories(folder);
  std::size_t count = 0;
  for (const DiskCache::Entry &entry : cache.entries()) {
    Artifact artifact = cache.read(entry);
    // Programs without kernels only copy.
    if (needsCubins && !artifact.device.kernels.empty() && artifact.device.cubins.empty())
      throw ValueError(
          fmt::format("{} has no machine code for {}", artifact.key, artifact.device.chip));
    fs::path file = folder / (runtime::shippedKey(artifact.parts) + ".kiln");
    if (fs::exists(file)) {
      const std::string there =
          runtime::parseArtifact(runtime::OpenFile(file.string()).read()).target;
      if (there != artifact.target)
        throw ValueError(fmt::format("{} is there for {}, and in the cache for {}", file.string(),
                                     there, artifact.target));
    }
    fs::copy_file(entry.path, file, fs::copy_options::overwrite_existing);
    ++count;
  }
  os << fmt::format("{} artifacts in {}\n", count, folder.string());
}

bool verifyEntries(const DiskCache &cache, std::ostream &os) {
  std::size_t good = 0, bad = 0;
  for (const DiskCache::Entry &entry : cache.entries()) {
    try {
      cache.read(entry);
      ++good;
    } catch (const Error &error) {
      ++bad;
      os << entry.path << ": " << error.what() << '\n';
    }
  }
  os << good << " usable, " << bad << " not\n";
  return bad == 0;
}

} // namespace kiln::tools
