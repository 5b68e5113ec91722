#pragma once

namespace kiln {

/// --kiln-interpret: runs @main in the interpreter and prints its results.
void registerInterpretPass();

} // namespace kiln
