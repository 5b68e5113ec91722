#include "frontend/Node.h"
#include "frontend/Trace.h"
#include "kiln/Tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

/// Printing of tensors: a matrix as rows; the dims beyond it tile matrices side by side (odd) and
/// below each other (even).
namespace kiln {

namespace {

constexpr int64_t summarizeAbove = 1000; // elements
constexpr int64_t edgeItems = 3;         // shown at each end of a dim

std::string cellText(DType dtype, const std::byte *at) {
  auto real = [](double value) -> std::string {
    if (std::isnan(value))
      return "nan";
    if (std::isinf(value))
      return value < 0 ? "-inf" : "inf";
    return fmt::format("{:.4g}", value);
  };
  auto read = [&]<class T>(T value) {
    std::memcpy(&value, at, sizeof(T));
    return value;
  };
  switch (dtype) {
  case DType::boolean:
    return read(uint8_t()) ? "True" : "False";
  case DType::int8:
    return fmt::format("{}", int{read(int8_t())});
  case DType::int16:
    return fmt::format("{}", read(int16_t()));
  case DType::int32:
    return fmt::format("{}", read(int32_t()));
  case DType::int64:
    return fmt::format("{}", read(int64_t()));
  case DType::uint8:
    return fmt::format("{}", int{read(uint8_t())});
  case DType::uint16:
    return fmt::format("{}", read(uint16_t()));
  case DType::uint32:
    return fmt::format("{}", read(uint32_t()));
  case DType::uint64:
    return fmt::format("{}", read(uint64_t()));
  case DType::float16:
    return real(static_cast<float>(read(Float16())));
  case DType::bfloat16:
    return real(static_cast<float>(read(BFloat16())));
  case DType::float32:
    return real(static_cast<double>(read(float())));
  case DType::float64:
    return real(read(double()));
  }
  return {};
}

class Renderer {
public:
  Renderer(const TensorType &type, const std::byte *data)
      : dtype(type.dtype), sizes(type.shape.sizes()), strides(sizes.size()), data(data) {
    int64_t count = 1;
    for (std::size_t i = sizes.size(); i-- > 0;) {
      strides[i] = count;
      count *= sizes[i];
    }
    isSummary = count > summarizeAbove;
    if (count)
      measure(0, 0);
  }

  /// The lines of the block of all dims from `axis` on.
  std::vector<std::string> block(std::size_t axis, int64_t offset) const {
    std::size_t left = sizes.size() - axis;
    if (left == 0)
      return {cell(offset)};
    if (left == 1) {
      std::string line;
      for (int64_t i : shown(axis))
        line += (line.empty() ? "" : " ") + (i < 0 ? "..." : cell(offset + i));
      return {line};
    }
    std::vector<std::vector<std::string>> parts;
    for (int64_t i : shown(axis))
      parts.push_back(i < 0 ? std::vector<std::string>{"..."}
                            : block(axis + 1, offset + i * strides[axis]));
    if (left == 2)
      return below(parts, {});
    if (left % 2 == 1)
      return beside(parts, left == 3 ? " | " : " " + std::string((left - 3) / 2, ':') + " ");
    return below(parts, left == 4 ? std::vector<std::string>{""}
                                  : std::vector<std::string>((left - 4) / 2, "-"));
  }

private:
  std::string cell(int64_t offset) const {
    return fmt::format("{:>{}}", cellText(dtype, data + offset * elementBytes()), width);
  }
  int64_t elementBytes() const { return static_cast<int64_t>(sizeBytes(dtype)); }

  /// The positions of an axis that are printed; -1 stands for those left out.
  std::vector<int64_t> shown(std::size_t axis) const {
    std::vector<int64_t> positions;
    bool isCut = isSummary && sizes[axis] > 2 * edgeItems;
    for (int64_t i = 0; i < sizes[axis]; ++i) {
      if (isCut && i == edgeItems) {
        positions.push_back(-1);
        i = sizes[axis] - edgeItems;
      }
      positions.push_back(i);
    }
    return positions;
  }

  void measure(std::size_t axis, int64_t offset) {
    if (axis == sizes.size()) {
      width = std::max(width, cellText(dtype, data + offset * elementBytes()).size());
      return;
    }
    for (int64_t i : shown(axis))
      if (i >= 0)
        measure(axis + 1, offset + i * strides[axis]);
  }

  using Lines = std::vector<std::string>;
  /// Blocks below each other; "-" in the separator stands for a rule of their width.
  static Lines below(const std::vector<Lines> &blocks, const Lines &separator) {
    std::size_t columns = 0;
    for (const Lines &lines : blocks)
      for (const std::string &line : lines)
        columns = std::max(columns, line.size());
    Lines result;
    for (const Lines &lines : blocks) {
      if (&lines != &blocks.front())
        for (const std::string &line : separator)
          result.push_back(line == "-" ? std::string(columns, '-') : line);
      result.insert(result.end(), lines.begin(), lines.end());
    }
    return result;
  }

  static Lines beside(const std::vector<Lines> &blocks, const std::string &separator) {
    std::size_t height = 0;
    for (const Lines &lines : blocks)
      height = std::max(height, lines.size());
    Lines result(height);
    for (const Lines &lines : blocks) {
      std::size_t columns = 0;
      for (const std::string &line : lines)
        columns = std::max(columns, line.size());
      for (std::size_t i = 0; i < height; ++i)
        result[i] += (&lines == &blocks.front() ? "" : separator) +
                     fmt::format("{:<{}}", i < lines.size() ? lines[i] : "", columns);
    }
    return result;
  }

  DType dtype;
  std::vector<int64_t> sizes, strides; // strides in elements
  const std::byte *data;
  bool isSummary = false;
  std::size_t width = 1;
};

} // namespace

std::ostream &operator<<(std::ostream &os, const Tensor &tensor) {
  if (!tensor.defined())
    return os << "Tensor(<empty>)";
  const TensorType &type = tensor.type();
  std::string text;
  if (!type.shape.isStatic() || (detail::TraceScope::isActive() && !tensor.isRealized())) {
    text = fmt::format("<unrealized>, shape={}", type.shape.str());
  } else if (tensor.numElements() == 0) {
    text = "[]";
  } else {
    auto buffer = detail::contents(tensor, "print", tensor.handle()->where);
    std::vector<std::string> lines = Renderer(type, buffer->data()).block(0, 0);
    for (std::size_t i = 0; i < lines.size(); ++i)
      text += (i ? (type.rank() ? "\n " : "\n") : "") + lines[i];
    if (type.rank())
      text = "[" + text + "]";
  }
  return os << "Tensor(" << text << ", dtype=" << name(type.dtype)
            << ", device=" << type.device.str() << ")";
}

} // namespace kiln
