#pragma once

#include <cstddef>
#include <memory>

namespace kiln::runtime {

/// An uninitialised array of trivial elements whose size is known only at run time: on the stack
/// up to N elements, else on the heap.
template <class T, std::size_t N> class StackArray {
public:
  explicit StackArray(std::size_t size)
      : heap(size > N ? new T[size] : nullptr), first(heap ? heap.get() : local) {}
  T *data() { return first; }
  T &operator[](std::size_t index) { return first[index]; }

private:
  T local[N];
  std::unique_ptr<T[]> heap;
  T *first;
};

} // namespace kiln::runtime
