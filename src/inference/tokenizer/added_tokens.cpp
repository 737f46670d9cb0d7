#include "inference/tokenizer/added_tokens.h"

#include <algorithm>
#include <map>

#include "inference/tokenizer/text_normalizer.h"
#include "inference/tokenizer/unicode_tables.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

bool is_space(char32_t code_point) { return class_of(code_point) == CharacterClass::Space; }

/// Whether nothing that is part of a word touches the text from `begin` to `end`.
bool stands_alone(std::u32string_view text, std::size_t begin, std::size_t end) {
  return (begin == 0 || !is_word_character(text[begin - 1])) &&
         (end == text.size() || !is_word_character(text[end]));
}

std::u32string pattern_of(const AddedToken& token) {
  const std::u32string content = decode_utf8(token.content);
  return token.is_normalized ? normalize_text(content) : content;
}

}  // namespace

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
                         bool split_special, const std::string& file)
    : split_special_(split_special) {
  std::map<std::int64_t, AddedToken> by_id;
  auto next_id = static_cast<std::int64_t>(vocabulary.size());
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    const auto known = vocabulary.find(token.content);
    const auto added = ids_.find(token.content);
    const std::int64_t id = added != ids_.end()         ? added->second
                            : known != vocabulary.end() ? known->second
                                                        : next_id++;
    ids_[token.content] = id;
    by_id[id] = token;
  }
  for (const auto& [id, token] : by_id) {
    std::u32string text = pattern_of(token);
    auto& alike = (token.is_normalized ? normalized_ : raw_)[text.front()];
    for (const Pattern& each : alike) {
      if (each.text != text) continue;
      throw Error(ErrorCode::BadModel, file + ": added tokens must differ, got \"" + token.content +
                                           "\" and \"" + each.token.content + "\"");
    }
    alike.push_back({std::move(text), id, token});
  }
  for (Patterns* patterns : {&raw_, &normalized_}) {
    for (auto& [first, alike] : *patterns) {
      std::stable_sort(alike.begin(), alike.end(), [](const Pattern& a, const Pattern& b) {
        return a.text.size() > b.text.size();
      });
    }
  }
}

const AddedTokens::Pattern* AddedTokens::find_at(const Patterns& patterns,
                                                 std::u32string_view text) {
  const auto alike = patterns.find(text.front());
  if (alike == patterns.end()) return nullptr;
  for (const Pattern& each : alike->second) {
    if (text.substr(0, each.text.size()) == each.text) return &each;
  }
  return nullptr;
}

std::vector<TextPiece> AddedTokens::split(std::u32string_view text, TextForm form) const {
  const Patterns& patterns = form == TextForm::Raw ? raw_ : normalized_;
  std::vector<TextPiece> pieces;
  std::size_t done = 0;  // up to here the text is in pieces
  const auto add_text_up_to = [&](std::size_t end) {
    if (done < end) pieces.push_back({text.substr(done, end - done), std::nullopt});
  };
  for (std::size_t at = 0; at < text.size();) {
    const Pattern* found = find_at(patterns, text.substr(at));
    if (found == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + found->text.size();
    at = end;  // the next match begins behind this one, whatever space this one takes
    if (found->token.is_special && split_special_) continue;
    if (found->token.is_single_word && !stands_alone(text, begin, end)) continue;
    if (found->token.takes_space_left) {
      while (begin > done && is_space(text[begin - 1])) --begin;
    }
    if (found->token.takes_space_right) {
      while (end < text.size() && is_space(text[end])) ++end;
    }
    add_text_up_to(begin);
    pieces.push_back({text.substr(begin, end - begin), found->id});
    done = end;
  }
  add_text_up_to(text.size());
  return pieces;
}

std::optional<std::int64_t> AddedTokens::id_of(const std::string& content) const {
  const auto found = ids_.find(content);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace ssd1b
