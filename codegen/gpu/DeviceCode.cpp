#include "codegen/gpu/DeviceCode.h"

#include "codegen/gpu/PtxEmitter.h"
#include "codegen/gpu/Ptxas.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace kiln::codegen {

llvm::Error emitDeviceCode(ModuleOp module, const std::vector<std::string> &architectures,
                           runtime::DeviceCode &code) {
  auto description = module->getAttrOfType<DictionaryAttr>("kiln.artifact");
  PtxOptions options;
  options.chip = code.chip = description.getAs<StringAttr>("chip").str();
  for (Attribute attribute : description.getAs<ArrayAttr>("device_functions")) {
    auto function = cast<DictionaryAttr>(attribute);
    auto number = [&](StringRef name) { return function.getAs<IntegerAttr>(name).getInt(); };
    code.kernels.push_back({function.getAs<StringAttr>("name").str(), number("threads"),
                            number("shared"), number("parameters")});
  }
  auto ptx = emitPtx(module, options);
  if (!ptx)
    return ptx.takeError();
  code.ptx = std::move(*ptx);
  eraseDeviceCode(module);

  std::optional<std::string> ptxas = findPtxas();
  if (!ptxas || code.kernels.empty())
    return llvm::Error::success();
  std::vector<std::string> wanted = architectures;
  if (wanted.empty())
    wanted.push_back(code.chip);
  for (const std::string &architecture : wanted) {
    auto cubin = assemblePtx(*ptxas, code.ptx, architecture);
    if (!cubin)
      return cubin.takeError();
    code.cubins.emplace_back(architecture, std::move(*cubin));
  }
  return llvm::Error::success();
}

} // namespace kiln::codegen
