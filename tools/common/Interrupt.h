#pragma once

/// Ending a program in good order when somebody ends it.
namespace kiln::tools {

/// The first signal ends the work in good order, which removes temporary files; the second one ends
/// the process. A file that grows beyond the limit is then an error like others.
void catchSignals();
/// The number of the signal that came, or 0.
int interruptedBy();
/// Errors: Error if a signal came.
void stopIfInterrupted();

} // namespace kiln::tools
