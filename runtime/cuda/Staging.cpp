#include "runtime/cuda/Staging.h"

#include <algorithm>
#include <cstring>

namespace kiln::runtime::cuda {

void Staging::wait(Chunk &chunk) {
  if (!chunk.isBusy)
    return;
  if (chunk.unmarked)
    chunk.unmarked->synchronize("a copy");
  else
    gpu.driver().synchronizeEvent(chunk.copied);
  chunk.unmarked = nullptr;
  chunk.isBusy = false;
}

void Staging::mark(Chunk &chunk, Stream &stream) {
  gpu.driver().recordEvent(chunk.copied, stream.handle());
  chunk.unmarked = nullptr;
}

Staging::Chunk &Staging::next() {
  Chunk &chunk = chunks[turn++ % numChunks];
  if (!chunk.copied)
    gpu.driver().createEvent(&chunk.copied, CU_EVENT_DISABLE_TIMING);
  if (!chunk.memory)
    gpu.driver().allocateHost(&chunk.memory, chunkBytes, CU_MEMHOSTALLOC_PORTABLE);
  wait(chunk);
  return chunk;
}

void Staging::upload(Address to, const void *from, std::size_t sizeBytes, Stream &stream) {
  auto *bytes = static_cast<const std::byte *>(from);
  std::lock_guard lock(mutex);
  gpu.enter();
  for (std::size_t done = 0; done < sizeBytes;) {
    std::size_t count = std::min(chunkBytes, sizeBytes - done);
    Chunk &chunk = next();
    std::memcpy(chunk.memory, bytes + done, count);
    chunk.isBusy = true;
    chunk.unmarked = &stream;
    gpu.driver().copyToDevice(to + done, chunk.memory, count, stream.handle());
    mark(chunk, stream);
    done += count;
  }
}

void Staging::download(void *to, Address from, std::size_t sizeBytes, Stream &stream) {
  auto *bytes = static_cast<std::byte *>(to);
  std::lock_guard lock(mutex);
  gpu.enter();
  struct Piece {
    Chunk *chunk = nullptr;
    std::size_t offset = 0, count = 0;
  } previous;
  auto empty = [&](const Piece &piece) {
    if (!piece.chunk)
      return;
    wait(*piece.chunk);
    std::memcpy(bytes + piece.offset, piece.chunk->memory, piece.count);
  };
  for (std::size_t done = 0; done < sizeBytes;) {
    Piece piece{&next(), done, std::min(chunkBytes, sizeBytes - done)};
    piece.chunk->isBusy = true;
    piece.chunk->unmarked = &stream;
    gpu.driver().copyToHost(piece.chunk->memory, from + done, piece.count, stream.handle());
    mark(*piece.chunk, stream);
    done += piece.count;
    empty(previous);
    previous = piece;
  }
  empty(previous);
}

} // namespace kiln::runtime::cuda
