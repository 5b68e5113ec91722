#include "standin/ptx/Block.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <utility>

namespace standin::ptx {
namespace {

struct NamedType {
  std::string_view name;
  Type type;
  int bits;
};
constexpr NamedType namedTypes[] = {
    {"pred", Type::pred, 1},  {"b8", Type::b8, 8},        {"b16", Type::b16, 16},
    {"b32", Type::b32, 32},   {"b64", Type::b64, 64},     {"b128", Type::b128, 128},
    {"u8", Type::u8, 8},      {"u16", Type::u16, 16},     {"u32", Type::u32, 32},
    {"u64", Type::u64, 64},   {"s8", Type::s8, 8},        {"s16", Type::s16, 16},
    {"s32", Type::s32, 32},   {"s64", Type::s64, 64},     {"f16", Type::f16, 16},
    {"bf16", Type::bf16, 16}, {"tf32", Type::tf32, 32},   {"f32", Type::f32, 32},
    {"f64", Type::f64, 64},   {"f16x2", Type::f16x2, 32}, {"bf16x2", Type::bf16x2, 32},
};

constexpr std::string_view specialNames[] = {
    "%tid.x",       "%tid.y",   "%tid.z",       "%ntid.x",      "%ntid.y",      "%ntid.z",
    "%ctaid.x",     "%ctaid.y", "%ctaid.z",     "%nctaid.x",    "%nctaid.y",    "%nctaid.z",
    "%laneid",      "%warpid",  "%lanemask_lt", "%lanemask_le", "%lanemask_eq", "%lanemask_ge",
    "%lanemask_gt", "%clock",   "%clock64",     "%globaltimer", "%smid",        "%nsmid"};

bool isNameStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%';
}
bool isNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%';
}

class Parser {
public:
  explicit Parser(std::string_view source) : text(withoutComments(source)) {}

  std::unique_ptr<Module> run() {
    module = std::make_unique<Module>();
    for (skipSpace(); at < text.size(); skipSpace())
      topLevel();
    return std::move(module);
  }

private:
  static std::string withoutComments(std::string_view source) {
    std::string result(source);
    for (std::size_t i = 0; i + 1 < result.size(); ++i) {
      if (result[i] == '"') { // strings of directives
        for (++i; i < result.size() && result[i] != '"'; ++i)
          ;
        continue;
      }
      bool isLine = result[i] == '/' && result[i + 1] == '/';
      bool isBlock = result[i] == '/' && result[i + 1] == '*';
      if (!isLine && !isBlock)
        continue;
      for (; i < result.size(); ++i) {
        if (isLine && result[i] == '\n')
          break;
        bool ends = isBlock && result[i] == '*' && i + 1 < result.size() && result[i + 1] == '/';
        if (result[i] != '\n')
          result[i] = ' ';
        if (ends) {
          result[i + 1] = ' ';
          break;
        }
      }
    }
    return result;
  }

  [[noreturn]] void fail(const std::string &message) const {
    auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    throw PtxError("PTX line " + std::to_string(line) + ": " + message);
  }

  void skipSpace() {
    while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])))
      ++at;
  }
  bool peek(char c) {
    skipSpace();
    return at < text.size() && text[at] == c;
  }
  bool accept(char c) {
    if (!peek(c))
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      fail(std::string("expected '") + c + "' at \"" + text.substr(at, 20) + "\"");
  }
  std::string name() {
    skipSpace();
    std::size_t begin = at;
    if (at >= text.size() || !isNameStart(text[at]))
      fail("expected a name at \"" + text.substr(at, 20) + "\"");
    while (at < text.size() && isNameChar(text[at]))
      ++at;
    return text.substr(begin, at - begin);
  }
  /// ".name" with its dots: ".global", ".v4".
  std::string directive() {
    expect('.');
    std::size_t begin = at;
    while (at < text.size() && isNameChar(text[at]))
      ++at;
    return text.substr(begin, at - begin);
  }
  void skipLine() {
    while (at < text.size() && text[at] != '\n')
      ++at;
  }
  void skipTo(char c) {
    while (at < text.size() && text[at] != c)
      ++at;
    expect(c);
  }
  int64_t integer() {
    skipSpace();
    bool isNegative = accept('-');
    skipSpace();
    std::size_t used = 0;
    if (at >= text.size() || !std::isdigit(static_cast<unsigned char>(text[at])))
      fail("expected a number at \"" + text.substr(at, 20) + "\"");
    std::string digits;
    while (at + used < text.size() && std::isalnum(static_cast<unsigned char>(text[at + used])))
      digits += text[at + used++];
    at += used;
    if (digits.back() == 'U')
      digits.pop_back();
    int base = 10;
    std::size_t skip = 0;
    if (digits.starts_with("0x") || digits.starts_with("0X"))
      base = 16, skip = 2;
    else if (digits.starts_with("0b") || digits.starts_with("0B"))
      base = 2, skip = 2;
    else if (digits.size() > 1 && digits[0] == '0')
      base = 8, skip = 1;
    uint64_t value = std::stoull(digits.substr(skip), nullptr, base);
    return static_cast<int64_t>(isNegative ? 0 - value : value);
  }

  void topLevel() {
    if (!peek('.'))
      fail("expected a directive at \"" + text.substr(at, 20) + "\"");
    std::string word = directive();
    if (word == "version" || word == "address_size" || word == "file" || word == "loc") {
      skipLine();
    } else if (word == "target") {
      skipSpace();
      module->target = name();
      skipLine();
    } else if (word == "pragma") {
      skipTo(';');
    } else if (word == "section") {
      skipTo('{');
      skipTo('}');
    } else if (word == "visible" || word == "weak" || word == "common") {
    } else if (word == "extern") {
      isExtern = true;
    } else if (word == "entry") {
      parseFunction();
    } else if (word == "func") {
      fail("functions that are no kernels are not supported");
    } else if (word == "global" || word == "const" || word == "shared") {
      Variable variable = declaration(word == "shared" ? Space::shared : Space::global);
      if (variable.space == Space::shared)
        moduleShared.push_back(variable);
      else
        module->globals.push_back(std::make_unique<Variable>(std::move(variable)));
    } else {
      fail("unknown directive ." + word);
    }
  }

  /// What follows .global, .shared, .local or .param: alignment, type, name, size, values, `;`.
  Variable declaration(Space space, bool isParameter = false) {
    Variable variable;
    variable.space = space;
    variable.isExtern = std::exchange(isExtern, false);
    std::size_t elementBytes = 0, vector = 1;
    std::size_t align = 0;
    while (peek('.')) {
      std::string word = directive();
      if (word == "align")
        align = static_cast<std::size_t>(integer());
      else if (word == "v2" || word == "v4")
        vector = word == "v2" ? 2 : 4;
      else if (Type type = typeNamed(word); type != Type::none)
        elementBytes = static_cast<std::size_t>(bitsOf(type) / 8);
      else if (word != "ptr" && word != "global" && word != "shared" && word != "const" &&
               word != "local")
        fail("unknown part ." + word + " of a declaration");
    }
    variable.name = name();
    std::size_t count = vector;
    bool isUnsized = false;
    while (accept('[')) {
      if (peek(']')) {
        isUnsized = true;
        count = 0;
      } else {
        count *= static_cast<std::size_t>(integer());
      }
      expect(']');
    }
    variable.align = std::max<std::size_t>({align, elementBytes, 1});
    if (accept('=')) {
      std::vector<uint64_t> values;
      if (accept('{')) {
        while (!accept('}')) {
          values.push_back(static_cast<uint64_t>(number()));
          accept(',');
        }
      } else {
        values.push_back(static_cast<uint64_t>(number()));
      }
      if (isUnsized)
        count = values.size();
      variable.contents.resize(count * elementBytes);
      for (std::size_t i = 0; i < values.size() && i < count; ++i)
        std::memcpy(variable.contents.data() + i * elementBytes, &values[i], elementBytes);
    }
    variable.sizeBytes = count * elementBytes;
    if (!isParameter)
      expect(';');
    return variable;
  }

  /// An integer, or the bits of a floating-point constant.
  int64_t number() {
    skipSpace();
    if (text.compare(at, 2, "0f") == 0 || text.compare(at, 2, "0F") == 0 ||
        text.compare(at, 2, "0d") == 0 || text.compare(at, 2, "0D") == 0) {
      std::size_t begin = at + 2;
      at = begin;
      while (at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])))
        ++at;
      return static_cast<int64_t>(std::stoull(text.substr(begin, at - begin), nullptr, 16));
    }
    return integer();
  }

  void parseFunction() {
    auto function = std::make_unique<Function>();
    current = function.get();
    symbols.clear();
    labels.clear();
    scopes.assign(1, {});
    function->name = name();
    if (accept('(')) {
      while (!accept(')')) {
        if (directive() != "param")
          fail("expected .param");
        Variable parameter = declaration(Space::param, true);
        place(parameter, function->parameterBytes);
        symbols[parameter.name] = parameter;
        function->parameters.push_back(parameter);
        accept(',');
      }
    }
    while (peek('.')) { // .maxntid 256, 1, 1
      std::string word = directive();
      if (word == "noreturn")
        continue;
      int64_t product = integer();
      while (accept(','))
        product *= integer();
      if (word == "maxntid" || word == "reqntid")
        function->maxThreads = static_cast<int>(product);
      else if (word != "minnctapersm" && word != "maxnreg" && word != "maxnctapersm")
        fail("unknown directive ." + word);
    }
    if (accept(';'))
      fail("a kernel without a body: " + function->name);
    for (Variable &variable : moduleShared)
      if (!variable.isExtern)
        addShared(variable);
    expect('{');
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
    while (!accept('}')) {
      if (at >= text.size())
        fail("a kernel does not end");
      if (accept('{')) {
        scopes.emplace_back();
        block();
        scopes.pop_back();
      } else if (peek('.')) {
        bodyDirective();
      } else {
        statement();
      }
    }
  }

  void bodyDirective() {
    std::string word = directive();
    if (word == "loc" || word == "file") {
      skipLine();
    } else if (word == "pragma") {
      skipTo(';');
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
      fail("unknown directive ." + word);
    }
  }

  void registers() {
    std::string type = directive();
    if (typeNamed(type) == Type::none)
      fail("registers of type ." + type);
    do {
      std::string prefix = name();
      if (accept('<')) {
        int64_t count = integer();
        expect('>');
        for (int64_t i = 0; i < count; ++i)
          scopes.back()[prefix + std::to_string(i)] = newRegister();
      } else {
        scopes.back()[prefix] = newRegister();
      }
    } while (accept(','));
    expect(';');
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
    std::size_t begin = at;
    if (accept('@')) {
      instruction.guardIsNegated = accept('!');
      std::string guard = name();
      instruction.guard = findRegister(guard);
      if (instruction.guard < 0)
        fail("unknown predicate " + guard);
    }
    std::string word = name();
    if (accept(':')) {
      labels[word] = static_cast<int64_t>(current->body.size());
      return;
    }
    instruction.line = static_cast<int>(
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1);
    instruction.opcode = word;
    while (at < text.size() && (text[at] == '.' || text[at] == ':')) {
      while (at < text.size() && (text[at] == '.' || text[at] == ':'))
        ++at;
      std::size_t partBegin = at;
      while (at < text.size() && isNameChar(text[at]))
        ++at;
      instruction.parts.push_back(text.substr(partBegin, at - partBegin));
      if (Type type = typeNamed(instruction.parts.back()); type != Type::none)
        instruction.types.push_back(type);
    }
    while (!accept(';')) {
      instruction.operands.push_back(operand());
      if (accept('|')) // setp d|q, shfl d|p
        instruction.operands.push_back(operand());
      else if (instruction.operands.size() == 1 && instruction.opcode == "setp")
        instruction.operands.push_back({});
      else if (instruction.operands.size() == 1 && instruction.opcode == "shfl")
        instruction.operands.push_back({});
      if (!peek(';'))
        expect(',');
    }
    instruction.code = codeOf(instruction);
    instruction.text = text.substr(begin, at - begin);
    for (char &c : instruction.text)
      if (c == '\n' || c == '\t')
        c = ' ';
    while (!instruction.text.empty() && instruction.text.front() == ' ')
      instruction.text.erase(0, 1);
    current->body.push_back(std::move(instruction));
  }

  Operand operand() {
    Operand result;
    skipSpace();
    if (accept('{')) {
      result.kind = Operand::Kind::vector;
      while (!accept('}')) {
        result.elements.push_back(operand());
        accept(',');
      }
      return result;
    }
    if (accept('[')) {
      Operand base = operand();
      result.kind = Operand::Kind::memory;
      if (base.kind == Operand::Kind::reg)
        result.index = base.index;
      else if (base.kind == Operand::Kind::symbol)
        result.name = base.name;
      else if (base.kind == Operand::Kind::integer)
        result.value = base.value;
      else
        fail("an address that is none");
      if (accept('+'))
        result.value += integer();
      else if (peek('-'))
        result.value += integer();
      expect(']');
      return result;
    }
    if (accept('!')) {
      result = operand();
      result.isNegated = true;
      return result;
    }
    char c = text[at];
    if (isNameStart(c)) {
      std::string word = name();
      if (word == "_") // nobody wants it
        return result;
      if (at < text.size() && text[at] == '.' && word[0] == '%') {
        ++at;
        word += "." + name();
      }
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
        fail("unknown register " + word);
      result.kind = Operand::Kind::symbol;
      result.name = word;
      return result;
    }
    bool isNegative = c == '-';
    std::size_t digits = at + (isNegative ? 1 : 0);
    char second = digits + 1 < text.size() ? text[digits + 1] : ' ';
    if (text[digits] == '0' && (second == 'f' || second == 'F')) {
      at = digits;
      uint64_t bits = static_cast<uint64_t>(number());
      result.kind = Operand::Kind::real32;
      result.value = static_cast<int64_t>(isNegative ? bits ^ 0x80000000u : bits);
      return result;
    }
    if (text[digits] == '0' && (second == 'd' || second == 'D')) {
      at = digits;
      uint64_t bits = static_cast<uint64_t>(number());
      result.kind = Operand::Kind::real64;
      result.value = static_cast<int64_t>(isNegative ? bits ^ (uint64_t{1} << 63) : bits);
      return result;
    }
    std::size_t end = digits;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])))
      ++end;
    if (end < text.size() && text[end] == '.') { // 1.5
      std::size_t used = 0;
      double value = std::stod(text.substr(at, 40), &used);
      at += used;
      result.kind = Operand::Kind::real64;
      result.value = std::bit_cast<int64_t>(value);
      return result;
    }
    result.kind = Operand::Kind::integer;
    result.value = integer();
    if (accept('+')) // a sum of constants
      result.value += integer();
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

  std::string text;
  std::size_t at = 0;
  bool isExtern = false;
  std::unique_ptr<Module> module;
  std::vector<Variable> moduleShared;
  Function *current = nullptr;
  std::map<std::string, Variable> symbols; // of the kernel
  std::map<std::string, int64_t> labels;
  std::vector<std::map<std::string, int>> scopes; // of registers
};

} // namespace

int bitsOf(Type type) {
  for (const NamedType &named : namedTypes)
    if (named.type == type)
      return named.bits;
  return 0;
}

bool isSigned(Type type) {
  return type == Type::s8 || type == Type::s16 || type == Type::s32 || type == Type::s64;
}

bool isFloating(Type type) {
  return type == Type::f16 || type == Type::bf16 || type == Type::f32 || type == Type::f64 ||
         type == Type::tf32;
}

Type typeNamed(std::string_view name) {
  for (const NamedType &named : namedTypes)
    if (named.name == name)
      return named.type;
  return Type::none;
}

bool Instruction::has(std::string_view part) const {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

std::unique_ptr<Module> parse(std::string_view text) { return Parser(text).run(); }

} // namespace standin::ptx
