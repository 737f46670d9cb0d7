#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inference/tokenizer/clip_tokenizer.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using nlohmann::json;
using testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path kModels = fs::path(SSD1B_SOURCE_DIR) / "models";

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// A copy of the icons model's tokenizer that a test may break.
class TokenizerFolder : public testing::Test {
 protected:
  TokenizerFolder() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder = fs::path(testing::TempDir()) / (std::string("tokenizer_") + info->name());
    reset();
  }
  ~TokenizerFolder() override { fs::remove_all(folder); }

  void reset() {
    fs::remove_all(folder);
    fs::copy(kModels / "icons/tokenizer", folder);
  }

  json config() { return json::parse(read(folder / "tokenizer_config.json")); }
  json vocabulary() { return json::parse(read(folder / "vocab.json")); }

  void set_config(const std::string& key, const json& value) {
    json changed = config();
    changed[key] = value;
    write(folder / "tokenizer_config.json", changed.dump());
  }

  /// tokenizer.json in place of vocab.json and merges.txt.
  json tokenizer_json(const json& merges) {
    const json end = {
        {"id", 2047}, {"content", "<|endoftext|>"}, {"normalized", false}, {"special", true}};
    return {{"added_tokens", json::array({end})},
            {"model", {{"type", "BPE"}, {"vocab", vocabulary()}, {"merges", merges}}}};
  }

  void expect_refused(const std::string& file, const std::string& why) {
    try {
      ClipTokenizer::load(folder);
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel);
      EXPECT_THAT(error.what(), HasSubstr((folder / file).string()));
      EXPECT_THAT(error.what(), HasSubstr(why));
    }
  }

  fs::path folder;
};

TEST_F(TokenizerFolder, NeedsItsFiles) {
  for (const char* file : {"tokenizer_config.json", "vocab.json", "merges.txt"}) {
    SCOPED_TRACE(file);
    reset();
    fs::remove(folder / file);
    expect_refused(file, "must be a file, got none");
  }
}

TEST_F(TokenizerFolder, RefusesFilesThatAreNoJsonObject) {
  for (const char* file : {"tokenizer_config.json", "vocab.json", "special_tokens_map.json",
                           "added_tokens.json", "tokenizer.json"}) {
    SCOPED_TRACE(file);
    reset();
    write(folder / file, "{\"half\": ");
    expect_refused(file, "must be JSON");
    write(folder / file, "[1, 2]");
    expect_refused(file, "must be a JSON object, got array");
  }
}

TEST_F(TokenizerFolder, RefusesAConfigThatItCannotFollow) {
  struct Case {
    std::string key;
    json value;
    std::string why;
  };
  const std::vector<Case> cases = {
      {"model_max_length", nullptr,
       "model_max_length must be an integer from 3 to 65536, got null"},
      {"model_max_length", 2, "got 2"},
      {"model_max_length", 65537, "got 65537"},
      {"model_max_length", 77.5, "got 77.5"},
      {"model_max_length", 1e30, "model_max_length"},
      {"model_max_length", "77", "got \"77\""},
      {"tokenizer_class", "T5Tokenizer",
       "tokenizer_class must be CLIPTokenizer, got \"T5Tokenizer\""},
      {"padding_side", "up", "padding_side must be \"right\" or \"left\", got \"up\""},
      {"split_special_tokens", 1, "split_special_tokens must be true or false"},
      {"added_tokens_decoder", json::array(), "added_tokens_decoder must be an object, got array"},
      {"added_tokens_decoder", {{"-1", {{"content", "x"}}}}, "added_tokens_decoder"},
      {"added_tokens_decoder", {{"7", {{"content", "x"}, {"lstrip", 1}}}}, "lstrip of a token"},
      {"added_tokens_decoder", {{"7", {{"content", "x"}, {"single_word", 1}}}}, "single_word"},
      {"added_tokens_decoder", {{"7", {{"word", "x"}}}}, "\"content\""},
      {"extra_special_tokens", json::array({5}), "extra_special_tokens"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.why);
    reset();
    set_config(each.key, each.value);
    expect_refused("tokenizer_config.json", each.why);
  }
}

TEST_F(TokenizerFolder, NeedsTheFourSpecialTokens) {
  fs::remove(folder / "special_tokens_map.json");
  for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
    SCOPED_TRACE(key);
    fs::copy_file(kModels / "icons/tokenizer/tokenizer_config.json",
                  folder / "tokenizer_config.json", fs::copy_options::overwrite_existing);
    set_config(key, nullptr);
    expect_refused("tokenizer_config.json", std::string(key) + " must be a token, got none");
    set_config(key, 7);
    expect_refused("tokenizer_config.json", std::string(key) + " must be a string or an object");
  }
}

TEST_F(TokenizerFolder, RefusesABrokenVocabulary) {
  json without_space_sign = vocabulary();
  without_space_sign.erase("\u0120");  // the byte 0x20
  without_space_sign.erase("<|endoftext|>");
  json with_bad_id = vocabulary();
  with_bad_id["cat</w>"] = -1;
  json with_text_id = vocabulary();
  with_text_id["cat</w>"] = "5";
  json without_whole = vocabulary();
  without_whole.erase("ro");

  write(folder / "vocab.json", without_space_sign.dump());
  expect_refused("vocab.json", "must hold every byte");
  write(folder / "vocab.json", with_bad_id.dump());
  expect_refused("vocab.json", "\"cat</w>\" must be an integer from 0 to 2^31 - 1, got -1");
  write(folder / "vocab.json", with_text_id.dump());
  expect_refused("vocab.json", "got \"5\"");
  write(folder / "vocab.json", without_whole.dump());
  expect_refused("vocab.json", " needs the token \"ro\"");
  write(folder / "vocab.json", "{}");
  expect_refused("vocab.json", "must hold tokens, got none");
}

TEST_F(TokenizerFolder, RefusesBrokenMerges) {
  write(folder / "merges.txt", "#version: 0.2\nr o\nro c k\n");
  expect_refused("merges.txt", "merge 2 must be two tokens and one space, got \"ro c k\"");
  write(folder / "merges.txt", "r o\n\na c\n");
  expect_refused("merges.txt", "merge 2 must be two tokens");
  write(folder / "merges.txt", "r o\nzzz o\n");
  expect_refused("vocab.json", "merge 2 needs the token \"zzz\"");
}

TEST_F(TokenizerFolder, ReadsTokenizerJsonAloneWithMergesOfBothKinds) {
  const Tokens expected = ClipTokenizer::load(folder).encode("a red apple, it's round!");
  json as_strings = json::array();
  json as_pairs = json::array();
  std::istringstream lines(read(folder / "merges.txt"));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    as_strings.push_back(line);
    const std::size_t space = line.find(' ');
    as_pairs.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  ASSERT_GT(as_pairs.size(), 1000u);

  for (const json& merges : {as_strings, as_pairs}) {
    reset();
    write(folder / "tokenizer.json", tokenizer_json(merges).dump());
    fs::remove(folder / "vocab.json");
    fs::remove(folder / "merges.txt");

    EXPECT_EQ(ClipTokenizer::load(folder).encode("a red apple, it's round!").ids, expected.ids);
  }
}

TEST_F(TokenizerFolder, RefusesABrokenTokenizerJson) {
  struct Case {
    json::json_pointer at;
    json value;
    std::string why;
  };
  using Pointer = json::json_pointer;
  const std::vector<Case> cases = {
      {Pointer("/model"), 3, "model must be an object, got number"},
      {Pointer("/model/type"), "Unigram", "model.type must be \"BPE\", got \"Unigram\""},
      {Pointer("/model/vocab"), "x", "the vocabulary must be an object"},
      {Pointer("/model/merges"), "x", "model.merges must be a list, got string"},
      {Pointer("/model/merges"), json::array({"r o", 5}),
       "merge 2 must be a string or two strings"},
      {Pointer("/model/merges"), json::array({json::array({"r"})}), "merge 1 must be"},
      {Pointer("/added_tokens"), "x", "added_tokens must be a list"},
      {Pointer("/added_tokens"), json::array({{{"content", "x"}}}), "\"id\""},
  };
  const json whole = tokenizer_json(json::array({"r o"}));
  for (const Case& each : cases) {
    SCOPED_TRACE(each.why);
    json broken = whole;
    broken[each.at] = each.value;
    write(folder / "tokenizer.json", broken.dump());
    expect_refused("tokenizer.json", each.why);
  }
}

TEST_F(TokenizerFolder, GivesTokensThatTheVocabularyLacksTheIdsAfterIt) {
  set_config("extra_special_tokens", json::array({"<one>", "<two>"}));

  const ClipTokenizer tokenizer = ClipTokenizer::load(folder);

  const int first = static_cast<int>(vocabulary().size());
  EXPECT_EQ(tokenizer.id_limit(), first + 2);
  EXPECT_EQ(tokenizer.encode("<two><one>").ids[1], first + 1);
  EXPECT_EQ(tokenizer.encode("<two><one>").ids[2], first);
}

TEST_F(TokenizerFolder, FindsASingleWordOnlyWhereItStandsAlone) {
  const std::int64_t id = static_cast<std::int64_t>(vocabulary().size());
  set_config("extra_special_tokens", json::array({{{"content", "Zqz"}, {"single_word", true}}}));
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder);

  for (const char* text : {"Zqz", "a Zqz.", "(Zqz)", "\u00b2Zqz"}) {
    EXPECT_THAT(tokenizer.encode(text).ids, testing::Contains(id)) << text;
  }
  for (const char* text : {"Zqzs", "_Zqz", "1Zqz", "Zqz\u0301", "\u24d0Zqz", "\u2163Zqz"}) {
    EXPECT_THAT(tokenizer.encode(text).ids, testing::Not(testing::Contains(id))) << text;
  }
}

TEST_F(TokenizerFolder, RefusesABrokenMergeList) {
  const fs::path good = kModels / "clip-tokenizer/bpe_simple_vocab_16e6.txt.gz";
  const fs::path bad = folder / "merges.gz";
  const std::string bytes = read(good);
  std::string flipped = bytes;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
  const std::vector<std::string> contents = {"", "no gzip", bytes.substr(0, 1000),
                                             bytes.substr(0, bytes.size() - 9), flipped};
  for (const std::string& content : contents) {
    SCOPED_TRACE(content.size());
    write(bad, content);
    try {
      ClipTokenizer::load_clip(bad, ClipPadding::EndOfText);
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::BadModel);
      EXPECT_THAT(error.what(), HasSubstr(bad.string()));
    }
  }
  EXPECT_THROW(ClipTokenizer::load_clip(folder / "none.gz", ClipPadding::EndOfText), Error);
}

}  // namespace
}  // namespace ssd1b
