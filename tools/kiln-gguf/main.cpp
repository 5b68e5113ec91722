//===- main.cpp - kiln-gguf: lists and converts GGUF files --------------------===//

#include <kiln/kiln.h>

#include "Convert.h"
#include "List.h"
#include "Options.h"
#include "tools/common/Interrupt.h"
#include "tools/common/Main.h"

using namespace kiln::tools;

int main(int argc, char **argv) {
  return runMain("kiln-gguf", [&] {
    Options options;
    if (const auto code = parseOptions(argc, argv, options))
      return *code;
    if (options.threads)
      kiln::setThreadCount(options.threads);
    catchSignals();
    if (options.list)
      list(options.input);
    else
      convert(options, stopIfInterrupted);
    return 0;
  });
}
