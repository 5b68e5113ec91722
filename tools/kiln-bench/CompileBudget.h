//===- CompileBudget.h - What compiling costs a fresh process -----------------===//
#pragma once

namespace kiln::tools {

/// Compiles some cases in fresh processes, in turns, `rounds` times: with an empty cache a Linear,
/// an MLP, the encoder, and encoders of 6 and of 48 layers; with a filled one the encoder. Prints
/// medians of the time of `compile` (tracing, reading or filling the cache, packing weights) and
/// from the start of the process until the model could be called. Errors: IoError.
void benchCompileBudget(int rounds);

} // namespace kiln::tools
