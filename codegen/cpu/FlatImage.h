#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace kiln::codegen {

/// Machine code and its constants as one closed blob: mapped anywhere with read and execute
/// permission it can be called at once. It refers to nothing outside, holds no absolute address and
/// is never written to.
struct FlatImage {
  struct Symbol {
    std::string name;
    uint64_t offset;    ///< Bytes from the start of `bytes`.
    uint64_t sizeBytes; ///< 0 if the object does not say.
  };

  /// Offsets are valid if the blob lies at a multiple of this, which a mapping always does.
  static constexpr uint64_t alignment = 64;

  std::vector<uint8_t> bytes;
  uint64_t entryOffset = 0;
  std::vector<Symbol> symbols; ///< The functions, by offset: for reports, profilers and tests.
};

/// Lays out the code and read-only sections of relocatable x86-64 ELF objects, which may call each
/// other's functions (of whatever linkage: no two have one name), and applies the relocations
/// between them.
/// Errors: a symbol that is not defined (a library call, for example), an absolute relocation (such
/// as a constant table of function pointers), writable data (a global that is not a constant), no
/// `entry`; each names the symbol.
llvm::Expected<FlatImage> makeFlatImage(llvm::ArrayRef<std::vector<char>> objects,
                                        llvm::StringRef entry);

} // namespace kiln::codegen
