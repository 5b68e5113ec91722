#pragma once

#include "GraphRunner.h"

#include "codegen/Target.h"
#include "ir/Interpreter.h"
#include "ir/InterpreterArray.h"
#include "kiln/Threads.h"

#include <cmath>
#include <limits>

/// Kernels against the interpreter, bit for bit: for operations whose results are exact.
namespace kiln::test {

inline constexpr DType allDTypes[] = {
    DType::boolean,  DType::int8,    DType::int16,  DType::int32,  DType::int64,
    DType::uint8,    DType::uint16,  DType::uint32, DType::uint64, DType::float16,
    DType::bfloat16, DType::float32, DType::float64};

/// All three axes for one dtype, one of them for each of the others: a kernel each.
inline std::vector<int64_t> someAxes(DType dtype) {
  if (dtype == DType::float32)
    return {0, 1, 2};
  return {static_cast<int64_t>(dtype) % 3};
}

/// Values with many equal ones among them; of floats NaNs, infinities and zeros of both signs, of
/// integers the least and the greatest.
inline ir::HostTensor drawTensor(DType dtype, std::vector<int64_t> sizes, std::mt19937 &generator) {
  ir::Array array(dtype, std::move(sizes));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double reals[] = {std::numeric_limits<double>::quiet_NaN(), -infinity, infinity, -0.0,
                              0.0};
  constexpr int64_t integers[] = {INT64_MIN, INT64_MAX, -128, 127, 255, 0};
  for (int64_t i = 0; i < array.numElements(); ++i) {
    unsigned choice = generator() % 40;
    int64_t small = static_cast<int64_t>(generator() % 60) - 30;
    if (isFloat(dtype))
      array.set(
          i, ir::real(choice < std::size(reals) ? reals[choice] : static_cast<double>(small) / 4));
    else
      array.set(i, ir::integer(choice < std::size(integers) ? integers[choice] : small));
  }
  return array.toHost();
}

/// Numbers without NaNs and infinities, whose sums are exact in no dtype.
inline ir::HostTensor drawNumbers(DType dtype, std::vector<int64_t> sizes,
                                  std::mt19937 &generator) {
  ir::Array array(dtype, std::move(sizes));
  for (int64_t i = 0; i < array.numElements(); ++i) {
    auto bits = static_cast<int64_t>(generator());
    array.set(i, isFloat(dtype) ? ir::real(static_cast<double>(bits % 20001 - 10000) / 7000)
                                : ir::integer(bits));
  }
  return array.toHost();
}

/// Indices in [0, bound).
inline ir::HostTensor drawIndices(DType dtype, std::vector<int64_t> sizes, int64_t bound,
                                  std::mt19937 &generator) {
  ir::Array array(dtype, std::move(sizes));
  for (int64_t i = 0; i < array.numElements(); ++i)
    array.set(i, ir::integer(static_cast<int64_t>(generator()) % bound));
  return array.toHost();
}

/// The graph, compiled, gives what the interpreter gives, with one thread and with three. NaNs may
/// differ in their bits.
inline void expectAsInterpreted(const ir::Graph &graph, const runtime::Executable &executable,
                                const std::vector<ir::HostTensor> &inputs) {
  ir::Evaluation expected = ir::interpretGraph(graph, inputs);
  ASSERT_TRUE(expected) << expected.message;
  std::vector<runtime::TensorValue> values;
  for (const ir::HostTensor &input : inputs)
    values.push_back({input.type, runtime::Buffer::copyOf(input.bytes)});
  int64_t before = threadCount();
  for (int64_t threads : {1, 3}) {
    setThreadCount(threads);
    std::vector<runtime::TensorValue> results = run(executable, values);
    ASSERT_EQ(results.size(), expected.results.size());
    for (std::size_t k = 0; k < results.size(); ++k) {
      const ir::HostTensor &want = expected.results[k];
      ASSERT_EQ(results[k].type, want.type);
      ir::HostTensor got = want;
      if (!got.bytes.empty())
        std::memcpy(got.bytes.data(), results[k].buffer->data(), got.bytes.size());
      ir::Array wanted(want), gotten(got);
      for (int64_t i = 0; i < wanted.numElements(); ++i) {
        bool same = wanted.integerAt(i) == gotten.integerAt(i) ||
                    (isFloat(want.type.dtype) && std::isnan(wanted.realAt(i)) &&
                     std::isnan(gotten.realAt(i)));
        ASSERT_TRUE(same) << "result " << k << ", element " << i << " of " << want.type.str()
                          << " on " << threads << " threads: expected "
                          << (isFloat(want.type.dtype) ? wanted.realAt(i)
                                                       : double(wanted.integerAt(i)))
                          << ", got "
                          << (isFloat(want.type.dtype) ? gotten.realAt(i)
                                                       : double(gotten.integerAt(i)));
      }
    }
  }
  setThreadCount(before);
}

} // namespace kiln::test
