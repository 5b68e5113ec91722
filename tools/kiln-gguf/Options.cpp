//===- Options.cpp - The command line of kiln-gguf ----------------------------===//

#include "Options.h"

#include <iostream>

#include "tools/common/ParseOptions.h"

namespace kiln::tools {

std::optional<int> parseOptions(int argc, char **argv, Options &options) {
  CLI::App app("Lists GGUF files, and converts safetensors to and from them.", "kiln-gguf");
  app.require_subcommand(1);

  auto *list = app.add_subcommand("list", "Print the metadata and tensors of a GGUF file");
  list->add_option("file", options.input, "The file")->required()->type_name("FILE");

  auto *convert = app.add_subcommand(
      "convert", "Write a safetensors file as GGUF, or a GGUF file, decoded, as safetensors");
  convert->add_option("input", options.input, "File to read, of either format")
      ->required()
      ->type_name("IN");
  convert
      ->add_option("output", options.output,
                   "File to write, .gguf or .safetensors; it appears when it is complete")
      ->required()
      ->type_name("OUT");
  std::string encoding, only;
  auto *encodingOption =
      convert
          ->add_option("--encoding", encoding,
                       "Pack the float tensors of rank 2 and more whose rows are whole blocks: "
                       "q4_0, q8_0, q4_k, q5_k or q6_k; the others stay as they are. Default: all "
                       "stay")
          ->type_name("NAME");
  auto *onlyOption =
      convert
          ->add_option("--only", only,
                       "Pack only tensors in whose names REGEX (ECMAScript) is found")
          ->type_name("REGEX")
          ->needs(encodingOption);
  convert->add_flag("--quiet", options.quiet, "Say nothing but errors");
  convert->add_option("--threads", options.threads, "Threads to work with; default: all CPUs")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1024)));

  if (const auto code = parseArguments(app, argc, argv))
    return code;
  options.list = list->parsed();
  if (encodingOption->count()) {
    options.encoding = parseQuantizationEncoding(encoding);
    if (!options.encoding) {
      std::cerr << "kiln-gguf: --encoding: there is no \"" << encoding
                << "\", but q4_0, q8_0, q4_k, q5_k and q6_k\n";
      return 2;
    }
  }
  if (onlyOption->count())
    options.only = only;
  return std::nullopt;
}

} // namespace kiln::tools
