#pragma once

#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <sstream>
#include <string>
#include <vector>

/// What the tests of VocabParallelEmbedding share.
namespace kiln::test {

using nn::embedding::VocabParallelEmbedding;

template <class T> std::string text(const T &value) {
  std::ostringstream os;
  os << value;
  return os.str();
}

inline std::vector<Device> cpus(int count, int first = 0) {
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i)
    devices.push_back(CPU(first + i));
  return devices;
}

inline VocabParallelEmbedding embeddingOf(int64_t vocab, int64_t dim, std::vector<Device> devices,
                                          DType dtype = DType::float32) {
  return VocabParallelEmbedding(
      {.vocabSize = vocab, .hiddenDim = dim, .dtype = dtype, .devices = std::move(devices)});
}

inline std::vector<std::byte> bytesOf(const Tensor &tensor) {
  auto bytes = tensor.bytes();
  return {bytes.begin(), bytes.end()};
}

/// Draws of [rows, columns] that differ from row to row.
inline Tensor table(int64_t rows, int64_t columns, DType dtype = DType::float32) {
  return random::normal({rows, columns}).cast(dtype).realize();
}

inline void expectRows(const std::vector<Tensor> &got, const Tensor &expected,
                       const std::vector<Device> &devices) {
  ASSERT_EQ(got.size(), devices.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].type(), TensorType(expected.dtype(), expected.shape(), devices[i]));
    EXPECT_EQ(bytesOf(got[i]), bytesOf(expected)) << "on " << devices[i];
  }
}

} // namespace kiln::test
