#include "passes/KernelCost.h"

#include "ir/TypeConversion.h"
#include "kiln/Error.h"
#include "passes/Fusing.h"
#include "passes/cpu/MemoryPlan.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Operations for each element, from the definitions: mean, difference, square, their mean, scale,
/// weight, bias (and one for the root of a row's variance, rounded up); maximum, difference,
/// exponential, sum, quotient.
constexpr int64_t layerNormFlops = 8, softmaxFlops = 5;

TensorType typeOf(Value value) { return ir::toTensorType(value.getType()); }
Dim numElements(Value value) { return typeOf(value).shape.numElements(); }
Dim lastDim(Value value) { return typeOf(value).shape.vec().back(); }

Dim flopsOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Dim>(op)
      .Case([](ir::LinearOp linear) {
        Dim sum = 0, forBias = linear.getBiases().empty() ? 0 : 1;
        for (Value result : linear.getResults())
          sum = sum + numElements(result) * (lastDim(linear.getX()) * 2 + forBias);
        return sum;
      })
      .Case([](ir::MatmulOp matmul) {
        return numElements(matmul.getResult()) * lastDim(matmul.getX()) * 2;
      })
      .Case([](ir::AttentionOp attention) {
        // For each query and key: a term for each element of q and of v, and the softmax.
        bool isRowsFirst = attention.getLayout() == "bshd";
        TensorType k = typeOf(attention.getK());
        Dim keys = k.shape.vec()[k.rank() - (isRowsFirst ? 3 : 2)];
        Dim width = lastDim(attention.getQ());
        return numElements(attention.getResult()) * keys * 2 +
               numElements(attention.getQ()) / width * keys * (width * 2 + softmaxFlops);
      })
      .Case([](ir::LayerNormOp op) { return numElements(op.getResult()) * layerNormFlops; })
      .Case([](ir::SoftmaxOp op) { return numElements(op.getResult()) * softmaxFlops; })
      .Case<ir::CastOp, ir::SelectOp, ir::ConstantOp, ir::IotaOp, ir::SizeOp, ir::GatherOp,
            ir::GatherElementsOp, ir::ConcatOp, ir::DequantizeOp>(
          [](Operation *) { return Dim(0); })
      .Default([](Operation *op) {
        if (op->hasTrait<ir::KilnView>() || op->getNumOperands() == 0)
          return Dim(0);
        // Elementwise operations, and what reduces or orders its first operand.
        return numElements(op->hasTrait<ir::KilnElementwise>() ? op->getResult(0)
                                                               : op->getOperand(0));
      });
}

/// What a kernel reads of an operand: all of it, once, or the rows that its gathers look up.
Dim bytesRead(BlockArgument argument) {
  bool isTable = !argument.use_empty() && llvm::all_of(argument.getUses(), [](OpOperand &use) {
    return isa<ir::GatherOp>(use.getOwner()) && use.getOperandNumber() == 0;
  });
  if (!isTable)
    return typeOf(argument).sizeBytes();
  Dim sum = 0;
  for (Operation *gather : argument.getUsers())
    sum = sum + typeOf(gather->getResult(0)).sizeBytes();
  return sum;
}

/// 0 where a size does not fit: no machine would run that either.
template <class Work> Dim orNothing(Work work) {
  try {
    return work();
  } catch (const ValueError &) {
    return 0;
  }
}

} // namespace

DictionaryAttr kernelCost(func::FuncOp kernel, ir::LaunchOp launch) {
  Block &body = kernel.getBody().front();
  Builder b(kernel.getContext());
  Dim flops = orNothing([&] {
    Dim sum = 0;
    for (Operation &op : body.without_terminator())
      sum = sum + flopsOf(&op);
    return sum;
  });
  auto bytes = [&](bool ofWeights) {
    return orNothing([&] {
      Dim sum = 0;
      for (auto [argument, operand] : llvm::zip(body.getArguments(), launch.getInputs()))
        if (isWeight(viewedValue(operand)) == ofWeights)
          sum = sum + bytesRead(argument);
      for (Value result : body.getTerminator()->getOperands())
        if (!ofWeights)
          sum = sum + typeOf(result).sizeBytes();
      return sum;
    });
  };
  DType products = DType::float32;
  for (Operation &op : body)
    if (isa<ir::LinearOp, ir::MatmulOp, ir::AttentionOp>(op))
      products = typeOf(op.getOperand(0)).dtype;
  std::string types;
  for (Value argument : body.getArguments())
    types += (types.empty() ? "" : ", ") + typeOf(argument).str();
  types += " ->";
  for (auto [i, result] : llvm::enumerate(body.getTerminator()->getOperands()))
    types += (i ? ", " : " ") + typeOf(result).str();
  return b.getDictionaryAttr({
      b.getNamedAttr("flops", b.getStringAttr(flops.str())),
      b.getNamedAttr("weight_bytes", b.getStringAttr(bytes(true).str())),
      b.getNamedAttr("other_bytes", b.getStringAttr(bytes(false).str())),
      b.getNamedAttr("products", b.getI64IntegerAttr(static_cast<int64_t>(products))),
      b.getNamedAttr("types", b.getStringAttr(types)),
  });
}

} // namespace kiln::passes
