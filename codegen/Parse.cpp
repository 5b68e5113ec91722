#include "codegen/Compiler.h"

#include "ir/KilnDialect.h"
#include "ir/ToGraph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <new>

using namespace mlir;

/// "encoder.mlir:3:7: " or nothing.
static std::string at(Location location) {
  auto place = location->findInstanceOf<FileLineColLoc>();
  if (!place)
    return "";
  return (place.getFilename().getValue() + ":" + Twine(place.getLine()) + ":" +
          Twine(place.getColumn()) + ": ")
      .str();
}

namespace {

// MLIR's parser, and what walks over its types and attributes, recurses without a limit. These keep
// the depth below some thousand, and are far beyond what any import prints.
constexpr size_t maxTextBytes = size_t{64} << 20;
constexpr int maxNesting = 128; // of brackets of all kinds, and of minus signs in a row
constexpr int maxAliases = 32;  // `#name = ` and `!name = `, each of which may nest the one before

/// Looks at brackets and aliases only; strings and comments have none.
class TextLimits {
public:
  explicit TextLimits(StringRef text) : text(text) {}

  /// What is beyond a limit and its line and column, "3:7: …"; empty if all is within them.
  std::string check() {
    if (text.size() > maxTextBytes)
      return ("1:1: " + Twine(text.size()) + " bytes: a module has at most " + Twine(maxTextBytes))
          .str();
    for (at = 0; at < text.size() && problem.empty(); ++at)
      look(text[at]);
    return problem;
  }

private:
  char next() const { return at + 1 < text.size() ? text[at + 1] : '\0'; }

  void look(char c) {
    if (c == '"')
      return skipString();
    if (c == '/' && next() == '/')
      return skipTo(text.find('\n', at));
    if (llvm::isSpace(c))
      return;
    minuses = c == '-' ? minuses + 1 : 0;
    if (minuses > maxNesting)
      fail("more than " + Twine(maxNesting) + " minus signs");
    if (c == '-' && next() == '>')
      ++at; // an arrow
    else if (StringRef kinds = "([{<"; kinds.contains(c))
      open(kinds.find(c));
    else if (StringRef kinds = ")]}>"; kinds.contains(c))
      depth[kinds.find(c)] -= depth[kinds.find(c)] > 0; // none closes one of another kind
    else if ((c == '#' || c == '!') && isAliasDefinition() && ++numAliases > maxAliases)
      fail("more than " + Twine(maxAliases) + " aliases");
  }

  void open(size_t kind) {
    ++depth[kind];
    if (depth[0] + depth[1] + depth[2] + depth[3] > maxNesting)
      fail("nested more than " + Twine(maxNesting) + " deep");
  }

  /// Whether a name and `=`, but not `==`, stand here.
  bool isAliasDefinition() const {
    StringRef rest = text.substr(at + 1).drop_while(
        [](char c) { return llvm::isAlnum(c) || c == '_' || c == '$' || c == '.' || c == '-'; });
    return rest.ltrim().starts_with("=");
  }

  void skipString() {
    for (++at; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at)
      if (text[at] == '\\')
        ++at;
  }
  void skipTo(size_t place) { at = std::min(place, text.size()); }

  void fail(const Twine &what) {
    StringRef before = text.take_front(at);
    size_t line = before.count('\n') + 1, column = at - (before.rfind('\n') + 1) + 1;
    problem = (Twine(line) + ":" + Twine(column) + ": " + what).str();
  }

  StringRef text;
  size_t at = 0;
  int depth[4] = {}, minuses = 0, numAliases = 0;
  std::string problem;
};

} // namespace

extern "C" void kilnParse(const std::string &text, const std::string &file, kiln::ir::Graph &graph,
                          std::string &error) {
  // libkiln throws (a size that overflows, say); nothing may cross this door.
  try {
    if (std::string problem = TextLimits(text).check(); !problem.empty()) {
      error = file + ":" + problem;
      return;
    }
    MLIRContext context(MLIRContext::Threading::DISABLED);
    context.loadDialect<kiln::ir::KilnDialect, func::FuncDialect>();
    context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
      if (error.empty() && diagnostic.getSeverity() == DiagnosticSeverity::Error)
        error = at(diagnostic.getLocation()) + diagnostic.str();
      return success();
    });
    auto module = parseSourceString<ModuleOp>(text, ParserConfig(&context), file);
    if ((!module || failed(kiln::ir::toGraph(*module, graph))) && error.empty())
      error = file + ": no module";
  } catch (const std::bad_alloc &) {
    error = file + ": there is no memory for it";
  } catch (const std::exception &thrown) {
    error = file + ": " + thrown.what();
  }
}
