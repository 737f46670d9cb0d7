#include "inference/tokenizer/tokenizer_files.h"

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inference/tokenizer/special_tokens.h"
#include "inference/tokenizer/text_normalizer.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = 64u << 20;  // CLIP's tokenizer.json has 3.6 MB
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxShown = 80;  // bytes of a file in a message
constexpr int kMinLength = 3;          // begin, one token, end
constexpr int kMaxLength = 65536;

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw Error(ErrorCode::BadModel, file + ": " + what);
}

std::string read_text(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    refuse(path.string(), "must be a file, got none");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  if (failed || size > kMaxFileBytes) refuse(path.string(), "must have at most 64 MiB");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().size() != size) refuse(path.string(), "must be readable");
  return text.str();
}

JsonFile read_json(const std::filesystem::path& path) {
  bool is_too_deep = false;  // copying and printing take stack by the level
  const auto watch_depth = [&is_too_deep](int depth, json::parse_event_t, json&) {
    is_too_deep |= depth > kMaxDepth;
    return true;
  };
  json value = json::parse(read_text(path), watch_depth, /*allow_exceptions=*/false);
  if (value.is_discarded()) refuse(path.string(), "must be JSON");
  if (is_too_deep) refuse(path.string(), "must be nested at most 32 deep");
  if (!value.is_object()) {
    refuse(path.string(), std::string("must be a JSON object, got ") + value.type_name());
  }
  return {path.string(), std::move(value)};
}

std::optional<JsonFile> read_json_if_there(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed) return std::nullopt;
  return read_json(path);
}

Vocabulary vocabulary_of(const json& value, const std::string& file) {
  if (!value.is_object()) {
    refuse(file, std::string("the vocabulary must be an object of tokens and ids, got ") +
                     value.type_name());
  }
  Vocabulary vocabulary;
  vocabulary.reserve(value.size());
  for (const auto& [token, id] : value.items()) {
    if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<std::int32_t>::max()) {
      refuse(file,
             "the id of \"" + token + "\" must be an integer from 0 to 2^31 - 1, got " + id.dump());
    }
    vocabulary.emplace(token, id.get<std::int64_t>());
  }
  if (vocabulary.empty()) refuse(file, "the vocabulary must hold tokens, got none");
  return vocabulary;
}

/// "left right"; `number` counts from 1.
std::pair<std::string, std::string> merge_of(const std::string& line, std::size_t number,
                                             const std::string& file) {
  const std::size_t space = line.find(' ');
  if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
    refuse(file, "merge " + std::to_string(number) + " must be two tokens and one space, got \"" +
                     line.substr(0, kMaxShown) + "\"");
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

Merges merges_of_lines(const std::string& text, const std::string& file) {
  Merges merges;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.compare(0, 8, "#version") == 0) continue;
    merges.push_back(merge_of(line, merges.size() + 1, file));
  }
  return merges;
}

/// `merges` of tokenizer.json: "left right" or ["left", "right"].
Merges merges_of_json(const json& list, const std::string& file) {
  if (!list.is_array()) {
    refuse(file, std::string("model.merges must be a list, got ") + list.type_name());
  }
  Merges merges;
  merges.reserve(list.size());
  for (const json& each : list) {
    if (each.is_string()) {
      merges.push_back(merge_of(each.get<std::string>(), merges.size() + 1, file));
    } else if (each.is_array() && each.size() == 2 && each[0].is_string() && each[1].is_string()) {
      merges.emplace_back(each[0].get<std::string>(), each[1].get<std::string>());
    } else {
      refuse(file, "merge " + std::to_string(merges.size() + 1) +
                       " must be a string or two strings, got " + each.type_name());
    }
  }
  return merges;
}

TokenizerSpec read_tokenizer_json(const JsonFile& file) {
  const json model = file.value.value("model", json());
  if (!model.is_object()) {
    refuse(file.path, std::string("model must be an object, got ") + model.type_name());
  }
  const json type = model.value("type", json("BPE"));
  if (type != "BPE") refuse(file.path, "model.type must be \"BPE\", got " + type.dump());
  TokenizerSpec spec;
  spec.vocabulary_file = file.path;
  spec.vocabulary = vocabulary_of(model.value("vocab", json()), file.path);
  spec.merges = merges_of_json(model.value("merges", json()), file.path);
  return spec;
}

TokenizerSpec read_vocabulary_and_merges(const std::filesystem::path& folder) {
  const JsonFile vocabulary = read_json(folder / "vocab.json");
  const std::filesystem::path merges = folder / "merges.txt";
  TokenizerSpec spec;
  spec.vocabulary_file = vocabulary.path;
  spec.vocabulary = vocabulary_of(vocabulary.value, vocabulary.path);
  spec.merges = merges_of_lines(read_text(merges), merges.string());
  return spec;
}

Side side_of(const JsonFile& file, const std::string& key, const json& value) {
  if (value == "right" || value == "Right") return Side::Right;
  if (value == "left" || value == "Left") return Side::Left;
  refuse(file.path, key + " must be \"right\" or \"left\", got " + value.dump());
}

/// The config's side, else tokenizer.json's (`padding.direction`), else right.
Side side(const TokenFiles& files, const std::string& key, const std::string& block) {
  const auto found = files.config.value.find(key);
  if (found != files.config.value.end()) return side_of(files.config, key, *found);
  if (!files.tokenizer) return Side::Right;
  const json settings = files.tokenizer->value.value(block, json());
  if (!settings.is_object() || !settings.contains("direction")) return Side::Right;
  return side_of(*files.tokenizer, block + ".direction", settings["direction"]);
}

/// The class of model_index.json is CLIP's; the files may name a more general one that reads them.
void refuse_other_class(const JsonFile& config) {
  const json type = config.value.value("tokenizer_class", json());
  if (type.is_null()) return;
  for (const char* known :
       {"CLIPTokenizer", "CLIPTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"}) {
    if (type == known) return;
  }
  refuse(config.path, "tokenizer_class must be CLIPTokenizer, got " + type.dump());
}

TokenizerSpec with_config(TokenizerSpec spec, const TokenFiles& files) {
  const JsonFile& config = files.config;
  spec.config_file = config.path;
  refuse_other_class(config);
  const json length = config.value.value("model_max_length", json());
  if (!length.is_number_integer() || length < kMinLength || length > kMaxLength) {
    refuse(config.path,
           "model_max_length must be an integer from 3 to 65536, got " + length.dump());
  }
  spec.model_max_length = length.get<int>();
  spec.padding_side = side(files, "padding_side", "padding");
  spec.truncation_side = side(files, "truncation_side", "truncation");
  const json split = config.value.value("split_special_tokens", json(false));
  if (!split.is_boolean()) {
    refuse(config.path, "split_special_tokens must be true or false, got " + split.dump());
  }
  spec.split_special = split.get<bool>();
  spec.special = read_special_tokens(files);
  return spec;
}

}  // namespace

TokenizerSpec read_tokenizer_folder(const std::filesystem::path& folder) {
  TokenFiles files;
  files.config = read_json(folder / "tokenizer_config.json");
  files.special_tokens_map = read_json_if_there(folder / "special_tokens_map.json");
  files.added_tokens = read_json_if_there(folder / "added_tokens.json");
  files.tokenizer = read_json_if_there(folder / "tokenizer.json");

  return with_config(
      files.tokenizer ? read_tokenizer_json(*files.tokenizer) : read_vocabulary_and_merges(folder),
      files);
}

}  // namespace ssd1b
