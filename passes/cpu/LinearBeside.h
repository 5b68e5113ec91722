#pragma once

#include "passes/cpu/KernelBuilder.h"
#include "passes/cpu/KernelForms.h"

namespace kiln::passes {

/// Fetches what is read beside the results of a linear's group, such as what is added to them, at a
/// column of the row that begins at element `rowStart`: for results of the next panel. Rows lie
/// pages apart, which the processor does not foresee.
void emitFetchBeside(FunctionEmitter &f, mlir::Operation *linear, const LinearForm::Group &group,
                     mlir::Value rowStart, mlir::Value column);

} // namespace kiln::passes
