//===- Options.cpp - The command line of kiln-encode --------------------------===//

#include "Options.h"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "tools/common/ParseOptions.h"

namespace kiln::tools {

namespace {
/// The folder that tools/quickstart unpacks the model into: `model` beside the folder of programs.
std::string defaultModel() {
  if (const char *folder = std::getenv("KILN_MODEL_DIR"); folder && *folder)
    return folder;
  std::error_code unknown;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  return (program.parent_path().parent_path() / "model").string();
}
} // namespace

std::optional<int> parseOptions(int argc, char **argv, Options &options) {
  CLI::App app("Turns lines of text into embeddings with a sentence encoder (all-MiniLM-L6-v2).",
               "kiln-encode");
  app.add_option("files", options.files,
                 "Files to read, one text a line; - or none: standard input");
  options.model = defaultModel();
  app.add_option(
         "--model", options.model,
         "Folder of the model; default: $KILN_MODEL_DIR, else what tools/quickstart unpacked")
      ->type_name("DIR");
  auto *output = app.add_option("-o,--output", options.output,
                                "Write to FILE, a NumPy array if it ends in .npy, else JSON lines; "
                                "it appears when it is complete. Default: JSON lines to standard "
                                "output");
  output->type_name("FILE");
  app.add_flag("--ids", options.ids, "Add the token ids to the JSON lines");
  auto *similar = app.add_option("--similar", options.similar,
                                 "Print the lines nearest to QUERY, each with its cosine; "
                                 "embeddings are written only if --output is given");
  similar->type_name("QUERY");
  app.add_option("--top", options.top, "How many lines --similar prints; default 5")
      ->type_name("K")
      ->check(CLI::Range(size_t(1), size_t(1) << 30))
      ->needs(similar);
  app.add_option("--batch", options.batch, "Encode up to N lines at once; default 32")
      ->type_name("N")
      ->check(CLI::Range(size_t(1), size_t(4096)));
  app.add_option("--threads", options.threads, "Threads to work with; default: all CPUs")
      ->type_name("N")
      ->check(CLI::Range(int64_t(1), int64_t(1024)));
  const std::map<std::string, DType> dtypes = {{"f32", DType::float32}, {"bf16", DType::bfloat16}};
  std::string dtype = "f32";
  app.add_option("--dtype", dtype, "Of the linear layers: f32 (default) or bf16")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"f32", "bf16"}));
  app.add_flag(
      "--eager", options.eager,
      "Evaluate the model operation by operation as written, to compare with compiled code");
  app.add_flag("--stats", options.stats, "Print counts, times and memory to standard error");
  app.add_flag("--timing", options.timing,
               "Print the phases of compiling the model to standard error");
  app.add_option("--profile", options.profile,
                 "Write to FILE what the time was spent on, down to the kernels of each call, for "
                 "ui.perfetto.dev or chrome://tracing")
      ->type_name("FILE");

  if (const auto code = parseArguments(app, argc, argv))
    return code;
  options.dtype = dtypes.at(dtype);
  options.outputGiven = output->count() > 0;
  if (options.files.empty())
    options.files.push_back("-");
  return std::nullopt;
}

} // namespace kiln::tools
