//===- Tokenizer.h - WordPiece, as BERT's models use it -----------------------===//
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace kiln::tools {

/// The pieces of words and their ids.
class Vocabulary {
public:
  /// `token` is as in the vocabulary file: with `prefix` in front if it continues a word.
  void add(std::string_view token, int64_t id, std::string_view prefix);

  /// Appends the ids of `word` (UTF-8), the longest piece first. Returns false and appends nothing
  /// if it cannot be put together from pieces. Time: length of the word * length of a piece.
  bool split(std::string_view word, std::vector<int64_t> &ids) const;

private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  using Pieces = std::unordered_map<std::string, int64_t, Hash, std::equal_to<>>;

  Pieces first, next;      // Pieces that begin a word, and that continue one.
  size_t longestBytes = 0; // Of any piece.
};

/// What tokenizer.json says besides the vocabulary.
struct TokenizerOptions {
  bool cleanText = true;     ///< Drop control characters, make all white space blanks.
  bool cjkWords = true;      ///< Each Chinese character is a word.
  bool stripAccents = true;  ///< Decompose (NFD) and drop nonspacing marks.
  bool lowercase = true;     ///<
  size_t maxWordChars = 100; ///< A longer word is unknown as a whole, in code points.
  size_t maxTokens = 256;    ///< Of one text, with the tokens at its start and end.
  size_t vocabularySize = 0; ///< Ids are less than this.
  int64_t unknownId = 0, startId = 0, endId = 0, padId = 0;
  /// Tokens that stand for themselves where a text contains them, with their ids.
  std::vector<std::pair<std::string, int64_t>> special;
};

/// Turns text into token ids, exactly as the model's tokenizer.json describes.
class Tokenizer {
public:
  Tokenizer(TokenizerOptions options, Vocabulary vocabulary)
      : settings(std::move(options)), vocabulary(std::move(vocabulary)) {}

  /// Reads tokenizer.json, vocab.txt and sentence_bert_config.json (max_seq_length) in `folder`.
  /// Errors: IoError if a file is missing or cannot be read; ValueError if it is not what it should
  /// be, if it asks for a kind of tokenizer other than BERT's, or if the two vocabularies differ.
  static Tokenizer load(const std::filesystem::path &folder);

  /// The ids of `text`, between the start and the end token, at most options().maxTokens of them.
  /// Bytes that are not UTF-8 count as U+FFFD. Time: linear in the part of `text` that is kept.
  std::vector<int64_t> encode(std::string_view text) const;

  const TokenizerOptions &options() const { return settings; }

private:
  TokenizerOptions settings;
  Vocabulary vocabulary;
};

} // namespace kiln::tools
