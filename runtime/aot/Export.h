#pragma once

#include "runtime/Artifact.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// Models as C programs take them: an object with the code and a small runtime (Runtime.c), a
/// header, a file of weights. See docs/deploy.md.
namespace kiln::runtime {

/// The code for one target.
struct ExportedImage {
  Artifact artifact;
  std::vector<std::size_t> weights; // of the file's, in the order of the entry's buffers
};

/// What an export is made of.
struct ExportedModel {
  std::string name;                     // what its functions begin with
  std::vector<ExportedImage> images;    // of one model; the first that a CPU can run is taken
  std::string key;                      // 32 characters, in the object and in the file of weights
  std::vector<std::size_t> weightBytes; // of each packed weight in the file
};

/// Errors: ValueError for a name that C does not take; CompileError for an artifact that runs on
/// several devices or packs an argument, and for images that are not of one model.
void checkExport(const ExportedModel &model);

/// The object as assembly text: the runtime under the model's name, its table, its code.
std::string exportedAssembly(const ExportedModel &model);

/// The C header.
std::string exportedHeader(const ExportedModel &model);

/// The beginning of the file of weights: magic, key, offsets. The weights follow, each at its
/// offset.
std::vector<std::byte> weightsHeader(const ExportedModel &model, std::vector<int64_t> &offsets);

} // namespace kiln::runtime
