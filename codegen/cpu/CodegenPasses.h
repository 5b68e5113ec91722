#pragma once

namespace kiln::codegen {

/// Registers, for kiln-opt:
///   --kiln-lower-to-llvm   see LowerToLLVM.h
///   --kiln-emit="target=NAME kind=asm|llvm|symbols"
///                          prints the code of a module in the LLVM dialect to standard output;
///                          `symbols` lays out the image and lists its functions.
void registerCodegenPasses();

} // namespace kiln::codegen
