#include "standin/ptx/Block.h"
#include "standin/ptx/Scanner.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace standin::ptx {
namespace {

constexpr std::string_view specialNames[] = {
    "%tid.x",       "%tid.y",   "%tid.z",       "%ntid.x",      "%ntid.y",      "%ntid.z",
    "%ctaid.x",     "%ctaid.y", "%ctaid.z",     "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
    "%laneid",      "%warpid",  "%lanemask_lt", "%lanemask_le", "%lanemask_eq", "%lanemask_ge",
    "%lanemask_gt", "%clock",   "%clock64",     "%globaltimer", "%smid",        "%nsmid"};

class Parser {
public:
  explicit Parser(std::string_view source) : in(source) {}

  std::unique_ptr<Module> run() {
    module = std::make_unique<Module>();
    while (!in.atEnd())
      topLevel();
    return std::move(module);
  }

private:
  void topLevel() {
    if (!in.peek('.'))
      in.fail("expected a directive at " + in.quoted());
    std::string word = in.directive();
    if (word == "version" || word == "address_size" || word == "file" || word == "loc") {
      in.skipLine();
    } else if (word == "target") {
      module->target = in.name();
      in.skipLine();
    } else if (word == "pragma") {
      in.skipTo(';');
    } else if (word == "section") {
      in.skipTo('{');
      in.skipTo('}');
    } else if (word == "visible" || word == "weak" || word == "common") {
    } else if (word == "extern") {
      isExtern = true;
    } else if (word == "entry") {
      parseFunction();
    } else if (word == "func") {
      in.fail("functions that are no kernels are not supported");
    } else if (word == "global" || word == "const" || word == "shared") {
      Variable variable = declaration(word == "shared" ? Space::shared : Space::global);
      if (variable.space == Space::shared)
        moduleShared.push_back(variable);
      else
        module->globals.push_back(std::make_unique<Variable>(std::move(variable)));
    } else {
      in.fail("unknown directive ." + word);
    }
  }

  /// What follows .global, .shared, .local or .param: alignment, type, name, size, values, `;`.
  Variable declaration(Space space, bool isParameter = false) {
    Variable variable;
    variable.space = space;
    variable.isExtern = std::exchange(isExtern, false);
    std::size_t elementBytes = 0, vector = 1;
    std::size_t align = 0;
    while (in.peek('.')) {
      std::string word = in.directive();
      if (word == "align")
        align = static_cast<std::size_t>(in.integer());
      else if (word == "v2" || word == "v4")
        vector = word == "v2" ? 2 : 4;
      else if (Type type = typeNamed(word); type != Type::none)
        elementBytes = static_cast<std::size_t>(bitsOf(type) / 8);
      else if (word != "ptr" && word != "global" && word != "shared" && word != "const" &&
               word != "local")
        in.fail("unknown part ." + word + " of a declaration");
    }
    variable.name = in.name();
    std::size_t count = vector;
    bool isUnsized = false;
    while (in.accept('[')) {
      if (in.peek(']')) {
        isUnsized = true;
        count = 0;
      } else {
        count *= static_cast<std::size_t>(in.integer());
      }
      in.expect(']');
    }
    variable.align = std::max<std::size_t>({align, elementBytes, 1});
    if (in.accept('=')) {
      std::vector<uint64_t> values;
      if (in.accept('{')) {
        while (!in.accept('}')) {
          values.push_back(static_cast<uint64_t>(in.number()));
          in.accept(',');
        }
      } else {
        values.push_back(static_cast<uint64_t>(in.number()));
      }
      if (isUnsized)
        count = values.size();
      variable.contents.resize(count * elementBytes);
      for (std::size_t i = 0; i < values.size() && i < count; ++i)
        std::memcpy(variable.contents.data() + i * elementBytes, &values[i], elementBytes);
    }
    variable.sizeBytes = count * elementBytes;
    if (!isParameter)
      in.expect(';');
    return variable;
  }

  void parseFunction() {
    auto function = std::make_unique<Function>();
    current = function.get();
    symbols.clear();
    labels.clear();
    scopes.assign(1, {});
    function->name = in.name();
    if (in.accept('(')) {
      while (!in.accept(')')) {
        if (in.directive() != "param")
          in.fail("expected .param");
        Variable parameter = declaration(Space::param, true);
        place(parameter, function->parameterBytes);
        symbols[parameter.name] = parameter;
        function->parameters.push_back(parameter);
        in.accept(',');
      }
    }
    while (in.peek('.')) { // .maxntid 256, 1, 1
      std::string word = in.directive();
      if (word == "noreturn")
        continue;
      int64_t product = in.integer();
      while (in.accept(','))
        product *= in.integer();
      if (word == "maxntid" || word == "reqntid")
        function->maxThreads = static_cast<int>(product);
      else if (word != "minnctapersm" && word != "maxnreg" && word != "maxnctapersm")
        in.fail("unknown directive ." + word);
    }
    if (in.accept(';'))
      in.fail("a kernel without a body: " + function->name);
    for (Variable &variable : moduleShared)
      if (!variable.isExtern)
        addShared(variable);
    in.expect('{');
    block();
    // Dynamic shared memory begins where the other ends.
    function->sharedBytes = (function->sharedBytes + 15) / 16 * 16;
    for (const Variable &variable : moduleShared)
      if (variable.isExtern) {
        Variable placed = variable;
        placed.offset = function->sharedBytes;
        symbols[placed.name] = placed;
      }
    for (Instruction &instruction : function->body)
      for (Operand &operand : instruction.operands)
        bind(operand, instruction);
    std::string key = function->name;
    module->functions[key] = std::move(function);
  }

  static void place(Variable &variable, std::size_t &end) {
    variable.offset = (end + variable.align - 1) / variable.align * variable.align;
    end = variable.offset + variable.sizeBytes;
  }
  void addShared(Variable &variable) {
    place(variable, current->sharedBytes);
    symbols[variable.name] = variable;
  }

  /// The statements up to the closing brace.
  void block() {
    while (!in.accept('}')) {
      if (in.atEnd())
        in.fail("a kernel does not end");
      if (in.accept('{')) {
        scopes.emplace_back();
        block();
        scopes.pop_back();
      } else if (in.peek('.')) {
        bodyDirective();
      } else {
        statement();
      }
    }
  }

  void bodyDirective() {
    std::string word = in.directive();
    if (word == "loc" || word == "file") {
      in.skipLine();
    } else if (word == "pragma") {
      in.skipTo(';');
    } else if (word == "reg") {
      registers();
    } else if (word == "shared") {
      Variable variable = declaration(Space::shared);
      addShared(variable);
    } else if (word == "local") {
      Variable variable = declaration(Space::local);
      place(variable, current->localBytes);
      symbols[variable.name] = variable;
    } else {
      in.fail("unknown directive ." + word);
    }
  }

  void registers() {
    std::string type = in.directive();
    if (typeNamed(type) == Type::none)
      in.fail("registers of type ." + type);
    do {
      std::string prefix = in.name();
      if (in.accept('<')) {
        int64_t count = in.integer();
        in.expect('>');
        for (int64_t i = 0; i < count; ++i)
          scopes.back()[prefix + std::to_string(i)] = newRegister();
      } else {
        scopes.back()[prefix] = newRegister();
      }
    } while (in.accept(','));
    in.expect(';');
  }
  int newRegister() { return static_cast<int>(current->numRegisters++); }

  int findRegister(const std::string &wanted) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
      if (auto found = scope->find(wanted); found != scope->end())
        return found->second;
    return -1;
  }

  void statement() {
    Instruction instruction;
    std::size_t begin = in.position();
    if (in.accept('@')) {
      instruction.guardIsNegated = in.accept('!');
      std::string guard = in.name();
      instruction.guard = findRegister(guard);
      if (instruction.guard < 0)
        in.fail("unknown predicate " + guard);
    }
    std::string word = in.name();
    if (in.accept(':')) {
      labels[word] = static_cast<int64_t>(current->body.size());
      return;
    }
    instruction.line = in.line();
    instruction.opcode = word;
    for (std::string part = in.suffix(); !part.empty(); part = in.suffix()) {
      instruction.parts.push_back(part);
      if (Type type = typeNamed(part); type != Type::none)
        instruction.types.push_back(type);
    }
    while (!in.accept(';')) {
      instruction.operands.push_back(operand());
      if (in.accept('|')) // setp d|q, shfl d|p
        instruction.operands.push_back(operand());
      else if (instruction.operands.size() == 1 && instruction.opcode == "setp")
        instruction.operands.push_back({});
      else if (instruction.operands.size() == 1 && instruction.opcode == "shfl")
        instruction.operands.push_back({});
      if (!in.peek(';'))
        in.expect(',');
    }
    instruction.code = codeOf(instruction);
    instruction.text = in.since(begin);
    current->body.push_back(std::move(instruction));
  }

  Operand operand() {
    Operand result;
    if (in.accept('{')) {
      result.kind = Operand::Kind::vector;
      while (!in.accept('}')) {
        result.elements.push_back(operand());
        in.accept(',');
      }
      return result;
    }
    if (in.accept('[')) {
      Operand base = operand();
      result.kind = Operand::Kind::memory;
      if (base.kind == Operand::Kind::reg)
        result.index = base.index;
      else if (base.kind == Operand::Kind::symbol)
        result.name = base.name;
      else if (base.kind == Operand::Kind::integer)
        result.value = base.value;
      else
        in.fail("an address that is none");
      if (in.accept('+'))
        result.value += in.integer();
      else if (in.peek('-'))
        result.value += in.integer();
      in.expect(']');
      return result;
    }
    if (in.accept('!')) {
      result = operand();
      result.isNegated = true;
      return result;
    }
    if (in.peekName()) {
      std::string word = in.name();
      if (word == "_") // nobody wants it
        return result;
      if (word[0] == '%')
        if (std::string part = in.suffix(); !part.empty()) // %tid.x
          word += "." + part;
      if (int index = findRegister(word); index >= 0) {
        result.kind = Operand::Kind::reg;
        result.index = index;
        return result;
      }
      for (std::size_t i = 0; i < std::size(specialNames); ++i)
        if (specialNames[i] == word) {
          result.kind = Operand::Kind::special;
          result.index = static_cast<int32_t>(i);
          return result;
        }
      if (word[0] == '%' && !symbols.contains(word))
        in.fail("unknown register " + word);
      result.kind = Operand::Kind::symbol;
      result.name = word;
      return result;
    }
    Scanner::Constant constant = in.constant();
    using Kind = Scanner::Constant::Kind;
    result.kind = constant.kind == Kind::integer  ? Operand::Kind::integer
                  : constant.kind == Kind::real32 ? Operand::Kind::real32
                                                  : Operand::Kind::real64;
    result.value = constant.value;
    return result;
  }

  /// Symbols become addresses, labels places.
  void bind(Operand &operand, const Instruction &instruction) {
    for (Operand &element : operand.elements)
      bind(element, instruction);
    if (operand.name.empty())
      return;
    if (auto found = symbols.find(operand.name); found != symbols.end()) {
      operand.space = found->second.space;
      operand.value += static_cast<int64_t>(found->second.offset);
      return;
    }
    if (auto found = labels.find(operand.name); found != labels.end()) {
      operand.kind = Operand::Kind::label;
      operand.value = found->second;
      return;
    }
    for (const auto &global : module->globals)
      if (global->name == operand.name) { // its address is known when it is loaded
        operand.space = Space::global;
        operand.global = global.get();
        return;
      }
    throw PtxError("PTX line " + std::to_string(instruction.line) + ": unknown name " +
                   operand.name + " in " + instruction.text);
  }

  Scanner in;
  bool isExtern = false;
  std::unique_ptr<Module> module;
  std::vector<Variable> moduleShared;
  Function *current = nullptr;
  std::map<std::string, Variable> symbols; // of the kernel
  std::map<std::string, int64_t> labels;
  std::vector<std::map<std::string, int>> scopes; // of registers
};

} // namespace

bool Instruction::has(std::string_view part) const {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

std::unique_ptr<Module> parse(std::string_view text) { return Parser(text).run(); }

} // namespace standin::ptx
