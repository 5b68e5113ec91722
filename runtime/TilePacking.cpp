#include "runtime/TilePacking.h"

#include "runtime/ThreadPool.h"

#include <algorithm>

namespace kiln::runtime {
namespace {

using Kind = Packing::Kind;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The matrix as [N, K]: its sizes, and how far apart in memory neighbours along each are.
struct Rows {
  Rows(const Packing &packing, const MatrixShape &shape) {
    const bool areColumns = packing.kind == Kind::columnTiles || packing.kind == Kind::filterTiles;
    n = areColumns ? shape.columns : shape.rows;
    k = areColumns ? shape.rows : shape.columns;
    stepN = areColumns ? 1 : k;
    stepK = areColumns ? n : 1;
    taps = packing.kind == Kind::channelsFirstTiles ? shape.taps : 1;
  }
  /// Element k of a row: of a channels-first filter's [C, taps] as if it were [taps, C].
  int64_t placeOf(int64_t at) const {
    if (taps == 1)
      return at * stepK;
    const int64_t channels = k / taps;
    return at % channels * taps + at / channels;
  }

  int64_t n, k, stepN, stepK, taps;
};

} // namespace

std::size_t tiledSizeBytes(const Packing &packing, const MatrixShape &shape) {
  const Rows rows(packing, shape);
  return static_cast<std::size_t>(shape.matrices * ceilDiv(rows.n, packing.panel) * packing.panel *
                                  ceilDiv(rows.k, tileDepth) * tileDepth * shape.elementBytes);
}

void packTiles(const Packing &packing, const MatrixShape &shape, const std::byte *source,
               std::byte *destination) {
  constexpr int64_t chunk = 8, chunks = tileDepth / chunk; // of 16 bytes
  const Rows rows(packing, shape);
  const int64_t panel = packing.panel, tilesN = ceilDiv(rows.n, panel),
                tilesK = ceilDiv(rows.k, tileDepth);
  auto *from = reinterpret_cast<const uint16_t *>(source);
  auto *to = reinterpret_cast<uint16_t *>(destination);
  ThreadPool::instance().parallelFor(
      shape.matrices * tilesN * tilesK, [&](int64_t begin, int64_t end, int64_t) {
        for (int64_t task = begin; task < end; ++task) {
          const uint16_t *matrix = from + task / (tilesN * tilesK) * rows.n * rows.k;
          const int64_t firstN = task / tilesK % tilesN * panel, firstK = task % tilesK * tileDepth;
          const int64_t countN = std::min(panel, rows.n - firstN),
                        countK = std::min(tileDepth, rows.k - firstK);
          uint16_t *tile = to + task * panel * tileDepth;
          std::fill(tile, tile + panel * tileDepth, uint16_t{0});
          auto put = [&](int64_t row, int64_t at) {
            const int64_t place = (at / chunk ^ row % chunks) * chunk + at % chunk;
            tile[row * tileDepth + place] =
                matrix[(firstN + row) * rows.stepN + rows.placeOf(firstK + at)];
          };
          // In the order of the source.
          if (rows.stepN == 1)
            for (int64_t at = 0; at < countK; ++at)
              for (int64_t row = 0; row < countN; ++row)
                put(row, at);
          else
            for (int64_t row = 0; row < countN; ++row)
              for (int64_t at = 0; at < countK; ++at)
                put(row, at);
        }
      });
}

} // namespace kiln::runtime
