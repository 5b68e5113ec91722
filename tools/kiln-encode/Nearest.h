//===- Nearest.h - The lines that are nearest to a query ----------------------===//
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace kiln::tools {

/// Keeps the `count` lines whose embeddings have the largest cosine to a query's; of equal ones,
/// the earlier. Memory: `count` lines.
class Nearest {
public:
  struct Line {
    float cosine;
    size_t number; ///< From 1, in the order of `add`.
    std::string text;
  };

  /// `query` is a unit vector, as are the embeddings given to `add`.
  Nearest(std::vector<float> query, size_t count) : query(std::move(query)), count(count) {}

  void add(const std::string &text, std::span<const float> embedding);
  /// The nearest first.
  std::vector<Line> lines() const;

private:
  std::vector<float> query;
  size_t count;
  size_t seen = 0;
  std::vector<Line> heap; // The worst in front.
};

} // namespace kiln::tools
