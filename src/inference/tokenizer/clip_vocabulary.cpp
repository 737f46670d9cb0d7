#include "inference/tokenizer/clip_vocabulary.h"

#include <zlib.h>

#include <memory>
#include <sstream>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr const char* kBegin = "<|startoftext|>";
constexpr const char* kEnd = "<|endoftext|>";
constexpr std::size_t kMergeCount =
    49152 - 256 - 2;             // the list goes on, CLIP does not use the rest
constexpr int kClipLength = 77;  // max_position_embeddings of both encoders
constexpr std::size_t kMaxBytes = 16u << 20;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw Error(ErrorCode::BadModel, file.string() + ": " + what);
}

struct CloseGz {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

std::string unzip(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) refuse(path, "must be a file, got none");
  const std::unique_ptr<gzFile_s, CloseGz> file(gzopen(path.c_str(), "rb"));
  if (!file) refuse(path, "must be readable");
  if (gzdirect(file.get()) != 0) refuse(path, "must be gzip, got something else");
  std::string text;
  char block[1 << 16];
  for (;;) {
    const int count = gzread(file.get(), block, sizeof block);
    if (count < 0) refuse(path, "must unzip, got broken data");
    if (count == 0) break;
    text.append(block, static_cast<std::size_t>(count));
    if (text.size() > kMaxBytes) refuse(path, "must unzip to at most 16 MiB");
  }
  if (gzeof(file.get()) == 0) refuse(path, "must unzip, got an early end");
  int status = Z_OK;
  gzerror(file.get(), &status);
  if (status != Z_OK) refuse(path, "must unzip, got an early end");
  return text;
}

Merges read_merges(const std::filesystem::path& path) {
  Merges merges;
  std::istringstream lines(unzip(path));
  std::string line;
  std::getline(lines, line);  // the version
  while (merges.size() < kMergeCount && std::getline(lines, line)) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) {
      refuse(path, "line " + std::to_string(merges.size() + 2) + " must be two tokens");
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  if (merges.size() < kMergeCount) {
    refuse(path, "must hold 48894 merges, got " + std::to_string(merges.size()));
  }
  return merges;
}

Vocabulary vocabulary_of(const Merges& merges) {
  Vocabulary vocabulary;
  const auto add = [&](const std::string& token) {
    vocabulary.emplace(token, static_cast<std::int64_t>(vocabulary.size()));
  };
  for (const std::uint8_t byte : byte_order()) add(byte_signs()[byte]);
  for (const std::uint8_t byte : byte_order()) add(byte_signs()[byte] + kEndOfWord);
  for (const auto& [left, right] : merges) add(left + right);
  add(kBegin);
  add(kEnd);
  return vocabulary;
}

/// As the special_tokens_map.json of SDXL's two tokenizers makes them.
SpecialTokens special_tokens(ClipPadding padding) {
  SpecialTokens special{kBegin, kEnd, kEnd, padding == ClipPadding::EndOfText ? kEnd : "!", {}};
  for (const char* content : {kBegin, kEnd}) {
    AddedToken token{content};
    token.is_special = true;
    special.added.push_back(token);
  }
  AddedToken pad{special.pad};
  pad.is_normalized = false;  // it is written without flags there
  pad.is_special = true;
  special.added.push_back(pad);
  return special;
}

}  // namespace

TokenizerSpec read_clip_vocabulary(const std::filesystem::path& gz, ClipPadding padding) {
  TokenizerSpec spec;
  spec.merges = read_merges(gz);
  spec.vocabulary = vocabulary_of(spec.merges);
  spec.special = special_tokens(padding);
  spec.model_max_length = kClipLength;
  spec.vocabulary_file = gz.string();
  spec.config_file = gz.string();
  return spec;
}

}  // namespace ssd1b
