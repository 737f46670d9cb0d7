#include "inference/tokenizer/special_tokens.h"

#include <algorithm>
#include <map>
#include <utility>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using nlohmann::json;

/// A token as it was written: a bare string knows no flags, and is never equal to one that does.
struct WrittenToken {
  std::string content;
  bool has_flags = false;
  bool lstrip = false;
  bool rstrip = false;
  bool single_word = false;
  std::optional<bool> normalized = std::nullopt;  // absent: unless special
  bool special = false;

  bool operator==(const WrittenToken& other) const {
    return content == other.content && has_flags == other.has_flags && lstrip == other.lstrip &&
           rstrip == other.rstrip && single_word == other.single_word &&
           is_normalized() == other.is_normalized() && special == other.special;
  }
  bool is_normalized() const { return normalized.value_or(!special); }
};

[[noreturn]] void refuse(const JsonFile& file, const std::string& key, const std::string& must_be,
                         const json& got) {
  throw Error(ErrorCode::BadModel,
              file.path + ": " + key + " must be " + must_be + ", got " + got.type_name());
}

std::optional<bool> flag_of(const JsonFile& file, const json& token, const std::string& name) {
  const auto found = token.find(name);
  if (found == token.end()) return std::nullopt;
  if (!found->is_boolean()) refuse(file, name + " of a token", "true or false", *found);
  return found->get<bool>();
}

WrittenToken token_of(const JsonFile& file, const std::string& key, const json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_object() || !value.contains("content") || !value["content"].is_string()) {
    refuse(file, key, "a string or an object with a string \"content\"", value);
  }
  WrittenToken token{value["content"].get<std::string>(), /*has_flags=*/true};
  token.lstrip = flag_of(file, value, "lstrip").value_or(false);
  token.rstrip = flag_of(file, value, "rstrip").value_or(false);
  token.single_word = flag_of(file, value, "single_word").value_or(false);
  token.normalized = flag_of(file, value, "normalized");
  token.special = flag_of(file, value, "special").value_or(false);
  return token;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Tokens under their names (`pad_token`), in the reference's order; then those without a name.
class NamedTokens {
 public:
  /// Takes over the tokens of the config or, where `are_special`, of special_tokens_map.json.
  void take_over(const JsonFile& file, bool are_special) {
    for (const auto& [key, value] : file.value.items()) {
      if (find(key) == nullptr) {
        const bool is_token = value.is_string() || value.is_object();
        if (!is_token || !ends_with(key, "_token")) continue;
        named_.emplace_back(key, std::nullopt);
      }
      std::optional<WrittenToken> token;
      if (!value.is_null()) token = token_of(file, key, value);
      if (token && token->has_flags && are_special) token->special = true;
      *find(key) = token;
    }
    take_over_extra(file, are_special);
  }

  /// Gives named tokens the flags that a numbered token of the same content has.
  void take_flags_of(const WrittenToken& numbered) {
    for (auto& [name, token] : named_) {
      if (token && token->content == numbered.content) token = numbered;
    }
  }

  bool has_name(const std::string& content) const {
    return std::any_of(named_.begin(), named_.end(), [&](const auto& each) {
      return each.second && each.second->content == content;
    });
  }

  bool has(const std::string& content) const {
    return has_name(content) || std::any_of(extra_.begin(), extra_.end(), [&](const auto& each) {
             return each.content == content;
           });
  }

  /// Named ones first.
  std::vector<WrittenToken> all() const {
    std::vector<WrittenToken> tokens;
    for (const auto& [name, token] : named_) {
      if (token) tokens.push_back(*token);
    }
    tokens.insert(tokens.end(), extra_.begin(), extra_.end());
    return tokens;
  }

  std::string content_of(const std::string& name, const std::string& file) {
    const std::optional<WrittenToken>& token = *find(name);
    if (token && !token->content.empty()) return token->content;
    throw Error(ErrorCode::BadModel, file + ": " + name + " must be a token, got none");
  }

 private:
  std::optional<WrittenToken>* find(const std::string& name) {
    for (auto& [each, token] : named_) {
      if (each == name) return &token;
    }
    return nullptr;
  }

  /// `extra_special_tokens`, or under its former name where that is absent or empty.
  void take_over_extra(const JsonFile& file, bool are_special) {
    for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
      const auto found = file.value.find(key);
      if (found == file.value.end() || found->is_null() || found->empty()) continue;
      if (!found->is_array() && !found->is_object()) refuse(file, key, "a list of tokens", *found);
      for (const json& each : *found) {
        WrittenToken token = token_of(file, key, each);
        if (token.has_flags && are_special) token.special = true;
        if (std::find(extra_.begin(), extra_.end(), token) == extra_.end()) extra_.push_back(token);
      }
      return;
    }
  }

  // CLIPTokenizer's own defaults where no file names a token.
  std::vector<std::pair<std::string, std::optional<WrittenToken>>> named_ = {
      {"bos_token", WrittenToken{"<|startoftext|>"}},
      {"eos_token", WrittenToken{"<|endoftext|>"}},
      {"unk_token", WrittenToken{"<|endoftext|>"}},
      {"sep_token", std::nullopt},
      {"pad_token", WrittenToken{"<|endoftext|>"}},
      {"cls_token", std::nullopt},
      {"mask_token", std::nullopt}};
  std::vector<WrittenToken> extra_;
};

std::int64_t id_of(const JsonFile& file, const std::string& key, const json& value) {
  if (!value.is_number_integer() || value < 0) refuse(file, key, "an id of 0 or more", value);
  return value.get<std::int64_t>();
}

using TokensById = std::map<std::int64_t, WrittenToken>;

TokensById decoder_of(const JsonFile& config) {
  TokensById tokens;
  const json& decoder = config.value.at("added_tokens_decoder");
  if (!decoder.is_object()) refuse(config, "added_tokens_decoder", "an object", decoder);
  for (const auto& [key, value] : decoder.items()) {
    if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != std::string::npos ||
        !value.is_object()) {
      refuse(config, "added_tokens_decoder", "an object of ids and tokens", value);
    }
    tokens[std::stoll(key)] = token_of(config, "added_tokens_decoder", value);
  }
  return tokens;
}

/// added_tokens.json: content to id.
TokensById old_added_tokens(const JsonFile& file, const NamedTokens& names) {
  TokensById tokens;
  for (const auto& [content, id] : file.value.items()) {
    WrittenToken token{content, /*has_flags=*/true};
    token.special = names.has(content);
    tokens[id_of(file, content, id)] = token;
  }
  return tokens;
}

/// `added_tokens` of tokenizer.json.
TokensById tokenizer_tokens(const JsonFile& file) {
  TokensById tokens;
  const auto list = file.value.find("added_tokens");
  if (list == file.value.end() || !list->is_array()) {
    refuse(file, "added_tokens", "a list", list == file.value.end() ? json() : *list);
  }
  for (const json& each : *list) {
    WrittenToken token = token_of(file, "added_tokens", each);
    if (!each.is_object() || !each.contains("id")) {
      refuse(file, "added_tokens", "a list of objects with an \"id\"", each);
    }
    tokens[id_of(file, "id of an added token", each["id"])] = token;
  }
  return tokens;
}

/// The order in which transformers adds tokens: by id those that the files number, then named ones
/// and extra ones that are not among them.
std::vector<AddedToken> in_order(const TokensById& by_id, const NamedTokens& names) {
  std::vector<WrittenToken> all;
  for (const auto& [id, token] : by_id) all.push_back(token);
  const std::size_t numbered = all.size();
  for (const WrittenToken& token : names.all()) {
    bool is_there = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
      is_there |= all[i] == token || (i < numbered && all[i].content == token.content);
    }
    if (!is_there) all.push_back(token);
  }

  std::vector<AddedToken> added;
  for (WrittenToken& token : all) {
    if (!token.has_flags || names.has_name(token.content)) token.special = true;
    added.push_back({token.content, token.lstrip, token.rstrip, token.single_word,
                     token.is_normalized(), token.special});
  }
  return added;
}

}  // namespace

SpecialTokens read_special_tokens(const TokenFiles& files) {
  NamedTokens names;
  names.take_over(files.config, /*are_special=*/false);
  TokensById by_id;
  if (files.config.value.contains("added_tokens_decoder")) {
    by_id = decoder_of(files.config);
  } else {
    if (files.special_tokens_map) names.take_over(*files.special_tokens_map, /*are_special=*/true);
    if (files.added_tokens) by_id = old_added_tokens(*files.added_tokens, names);
    if (files.tokenizer) {
      for (auto& [id, token] : tokenizer_tokens(*files.tokenizer)) by_id[id] = token;
    }
  }
  for (const auto& [id, token] : by_id) names.take_flags_of(token);
  const std::string& file = files.config.path;
  return {names.content_of("bos_token", file), names.content_of("eos_token", file),
          names.content_of("unk_token", file), names.content_of("pad_token", file),
          in_order(by_id, names)};
}

}  // namespace ssd1b
