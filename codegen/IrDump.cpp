#include "codegen/IrDump.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace kiln::codegen {

/// Returns what went wrong, or nothing.
static std::string write(const std::string &path, StringRef text) {
  std::error_code error;
  raw_fd_ostream file(path, error);
  if (!error) {
    file << text;
    file.close();
    error = file.error();
    file.clear_error(); // reported here, not at the end of the process
  }
  return error ? "cannot write " + path + ": " + error.message() : "";
}

std::string IrDump::add(StringRef stage, StringRef text) {
  std::string file = (Twine(stages.size()) + "-" + stage + ".mlir").str();
  std::string path = folder + "/" + file;
  if (std::error_code error = sys::fs::create_directories(folder))
    return "cannot write " + path + ": " + error.message();
  if (std::string error = write(path, text); !error.empty())
    return error;
  stages.emplace_back(std::move(file), text.str());
  return write(folder + "/index.html", page());
}

/// All stages are in the page; a click on a name in the left or the right half shows it there. At
/// first the first and the last one.
std::string IrDump::page() const {
  std::string html;
  raw_string_ostream os(html);
  os << R"(<!DOCTYPE html>
<meta charset="utf-8">
<title>IR by stages</title>
<style>
body { margin: 0; display: flex; font-family: sans-serif; height: 100vh; }
section { width: 50%; display: flex; flex-direction: column; border-left: 1px solid #ccc; }
nav { padding: 4px; background: #eee; }
nav button.shown { font-weight: bold; }
pre { margin: 0; padding: 4px; overflow: auto; flex: 1; font-size: 12px; }
</style>
)";
  for (auto [i, stage] : enumerate(stages)) {
    os << "<template id=\"stage" << i << "\">";
    printHTMLEscaped(stage.second, os);
    os << "</template>\n";
  }
  for (StringRef side : {"left", "right"}) {
    os << "<section id=\"" << side << "\"><nav>";
    for (auto [i, stage] : enumerate(stages))
      os << "<button onclick=\"show('" << side << "', " << i << ")\">" << stage.first
         << "</button> ";
    os << "</nav><pre></pre></section>\n";
  }
  os << R"(<script>
function show(side, stage) {
  const half = document.getElementById(side);
  half.querySelector("pre").textContent = document.getElementById("stage" + stage).content.textContent;
  half.querySelectorAll("button").forEach((button, i) => button.className = i == stage ? "shown" : "");
}
show("left", 0);
show("right", )"
     << stages.size() - 1 << R"();
</script>
)";
  return html;
}

} // namespace kiln::codegen
