#pragma once

namespace kiln::codegen {

/// Makes `--kiln-to-ptx` known.
void registerGpuPasses();

} // namespace kiln::codegen
