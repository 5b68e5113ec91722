#include "ir/InterpreterOps.h"
#include "runtime/quantization/Quantize.h"

/// Operations on packed weights.
namespace kiln::ir {

static std::vector<Array> dequantize(const OpCall &call) {
  auto encoding = *parseQuantizationEncoding(call.attributes.get<std::string>("encoding"));
  const HostTensor packed = call.operand(0).toHost();
  HostTensor values{call.types[0], {}};
  values.bytes.resize(packed.bytes.size() / static_cast<size_t>(blockBytes(encoding)) *
                      static_cast<size_t>(blockElements(encoding)) * sizeof(float));
  // Bytes of a vector are aligned for floats.
  runtime::decodeBlocks(encoding, packed.bytes.data(),
                        static_cast<int64_t>(packed.bytes.size()) / blockBytes(encoding),
                        reinterpret_cast<float *>(values.bytes.data()));
  return {Array(values)};
}

std::span<const OpEntry> packedFunctions() {
  static const OpEntry entries[] = {{"dequantize", dequantize}};
  return entries;
}

} // namespace kiln::ir
