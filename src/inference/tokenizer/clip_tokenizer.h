#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace ssd1b {

struct TokenizerSpec;

/// One encoded text.
struct Tokens {
  std::vector<std::int64_t> ids;  // max_length() ids: begin, text, end, padding
  int needed = 0;  // what the whole text needs, both specials included; above max_length(): cut
};

/// What CLIP's tokenizer fills a short text up with: SDXL's `tokenizer` and `tokenizer_2`.
enum class ClipPadding { EndOfText, ExclamationMark };

/// Byte-pair encoding equal to transformers' CLIPTokenizer. Immutable, so thread-safe.
class ClipTokenizer {
 public:
  /// Reads a tokenizer folder of a model. Throws Error(BadModel) that names file and key.
  static ClipTokenizer load(const std::filesystem::path& folder);

  /// CLIP's own vocabulary from its merge list (gzip), for checkpoints without tokenizer files.
  static ClipTokenizer load_clip(const std::filesystem::path& merges_gz, ClipPadding padding);

  /// Special tokens written in the text count as such. Takes time linear in the text's length, but
  /// for a logarithm within one word. Throws Error(InvalidValue) for a text that is not UTF-8.
  Tokens encode(const std::string& text) const;

  /// The text with every added token of several vectors followed by the names of the others
  /// (`<cat>` by `<cat>_1 <cat>_2`), as diffusers' maybe_convert_prompt writes it. Throws as encode
  /// does.
  std::string with_all_vectors(const std::string& text) const;

  /// Ids of one encoded text (model_max_length, 77 for CLIP).
  int max_length() const;
  std::int64_t begin_id() const;
  std::int64_t end_id() const;
  std::int64_t pad_id() const;
  /// One more than the largest id that encode can give: the rows that the embedding must have.
  std::int64_t id_limit() const;

  ClipTokenizer(ClipTokenizer&&) noexcept;
  ClipTokenizer& operator=(ClipTokenizer&&) noexcept;
  ~ClipTokenizer();

 private:
  struct Parts;
  explicit ClipTokenizer(const TokenizerSpec& spec);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace ssd1b
