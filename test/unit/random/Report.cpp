#include "test/unit/random/Shrink.h"

#include "runtime/CompilerLibrary.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace kiln::test {

static std::filesystem::path reportFolder() {
  if (const char *wish = std::getenv("KILN_RANDOM_REPORTS"))
    return wish;
  return std::filesystem::temp_directory_path() / "kiln-random";
}

std::string writeReport(const Program &program, const std::string &name, const std::string &what,
                        const std::string &command) {
  runtime::InterpretRequest request;
  request.wantsText = true;
  for (const ir::DenseData &input : program.cases.at(0).inputs)
    request.inputs.push_back({input.type, input.bytes});
  runtime::InterpretResult result = runtime::interpretGraph(program.graph, request);

  std::filesystem::path folder = reportFolder(), path = folder / (name + ".mlir");
  std::filesystem::create_directories(folder);
  std::ofstream file(path);
  std::istringstream lines(what);
  for (std::string line; std::getline(lines, line);)
    file << "// " << line << "\n";
  file << "// What it means:       kiln-opt " << path.string() << " --kiln-interpret -o /dev/null\n"
       << "// What it is fused to: kiln-opt " << path.string()
       << " --kiln-cpu-pipeline --kiln-print-phases -o /dev/null\n"
       << "// Again:               " << command << "\n"
       << result.text;
  file.close();
  if (!file)
    throw std::runtime_error("cannot write " + path.string());
  return path.string();
}

} // namespace kiln::test
