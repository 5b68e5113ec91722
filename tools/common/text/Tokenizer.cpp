//===- Tokenizer.cpp - WordPiece, as BERT's models use it ---------------------===//

#include "Tokenizer.h"

#include <algorithm>
#include <map>

#include "Unicode.h"
#include "Utf8.h"

namespace kiln::tools {

void Vocabulary::add(std::string_view token, int64_t id, std::string_view prefix) {
  const bool continues = token.size() > prefix.size() && token.starts_with(prefix);
  if (continues)
    token.remove_prefix(prefix.size());
  longestBytes = std::max(longestBytes, token.size());
  (continues ? next : first).emplace(token, id);
}

bool Vocabulary::split(std::string_view word, std::vector<int64_t> &ids) const {
  const size_t before = ids.size();
  for (size_t start = 0; start < word.size();) {
    const Pieces &pieces = start == 0 ? first : next;
    size_t length = std::min(longestBytes, word.size() - start);
    Pieces::const_iterator found = pieces.end();
    for (; length > 0; --length)
      if (found = pieces.find(word.substr(start, length)); found != pieces.end())
        break;
    if (length == 0) {
      ids.resize(before);
      return false;
    }
    ids.push_back(found->second);
    start += length;
  }
  return true;
}

namespace {
/// One text on its way: code points go in at `clean`, pass the steps of the normaliser and the
/// splitter in turn, and come out as ids. Nothing is kept but the current word and the marks that
/// follow the current character, so that a long text can be left as soon as there are enough ids.
class Pass {
public:
  Pass(const TokenizerOptions &options, const Vocabulary &vocabulary, std::vector<int64_t> &ids,
       size_t limit)
      : options(options), vocabulary(vocabulary), ids(ids), limit(limit) {}

  bool full() const { return ids.size() >= limit; }

  void clean(char32_t c) {
    if (options.cleanText) {
      if (c == 0 || c == kReplacement || isControl(c))
        return;
      if (isWhitespace(c))
        c = ' ';
    }
    if (options.cjkWords && isCjk(c)) {
      stripAccents(' ');
      stripAccents(c);
      stripAccents(' ');
    } else {
      stripAccents(c);
    }
  }

  void special(int64_t id) {
    finish();
    ids.push_back(id);
  }

  void finish() {
    flushMarks();
    endWord();
  }

private:
  void stripAccents(char32_t c) {
    if (!options.stripAccents)
      return lower(c);
    if (c < 0x80) { // ASCII decomposes to itself and starts a new combining sequence.
      flushMarks();
      return lower(c);
    }
    char32_t parts[kMaxExpansion];
    const int count = decompose(c, parts);
    for (int i = 0; i < count; ++i) {
      const uint8_t order = combiningClass(parts[i]);
      if (order == 0)
        flushMarks();
      if (isNonspacingMark(parts[i]))
        continue;
      if (order == 0)
        lower(parts[i]);
      else
        marks[order] += parts[i];
    }
  }

  /// Canonical order: what combines is sorted by class, stably, up to the next starter.
  void flushMarks() {
    for (const auto &[order, run] : marks)
      for (char32_t c : run)
        lower(c);
    marks.clear();
  }

  void lower(char32_t c) {
    if (!options.lowercase)
      return split(c);
    char32_t parts[kMaxExpansion];
    const int count = toLower(c, parts);
    for (int i = 0; i < count; ++i)
      split(parts[i]);
  }

  void split(char32_t c) {
    if (isWhitespace(c))
      return endWord();
    const bool alone = isPunctuation(c);
    if (alone)
      endWord();
    if (++wordChars <= options.maxWordChars)
      appendUtf8(word, c);
    if (alone)
      endWord();
  }

  void endWord() {
    if (wordChars == 0)
      return;
    if (wordChars > options.maxWordChars || !vocabulary.split(word, ids))
      ids.push_back(options.unknownId);
    word.clear();
    wordChars = 0;
  }

  const TokenizerOptions &options;
  const Vocabulary &vocabulary;
  std::vector<int64_t> &ids;
  size_t limit;
  std::string word;                        // At most maxWordChars code points of the current word.
  size_t wordChars = 0;                    // Its length in code points.
  std::map<uint8_t, std::u32string> marks; // By combining class.
};

/// The longest special token that `text` has at `position`, or null.
const std::pair<std::string, int64_t> *specialAt(const TokenizerOptions &options,
                                                 std::string_view text, size_t position) {
  const std::pair<std::string, int64_t> *best = nullptr;
  for (const auto &token : options.special)
    if (text.compare(position, token.first.size(), token.first) == 0 &&
        (!best || token.first.size() > best->first.size()))
      best = &token;
  return best;
}
} // namespace

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int64_t> ids{settings.startId};
  const size_t limit = std::max<size_t>(settings.maxTokens, 2) - 1;
  Pass pass(settings, vocabulary, ids, limit);
  for (size_t position = 0; position < text.size() && !pass.full();) {
    if (const auto *token = specialAt(settings, text, position)) {
      pass.special(token->second);
      position += token->first.size();
    } else {
      pass.clean(decodeUtf8(text, position).code);
    }
  }
  pass.finish();
  ids.resize(std::min(ids.size(), limit));
  ids.push_back(settings.endId);
  return ids;
}

} // namespace kiln::tools
