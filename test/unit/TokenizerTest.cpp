//===- TokenizerTest.cpp ------------------------------------------------------===//

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "kiln/Error.h"
#include "tools/common/text/Tokenizer.h"
#include "tools/common/text/Utf8.h"

using namespace kiln::tools;
using Ids = std::vector<int64_t>;

namespace {
std::filesystem::path dataFolder() {
  const char *folder = std::getenv("KILN_TEST_DATA");
  return folder ? folder : "test/data";
}

/// The tokenizer of the uncased BERT models with a part of their vocabulary.
Tokenizer makeTokenizer(const nlohmann::json &tokens, size_t maxTokens = 256) {
  TokenizerOptions options;
  options.maxTokens = maxTokens;
  options.unknownId = 100;
  options.startId = 101;
  options.endId = 102;
  for (const char *name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    options.special.emplace_back(name, tokens.at(name));
  Vocabulary vocabulary;
  for (const auto &[token, id] : tokens.items())
    vocabulary.add(token, id, "##");
  return {options, vocabulary};
}

class TokenizerTest : public testing::Test {
protected:
  void SetUp() override {
    file.open(dataFolder() / "wordpiece.jsonl");
    ASSERT_TRUE(file) << "set KILN_TEST_DATA to the folder test/data";
    std::string line;
    ASSERT_TRUE(std::getline(file, line));
    tokens = nlohmann::json::parse(line).at("vocab");
  }
  int64_t id(const char *token) const { return tokens.at(token); }
  Ids encode(std::string_view text, size_t maxTokens = 256) const {
    return makeTokenizer(tokens, maxTokens).encode(text);
  }

  std::ifstream file; // After the vocabulary: one {"text", "ids"} a line.
  nlohmann::json tokens;
};

// The ids are those of the reference tokenizer ("tokenizers" 0.23) for the whole vocabulary: greedy
// matching finds the same pieces in any part of it that holds them.
TEST_F(TokenizerTest, GivesTheReferencesIds) {
  const Tokenizer tokenizer = makeTokenizer(tokens);
  size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const auto expected = nlohmann::json::parse(line);
    EXPECT_EQ(tokenizer.encode(expected.at("text").get<std::string>()),
              expected.at("ids").get<Ids>())
        << line.substr(0, 300);
  }
  EXPECT_GE(count, 100u);
}

TEST_F(TokenizerTest, ReadsInvalidUtf8AsReplacementCharacters) {
  const Ids a = {101, id("a"), 102};
  EXPECT_EQ(encode("a\xFF\xFE"), a);
  EXPECT_EQ(encode("\xE2\x82"
                   "a"),
            a);
  EXPECT_EQ(encode("\xED\xA0\x80"), (Ids{101, 102}));
}

TEST_F(TokenizerTest, TruncatesWithTheEndToken) {
  const int64_t word = id("word");
  EXPECT_EQ(encode("word word word", 4), (Ids{101, word, word, 102}));
  EXPECT_EQ(encode("word word", 2), (Ids{101, 102}));
  // The limit falls inside a word: its first pieces stay.
  const Ids whole = encode("unaffordability");
  ASSERT_GT(whole.size(), 5u);
  EXPECT_EQ(encode("unaffordability", 4), (Ids{101, whole[1], whole[2], 102}));
}

// Each would take minutes if any step were quadratic.
TEST_F(TokenizerTest, TakesMegabytesInLinearTime) {
  auto repeat = [](std::string_view text, size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i)
      out += text;
    return out;
  };
  EXPECT_EQ(encode(repeat("a", 1 << 20)), (Ids{101, 100, 102}));
  EXPECT_EQ(encode("a" + repeat("\u0301\u0323", 1 << 18)), (Ids{101, id("a"), 102}));
  EXPECT_EQ(encode("a" + repeat("\u302E\U0001D165", 1 << 18)), (Ids{101, 100, 102}));
  EXPECT_EQ(encode(repeat("\u200B", 1 << 18)), (Ids{101, 102}));
  Ids words(256, id("word"));
  words.front() = 101;
  words.back() = 102;
  EXPECT_EQ(encode(repeat("word ", 1 << 18)), words);
}

TEST(Utf8, RepairsAndCounts) {
  auto repair = [](std::string_view text) {
    size_t replaced = 0;
    std::string out = repairUtf8(text, replaced);
    return std::pair(out, replaced);
  };
  using Result = std::pair<std::string, size_t>;
  EXPECT_EQ(repair("caf\u00E9 \u4E1C\U0001F600"), Result("caf\u00E9 \u4E1C\U0001F600", 0));
  EXPECT_EQ(repair("a\x80z"), Result("a\uFFFDz", 1));
  EXPECT_EQ(repair("\xF0\x9F\x98z"), Result("\uFFFDz", 1));           // Cut short: one.
  EXPECT_EQ(repair("\xC0\xAF"), Result("\uFFFD\uFFFD", 2));           // Overlong.
  EXPECT_EQ(repair("\xED\xA0\x80"), Result("\uFFFD\uFFFD\uFFFD", 3)); // A surrogate.
  EXPECT_EQ(repair("\xF4\x90\x80\x80").second, 4u);                   // Beyond U+10FFFF.
  EXPECT_EQ(repair("\uFFFD"), Result("\uFFFD", 0));                   // A real one is not counted.
}

/// A model folder's tokenizer files, each of which a test may change.
class TokenizerLoadTest : public testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) /
             ("kiln-tokenizer-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    root = nlohmann::json::parse(R"json({
      "added_tokens": [{"id": 0, "content": "[PAD]", "normalized": false, "lstrip": false}],
      "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                     "strip_accents": null, "lowercase": true},
      "pre_tokenizer": {"type": "BertPreTokenizer"},
      "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}}},
      "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 5,
                "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "ab": 4, "##c": 5}}})json");
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nab\n##c\n");
    write("sentence_bert_config.json", R"({"max_seq_length": 6})");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const char *name, const std::string &text) { std::ofstream(folder / name) << text; }
  Tokenizer load() {
    write("tokenizer.json", root.dump());
    return Tokenizer::load(folder);
  }
  /// The message of the E that loading throws, or "" if it throws nothing.
  template <typename E = kiln::ValueError> std::string failure() {
    try {
      load();
    } catch (const E &error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path folder;
  nlohmann::json root;
};

TEST_F(TokenizerLoadTest, ReadsAFolder) {
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.options().maxTokens, 6u);
  EXPECT_EQ(tokenizer.encode("\u00C1Bc [PAD] abcccc ab ab"), (Ids{2, 4, 5, 0, 1, 3}));
}

TEST_F(TokenizerLoadTest, AccentsFollowCaseUnlessTold) {
  root["normalizer"]["lowercase"] = false;
  EXPECT_EQ(load().encode("AB \u00E1b"), (Ids{2, 1, 1, 3}));
  root["normalizer"]["strip_accents"] = true;
  EXPECT_EQ(load().encode("AB \u00E1b"), (Ids{2, 1, 4, 3}));
}

TEST_F(TokenizerLoadTest, IdsBeyondTheVocabularyAreRefused) {
  const auto whole = root;
  auto change = [&](const char *path, int64_t id) {
    root = whole;
    root[nlohmann::json::json_pointer(path)] = id;
    return failure();
  };
  EXPECT_NE(change("/added_tokens/0/id", 6).find("[PAD] has the id 6, but the vocabulary 6 tokens"),
            std::string::npos);
  EXPECT_NE(change("/added_tokens/0/id", -1).find("has the id -1"), std::string::npos);
  EXPECT_NE(change("/post_processor/special_tokens/[CLS]/ids/0", 99).find("at the start of a text"),
            std::string::npos);
  EXPECT_NE(change("/post_processor/special_tokens/[SEP]/ids/0", 6).find("at the end of a text"),
            std::string::npos);
}

TEST_F(TokenizerLoadTest, ValuesOfOtherTypesAreRefused) {
  const auto whole = root;
  auto change = [&](const char *path, nlohmann::json value) {
    root = whole;
    root[nlohmann::json::json_pointer(path)] = std::move(value);
    return failure();
  };
  for (const nlohmann::json &value : {nlohmann::json(2.5e44), nlohmann::json("2"),
                                      nlohmann::json(nullptr), nlohmann::json::array()})
    EXPECT_NE(change("/post_processor/special_tokens/[CLS]/ids/0", value).find("is not one id"),
              std::string::npos)
        << value;
  for (const char *part : {"model", "normalizer", "pre_tokenizer", "post_processor"}) {
    std::string type = "/" + std::string(part) + "/type";
    EXPECT_NE(change(type.c_str(), 5).find("\"type\" is not of the expected type"),
              std::string::npos);
  }
}

TEST_F(TokenizerLoadTest, DeepNestingIsRefused) {
  constexpr int depth = 200'000; // more than a stack holds
  load();
  write("tokenizer.json", R"({"normalizer": {"strip_accents": )" + std::string(depth, '[') +
                              std::string(depth, ']') + "}}");
  EXPECT_THROW(Tokenizer::load(folder), kiln::ValueError);
}

TEST_F(TokenizerLoadTest, NamesTheFileThatIsMissing) {
  for (const char *name : {"vocab.txt", "sentence_bert_config.json"}) {
    std::filesystem::rename(folder / name, folder / "away");
    EXPECT_NE(failure<kiln::IoError>().find(name), std::string::npos);
    std::filesystem::rename(folder / "away", folder / name);
  }
  EXPECT_THROW(Tokenizer::load(folder / "none"), kiln::IoError);
}

TEST_F(TokenizerLoadTest, RefusesWhatItDoesNotDo) {
  const auto whole = root;
  auto change = [&](const char *path, nlohmann::json value) {
    root = whole;
    root[nlohmann::json::json_pointer(path)] = std::move(value);
    return failure();
  };
  EXPECT_NE(change("/model/type", "BPE").find("only WordPiece is supported"), std::string::npos);
  EXPECT_NE(change("/normalizer", nullptr).find("only BertNormalizer"), std::string::npos);
  EXPECT_NE(change("/pre_tokenizer/type", "Whitespace").find("Whitespace"), std::string::npos);
  EXPECT_NE(change("/added_tokens/0/lstrip", true).find("lstrip"), std::string::npos);
  EXPECT_NE(change("/model/vocab/ab", 7).find("vocab.txt: line 5"), std::string::npos);
  EXPECT_NE(change("/model/vocab/ab", "x").find("not a whole number"), std::string::npos);
  EXPECT_NE(change("/model/vocab/more", 6).find("has 6 tokens"), std::string::npos);
  EXPECT_NE(change("/model/unk_token", "?").find("\"?\" is missing"), std::string::npos);
  EXPECT_NE(change("/post_processor/single", {1, 2, 3}).find("post_processor"), std::string::npos);
  write("tokenizer.json", "{\"model\":");
  EXPECT_THROW(Tokenizer::load(folder), kiln::ValueError);
}
} // namespace
