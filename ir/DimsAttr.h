#pragma once

#include "ir/KilnDialect.h"

#include "llvm/ADT/Hashing.h"

#include <new>
#include <vector>

namespace kiln::ir::detail {

/// Owns its dims, which share their expressions; the context destroys it.
struct DimsAttrStorage : public mlir::AttributeStorage {
  using KeyTy = llvm::ArrayRef<Dim>;

  explicit DimsAttrStorage(KeyTy key) : dims(key.begin(), key.end()) {}
  bool operator==(KeyTy key) const { return llvm::ArrayRef<Dim>(dims) == key; }
  static llvm::hash_code hashKey(KeyTy key) {
    llvm::hash_code code = llvm::hash_value(key.size());
    for (const Dim &dim : key)
      code = llvm::hash_combine(code, dim.hash());
    return code;
  }
  static DimsAttrStorage *construct(mlir::AttributeStorageAllocator &allocator, KeyTy key) {
    return new (allocator.allocate<DimsAttrStorage>()) DimsAttrStorage(key);
  }

  std::vector<Dim> dims;
};

} // namespace kiln::ir::detail
