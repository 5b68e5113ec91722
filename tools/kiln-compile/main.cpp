//===- main.cpp - kiln-compile: models to objects for C programs --------------===//

#include "tools/common/Main.h"
#include "CompileModel.h"
#include "Options.h"

using namespace kiln::tools;

int main(int argc, char **argv) {
  return runMain("kiln-compile", [&] {
    Options options;
    if (const auto code = parseOptions(argc, argv, options))
      return *code;
    compileModel(options);
    return 0;
  });
}
