// A tokenizer's three files, with a record separator between them; a text is encoded with it.
#include "Fuzzing.h"

#include "tools/common/text/Tokenizer.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>

using namespace kiln;
namespace fs = std::filesystem;

namespace {

constexpr char separator = '\x1e';

/// A folder whose files are links to files in memory.
class Folder {
public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "kiln-fuzz-XXXXXX").string();
    if (!mkdtemp(name.data()))
      std::abort();
    folder = name;
    for (int i = 0; i < 3; ++i)
      fs::create_symlink(files[i].path(), folder / names[i]);
  }
  ~Folder() { fs::remove_all(folder); }

  void write(std::string_view all) {
    for (fuzz::MemoryFile &file : files) {
      std::string_view part = all.substr(0, all.find(separator));
      all.remove_prefix(std::min(all.size(), part.size() + 1));
      file.write({reinterpret_cast<const uint8_t *>(part.data()), part.size()});
    }
  }
  const fs::path &path() const { return folder; }

private:
  static constexpr const char *names[] = {"tokenizer.json", "vocab.txt",
                                          "sentence_bert_config.json"};
  fuzz::MemoryFile files[3];
  fs::path folder;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
  static Folder folder;
  std::string_view text(reinterpret_cast<const char *>(data), size);
  folder.write(text);
  fuzz::accepts([&] {
    auto tokenizer = tools::Tokenizer::load(folder.path());
    // What the files hold is text as any other.
    for (std::string_view part :
         {std::string_view("a man eats; 东京 cafe\u0301 \xff"), text.substr(0, 2000)})
      for (int64_t id : tokenizer.encode(part))
        if (id < 0 || static_cast<std::size_t>(id) >= tokenizer.options().vocabularySize)
          __builtin_trap();
  });
  return 0;
}

/// By tokens half of the time, so that what comes out is JSON.
extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t *data, std::size_t size, std::size_t maxSize,
                                               unsigned seed) {
  fuzz::Draw draw(seed);
  return size == 0 || draw.oneIn(2) ? LLVMFuzzerMutate(data, size, maxSize)
                                    : fuzz::mutateText(data, size, maxSize, draw);
}
