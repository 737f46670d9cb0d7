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

std::vector<std::int64_t> ClipTokenizer::Parts::ids_of(const std::string& text) const {
  std::vector<std::int64_t> ids;
  const std::u32string code_points = decode_utf8(text);
  for (const TextPiece& raw : added.split(code_points, TextForm::Raw)) {
    if (raw.id) {
      ids.push_back(*raw.id);
      continue;
    }
    const std::u32string normal = normalize_text(raw.text);
    for (const TextPiece& piece : added.split(normal, TextForm::Normalized)) {
      if (piece.id) {
        ids.push_back(*piece.id);
        continue;
      }
      for (const std::u32string_view word : split_words(piece.text)) {
        const std::vector<std::int64_t> of_word = encoder.encode(encode_utf8(word));
        ids.insert(ids.end(), of_word.begin(), of_word.end());
      }
    }
  }
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
