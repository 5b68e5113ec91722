// An exported model's C header.
#include "runtime/aot/Export.h"

#include <cctype>
#include <fmt/format.h>
#include <set>

namespace kiln::runtime {
namespace {

std::string_view typeName(DType dtype) {
  switch (dtype) {
  case DType::boolean:
  case DType::uint8:
    return "uint8_t";
  case DType::int8:
    return "int8_t";
  case DType::int16:
    return "int16_t";
  case DType::int32:
    return "int32_t";
  case DType::int64:
    return "int64_t";
  case DType::uint16:
  case DType::float16:
  case DType::bfloat16:
    return "uint16_t";
  case DType::uint32:
    return "uint32_t";
  case DType::uint64:
    return "uint64_t";
  case DType::float32:
    return "float";
  case DType::float64:
    return "double";
  }
  return "void";
}

/// "[batch, seq] i64", and what C's type does not say.
std::string describe(const TensorType &type) {
  std::string note = type.dtype == DType::boolean    ? ", 0 or 1"
                     : type.dtype == DType::float16  ? ", the bits of each number"
                     : type.dtype == DType::bfloat16 ? ", the bits of each number"
                                                     : "";
  std::string dims;
  for (const Dim &dim : type.shape)
    dims += (dims.empty() ? "" : ", ") + dim.str();
  return fmt::format("[{}] {}{}", dims, name(type.dtype), note);
}

/// A size's name as C takes it.
std::string member(const std::string &symbol) {
  static const std::set<std::string> reserved = {
      "auto",      "break",     "case",     "char",   "const",    "continue", "default",
      "do",        "double",    "else",     "enum",   "extern",   "float",    "for",
      "goto",      "if",        "inline",   "int",    "long",     "register", "restrict",
      "return",    "short",     "signed",   "sizeof", "static",   "struct",   "switch",
      "typedef",   "union",     "unsigned", "void",   "volatile", "while",    "class",
      "new",       "delete",    "template", "this",   "operator", "public",   "private",
      "protected", "namespace", "using",    "bool",   "true",     "false",    "typename",
      "virtual",   "friend",    "throw",    "try",    "catch",    "export",   "explicit"};
  return reserved.contains(symbol) ? symbol + "_" : symbol;
}

std::string upper(std::string text) {
  for (char &c : text)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

} // namespace

std::string exportedHeader(const ExportedModel &model) {
  const Artifact &artifact = model.images.front().artifact;
  const std::string &name = model.name;
  const std::string big = upper(name);
  const bool hasSizes = !artifact.symbols.empty();
  std::string targets;
  for (const ExportedImage &image : model.images)
    targets += (targets.empty() ? "" : ", ") + image.artifact.target;
  std::string text = fmt::format(R"(/* {0}: a compiled model. Link with {0}.o, -lm and -lpthread.

   All functions may be called from any thread: calls of one model wait for each other; open it several
   times to run them side by side. The weights are mapped from their file, which must not change meanwhile.
   Has code for {1}; {0}_open takes the first that the CPU can run, and says so where
   there is none. */
#ifndef {2}_H
#define {2}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

)",
                                 name, targets, big);
  text += fmt::format(
      R"(/* What a function returns. Where it is not {0}_OK, `message` (of `message_bytes` bytes, or NULL) holds a
   line that says what was expected and what came. */
enum {0}_status {{
  {0}_OK,
  {0}_BAD_ARGUMENT, /* a null or unaligned pointer, a number of threads or a target that cannot be */
  {0}_BAD_SIZE,     /* sizes that the model does not take */
  {0}_BAD_INDEX,    /* an index beyond a table; the outputs mean nothing */
  {0}_BAD_FILE,     /* a file of weights that is not there, not whole, or another model's */
  {0}_NO_MEMORY,
  {0}_BAD_CPU       /* this CPU can run none of the code */
}};

)",
      big);
  if (hasSizes) {
    text += fmt::format("/* The sizes of a call. */\ntypedef struct {}_sizes {{\n", name);
    for (const std::string &symbol : artifact.symbols)
      text += fmt::format("  int64_t {};\n", member(symbol));
    text += fmt::format("}} {}_sizes;\n\n", name);
  }
  text += fmt::format(R"(typedef struct {0} {0};

/* Opens the model with its file of weights. `threads`: how many a call runs on, the caller among them, at least 1.
   Nothing is left behind where it fails. */
int {0}_open(const char *weights, int threads, {0} **model, char *message, size_t message_bytes);
/* The targets that there is code for, the best first; NULL for an index beyond the last one. */
const char *{0}_target(int index);
/* {0}_open with the code for one of them, whatever better the CPU can run. */
int {0}_open_for(const char *target, const char *weights, int threads, {0} **model, char *message,
    size_t message_bytes);
/* NULL is allowed. Not while a call runs. */
void {0}_close({0} *model);

/* Under {0}_run and {0}_output_elements, below: sizes, inputs and outputs as arrays. */
int {0}_call({0} *model, const int64_t *sizes, const void *const *inputs, void *const *outputs, char *message,
    size_t message_bytes);
)",
                      name);
  text += fmt::format(
      "/* Elements of an output, counted from 0; -1 for sizes that the model does not take. */\n"
      "int64_t {}_output_elements(const int64_t *sizes, int output);\n\n",
      name);
  text += "/* Runs the model. All tensors are dense and row-major, and aligned to their elements; "
          "outputs that are\n"
          "   aligned to 64 bytes are written in place, others copied at the end.\n";
  std::string parameters, inputs, outputs;
  std::size_t argument = 0;
  for (const ArtifactInput &input : artifact.inputs) {
    if (input.isWeight)
      continue;
    text += fmt::format("   argument{}: {}\n", argument, describe(input.type));
    parameters += fmt::format("const {} *argument{}, ", typeName(input.type.dtype), argument);
    inputs += fmt::format("{}argument{}", inputs.empty() ? "" : ", ", argument);
    ++argument;
  }
  for (std::size_t i = 0; i < artifact.outputs.size(); ++i) {
    const TensorType &type = artifact.outputs[i].type;
    text += fmt::format("   output{}: {}\n", i, describe(type));
    parameters += fmt::format("{} *output{}, ", typeName(type.dtype), i);
    outputs += fmt::format("{}output{}", outputs.empty() ? "" : ", ", i);
  }
  for (const Constraint &constraint : artifact.constraints)
    text +=
        constraint.kind == Constraint::Kind::multipleOf
            ? fmt::format("   {} must be a multiple of {}.\n", constraint.dim.str(), constraint.low)
            : fmt::format("   {} must be from {} to {}.\n", constraint.dim.str(), constraint.low,
                          constraint.high);
  text.erase(text.size() - 1);
  std::string sizesParameter = hasSizes ? fmt::format("{0}_sizes sizes, ", name) : "";
  std::string sizesArgument = hasSizes ? "(const int64_t *)&sizes" : "NULL";
  text += fmt::format(R"( */
static inline int {0}_run({0} *model, {1}{2}char *message, size_t message_bytes) {{
  const void *inputs[] = {{{3}}};
  void *outputs[] = {{{4}}};
  return {0}_call(model, {5}, inputs, outputs, message, message_bytes);
}}

#ifdef __cplusplus
}}
#endif

#endif
)",
                      name, sizesParameter, parameters, inputs.empty() ? "NULL" : inputs, outputs,
                      sizesArgument);
  return text;
}

} // namespace kiln::runtime
