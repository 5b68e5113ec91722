#pragma once

#include "kiln/DType.h"
#include "kiln/Dim.h"
#include "kiln/Precision.h"
#include "passes/cpu/CpuTarget.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <map>
#include <string>
#include <vector>

namespace kiln::passes {

/// A function that runs on an accelerator, by its number in the artifact.
struct DeviceFunction {
  std::string name;
  int64_t threads = 0;     // of a block
  int64_t sharedBytes = 0; // dynamic
  int64_t parameters = 0;
};

/// State shared by all kernels of a module while it is lowered.
struct ModuleLowering {
  mlir::ModuleOp module;
  mlir::Operation *deviceModule = nullptr; // holds what runs on an accelerator; null: nothing does
  std::vector<DeviceFunction> deviceFunctions;
  CpuTarget target;
  bool int8Activations = false;             // of linears whose weights stay packed
  Precision precision = Precision::highest; // of products of float32
  std::vector<std::string> symbols;         // order of the entry's dims
  Dim scratchPerThread = 0;                 // bytes, the largest that a kernel asked for
  std::vector<std::pair<std::string, std::string>> indexSites; // message, location

  /// Asks for `bytes` of scratch memory for each worker (the kernels take turns: the largest
  /// counts; sums are taken of what cannot be compared).
  void requireScratch(const Dim &bytes);
  int64_t addIndexSite(std::string message, mlir::Location location);
};

/// Emits one function of a kernel and keeps what its code is made of. Everything is i64, float or
/// vector arithmetic over opaque pointers: llvm.func with scf, arith, vector and llvm operations.
///
/// A kernel is two functions. The *launcher* `i32 @k(rt, dims, args, scratch, scratchStride)` is
/// called once by the entry: it checks indices (returns 1 after reporting a bad one, else 0),
/// chooses how to cut the work and calls parallelFor with the *body*
/// `void @k.body(context, begin, end, worker)`. The context is an array of 8-byte slots in the
/// launcher's frame: the launcher's five arguments, then values that the launcher adds.
class FunctionEmitter {
public:
  mlir::ImplicitLocOpBuilder b;
  ModuleLowering &lowering;
  mlir::LLVM::LLVMFuncOp function;

  mlir::Value runtime, dims, args, scratchBase, scratchStride;
  mlir::Value context, begin, end, worker; // bodies only
  mlir::Value indexRecord;                 // on a device: a KilnIndexRecord
  llvm::SmallVector<mlir::Value> extras;   // on a device: the last parameters

  /// Start the function and leave the builder inside it. `finish` ends it with its return.
  static FunctionEmitter launcher(ModuleLowering &lowering, mlir::Location loc,
                                  llvm::StringRef name);
  static FunctionEmitter body(ModuleLowering &lowering, mlir::Location loc, llvm::StringRef name);
  /// Any other private function: `void`, with these argument types.
  static FunctionEmitter helper(ModuleLowering &lowering, mlir::Location loc, llvm::StringRef name,
                                mlir::ArrayRef<mlir::Type> arguments);
  /// A function that runs on an accelerator, `void`. Its parameters, of 8 bytes each: `buffers`
  /// addresses, the module's symbols, the rank, the index record, then those of types `extras`.
  /// Vectors have `lanes` elements.
  static FunctionEmitter device(ModuleLowering &lowering, mlir::Location loc, llvm::StringRef name,
                                unsigned buffers, mlir::ArrayRef<mlir::Type> extras, int64_t lanes);
  void finish();
  bool isOnDevice() const { return static_cast<bool>(indexRecord); }

  // Types.
  mlir::Type i64() { return b.getI64Type(); }
  mlir::Type f32() { return b.getF32Type(); }
  mlir::Type ptr() { return mlir::LLVM::LLVMPointerType::get(b.getContext()); }
  mlir::VectorType vec(mlir::Type element) { return mlir::VectorType::get({lanes()}, element); }
  int64_t lanes() const { return laneCount; }
  /// On a device: how many elements vectors have from here on.
  void setLanes(int64_t lanes) { laneCount = lanes; }

  // Integers (i64).
  mlir::Value constant(int64_t value);
  mlir::Value constantF32(float value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, int64_t y) { return mul(x, constant(y)); }
  mlir::Value add(mlir::Value x, int64_t y) { return add(x, constant(y)); }
  /// Both operands non-negative, divisor positive.
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value rem(mlir::Value x, mlir::Value y);
  mlir::Value ceilDiv(mlir::Value x, mlir::Value y);
  /// Rounds down, for operands of any sign; a divisor of 0 counts as 1.
  mlir::Value floorDivide(mlir::Value x, mlir::Value y);
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value max(mlir::Value x, mlir::Value y);
  mlir::Value lessThan(mlir::Value x, mlir::Value y);
  mlir::Value equal(mlir::Value x, mlir::Value y);

  /// The value of a dim expression, computed from `dims`.
  mlir::Value dimValue(const Dim &dim);
  /// The pointer of the kernel's operand or result number `index` (operands first).
  mlir::Value buffer(unsigned index);
  /// Slot `index` of the launcher-added values of the context (bodies).
  mlir::Value extra(unsigned index, mlir::Type type = {});
  /// This worker's scratch memory, 64-byte aligned (bodies).
  mlir::Value scratch();

  // Memory. Offsets count elements of the loaded type's element type unless bytes are said.
  mlir::Value offsetBytes(mlir::Value pointer, mlir::Value bytes);
  mlir::Value offset(mlir::Value pointer, mlir::Value elements, int64_t elementBytes);
  /// Scalar or vector; alignment is that of an element.
  mlir::Value load(mlir::Type type, mlir::Value pointer);
  void store(mlir::Value value, mlir::Value pointer);
  mlir::Value maskedLoad(mlir::VectorType type, mlir::Value pointer, mlir::Value mask);
  void maskedStore(mlir::Value value, mlir::Value pointer, mlir::Value mask);
  /// vector<lanes x i1>, true in the first `count` lanes.
  mlir::Value prefixMask(mlir::Value count);
  mlir::Value splat(mlir::Value scalar);
  /// x * y + z in one rounding where the target has FMA, else in two.
  mlir::Value multiplyAdd(mlir::Value x, mlir::Value y, mlir::Value z);
  /// An uninitialised array in this function's frame (allocated in its entry block), 64-byte
  /// aligned.
  mlir::Value stackArray(mlir::Type element, int64_t count);

  // Control.
  using LoopBody = llvm::function_ref<void(mlir::Value index)>;
  using FoldBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value index,
                                                                     mlir::ValueRange carried)>;
  void loop(mlir::Value lower, mlir::Value upper, mlir::Value step, LoopBody body);
  /// Calls a function of the module that returns nothing, as helpers do.
  void call(llvm::StringRef name, mlir::ValueRange arguments);
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange arguments);
  /// A loop that carries values.
  llvm::SmallVector<mlir::Value> fold(mlir::Value lower, mlir::Value upper, mlir::Value step,
                                      mlir::ValueRange init, FoldBody body);
  void ifThen(mlir::Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = {});
  /// Columns [0, count) in steps of lanes(): `body(column, mask)`, mask null for whole vectors.
  void vectorLoop(mlir::Value count,
                  llvm::function_ref<void(mlir::Value column, mlir::Value mask)> body);

  /// In a launcher: context with `extras` behind the five arguments, then
  /// body(begin = 0, end = tasks) by parallelFor, or directly where `tasks` is 1 or `parallel`
  /// (an i1; null: always) is false.
  void runTasks(llvm::StringRef bodyName, mlir::Value tasks, mlir::ValueRange extras,
                mlir::Value parallel = {});
  /// In a launcher: rt->threads.
  mlir::Value threadCount();
  /// rt->rank: which of the ranks that run the program at the same time this one is.
  mlir::Value rank();
  /// rt->allReduce and rt->allGather (in the entry).
  void allReduce(mlir::Value in, mlir::Value out, mlir::Value count, DType dtype);
  void allGather(mlir::Value in, mlir::Value out, mlir::Value outer, mlir::Value innerBytes);
  /// An index that is safe to read at: on a CPU as it is, for all are checked before; on a device,
  /// where they are checked meanwhile, 0 in the place of one outside [0, bound).
  mlir::Value safeIndex(mlir::Value index, mlir::Value bound);
  /// Reports a bad index through rt->indexError.
  void reportIndex(int64_t site, mlir::Value index, mlir::Value position, mlir::Value bound);
  /// In a launcher, at the top level only: return `status` now where `condition` (i1) holds.
  void returnIf(mlir::Value condition, int32_t status);

private:
  FunctionEmitter(ModuleLowering &lowering, mlir::Location loc);
  bool isLauncher = false;
  int64_t laneCount;
  /// In bodies: loads of buffer pointers and dims go here, once each. LLVM could not take them out
  /// of loops itself, as stores might change them for all it knows.
  mlir::Operation *prologueEnd = nullptr;
  std::map<unsigned, mlir::Value> buffers, symbolValues, runtimeFields;
  mlir::Value loadOnce(std::map<unsigned, mlir::Value> &cache, mlir::Value table, unsigned index,
                       mlir::Type type);
  mlir::Value status; // launchers: the i32 that is returned
};

/// `product` of a shape's dims as an i64.
mlir::Value emitNumElements(FunctionEmitter &f, mlir::ArrayRef<Dim> dims);

} // namespace kiln::passes
