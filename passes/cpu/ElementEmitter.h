#pragma once

#include "kiln/Shape.h"
#include "passes/cpu/KernelBuilder.h"

#include <functional>

namespace kiln::passes {

/// Where in a tensor an element, or a row of elements along one axis, is wanted.
struct Coords {
  llvm::SmallVector<mlir::Value> index; // i64, one for each axis; of the first lane
  int64_t laneAxis = -1;                // the axis along which lanes run; -1: one element
  int64_t laneStep = 1;                 // lane l is at index[laneAxis] + l * laneStep
  mlir::Value mask;                     // vector<lanes x i1>: lanes to touch; null: all

  bool isVector() const { return laneAxis >= 0; }
};

/// Emits the value of a tensor of a kernel at coordinates: elementwise operations and views are
/// recomputed from their operands, so that nothing between a kernel's operands and its result is
/// ever written. What is not elementwise (kernel operands, the anchor's result) is provided.
///
/// Values are in *compute types*: booleans i1, float16 and bfloat16 as f32 (each operation's
/// result rounded to the dtype), everything else as it is; scalars, or vectors of lanes() where
/// the coordinates are a vector.
class ElementEmitter {
public:
  using Provider = std::function<mlir::Value(const Coords &)>;

  explicit ElementEmitter(FunctionEmitter &f) : f(f) {}

  void provide(mlir::Value tensor, Provider provider);
  /// Provides each of the kernel's operands from its buffer.
  void provideArguments(mlir::Block &kernelBody);

  mlir::Value emit(mlir::Value tensor, const Coords &at);
  /// Another value than the element that belongs to coordinates of a tensor: `make` is called once
  /// for each `kind` (not 0) and block of code.
  mlir::Value emitOnce(mlir::Value tensor, unsigned kind, const Coords &at,
                       llvm::function_ref<mlir::Value()> make);
  /// Emits and converts to the dtype's storage type and stores at `pointer` (of the first lane).
  void storeAt(mlir::Value computed, DType dtype, mlir::Value pointer, mlir::Value mask);

  /// Reads dense row-major memory of `type` at coordinates.
  mlir::Value loadAt(mlir::Value pointer, const TensorType &type, const Coords &at);
  /// The type of a tensor value of the kernel.
  static TensorType typeOf(mlir::Value tensor);

private:
  FunctionEmitter &f;
  struct Memo {
    mlir::Value tensor;
    unsigned kind; // 0: the element
    Coords at;
    mlir::Value value;
    mlir::Block *block; // where it may be used again
  };
  llvm::SmallVector<Memo> memo;
  std::vector<std::pair<mlir::Value, Provider>> providers;

  mlir::Value emitUncached(mlir::Value tensor, const Coords &at);
};

/// Coordinates of an operand that broadcasts to a result of type `result` at `at`.
Coords broadcastCoords(FunctionEmitter &f, const TensorType &operand, const TensorType &result,
                       const Coords &at);

/// A vector of elements at `pointer` + offsets[lane] (vector of i64, in elements).
mlir::Value emitGather(FunctionEmitter &f, mlir::Value pointer, mlir::Type element,
                       mlir::Value offsets, mlir::Value mask);

/// A vector made lane by lane from scalars: the general case, for reads without a fixed stride.
mlir::Value emitLanes(FunctionEmitter &f, mlir::Value tensor, const Coords &at,
                      llvm::function_ref<mlir::Value(const Coords &)> scalar);

/// Elements of packed rows, decoded where they are read. Vectors along a row that begin at a
/// multiple of their lanes take no more than a handful of instructions; code unrolled over
/// `dequantizeUnit` columns, from a multiple of it on, computes scales once for all of them.
mlir::Value emitDequantize(ElementEmitter &elements, FunctionEmitter &f, mlir::Operation *op,
                           const Coords &at);
inline constexpr int64_t dequantizeUnit = 32;

/// How an operation that only moves elements is read at coordinates; null for another operation.
using ViewEmitter = mlir::Value (*)(ElementEmitter &, FunctionEmitter &, mlir::Operation *,
                                    const Coords &);
ViewEmitter findViewEmitter(llvm::StringRef op);

/// Indices that a kernel reads by, all of which must be in [0, bound).
struct IndexCheck {
  mlir::Value indices;
  Dim bound;
  int64_t site; // of the artifact
  mlir::Value emitCount(FunctionEmitter &f) const;
  /// The index at a flat position, as i64.
  mlir::Value emitIndex(FunctionEmitter &f, ElementEmitter &elements, mlir::Value position) const;
};
/// Those of a kernel in program order, so that an index that is itself gathered comes behind its
/// own indices. Call it once for each kernel: it numbers the places.
llvm::SmallVector<IndexCheck> indexChecks(ModuleLowering &lowering, mlir::Block &kernelBody);

/// In a launcher: checks all indices of every gather of the kernel before it runs and fails the
/// call at the first bad one, so that bodies may read without checks.
void emitIndexChecks(FunctionEmitter &launcher, mlir::Block &kernelBody);

/// float16 and bfloat16 <-> f32 by integer arithmetic or hardware conversion, rounding to nearest
/// even; scalars and vectors.
mlir::Value loadConvert(FunctionEmitter &f, mlir::Value stored, DType dtype);
mlir::Value storeConvert(FunctionEmitter &f, mlir::Value computed, DType dtype);
/// The value as if stored and loaded again.
mlir::Value roundTo(FunctionEmitter &f, mlir::Value computed, DType dtype);
/// Type of an element in memory, and while computing.
mlir::Type storageType(FunctionEmitter &f, DType dtype);
mlir::Type computeType(FunctionEmitter &f, DType dtype);

/// A value of one dtype as another: floats to integers truncate towards zero and saturate, NaN
/// becomes 0; to booleans: not equal to zero.
mlir::Value emitCast(FunctionEmitter &f, mlir::Value computed, DType from, DType to);
/// An element of an index tensor as i64; values of uint64 above int64's range become negative.
mlir::Value toIndex(FunctionEmitter &f, mlir::Value computed, DType dtype);

/// An elementwise operation by its name (`ir/Elementwise.def`) on computed operands of `dtype`.
mlir::Value emitElementwise(FunctionEmitter &f, llvm::StringRef op, DType dtype,
                            mlir::ValueRange operands);

/// Whether there is code for it on operands of `dtype`.
bool hasElementwiseLowering(llvm::StringRef op, DType dtype);

} // namespace kiln::passes
