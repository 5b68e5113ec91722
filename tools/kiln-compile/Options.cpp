//===- Options.cpp - The command line of kiln-compile -------------------------===//

#include "Options.h"

#include <filesystem>

#include "tools/common/ParseOptions.h"

namespace kiln::tools {

std::optional<int> parseOptions(int argc, char **argv, Options &options) {
  CLI::App app(
      "Compiles a module in the kiln dialect to an object for C programs, with a header and "
      "a file of weights beside it.",
      "kiln-compile");
  app.footer(
      "The module is text as a compiled model's ir(\"import\") prints it: @main, whose arguments\n"
      "carry kiln.role and kiln.name, and private functions that it calls. Constraints of the\n"
      "model are in it (kiln.constraints). Not in it: where the model was written, so that\n"
      "messages name lines of the text instead, and constants of many elements, which are printed\n"
      "as dense_resource<__elided__> and refused; make them weights.");
  app.add_option("model", options.model, "The module")->required()->type_name("MODEL.mlir");
  app.add_option("-o,--output", options.output, "The object to write")
      ->required()
      ->type_name("FILE.o");
  app.add_option("--name", options.name,
                 "What its functions begin with, and the names of the header and the weights; "
                 "default: the object's name without extension")
      ->type_name("NAME");
  app.add_option("--weights", options.weights,
                 "The weights under their kiln.name; others in the file are not looked at")
      ->type_name("FILE.safetensors");
  app.add_option(
         "--target", options.targets,
         "The CPU: native, or x86-64-v2, x86-64-v3 (AVX2), x86-64-v4 (AVX-512), amx, each of "
         "them followed by any +FEATUREs; default: native. Several, with commas between "
         "them or one --target each: the object takes the best that its CPU can run")
      ->type_name("TARGET[,TARGET...]")
      ->delimiter(',')
      ->default_str("native");
  app.add_flag("--timing", options.timing, "Print what compiling took, phase by phase");
  if (const auto code = parseArguments(app, argc, argv))
    return code;
  if (options.name.empty())
    options.name = std::filesystem::path(options.output).stem().string();
  return std::nullopt;
}

} // namespace kiln::tools
