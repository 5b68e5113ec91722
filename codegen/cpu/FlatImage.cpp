#include "codegen/cpu/FlatImage.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <optional>
#include <tuple>

using namespace llvm;
using Elf = object::ELF64LE;

namespace kiln::codegen {
namespace {

/// Where functions lie in a blob, by name: what one object finds of the others.
using Functions = StringMap<uint64_t>;

/// One object on its way to a blob. The ELF sections keep their index; `place` is where each went.
class Part {
public:
  explicit Part(object::ELFFile<Elf> elf) : file(std::move(elf)) {}

  Error readTables() {
    auto headers = file.sections();
    if (!headers)
      return headers.takeError();
    sections = *headers;
    place.assign(sections.size(), std::nullopt);
    for (const Elf::Shdr &section : sections) {
      if (section.sh_type != ELF::SHT_SYMTAB)
        continue;
      auto table = file.symbols(&section);
      if (!table)
        return table.takeError();
      symbols = *table;
      auto names = file.getStringTableForSymtab(section);
      if (!names)
        return names.takeError();
      symbolNames = *names;
    }
    return Error::success();
  }

  /// The sections that go into the blob: those of code or of constants; the largest alignment
  /// first, so that little is padded.
  Error listSections(bool ofData, std::vector<size_t> &order) {
    for (size_t i = 0; i < sections.size(); ++i) {
      const Elf::Shdr &section = sections[i];
      if (!(section.sh_flags & ELF::SHF_ALLOC) || section.sh_size == 0)
        continue;
      auto name = file.getSectionName(section);
      if (!name)
        return name.takeError();
      if (*name == ".eh_frame") // nothing unwinds through kernels
        continue;
      if (section.sh_flags & ELF::SHF_WRITE)
        return createStringError("the code needs writable or absolute data in section " + *name +
                                 symbolIn(i) + ": only constants without addresses can be mapped");
      if (section.sh_type != ELF::SHT_PROGBITS)
        return createStringError("section " + *name + " has a type that cannot be mapped");
      if (section.sh_addralign > FlatImage::alignment)
        return createStringError("section " + *name + " wants an alignment above 64 bytes");
      if (ofData == !(section.sh_flags & ELF::SHF_EXECINSTR))
        order.push_back(i);
    }
    llvm::sort(order, [&](size_t a, size_t b) {
      return std::tuple(-int64_t(sections[a].sh_addralign), a) <
             std::tuple(-int64_t(sections[b].sh_addralign), b);
    });
    return Error::success();
  }

  Error placeSections(bool ofData, FlatImage &image) {
    std::vector<size_t> order;
    if (Error error = listSections(ofData, order))
      return error;
    constexpr uint8_t trap = 0xcc; // int3: a jump into the padding stops
    for (size_t i : order) {
      uint64_t align = std::max<uint64_t>(sections[i].sh_addralign, 1);
      if (ofData && i == order.front()) // no line of the cache holds both
        align = FlatImage::alignment;
      image.bytes.resize(alignTo(image.bytes.size(), align), trap);
      auto contents = file.getSectionContents(sections[i]);
      if (!contents)
        return contents.takeError();
      place[i] = image.bytes.size();
      llvm::append_range(image.bytes, *contents);
    }
    return Error::success();
  }

  Error relocate(const Functions &functions, FlatImage &image) {
    for (const Elf::Shdr &section : sections)
      if (section.sh_type == ELF::SHT_RELA && place[section.sh_info])
        if (Error error = relocate(section, functions, image))
          return error;
    return Error::success();
  }

  /// The functions of this object.
  void collectSymbols(FlatImage &image) const {
    for (uint32_t i = 0; i < symbols.size(); ++i) {
      const Elf::Sym &symbol = symbols[i];
      if (symbol.getType() == ELF::STT_FUNC && isPlaced(symbol))
        image.symbols.push_back(
            {nameOf(i), *place[symbol.st_shndx] + symbol.st_value, symbol.st_size});
    }
  }

private:
  Error relocate(const Elf::Shdr &section, const Functions &functions, FlatImage &image) {
    auto relocations = file.relas(section);
    if (!relocations)
      return relocations.takeError();
    for (const Elf::Rela &relocation : *relocations) {
      uint32_t type = relocation.getType(false);
      uint32_t index = relocation.getSymbol(false);
      if (index >= symbols.size())
        return createStringError("the object is malformed: a relocation names no symbol");
      uint64_t at = *place[section.sh_info] + relocation.r_offset;
      bool is64 = type == ELF::R_X86_64_PC64;
      if (type != ELF::R_X86_64_PC32 && type != ELF::R_X86_64_PLT32 && !is64) {
        // An undefined symbol is the better story, whichever way it is referred to.
        if (auto target = symbolOffset(index, functions); !target)
          return target.takeError();
        return createStringError("the code needs relocation " +
                                 object::getELFRelocationTypeName(ELF::EM_X86_64, type) + " to '" +
                                 nameOf(index) + "': only PC-relative references can be mapped");
      }
      auto target = symbolOffset(index, functions);
      if (!target)
        return target.takeError();
      int64_t value =
          static_cast<int64_t>(*target) + relocation.r_addend - static_cast<int64_t>(at);
      if (at + (is64 ? 8 : 4) > image.bytes.size() || (!is64 && !isInt<32>(value)))
        return createStringError("the object is malformed: a relocation to '" + nameOf(index) +
                                 "' is out of range");
      if (is64)
        support::endian::write64le(&image.bytes[at], static_cast<uint64_t>(value));
      else
        support::endian::write32le(&image.bytes[at], static_cast<uint32_t>(value));
    }
    return Error::success();
  }

  bool isPlaced(const Elf::Sym &symbol) const {
    return symbol.st_shndx < place.size() && place[symbol.st_shndx].has_value();
  }

  Expected<uint64_t> symbolOffset(uint32_t index, const Functions &functions) const {
    const Elf::Sym &symbol = symbols[index];
    if (symbol.st_shndx == ELF::SHN_UNDEF) {
      if (auto found = functions.find(nameOf(index)); found != functions.end())
        return found->second;
      return createStringError("the code refers to the symbol '" + nameOf(index) +
                               "', which is not defined in it: compiled code is closed");
    }
    if (!isPlaced(symbol))
      return createStringError("the code refers to '" + nameOf(index) +
                               "', which is not in a section that is mapped");
    return *place[symbol.st_shndx] + symbol.st_value;
  }

  std::string nameOf(uint32_t index) const {
    const Elf::Sym &symbol = symbols[index];
    auto name = symbol.getName(symbolNames);
    if (name && !name->empty())
      return name->str();
    consumeError(name.takeError());
    // Section symbols have no name of their own.
    if (symbol.st_shndx < sections.size()) {
      auto section = file.getSectionName(sections[symbol.st_shndx]);
      if (section)
        return section->str();
      consumeError(section.takeError());
    }
    return "?";
  }

  /// " (of 'name')" for the first named symbol in a section.
  std::string symbolIn(size_t section) const {
    for (uint32_t i = 1; i < symbols.size(); ++i)
      if (symbols[i].st_shndx == section && symbols[i].getType() != ELF::STT_SECTION)
        return " (of '" + nameOf(i) + "')";
    return "";
  }

  object::ELFFile<Elf> file;
  ArrayRef<Elf::Shdr> sections;
  ArrayRef<Elf::Sym> symbols;
  StringRef symbolNames;
  std::vector<std::optional<uint64_t>> place;
};

} // namespace

Expected<FlatImage> makeFlatImage(ArrayRef<std::vector<char>> objects, StringRef entry) {
  std::vector<Part> parts;
  for (const std::vector<char> &object : objects) {
    auto file = object::ELFFile<Elf>::create(StringRef(object.data(), object.size()));
    if (!file)
      return file.takeError();
    const Elf::Ehdr &header = file->getHeader();
    if (header.e_machine != ELF::EM_X86_64 || header.e_type != ELF::ET_REL)
      return createStringError("not a relocatable x86-64 object");
    parts.emplace_back(std::move(*file));
    if (Error error = parts.back().readTables())
      return error;
  }
  FlatImage image;
  for (bool ofData : {false, true}) // code first, then constants
    for (Part &part : parts)
      if (Error error = part.placeSections(ofData, image))
        return error;
  for (const Part &part : parts)
    part.collectSymbols(image);
  Functions functions;
  for (const FlatImage::Symbol &symbol : image.symbols)
    functions[symbol.name] = symbol.offset;
  for (Part &part : parts)
    if (Error error = part.relocate(functions, image))
      return error;
  llvm::sort(image.symbols, [](auto &a, auto &b) {
    return std::tie(a.offset, a.name) < std::tie(b.offset, b.name);
  });
  auto found = functions.find(entry);
  if (found == functions.end())
    return createStringError("the code has no function '" + entry + "'");
  image.entryOffset = found->second;
  return image;
}

} // namespace kiln::codegen
