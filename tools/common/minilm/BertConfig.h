//===- BertConfig.h - The sizes of a BERT model -------------------------------===//
#pragma once

#include <cstdint>
#include <filesystem>

namespace kiln::tools {

/// Sizes of a BERT model. The defaults are those of all-MiniLM-L6-v2.
struct BertConfig {
  int64_t vocabulary = 30522;
  int64_t positions = 512; ///< The longest sequence, in tokens.
  int64_t segments = 2;
  int64_t hidden = 384;
  int64_t intermediate = 1536;
  int64_t layers = 6;
  int64_t heads = 12;
  double epsilon = 1e-12; ///< Of the layer norms.

  /// Reads a model's config.json.
  /// Errors: IoError if it cannot be read; ValueError if a size is missing or impossible, or if the
  /// model is none that Bert.h describes.
  static BertConfig load(const std::filesystem::path &file);
};

} // namespace kiln::tools
