#pragma once

#include "ir/KilnDialect.h"
#include "kiln/Dim.h"

#include "llvm/ADT/DenseMap.h"

namespace kiln::passes {

/// How often a kernel that computes elements where they are needed (ElementEmitter) reads each
/// value of a fusion's body. A *place* is where elements of a value are read: the same for a whole
/// chain of elementwise operations of one shape, another behind each view or broadcast.
class Reads {
public:
  explicit Reads(ir::FusionOp fusion);

  /// Whether no element of the value is read twice, so that an operation that makes it may move
  /// into the kernel at no cost; nor one by one (as behind a concat along the last axis), where
  /// `costly`.
  bool atMostOnce(mlir::Value value, bool costly) const;
  /// Pieces of code for the body: an operation is emitted once for each place.
  size_t numEmitted() const { return emitted; }
  size_t numPlaces(mlir::Value value) const;

private:
  struct Place {
    unsigned number;
    Dim elements;  // that are read there
    bool oneByOne; // not in vectors
  };
  using Places = llvm::SmallVector<Place, 1>;

  void add(mlir::Value value, const Place &place);
  void visit(mlir::Operation &op, const Places &places);

  llvm::DenseMap<mlir::Value, Places> placesOf;
  unsigned next = 0;
  size_t emitted = 0;
};

} // namespace kiln::passes
