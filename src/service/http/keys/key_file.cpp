#include "service/http/keys/key_file.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "service/http/gate/hex_digit.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;
constexpr double kMaxRate = 1e6;

/// Where the text comes from, for messages. They must not show the line: it holds a key.
struct Place {
  const std::string& origin;
  int line = 0;
};

[[noreturn]] void refuse(const Place& place, const std::string& what) {
  throw Error(ErrorCode::Usage, place.origin + " line " + std::to_string(place.line) + ": " + what);
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::optional<KeyDigest> read_digest(std::string_view key) {
  KeyDigest digest;
  if (key.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = hex_value(key[2 * i]);
    const int low = hex_value(key[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return digest;
}

/// A positive decimal number without sign or exponent.
std::optional<double> read_number(std::string_view text) {
  const bool is_plain = !text.empty() && text.size() <= 12 && text.front() != '.' &&
                        text.back() != '.' && std::count(text.begin(), text.end(), '.') <= 1 &&
                        std::all_of(text.begin(), text.end(),
                                    [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
  if (!is_plain) return std::nullopt;
  const double number = std::strtod(std::string(text).c_str(), nullptr);
  if (number <= 0 || number > kMaxRate) return std::nullopt;
  return number;
}

double read_whole_number(std::string_view text, const char* name, const Place& place) {
  const auto number = read_number(text);
  if (!number || std::floor(*number) != *number) {
    refuse(place, std::string(name) + " must be a whole number from 1 to 1000000");
  }
  return *number;
}

/// One `name=value` behind the key. `given` are the names that the line had before.
void read_limit(std::string_view word, KeyEntry& entry, std::vector<std::string>& given,
                const Place& place) {
  const std::size_t equals = std::min(word.find('='), word.size());
  const std::string name(word.substr(0, equals));
  std::string_view value = word.substr(std::min(equals + 1, word.size()));
  if (std::find(given.begin(), given.end(), name) != given.end()) {
    refuse(place, "a limit must be given once");
  }
  given.push_back(name);
  if (name == "rate") {
    if (value.size() < 3 || value.substr(value.size() - 2) != "/s") {
      refuse(place, "rate must be like rate=2/s");
    }
    value.remove_suffix(2);
    entry.rate_per_s = read_number(value);
    if (!entry.rate_per_s) refuse(place, "rate must be above 0 and at most 1000000/s");
  } else if (name == "burst") {
    entry.burst = read_whole_number(value, "burst", place);
  } else if (name == "concurrency") {
    entry.concurrency = static_cast<int>(read_whole_number(value, "concurrency", place));
  } else {
    refuse(place, "behind the key only rate=N/s, burst=N and concurrency=N may stand");
  }
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    if (end > 0) words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

KeyEntry read_entry(const std::vector<std::string_view>& words, const Place& place) {
  const std::size_t colon = words.front().find(':');
  if (colon == std::string_view::npos) refuse(place, "a line must be NAME:KEY and limits");
  const std::string_view key = words.front().substr(colon + 1);
  KeyEntry entry;
  entry.name = words.front().substr(0, colon);
  if (!is_name(entry.name)) {
    refuse(place, "a name must be 1 to 64 letters, digits, dots, underscores and dashes");
  }
  if (key.empty()) refuse(place, "a key must not be empty");
  const auto digest = read_digest(key);
  entry.is_plain_text = !digest;
  entry.digest = digest ? *digest : digest_of(key);

  std::vector<std::string> given;
  for (std::size_t i = 1; i < words.size(); ++i) read_limit(words[i], entry, given, place);
  const bool has_burst = std::find(given.begin(), given.end(), "burst") != given.end();
  if (has_burst && !entry.rate_per_s) refuse(place, "burst must come with a rate");
  if (!has_burst && entry.rate_per_s) entry.burst = std::max(1.0, std::ceil(*entry.rate_per_s));
  return entry;
}

[[noreturn]] void refuse_file(const std::filesystem::path& path) {
  throw Error(ErrorCode::Usage, "the key file " + path.string() + " must be a readable file");
}

void check_unique(const std::vector<KeyEntry>& entries, const KeyEntry& entry, const Place& place) {
  for (const KeyEntry& each : entries) {
    if (each.name == entry.name) refuse(place, "a name must stand in one line only");
    if (each.digest == entry.digest) refuse(place, "a key must stand in one line only");
  }
}

}  // namespace

KeyDigest digest_of(std::string_view key) {
  KeyDigest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

KeyFile parse_key_file(std::string_view text, const std::string& origin) {
  KeyFile file;
  Place place{origin};
  while (!text.empty()) {
    ++place.line;
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const bool is_plain = std::all_of(line.begin(), line.end(),
                                      [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
    const auto words = words_of(line);
    if (words.empty() || words.front().front() == '#') continue;
    if (!is_plain) refuse(place, "a line must be printable ASCII, with LF at its end");
    KeyEntry entry = read_entry(words, place);
    check_unique(file.entries, entry, place);
    if (entry.is_plain_text) file.plain_text_lines.push_back(place.line);
    file.entries.push_back(std::move(entry));
  }
  if (file.entries.empty()) {
    throw Error(ErrorCode::Usage, origin + " must hold a key, or nobody could use the service");
  }
  return file;
}

KeyFile read_key_file(const std::filesystem::path& path) {
  std::error_code ignored;
  // A fifo would keep the caller waiting for whoever writes to it.
  if (!std::filesystem::is_regular_file(path, ignored)) refuse_file(path);
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (!in.is_open() || in.bad()) refuse_file(path);
  if (text.size() > kMaxFileBytes) {
    throw Error(ErrorCode::Usage, "the key file " + path.string() + " must be at most 1 MiB long");
  }
  return parse_key_file(text, "the key file " + path.string());
}

}  // namespace ssd1b
