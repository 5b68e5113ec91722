// Text of a module: parsed, verified, made a graph, and brought through the compiler's phases,
// without machine code.
#include "Fuzzing.h"

#include "ir/Graph.h"
#include "runtime/CompilerLibrary.h"

#include <string>

using namespace kiln;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
  fuzz::accepts([&] {
    ir::Graph graph;
    runtime::parseGraph(std::string(reinterpret_cast<const char *>(data), size), "fuzz.mlir",
                        graph);
    runtime::CompileRequest request;
    request.target = "x86-64-v3";
    request.lastPhase = "lower";
    runtime::CompileResult result = runtime::compileGraph(graph, request);
    if (result.error != ErrorKind::none && result.message.empty())
      __builtin_trap();
  });
  return 0;
}

/// By tokens and lines most of the time: bytes would hardly ever give a module.
extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t *data, std::size_t size, std::size_t maxSize,
                                               unsigned seed) {
  fuzz::Draw draw(seed);
  if (size == 0 || draw.oneIn(8))
    return LLVMFuzzerMutate(data, size, maxSize);
  return fuzz::mutateText(data, size, maxSize, draw);
}
