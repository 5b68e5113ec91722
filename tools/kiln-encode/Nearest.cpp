//===- Nearest.cpp - The lines that are nearest to a query --------------------===//

#include "Nearest.h"

#include <algorithm>
#include <numeric>

namespace kiln::tools {

namespace {
bool isBetter(const Nearest::Line &a, const Nearest::Line &b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.number < b.number;
}
} // namespace

void Nearest::add(const std::string &text, std::span<const float> embedding) {
  const double cosine =
      std::inner_product(query.begin(), query.end(), embedding.begin(), 0.0, std::plus<>(),
                         [](float a, float b) { return double(a) * double(b); });
  const Line line{static_cast<float>(cosine), ++seen, {}};
  if (heap.size() == count) {
    if (!isBetter(line, heap.front()))
      return;
    std::pop_heap(heap.begin(), heap.end(), isBetter);
    heap.pop_back();
  }
  heap.push_back(line);
  heap.back().text = text;
  std::push_heap(heap.begin(), heap.end(), isBetter);
}

std::vector<Nearest::Line> Nearest::lines() const {
  std::vector<Line> sorted = heap;
  std::sort(sorted.begin(), sorted.end(), isBetter);
  return sorted;
}

} // namespace kiln::tools
