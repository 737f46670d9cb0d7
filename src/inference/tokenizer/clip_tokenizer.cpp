#include "inference/tokenizer/clip_tokenizer.h"

#include <algorithm>
#include <limits>

#include "inference/tokenizer/added_tokens.h"
#include "inference/tokenizer/byte_pair_encoder.h"
#include "inference/tokenizer/clip_vocabulary.h"
#include "inference/tokenizer/text_normalizer.h"
#include "inference/tokenizer/tokenizer_files.h"
#include "inference/tokenizer/word_splitter.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::int64_t id_of(const TokenizerSpec& spec, const AddedTokens& added, const std::string& token) {
  if (const auto id = added.id_of(token)) return *id;
  const auto found = spec.vocabulary.find(token);
  if (found != spec.vocabulary.end()) return found->second;
  throw Error(ErrorCode::BadModel, spec.config_file + ": special token \"" + token +
                                       "\" must be in the vocabulary, got none");
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  std::string result;
  std::size_t done = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, done)) {
    result += text.substr(done, at - done) + to;
    done = at + from.size();
  }
  return result + text.substr(done);
}

}  // namespace

struct ClipTokenizer::Parts {
  explicit Parts(const TokenizerSpec& spec)
      : encoder(spec.vocabulary, spec.merges, spec.special.unknown, spec.vocabulary_file),
        added(spec.special.added, spec.vocabulary, spec.split_special, spec.config_file),
        begin_id(id_of(spec, added, spec.special.begin)),
        end_id(id_of(spec, added, spec.special.end)),
        pad_id(id_of(spec, added, spec.special.pad)),
        max_length(spec.model_max_length),
        padding_side(spec.padding_side),
        truncation_side(spec.truncation_side) {
    for (const auto& [token, id] : spec.vocabulary) id_limit = std::max(id_limit, id + 1);
    for (const AddedToken& token : spec.special.added) {
      id_limit = std::max(id_limit, added.id_of(token.content).value_or(0) + 1);
    }
  }

  /// The ids of the whole text without begin and end.
  std::vector<std::int64_t> ids_of(const std::string& text) const;
  /// Cuts a text: `take_token` gets each added token as a TextPiece, `take_text` what is between.
  template <typename TakeToken, typename TakeText>
  void cut(const std::string& text, TakeToken take_token, TakeText take_text) const;

  BytePairEncoder encoder;
  AddedTokens added;
  std::int64_t begin_id;
  std::int64_t end_id;
  std::int64_t pad_id;
  std::int64_t id_limit = 0;
  int max_length;
  Side padding_side;
  Side truncation_side;
};

template <typename TakeToken, typename TakeText>
void ClipTokenizer::Parts::cut(const std::string& text, TakeToken take_token,
                               TakeText take_text) const {
  const std::u32string code_points = decode_utf8(text);
  for (const TextPiece& raw : added.split(code_points, TextForm::Raw)) {
    if (raw.id) {
      take_token(raw);
      continue;
    }
    const std::u32string normal = normalize_text(raw.text);
    for (const TextPiece& piece : added.split(normal, TextForm::Normalized)) {
      if (piece.id) {
        take_token(piece);
      } else {
        take_text(piece.text);
      }
    }
  }
}

std::vector<std::int64_t> ClipTokenizer::Parts::ids_of(const std::string& text) const {
  std::vector<std::int64_t> ids;
  cut(
      text, [&](const TextPiece& token) { ids.push_back(*token.id); },
      [&](std::u32string_view between) {
        for (const std::u32string_view word : split_words(between)) {
          const std::vector<std::int64_t> of_word = encoder.encode(encode_utf8(word));
          ids.insert(ids.end(), of_word.begin(), of_word.end());
        }
      });
  return ids;
}

ClipTokenizer::ClipTokenizer(const TokenizerSpec& spec)
    : parts_(std::make_unique<const Parts>(spec)) {}
ClipTokenizer::ClipTokenizer(ClipTokenizer&&) noexcept = default;
ClipTokenizer& ClipTokenizer::operator=(ClipTokenizer&&) noexcept = default;
ClipTokenizer::~ClipTokenizer() = default;

ClipTokenizer ClipTokenizer::load(const std::filesystem::path& folder) {
  return ClipTokenizer(read_tokenizer_folder(folder));
}

ClipTokenizer ClipTokenizer::load_clip(const std::filesystem::path& merges_gz,
                                       ClipPadding padding) {
  return ClipTokenizer(read_clip_vocabulary(merges_gz, padding));
}

std::string ClipTokenizer::with_all_vectors(const std::string& text) const {
  std::vector<std::string> tokens;  // in the order of the text, each once
  parts_->cut(
      text,
      [&](const TextPiece& piece) {
        const std::string token = encode_utf8(piece.text);
        const bool is_new = std::find(tokens.begin(), tokens.end(), token) == tokens.end();
        if (is_new && parts_->added.id_of(token)) tokens.push_back(token);
      },
      [](std::u32string_view) {});
  std::string all = text;
  for (const std::string& token : tokens) {
    std::string vectors = token;
    for (int i = 1; parts_->added.id_of(token + "_" + std::to_string(i)); ++i) {
      vectors += " " + token + "_" + std::to_string(i);
    }
    if (vectors != token) all = replaced(all, token, vectors);
  }
  return all;
}

Tokens ClipTokenizer::encode(const std::string& text) const {
  std::vector<std::int64_t> ids = parts_->ids_of(text);
  const std::size_t length = static_cast<std::size_t>(parts_->max_length);
  const std::size_t room = length - 2;

  Tokens tokens;
  tokens.needed =
      static_cast<int>(std::min<std::size_t>(ids.size() + 2, std::numeric_limits<int>::max()));
  if (ids.size() > room) {
    const auto surplus = static_cast<std::ptrdiff_t>(ids.size() - room);
    if (parts_->truncation_side == Side::Right) {
      ids.erase(ids.end() - surplus, ids.end());
    } else {
      ids.erase(ids.begin(), ids.begin() + surplus);
    }
  }
  const std::size_t padding = room - ids.size();
  tokens.ids.reserve(length);
  if (parts_->padding_side == Side::Left) tokens.ids.assign(padding, parts_->pad_id);
  tokens.ids.push_back(parts_->begin_id);
  tokens.ids.insert(tokens.ids.end(), ids.begin(), ids.end());
  tokens.ids.push_back(parts_->end_id);
  tokens.ids.resize(length, parts_->pad_id);
  return tokens;
}

int ClipTokenizer::max_length() const { return parts_->max_length; }
std::int64_t ClipTokenizer::begin_id() const { return parts_->begin_id; }
std::int64_t ClipTokenizer::end_id() const { return parts_->end_id; }
std::int64_t ClipTokenizer::pad_id() const { return parts_->pad_id; }
std::int64_t ClipTokenizer::id_limit() const { return parts_->id_limit; }

}  // namespace ssd1b
