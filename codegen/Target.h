#pragma once

#include "passes/cpu/CpuTarget.h"
#include "runtime/cpu/HostCpu.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace kiln::codegen {

/// What the machine that code is generated for can do. Kernels ask this, never the running CPU.
struct Target {
  /// Canonical: a level and what is used beyond it, such as `x86-64-v4+avx512vnni`. Part of cache
  /// keys; `byName(name)` gives the same target.
  std::string name;
  std::string cpu;      ///< LLVM's -mcpu: the level, never the model that LLVM takes the host for.
  std::string features; ///< LLVM's -mattr, every feature spelt out.
  runtime::CpuFeatures required; ///< What the CPU must have to run the code.

  int vectorBits = 128;     ///< Widest vector register.
  int vectorRegisters = 16; ///< How many of them.
  bool fma = false;         ///< Fused multiply-add; without it `llvm.fma` would be a library call.
  bool avx2 = false;
  bool avx512 = false; ///< F, BW, CD, DQ and VL: masks, 32 registers.
  /// For tests: kernels for AMX, whose instructions ordinary code stands for.
  bool tilesEmulated = false;

  /// Elements of float32 in the widest vector register: 4, 8 or 16.
  int f32Lanes() const { return vectorBits / 32; }
  bool has(runtime::CpuFeature feature) const { return required.has(feature); }

  /// What the lowering of kernels asks of it.
  passes::CpuTarget forPasses() const;

  /// The running CPU, by its own report. Error: it lacks even the baseline.
  static llvm::Expected<Target> host();

  /// `native`; or `x86-64` (SSE4.2), `x86-64-v3` (AVX2, FMA), `x86-64-v4` (AVX-512), or their
  /// aliases `baseline`, `avx2`, `avx512`; a level may be followed by `+FEATURE`s. Error: an
  /// unknown name; the message lists the choices.
  static llvm::Expected<Target> byName(llvm::StringRef name);

  /// The levels that the running CPU can run, lowest first; tests go through them.
  static std::vector<Target> allOnHost();

  /// Success if a CPU with `host` can run code for this target; else an error that names what is
  /// missing.
  llvm::Error checkRunsOn(runtime::CpuFeatures host = runtime::hostCpuFeatures()) const;
};

} // namespace kiln::codegen
