#pragma once

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"

#include "llvm/ADT/DenseMap.h"

/// How the values of a program are spread over the ranks that run it (Partition.cpp), and what that
/// makes of each operation (PartitionRules.cpp).
namespace kiln::passes {

struct Layout {
  enum class Kind : uint8_t {
    whole,   // each rank has all of it
    split,   // each has one of the equal parts along `axis`, the last ones filled up
    partial, // the sum over all ranks is the value
  };
  Kind kind = Kind::whole;
  int64_t axis = 0, size = 0; // of a split one: the axis, and its size as a whole
  /// Of a partial one: whether no element is other than 0 on more than one rank, so that its sum is
  /// exact.
  bool isOnOneRank = false;

  static Layout split(int64_t axis, int64_t size) { return {Kind::split, axis, size}; }
  static Layout partial(bool isOnOneRank) { return {Kind::partial, 0, 0, isOnOneRank}; }
  bool isSplit(int64_t along) const { return kind == Kind::split && axis == along; }
  friend bool operator==(const Layout &, const Layout &) = default;
};

/// The layouts of a block's values while it is partitioned in place, and what makes others of them.
class Layouts {
public:
  explicit Layouts(int64_t ranks) : ranks(ranks) {}

  const int64_t ranks;

  Layout of(mlir::Value value) const { return layouts.lookup(value); }
  bool isWhole(mlir::Value value) const { return of(value).kind == Layout::Kind::whole; }
  void set(mlir::Value value, Layout layout) { layouts[value] = layout; }
  /// Of the value as a whole; the size is -1 where it is symbolic.
  Shape wholeShape(mlir::Value value) const;
  int64_t wholeSize(mlir::Value value, int64_t axis) const;

  /// The whole of a value on each rank: reduced or gathered, once, where it is made.
  mlir::Value whole(mlir::Value value);
  /// A value split along an axis: as it is, or cut out of the whole. Null where the parts would not
  /// be equal.
  mlir::Value part(mlir::Value value, int64_t axis);
  /// Gives an operation the whole of all operands.
  void makeWhole(mlir::Operation *op);
  /// Gives an operation's result the type that follows from what it now takes.
  llvm::LogicalResult retype(mlir::Operation *op, Layout layout);

private:
  llvm::DenseMap<mlir::Value, Layout> layouts; // absent: whole
  llvm::DenseMap<mlir::Value, mlir::Value> wholes;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::Value> parts;
};

/// Lets an operation work on parts: sets its operands, attributes and result type. False where it
/// must have the whole of its operands; then nothing is changed but what `Layouts` makes.
using PartitionRule = llvm::FailureOr<bool> (*)(Layouts &, mlir::Operation *);
/// Null for an operation that always needs the whole.
PartitionRule findPartitionRule(mlir::Operation *op);

} // namespace kiln::passes
