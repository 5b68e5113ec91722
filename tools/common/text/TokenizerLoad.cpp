//===- TokenizerLoad.cpp - Reads a tokenizer from a model folder --------------===//

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

#include "Tokenizer.h"
#include "kiln/Error.h"
#include "tools/common/Json.h"

namespace kiln::tools {

namespace {
using nlohmann::json;

/// Says that `file` asks for what this program does not do.
[[noreturn]] void refuse(const std::filesystem::path &file, const std::string &what) {
  throw ValueError("[tokenizer] " + file.string() + ": " + what);
}

void requireType(const std::filesystem::path &file, const json &object, const char *key,
                 const std::string &type) {
  const auto part = object.find(key); // not a copy: the model holds the vocabulary
  if (part == object.end())
    refuse(file, std::string("\"") + key + "\" is missing");
  const auto found =
      part->is_object() ? member<std::string>(file, *part, "type") : std::string("null");
  if (found != type)
    refuse(file, std::string(key) + " is " + found + "; only " + type + " is supported");
}

void readNormalizer(const std::filesystem::path &file, const json &root, TokenizerOptions &out) {
  requireType(file, root, "normalizer", "BertNormalizer");
  requireType(file, root, "pre_tokenizer", "BertPreTokenizer");
  const json &normalizer = root["normalizer"];
  out.cleanText = member<bool>(file, normalizer, "clean_text");
  out.cjkWords = member<bool>(file, normalizer, "handle_chinese_chars");
  out.lowercase = member<bool>(file, normalizer, "lowercase");
  // null: accents go where case goes.
  const json accents = member<json>(file, normalizer, "strip_accents");
  out.stripAccents =
      accents.is_null() ? out.lowercase : member<bool>(file, normalizer, "strip_accents");
}

void readAddedTokens(const std::filesystem::path &file, const json &root, TokenizerOptions &out) {
  for (const json &token : member<json::array_t>(file, root, "added_tokens")) {
    for (const char *flag : {"normalized", "single_word", "lstrip", "rstrip"})
      if (token.is_object() && token.contains(flag) && member<bool>(file, token, flag))
        refuse(file, std::string("an added token with ") + flag + " is not supported");
    out.special.emplace_back(member<std::string>(file, token, "content"),
                             member<int64_t>(file, token, "id"));
    if (out.special.back().first.empty())
      refuse(file, "an added token is empty");
  }
}

/// The template of a single text must be: one token, the text, one token.
void readTemplate(const std::filesystem::path &file, const json &root, TokenizerOptions &out) {
  requireType(file, root, "post_processor", "TemplateProcessing");
  const json &processor = root["post_processor"];
  const auto single = member<json::array_t>(file, processor, "single");
  if (single.size() != 3 || !single[0].contains("SpecialToken") ||
      !single[1].contains("Sequence") || !single[2].contains("SpecialToken"))
    refuse(file, "post_processor is not \"start, text, end\"");
  auto id = [&](const json &piece) {
    const auto name = member<std::string>(file, piece["SpecialToken"], "id");
    const json token = member<json>(file, member<json>(file, processor, "special_tokens"), name);
    const auto ids = member<json::array_t>(file, token, "ids");
    if (ids.size() != 1 || !ids[0].is_number_integer())
      refuse(file, "special token " + name + " is not one id");
    return ids[0].get<int64_t>();
  };
  out.startId = id(single[0]);
  out.endId = id(single[2]);
}

/// Checks that vocab.txt, one token a line, gives each token the id that tokenizer.json gives it.
void checkVocabularyFile(const std::filesystem::path &file, const json &tokens) {
  const std::string text = readFile(file);
  int64_t id = 0;
  for (size_t start = 0; start < text.size(); ++id) {
    const size_t end = std::min(text.find('\n', start), text.size());
    std::string line = text.substr(start, end - start);
    if (line.ends_with('\r'))
      line.pop_back();
    const auto found = tokens.find(line);
    if (found == tokens.end() || *found != id)
      refuse(file, "line " + std::to_string(id + 1) +
                       ": the token is not the one that tokenizer.json has for this id");
    start = end + 1;
  }
  if (static_cast<size_t>(id) != tokens.size())
    refuse(file, "has " + std::to_string(id) + " tokens, tokenizer.json has " +
                     std::to_string(tokens.size()));
}
/// Tokens of their own are tokens of the vocabulary as well.
void checkIds(const std::filesystem::path &file, const TokenizerOptions &options) {
  std::vector<std::pair<std::string, int64_t>> known = options.special;
  known.emplace_back("at the start of a text", options.startId);
  known.emplace_back("at the end of a text", options.endId);
  for (const auto &[name, id] : known)
    if (id < 0 || static_cast<size_t>(id) >= options.vocabularySize)
      refuse(file, "the token " + name + " has the id " + std::to_string(id) +
                       ", but the vocabulary " + std::to_string(options.vocabularySize) +
                       " tokens");
}
} // namespace

Tokenizer Tokenizer::load(const std::filesystem::path &folder) {
  const auto file = folder / "tokenizer.json";
  const json root = readJson(file);
  requireType(file, root, "model", "WordPiece");
  const json &model = root["model"];

  TokenizerOptions options;
  readNormalizer(file, root, options);
  readAddedTokens(file, root, options);
  readTemplate(file, root, options);
  options.maxWordChars = member<size_t>(file, model, "max_input_chars_per_word");

  const auto prefix = member<std::string>(file, model, "continuing_subword_prefix");
  const auto unknown = member<std::string>(file, model, "unk_token");
  const auto found = model.find("vocab");
  if (found == model.end() || !found->is_object())
    refuse(file, "model.vocab is not an object");
  const json &tokens = *found;
  Vocabulary vocabulary;
  for (const auto &[token, id] : tokens.items()) {
    if (!id.is_number_unsigned())
      refuse(file, "model.vocab: the id of \"" + token + "\" is not a whole number");
    vocabulary.add(token, id.get<int64_t>(), prefix);
  }
  options.unknownId = member<int64_t>(file, tokens, unknown);
  checkVocabularyFile(folder / "vocab.txt", tokens);
  options.vocabularySize = tokens.size();
  options.padId = tokens.value("[PAD]", int64_t(0));
  checkIds(file, options);

  const auto lengths = folder / "sentence_bert_config.json";
  options.maxTokens = member<size_t>(lengths, readJson(lengths), "max_seq_length");
  if (options.maxTokens < 2)
    refuse(lengths, "max_seq_length is less than 2");
  return {std::move(options), std::move(vocabulary)};
}

} // namespace kiln::tools
