#include "runtime/Packing.h"

#include "kiln/Error.h"
#include "runtime/ThreadPool.h"
#include "runtime/TilePacking.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace kiln::runtime {
namespace {

constexpr int64_t cacheLineBytes = 64;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// 16 bytes of elements of type T: the vector register that every x86-64 has.
template <class T> struct Vector {
  static constexpr int lanes = 16 / sizeof(T);
  typedef T Type __attribute__((vector_size(16)));
};

/// Interleaves the low or the high halves: a0 b0 a1 b1 …
template <class T, bool high>
typename Vector<T>::Type zip(typename Vector<T>::Type a, typename Vector<T>::Type b) {
  constexpr int n = Vector<T>::lanes, h = high ? n / 2 : 0;
  if constexpr (n == 2)
    return __builtin_shufflevector(a, b, h, n + h);
  else if constexpr (n == 4)
    return __builtin_shufflevector(a, b, h, n + h, h + 1, n + h + 1);
  else if constexpr (n == 8)
    return __builtin_shufflevector(a, b, h, n + h, h + 1, n + h + 1, h + 2, n + h + 2, h + 3,
                                   n + h + 3);
  else
    return __builtin_shufflevector(a, b, h, n + h, h + 1, n + h + 1, h + 2, n + h + 2, h + 3,
                                   n + h + 3, h + 4, n + h + 4, h + 5, n + h + 5, h + 6, n + h + 6,
                                   h + 7, n + h + 7);
}

/// Transposes a square of lanes x lanes elements. Strides count elements.
template <class T>
inline void transposeSquare(const T *source, int64_t sourceStride, T *destination,
                            int64_t destinationStride) {
  using V = typename Vector<T>::Type;
  constexpr int n = Vector<T>::lanes;
  V rows[n], next[n];
  for (int i = 0; i < n; ++i)
    std::memcpy(&rows[i], source + i * sourceStride, sizeof(V));
  // Each round is a perfect shuffle of the square's elements; log2(n) of them transpose it.
  for (int round = 1; round < n; round *= 2) {
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = zip<T, false>(rows[i], rows[i + n / 2]);
      next[2 * i + 1] = zip<T, true>(rows[i], rows[i + n / 2]);
    }
    std::copy(next, next + n, rows);
  }
  for (int i = 0; i < n; ++i)
    std::memcpy(destination + i * destinationStride, &rows[i], sizeof(V));
}

/// Columns [first, last) of one panel of a [rows, columns] matrix:
/// destination[k][j] = source[j][k] for j < count, else 0.
template <class T>
void packColumns(const T *source, int64_t columns, int64_t first, int64_t last, int64_t count,
                 int64_t panel, T *destination) {
  for (int64_t k = first; k < last; ++k)
    for (int64_t j = 0; j < panel; ++j)
      destination[k * panel + j] = j < count ? source[j * columns + k] : T(0);
}

template <class T>
void packRowPanel(const T *source, int64_t columns, int64_t count, int64_t panel, T *destination) {
  constexpr int64_t n = Vector<T>::lanes, line = cacheLineBytes / sizeof(T);
  int64_t squareRows = count / n * n, wholeLines = columns / line * line;
  for (int64_t k = 0; k < wholeLines; k += line) {
    // A line of each row is used up while it is in the nearest cache: rows a power of two apart
    // push each other out of it.
    for (int64_t j = 0; j < squareRows; j += n)
      for (int64_t i = k; i < k + line; i += n)
        transposeSquare(source + j * columns + i, columns, destination + i * panel + j, panel);
    if (squareRows < panel)
      for (int64_t i = k; i < k + line; ++i)
        for (int64_t j = squareRows; j < panel; ++j)
          destination[i * panel + j] = j < count ? source[j * columns + i] : T(0);
  }
  packColumns(source, columns, wholeLines, columns, count, panel, destination);
}

template <class T>
void packRowPanels(const Packing &packing, const MatrixShape &shape, const T *source,
                   T *destination) {
  int64_t panel = packing.panel, panels = ceilDiv(shape.rows, panel);
  int64_t columns = shape.columns;
  ThreadPool::instance().parallelFor(shape.matrices * panels, [&](int64_t begin, int64_t end,
                                                                  int64_t) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t matrix = task / panels, row = task % panels * panel;
      packRowPanel(source + (matrix * shape.rows + row) * columns, columns,
                   std::min(panel, shape.rows - row), panel, destination + task * panel * columns);
    }
  });
}

template <class T>
void packColumnPanels(const Packing &packing, const MatrixShape &shape, const T *source,
                      T *destination) {
  int64_t panel = packing.panel, panels = ceilDiv(shape.columns, panel);
  // Several panels at a time, so that a visit to a row reads about half a page in one go; and
  // stretches of rows, so that there is work for all threads.
  constexpr int64_t visitBytes = 2048, stretch = 64;
  int64_t group = std::max<int64_t>(1, visitBytes / (panel * int64_t(sizeof(T))));
  int64_t groups = ceilDiv(panels, group), stretches = ceilDiv(shape.rows, stretch);
  ThreadPool::instance().parallelFor(
      shape.matrices * groups * stretches, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t task = begin; task < end; ++task) {
          int64_t firstRow = task % stretches * stretch;
          int64_t firstPanel = task / stretches % groups * group;
          int64_t matrix = task / stretches / groups;
          const T *from = source + matrix * shape.rows * shape.columns;
          T *to = destination + matrix * panels * shape.rows * panel;
          for (int64_t k = firstRow; k < std::min(firstRow + stretch, shape.rows); ++k)
            for (int64_t p = firstPanel; p < std::min(firstPanel + group, panels); ++p) {
              T *out = to + (p * shape.rows + k) * panel;
              int64_t count = std::min(panel, shape.columns - p * panel);
              std::memcpy(out, from + k * shape.columns + p * panel, count * sizeof(T));
              std::fill(out + count, out + panel, T(0));
            }
        }
      });
}

/// packed[panel][tap][channel][row in panel] of rows [channel][tap].
template <class T>
void packChannelsFirst(const Packing &packing, const MatrixShape &shape, const T *source,
                       T *destination) {
  int64_t panel = packing.panel, channels = shape.columns / std::max<int64_t>(1, shape.taps);
  ThreadPool::instance().parallelFor(
      ceilDiv(shape.rows, panel), [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t task = begin; task < end; ++task) {
          T *to = destination + task * panel * shape.columns;
          for (int64_t j = 0; j < panel; ++j) {
            int64_t row = task * panel + j;
            const T *from = source + row * shape.columns;
            for (int64_t c = 0; c < channels; ++c)
              for (int64_t tap = 0; tap < shape.taps; ++tap)
                to[(tap * channels + c) * panel + j] =
                    row < shape.rows ? from[c * shape.taps + tap] : T(0);
          }
        }
      });
}

/// The upper half of a float32, rounded to nearest even; NaN stays NaN.
inline uint16_t toBFloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (value != value)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
/// Elements as they are multiplied.
struct Narrowed {
  static uint16_t of(float value) { return toBFloat16(value); }
  static uint16_t of(uint16_t value) { return value; }
};
/// What Narrowed leaves of a number.
struct Rest {
  static uint16_t of(float value) {
    uint32_t bits = uint32_t{toBFloat16(value)} << 16;
    float first;
    std::memcpy(&first, &bits, sizeof first);
    return toBFloat16(value - first);
  }
};

/// Rows of a panel as rows of pairs, which are packed as elements of four bytes. `room`: for them.
template <class Part, class T>
void packRowPairs(const T *source, int64_t columns, int64_t count, int64_t panel,
                  std::vector<uint32_t> &room, uint32_t *destination) {
  int64_t pairs = ceilDiv(columns, 2);
  room.resize(static_cast<std::size_t>(count * pairs));
  for (int64_t j = 0; j < count; ++j) {
    const T *from = source + j * columns;
    uint32_t *to = room.data() + j * pairs;
    for (int64_t k = 0; k < columns / 2; ++k)
      to[k] = Part::of(from[2 * k]) | uint32_t{Part::of(from[2 * k + 1])} << 16;
    if (columns % 2)
      to[pairs - 1] = Part::of(from[columns - 1]);
  }
  packRowPanel(room.data(), pairs, count, panel, destination);
}

/// One panel of a [K, N] matrix whose element (k, n) lies at source[k * stepK + n].
template <class Part, class T>
void packColumnPairs(const T *source, int64_t rows, int64_t stepK, int64_t count, int64_t panel,
                     uint32_t *destination) {
  for (int64_t k = 0; k < rows; k += 2, destination += panel) {
    const T *low = source + k * stepK, *high = low + stepK;
    for (int64_t j = 0; j < count; ++j)
      destination[j] = Part::of(low[j]) | (k + 1 < rows ? uint32_t{Part::of(high[j])} << 16 : 0);
    std::fill(destination + count, destination + panel, 0);
  }
}

/// One panel of a filter [N, C, ...].
template <class Part, class T>
void packChannelsFirstPairs(const T *source, const MatrixShape &shape, int64_t count, int64_t panel,
                            uint32_t *destination) {
  int64_t channels = shape.columns / std::max<int64_t>(1, shape.taps);
  std::fill(destination, destination + ceilDiv(shape.columns, 2) * panel, 0);
  for (int64_t j = 0; j < count; ++j)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t tap = 0; tap < shape.taps; ++tap) {
        int64_t k = tap * channels + c;
        uint32_t value = Part::of(source[j * shape.columns + c * shape.taps + tap]);
        destination[k / 2 * panel + j] |= k % 2 ? value << 16 : value;
      }
}

using Kind = Packing::Kind;

bool isInPairs(const Packing &packing) {
  return packing.kind >= Kind::rowPairs && packing.kind <= Kind::channelsFirstParts;
}
bool isInParts(const Packing &packing) {
  return packing.kind >= Kind::rowParts && packing.kind <= Kind::channelsFirstParts;
}
bool isChannelsFirst(const Packing &packing) {
  return packing.kind == Kind::channelsFirstPanels || packing.kind == Kind::channelsFirstPairs ||
         packing.kind == Kind::channelsFirstParts || packing.kind == Kind::channelsFirstTiles;
}
bool isFilter(const Packing &packing) {
  return packing.kind == Kind::filterPanels || packing.kind == Kind::filterPairs ||
         packing.kind == Kind::filterParts || packing.kind == Kind::filterTiles;
}
/// Whether panels are of the matrix's rows; else of its columns.
bool isByRows(const Packing &packing) {
  return packing.kind == Kind::rowPanels || packing.kind == Kind::rowPairs ||
         packing.kind == Kind::rowParts || isChannelsFirst(packing);
}

/// One panel, from column `first` of [K, N] on, of a matrix given as the packing says.
template <class Part, class T>
void packPairPanel(const Packing &packing, const MatrixShape &shape, const T *matrix, int64_t first,
                   std::vector<uint32_t> &room, uint32_t *destination) {
  const int64_t n = isByRows(packing) ? shape.rows : shape.columns, panel = packing.panel;
  const int64_t k = isByRows(packing) ? shape.columns : shape.rows;
  const int64_t count = std::min(panel, n - first);
  if (isChannelsFirst(packing))
    packChannelsFirstPairs<Part>(matrix + first * k, shape, count, panel, destination);
  else if (isByRows(packing))
    packRowPairs<Part>(matrix + first * k, k, count, panel, room, destination);
  else
    packColumnPairs<Part>(matrix + first, k, n, count, panel, destination);
}

template <class T>
void packPairs(const Packing &packing, const MatrixShape &shape, const std::byte *source,
               std::byte *destination) {
  const int64_t n = isByRows(packing) ? shape.rows : shape.columns;
  const int64_t k = isByRows(packing) ? shape.columns : shape.rows;
  const int64_t panels = ceilDiv(n, packing.panel), words = packing.panel * ceilDiv(k, 2);
  const int64_t parts = isInParts(packing) ? 2 : 1;
  auto *from = reinterpret_cast<const T *>(source);
  auto *to = reinterpret_cast<uint32_t *>(destination);
  ThreadPool::instance().parallelFor(
      shape.matrices * panels, [&](int64_t begin, int64_t end, int64_t) {
        std::vector<uint32_t> room;
        for (int64_t task = begin; task < end; ++task) {
          const T *matrix = from + task / panels * n * k;
          const int64_t first = task % panels * packing.panel;
          uint32_t *out = to + task * parts * words;
          packPairPanel<Narrowed>(packing, shape, matrix, first, room, out);
          if constexpr (std::is_same_v<T, float>)
            if (parts == 2)
              packPairPanel<Rest>(packing, shape, matrix, first, room, out + words);
        }
      });
}

void copyAll(const std::byte *source, std::byte *destination, int64_t sizeBytes) {
  constexpr int64_t piece = int64_t{1} << 20;
  ThreadPool::instance().parallelFor(
      ceilDiv(sizeBytes, piece), [&](int64_t begin, int64_t end, int64_t) {
        int64_t from = begin * piece, to = std::min(end * piece, sizeBytes);
        std::memcpy(destination + from, source + from, to - from);
      });
}

template <class T>
void packAs(const Packing &packing, const MatrixShape &shape, const std::byte *source,
            std::byte *destination) {
  auto *from = reinterpret_cast<const T *>(source);
  auto *to = reinterpret_cast<T *>(destination);
  if (packing.kind == Packing::Kind::rowPanels)
    packRowPanels(packing, shape, from, to);
  else if (packing.kind == Packing::Kind::channelsFirstPanels)
    packChannelsFirst(packing, shape, from, to);
  else
    packColumnPanels(packing, shape, from, to);
}

} // namespace

MatrixShape matrixShape(const Packing &packing, const TensorType &type) {
  std::vector<int64_t> sizes = type.shape.sizes();
  MatrixShape shape;
  shape.elementBytes = static_cast<int64_t>(kiln::sizeBytes(type.dtype));
  if (packing.kind == Packing::Kind::none) {
    shape.rows = shape.columns = 1;
    for (int64_t size : sizes)
      shape.columns *= size;
    return shape;
  }
  if (sizes.size() < 2)
    throw ValueError(fmt::format("a tensor {} cannot be packed: it is no matrix", type.str()));
  if (packing.panel <= 0)
    throw ValueError(fmt::format("a packing in panels of {} is none", packing.panel));
  if (isInPairs(packing) && type.dtype != DType::bfloat16 && type.dtype != DType::float32)
    throw ValueError(fmt::format("a tensor {} cannot be packed in pairs of bfloat16", type.str()));
  if (isInParts(packing) && type.dtype != DType::float32)
    throw ValueError(fmt::format("a tensor {} cannot be packed in two parts", type.str()));
  if (isInTiles(packing) && shape.elementBytes != 2)
    throw ValueError(
        fmt::format("a tensor {} cannot be packed in tiles of elements of 16 bits", type.str()));
  for (std::size_t axis = 0; axis + 2 < sizes.size(); ++axis)
    shape.matrices *= sizes[axis];
  shape.rows = sizes[sizes.size() - 2];
  if (isFilter(packing))
    shape.rows *= std::exchange(shape.matrices, 1);
  if (isChannelsFirst(packing)) {
    shape = {.rows = sizes[0], .columns = sizes[1], .elementBytes = shape.elementBytes};
    for (std::size_t axis = 2; axis < sizes.size(); ++axis)
      shape.taps *= sizes[axis];
    shape.columns *= shape.taps;
    return shape;
  }
  shape.columns = sizes.back();
  return shape;
}

std::size_t packedSizeBytes(const Packing &packing, const MatrixShape &shape) {
  if (isInTiles(packing))
    return tiledSizeBytes(packing, shape);
  if (isInPairs(packing)) {
    const int64_t n = isByRows(packing) ? shape.rows : shape.columns;
    const int64_t k = isByRows(packing) ? shape.columns : shape.rows;
    return static_cast<std::size_t>(shape.matrices * ceilDiv(n, packing.panel) * packing.panel *
                                    ceilDiv(k, 2) * int64_t(sizeof(uint32_t)) *
                                    (isInParts(packing) ? 2 : 1));
  }
  int64_t elements = shape.matrices * shape.rows * shape.columns;
  if (isByRows(packing))
    elements = shape.matrices * ceilDiv(shape.rows, packing.panel) * packing.panel * shape.columns;
  else if (packing.kind != Packing::Kind::none)
    elements = shape.matrices * ceilDiv(shape.columns, packing.panel) * packing.panel * shape.rows;
  return static_cast<std::size_t>(elements * shape.elementBytes);
}

void pack(const Packing &packing, const MatrixShape &shape, const std::byte *source,
          std::byte *destination) {
  if (packing.kind == Packing::Kind::none)
    return copyAll(source, destination, static_cast<int64_t>(shape.sizeBytes()));
  if (isInTiles(packing))
    return packTiles(packing, shape, source, destination);
  if (isInPairs(packing))
    return shape.elementBytes == 2 ? packPairs<uint16_t>(packing, shape, source, destination)
                                   : packPairs<float>(packing, shape, source, destination);
  switch (shape.elementBytes) {
  case 1:
    return packAs<uint8_t>(packing, shape, source, destination);
  case 2:
    return packAs<uint16_t>(packing, shape, source, destination);
  case 4:
    return packAs<uint32_t>(packing, shape, source, destination);
  default:
    return packAs<uint64_t>(packing, shape, source, destination);
  }
}

} // namespace kiln::runtime
